//! The TLB of the simulated hart: what it holds decides which accesses pay for a walk.
//!
//! Set-associative with first-in-first-out replacement. Hits alter nothing, so that a look-up
//! that the software TLB saves has no effect that could be missed. One entry maps one page of any
//! size; the set of a page follows from its number in units of its own size. Invalid page-table
//! entries are never held. A guest's entry is a translation by both stages: of the smaller page of
//! the two, with the rights of both.

use super::Access;
use super::pte::Pte;
use super::regime::Regime;
use super::space::Space;
use crate::timing::TlbShape;
use std::ops::Range;

/// Page-table levels of Sv48, hence page sizes.
const LEVELS: usize = 4;

/// A translation that the TLB holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TlbEntry {
    /// First virtual address of the page, without the bits of the offset.
    pub(crate) base: u64,
    /// The address space that it belongs to, and all of its machine if it is global.
    pub(crate) space: Space,
    /// The level of the table that mapped it: 0 for 4 KiB, 1 for 2 MiB, ...
    pub(crate) level: usize,
    /// The level of the first stage's page, which a fence ends as a whole: not below `level`.
    pub(crate) fence_level: usize,
    /// The leaf entry of the only or first stage, global also if a table above it was, with the
    /// physical page; nothing but that if there is no first stage.
    pub(crate) pte: Pte,
    /// The leaf entry of the second stage, if there is one.
    pub(crate) second: Option<Pte>,
}

impl TlbEntry {
    /// The bits of an address that select the page.
    pub(crate) fn mask(&self) -> u64 {
        page_mask(self.level)
    }

    /// The physical address of `va`.
    pub(crate) fn physical(&self, va: u64) -> u64 {
        self.pte.ppn() << 12 | (va & !self.mask())
    }

    /// Whether it permits the access, accessed and dirty bits included.
    #[inline]
    pub(crate) fn answers(&self, access: Access, regime: &Regime) -> bool {
        let first = self.space.is_direct()
            || (self.pte.permits(access, regime.accessor) && self.pte.is_marked_for(access));
        let allows =
            |pte: Pte| pte.permits(access, regime.guest_accessor) && pte.is_marked_for(access);
        first && self.second.is_none_or(allows)
    }

    fn belongs_to(&self, space: Space) -> bool {
        self.space == space || (self.pte.is_global() && self.space.shares_global(space))
    }

    /// Whether it is a part of a larger page of the first stage.
    fn is_part(&self) -> bool {
        self.level < self.fence_level
    }
}

/// The bits of an address that select a page of this level.
pub(crate) fn page_mask(level: usize) -> u64 {
    u64::MAX << (12 + 9 * level)
}

/// The tag of the page of this level that `va` lies in.
fn tag_of(va: u64, level: usize) -> u64 {
    va & page_mask(level) | level as u64
}

/// The tag of no page: no level has this number.
const NO_TAG: u64 = u64::MAX;

const NO_ENTRY: TlbEntry = TlbEntry {
    base: 0,
    space: Space::host(0),
    level: 0,
    fence_level: 0,
    pte: Pte(0),
    second: None,
};

/// A modelled TLB.
#[derive(Clone, Debug)]
pub(crate) struct ModelledTlb {
    /// What each place holds, set after set. Places are searched by tag and by stamp, which for that
    /// stand apart from the entries, close together.
    entries: Vec<TlbEntry>,
    /// The page that each place maps.
    tags: Vec<u64>,
    /// When the entry of each place came in; the smallest leaves first. Below `oldest_stamp` it has
    /// left already.
    stamps: Vec<u64>,
    sets: u64,
    ways_per_set: usize,
    next_stamp: u64,
    /// Entries that came in earlier are gone: so removing all is one store.
    oldest_stamp: u64,
    /// Entries held of each level, to skip look-ups for sizes that are not there.
    held: [usize; LEVELS],
    /// A guest's entry has come in since all were removed.
    has_guests: bool,
    /// A part of a larger page has.
    has_parts: bool,
}

impl ModelledTlb {
    /// An empty TLB. A shape that does not divide evenly is rounded down to whole sets; there is
    /// always at least one entry.
    pub(crate) fn new(shape: TlbShape) -> Self {
        let ways_per_set = shape.ways.clamp(1, shape.entries.max(1));
        let sets = (shape.entries / ways_per_set).max(1);
        Self {
            entries: vec![NO_ENTRY; sets * ways_per_set],
            tags: vec![NO_TAG; sets * ways_per_set],
            stamps: vec![0; sets * ways_per_set],
            sets: sets as u64,
            ways_per_set,
            next_stamp: 1,
            oldest_stamp: 1,
            held: [0; LEVELS],
            has_guests: false,
            has_parts: false,
        }
    }

    /// The entry that translates `va` in this address space; the smallest page if several do.
    pub(crate) fn lookup(&self, va: u64, space: Space) -> Option<&TlbEntry> {
        self.find(va, space).map(|position| &self.entries[position])
    }

