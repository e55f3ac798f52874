//! The software TLB: the fast path of every access.
//!
//! It is a cache of the modelled TLB (and of untranslated, PMP-checked accesses) and changes
//! nothing but the speed of the simulator: an entry exists only while the slow path would find a
//! hit in the modelled TLB, with permission, and without any cost to charge. The modelled TLB's
//! replacement is not altered by hits, so skipping the look-up loses nothing.
//!
//! An entry's tag is `page address | context number << 3`. A look-up compares it with the
//! address, of which the alignment bits of the access are kept: a misaligned address never
//! matches, so that neither misaligned nor page-crossing accesses need a test of their own.

use super::context::Context;
use crate::bus::Width;

/// Entries of one software TLB.
const ENTRIES: usize = 512;

const PAGE_MASK: u64 = 0xfff;

/// Context 0 is never used, so that this tag matches nothing.
const EMPTY: Entry = Entry { tag: 0, addend: 0 };

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u64,
    /// Offset in the page store minus virtual address, wrapping.
    addend: u64,
}

/// One software TLB; a hart has one each for loads, stores and fetches.
#[derive(Clone, Debug)]
pub(crate) struct SoftTlb {
    entries: Box<[Entry; ENTRIES]>,
}

impl SoftTlb {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { entries: Box::new([EMPTY; ENTRIES]) }
    }

    /// The offset in the page store of the first byte of an access, if the access can be made
    /// there directly.
    #[inline]
    pub(crate) fn lookup(&self, context: Context, va: u64, width: Width) -> Option<usize> {
        let entry = &self.entries[slot(va)];
        let wanted = (va & (!PAGE_MASK | width.alignment_mask())) | context.tag_bits();
        (entry.tag == wanted).then(|| va.wrapping_add(entry.addend) as usize)
    }

    /// Enters the page of `va`, whose bytes start at `page_offset` in the page store.
    pub(crate) fn fill(&mut self, context: Context, va: u64, page_offset: usize) {
        let page = va & !PAGE_MASK;
        self.entries[slot(va)] = Entry {
            tag: page | context.tag_bits(),
            addend: (page_offset as u64).wrapping_sub(page),
        };
    }

    /// Ends the entry of the page of `va`, whatever its context.
    pub(crate) fn end_page(&mut self, va: u64) {
        let entry = &mut self.entries[slot(va)];
        if (entry.tag ^ va) & !PAGE_MASK == 0 {
            *entry = EMPTY;
        }
    }

    /// Ends all entries whose page address agrees with `va` in the bits of `mask`.
    pub(crate) fn end_range(&mut self, va: u64, mask: u64) {
        for entry in self.entries.iter_mut() {
            if (entry.tag ^ va) & mask == 0 {
                *entry = EMPTY;
            }
        }
    }

    /// Ends all entries.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(EMPTY);
    }
}

/// The slot of a page. Higher bits are folded in so that streams a power of two apart do not
/// compete for one slot. The context has no part in it: one page has one slot, and ending it is
/// one look.
#[inline]
fn slot(va: u64) -> usize {
    let page = va >> 12;
    ((page ^ page >> 9 ^ page >> 18) as usize) % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Context = Context::new(1);
    const TWO: Context = Context::new(2);

    #[test]
    fn a_filled_page_answers_aligned_accesses_of_its_context() {
        let mut tlb = SoftTlb::new();
        tlb.fill(ONE, 0x1234_5678, 0x7000);

        assert_eq!(tlb.lookup(ONE, 0x1234_5ff8, Width::Double), Some(0x7ff8));
        assert_eq!(tlb.lookup(ONE, 0x1234_5fff, Width::Byte), Some(0x7fff));
        assert_eq!(tlb.lookup(TWO, 0x1234_5ff8, Width::Double), None);
        assert_eq!(tlb.lookup(ONE, 0x1234_6000, Width::Byte), None);
    }

    #[test]
    fn a_misaligned_address_never_matches() {
        let mut tlb = SoftTlb::new();
        tlb.fill(ONE, 0x5000, 0);
        for (width, offset) in [(Width::Half, 1), (Width::Word, 2), (Width::Double, 4)] {
            assert_eq!(tlb.lookup(ONE, 0x5000 + offset, width), None);
        }
    }

    #[test]
    fn an_empty_one_answers_nothing() {
        let tlb = SoftTlb::new();
        assert_eq!(tlb.lookup(ONE, 0, Width::Byte), None);
    }

    #[test]
    fn addresses_below_their_page_offset_wrap_correctly() {
        let mut tlb = SoftTlb::new();
        tlb.fill(ONE, u64::MAX, 0x3000);
        assert_eq!(tlb.lookup(ONE, u64::MAX - 7, Width::Double), Some(0x3ff8));
    }

    #[test]
    fn ending_a_page_leaves_its_slot_mates() {
        let mut tlb = SoftTlb::new();
        tlb.fill(ONE, 0x5000, 0);
        tlb.end_page(0x5000 + (1 << 40));
        assert!(tlb.lookup(ONE, 0x5000, Width::Byte).is_some());
        tlb.end_page(0x5fff);
        assert!(tlb.lookup(ONE, 0x5000, Width::Byte).is_none());
    }

    #[test]
    fn ending_a_range_takes_the_whole_superpage() {
        let mut tlb = SoftTlb::new();
        for page in [0x20_0000, 0x3f_f000, 0x40_0000] {
            tlb.fill(TWO, page, 0);
        }
        tlb.end_range(0x20_0000, !0x1f_ffff);
        assert!(tlb.lookup(TWO, 0x20_0000, Width::Byte).is_none());
        assert!(tlb.lookup(TWO, 0x3f_f000, Width::Byte).is_none());
        assert!(tlb.lookup(TWO, 0x40_0000, Width::Byte).is_some());
    }

    #[test]
    fn streams_a_power_of_two_apart_use_different_slots() {
        for distance in [21, 23, 25] {
            assert_ne!(slot(0x1000_0000), slot(0x1000_0000 + (1 << distance)));
        }
    }
}
