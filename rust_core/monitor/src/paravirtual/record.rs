//! What the monitor keeps of a guest's page, in the bits that its frame's address leaves free in
//! the page map.
//!
//! A page is plain, or a table of one level. A plain page counts the entries that map it writable,
//! a table the entries (or, for a root, the calls) that need it: so no page is ever both.

use crate::guest_pages::GUARDED;

/// The level of a table plus one; these are the bits that keep devices off.
const KIND_SHIFT: u32 = 1;
/// The frame has its name.
const NAMED: u64 = 1 << 3;
/// The epoch in which the last entry that mapped it writable went.
const EPOCH_SHIFT: u32 = 4;
const EPOCH: u64 = 0xff << EPOCH_SHIFT;
const COUNT_SHIFT: u32 = 48;

/// The record of a page.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Record(pub u64);

impl Record {
    /// The level of the table that the page is; `None`: it is plain.
    pub fn level(self) -> Option<u32> {
        ((self.0 & GUARDED) as u32 >> KIND_SHIFT).checked_sub(1)
    }

    /// How many entries or calls count on what it is.
    pub fn count(self) -> u64 {
        self.0 >> COUNT_SHIFT
    }

    /// One more; `None` if there are too many.
    pub fn counted_up(self) -> Option<Self> {
        self.0.checked_add(1 << COUNT_SHIFT).map(Self)
    }

    /// One fewer.
    pub fn counted_down(self) -> Self {
        Self(self.0.saturating_sub(1 << COUNT_SHIFT))
    }

    /// The same page as a table that one entry or call needs.
    pub fn as_table(self, level: u32) -> Self {
        let bare = self.0 & !GUARDED & ((1 << COUNT_SHIFT) - 1);
        Self(bare | 1 << COUNT_SHIFT | u64::from(level + 1) << KIND_SHIFT)
    }

    /// The same page without a use.
    pub fn as_plain(self) -> Self {
        Self(self.0 & !GUARDED & ((1 << COUNT_SHIFT) - 1))
    }

    /// Whether its frame has its name.
    pub fn is_named(self) -> bool {
        self.0 & NAMED != 0
    }

    /// The same with its frame's name known.
    pub fn named(self) -> Self {
        Self(self.0 | NAMED)
    }

    /// The same, having been mapped writable up to this epoch.
    pub fn written_until(self, epoch: u8) -> Self {
        Self(self.0 & !EPOCH | u64::from(epoch) << EPOCH_SHIFT)
    }

    /// Whether a TLB may still let somebody write it, in this epoch.
    pub fn may_be_cached(self, epoch: u8) -> bool {
        (self.0 & EPOCH) >> EPOCH_SHIFT == u64::from(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_plain_or_a_table_of_one_level_and_keeps_its_frame() {
        let plain = Record(0x8012_3001);
        assert_eq!((plain.level(), plain.count()), (None, 0));
        for level in 0..3 {
            let table = plain.as_table(level);
            assert_eq!((table.level(), table.count()), (Some(level), 1));
            assert_eq!(table.as_plain(), plain);
            assert_eq!(table.counted_up().unwrap().counted_down(), table);
        }
    }

    #[test]
    fn a_count_never_overflows() {
        let mut record = Record(0x8012_3001);
        for _ in 0..0xffff {
            record = record.counted_up().unwrap();
        }
        assert_eq!((record.count(), record.counted_up()), (0xffff, None));
    }

    #[test]
    fn epochs_tell_what_a_tlb_may_hold() {
        let record = Record(0x8012_3001).named().written_until(7);
        assert!(record.may_be_cached(7) && !record.may_be_cached(8) && record.is_named());
    }
}