    /// Removes the entry that [`ModelledTlb::lookup`] finds.
    pub(crate) fn remove(&mut self, va: u64, space: Space) -> Option<TlbEntry> {
        let position = self.find(va, space)?;
        Some(self.vacate(position))
    }

    /// Enters a translation; returns the one that had to leave. Translations of the same page that
    /// some address space would find beside the new one give way to it.
    pub(crate) fn insert(&mut self, entry: TlbEntry) -> Option<TlbEntry> {
        let set = self.set_of(entry.base, entry.level);
        self.vacate_rivals(set.clone(), &entry);
        let oldest = set.min_by_key(|position| self.stamps[*position])?;
        let leaving = self.holds(oldest).then(|| self.vacate(oldest));
        self.entries[oldest] = entry;
        self.tags[oldest] = tag_of(entry.base, entry.level);
        self.stamps[oldest] = self.next_stamp;
        self.held[entry.level] += 1;
        self.next_stamp += 1;
        self.has_guests |= entry.space.is_guest();
        self.has_parts |= entry.is_part();
        leaving
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.oldest_stamp = self.next_stamp;
        self.held = [0; LEVELS];
        self.has_guests = false;
        self.has_parts = false;
    }

    /// Whether a guest's entries may be held.
    pub(crate) fn has_guests(&self) -> bool {
        self.has_guests
    }

    /// Removes the chosen entries.
    pub(crate) fn clear_chosen(&mut self, is_chosen: impl Fn(&TlbEntry) -> bool) {
        for position in 0..self.entries.len() {
            if is_chosen(&self.entries[position]) && self.holds(position) {
                self.vacate(position);
            }
        }
    }

    /// Removes those of the chosen entries that map `va`, and the parts of a page that does. Calls
    /// `ended` for each.
    pub(crate) fn clear_page(
        &mut self,
        va: u64,
        is_chosen: impl Fn(&TlbEntry) -> bool,
        mut ended: impl FnMut(&TlbEntry),
    ) {
        for level in 0..LEVELS {
            if self.held[level] == 0 {
                continue;
            }
            let tag = tag_of(va, level);
            for position in self.set_of(va, level) {
                let matches = self.tags[position] == tag && is_chosen(&self.entries[position]);
                if matches && self.holds(position) {
                    ended(&self.vacate(position));
                }
            }
        }
        if self.has_parts {
            self.clear_parts(va, is_chosen, ended);
        }
    }

    fn clear_parts(
        &mut self,
        va: u64,
        is_chosen: impl Fn(&TlbEntry) -> bool,
        mut ended: impl FnMut(&TlbEntry),
    ) {
        for position in 0..self.entries.len() {
            let entry = &self.entries[position];
            let covers = (entry.base ^ va) & page_mask(entry.fence_level) == 0;
            if entry.is_part() && covers && is_chosen(entry) && self.holds(position) {
                ended(&self.vacate(position));
            }
        }
    }

    fn find(&self, va: u64, space: Space) -> Option<usize> {
        (0..LEVELS).filter(|level| self.held[*level] != 0).find_map(|level| {
            let tag = tag_of(va, level);
            self.set_of(va, level).find(|position| {
                self.tags[*position] == tag
                    && self.entries[*position].belongs_to(space)
                    && self.holds(*position)
            })
        })
    }

    fn holds(&self, position: usize) -> bool {
        self.stamps[position] >= self.oldest_stamp
    }

    fn vacate(&mut self, position: usize) -> TlbEntry {
        let entry = self.entries[position];
        self.held[entry.level] -= 1;
        self.tags[position] = NO_TAG;
        self.stamps[position] = 0;
        entry
    }

    fn vacate_rivals(&mut self, set: Range<usize>, new: &TlbEntry) {
        let tag = tag_of(new.base, new.level);
        for position in set {
            if self.tags[position] != tag {
                continue;
            }
            let entry = &self.entries[position];
            let shared = new.pte.is_global() && new.space.shares_global(entry.space);
            let same_space = shared || entry.belongs_to(new.space);
            if same_space && self.holds(position) {
                self.vacate(position);
            }
        }
    }

    /// The places for a page of this level that `va` lies in.
    fn set_of(&self, va: u64, level: usize) -> Range<usize> {
        let set = ((va >> (12 + 9 * level)) % self.sets) as usize;
        set * self.ways_per_set..(set + 1) * self.ways_per_set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOBAL: u64 = 1 << 5;

    fn entry(page: u64, asid: u16) -> TlbEntry {
        TlbEntry {
            base: page << 12,
            space: Space::host(asid),
            level: 0,
            fence_level: 0,
            pte: Pte(page << 10),
            second: None,
        }
    }

    fn fully_associative(entries: usize) -> ModelledTlb {
        ModelledTlb::new(TlbShape { entries, ways: entries })
    }

    #[test]
    fn the_first_in_leaves_first_however_often_it_hits() {
        let mut tlb = fully_associative(2);
        assert_eq!(tlb.insert(entry(1, 0)), None);
        assert_eq!(tlb.insert(entry(2, 0)), None);
        assert!(tlb.lookup(0x1000, Space::host(0)).is_some());
        assert_eq!(tlb.insert(entry(3, 0)), Some(entry(1, 0)));
        assert_eq!(tlb.insert(entry(1, 0)), Some(entry(2, 0)));
    }

    #[test]
    fn a_hole_is_filled_before_anything_leaves() {
        let mut tlb = fully_associative(3);
        for page in 1..=3 {
            tlb.insert(entry(page, 0));
        }
        tlb.clear_page(0x2000, |_| true, |_| {});
        assert_eq!(tlb.insert(entry(4, 0)), None);
        assert_eq!(tlb.insert(entry(5, 0)), Some(entry(1, 0)));
        assert_eq!(tlb.insert(entry(6, 0)), Some(entry(3, 0)));
    }

    #[test]
    fn sets_compete_only_within_themselves() {
        let mut tlb = ModelledTlb::new(TlbShape { entries: 4, ways: 2 });
        for page in [0, 2, 1] {
            assert_eq!(tlb.insert(entry(page, 0)), None);
        }
        assert_eq!(tlb.insert(entry(4, 0)), Some(entry(0, 0)));
        assert!(tlb.lookup(0x1000, Space::host(0)).is_some());
    }

    #[test]
    fn address_spaces_share_global_entries_only() {
        let mut tlb = fully_associative(4);
        tlb.insert(entry(1, 7));
        tlb.insert(TlbEntry { pte: Pte(GLOBAL), ..entry(2, 7) });
        assert!(tlb.lookup(0x1000, Space::host(8)).is_none());
        assert!(tlb.lookup(0x2000, Space::host(8)).is_some());

        tlb.clear_chosen(|entry| entry.space.has_asid(7) && !entry.pte.is_global());
        assert!(tlb.lookup(0x1000, Space::host(7)).is_none());
        assert!(tlb.lookup(0x2000, Space::host(7)).is_some());
        tlb.clear_page(0x2000, |entry| entry.space.has_asid(7) && !entry.pte.is_global(), |_| {});
        assert!(tlb.lookup(0x2000, Space::host(7)).is_some());
        tlb.clear_page(0x2000, |_| true, |_| {});
        assert!(tlb.lookup(0x2000, Space::host(7)).is_none());
    }

    #[test]
    fn a_global_page_takes_the_place_of_single_ones() {
        let mut tlb = fully_associative(3);
        for asid in 1..=3 {
            tlb.insert(entry(1, asid));
        }
        let global = TlbEntry { pte: Pte(GLOBAL), ..entry(1, 4) };
        assert_eq!(tlb.insert(global), None);
        for asid in 1..=4 {
            assert_eq!(tlb.lookup(0x1000, Space::host(asid)), Some(&global));
        }
        assert_eq!(tlb.insert(entry(2, 1)), None);
        assert_eq!(tlb.insert(entry(3, 1)), None);
    }

    #[test]
    fn a_superpage_is_one_entry_with_its_own_size() {
        let mut tlb = fully_associative(2);
        let mega = TlbEntry {
            base: 0x20_0000,
            level: 1,
            fence_level: 1,
            pte: Pte(0x8_0200 << 10),
            ..entry(0, 0)
        };
        tlb.insert(mega);
        let found = tlb.lookup(0x3f_f123, Space::host(0)).copied();
        assert_eq!(found.map(|entry| entry.physical(0x3f_f123)), Some(0x803f_f123));
        assert!(tlb.lookup(0x40_0000, Space::host(0)).is_none());
        tlb.clear_page(0x3f_f000, |_| true, |_| {});
        assert!(tlb.lookup(0x20_0000, Space::host(0)).is_none());
    }

    #[test]
    fn a_part_leaves_with_every_address_of_its_page() {
        let mut tlb = fully_associative(4);
        tlb.insert(TlbEntry { fence_level: 1, ..entry(0x200, 1) });
        tlb.insert(entry(0x201, 1));
        tlb.clear_page(0x3f_f000, |_| true, |_| {});
        assert!(tlb.lookup(0x20_0000, Space::host(1)).is_none());
        assert!(tlb.lookup(0x20_1000, Space::host(1)).is_some());
    }

    #[test]
    fn guests_do_not_find_each_others_entries() {
        let mut tlb = fully_associative(4);
        let global = TlbEntry { pte: Pte(GLOBAL), space: Space::guest(1, 5), ..entry(1, 0) };
        tlb.insert(global);
        assert_eq!(tlb.lookup(0x1000, Space::guest(1, 6)), Some(&global));
        for other in [Space::guest(2, 5), Space::host(5), Space::guest_physical(1)] {
            assert!(tlb.lookup(0x1000, other).is_none());
        }
    }
}
