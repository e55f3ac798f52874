//! The TLB of the simulated hart: what it holds decides which accesses pay for a walk.
//!
//! Set-associative with first-in-first-out replacement. Hits alter nothing, so that a look-up
//! that the software TLB saves has no effect that could be missed. One entry maps one page of any
//! size; the set of a page follows from its number in units of its own size. Invalid page-table
//! entries are never held.

use super::pte::Pte;
use crate::timing::TlbShape;

/// Page-table levels of Sv48, hence page sizes.
const LEVELS: usize = 4;

/// A translation that the TLB holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TlbEntry {
    /// First virtual address of the page, without the bits of the offset.
    pub(crate) base: u64,
    /// The address space that it belongs to, unless it is global.
    pub(crate) asid: u16,
    /// The level of the table that mapped it: 0 for 4 KiB, 1 for 2 MiB, ...
    pub(crate) level: usize,
    /// The leaf entry; global also if a table above it was.
    pub(crate) pte: Pte,
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

    fn covers(&self, va: u64) -> bool {
        (self.base ^ va) & self.mask() == 0
    }

    fn belongs_to(&self, asid: u16) -> bool {
        self.pte.is_global() || self.asid == asid
    }
}

/// The bits of an address that select a page of this level.
pub(crate) fn page_mask(level: usize) -> u64 {
    u64::MAX << (12 + 9 * level)
}

#[derive(Clone, Copy, Debug)]
struct Way {
    /// When the entry came in; the smallest leaves first. Below the TLB's `oldest_stamp` it has
    /// left already.
    stamp: u64,
    entry: TlbEntry,
}

const EMPTY: Way = Way { stamp: 0, entry: TlbEntry { base: 0, asid: 0, level: 0, pte: Pte(0) } };

/// A modelled TLB.
#[derive(Clone, Debug)]
pub(crate) struct ModelledTlb {
    /// Set after set.
    ways: Vec<Way>,
    sets: u64,
    ways_per_set: usize,
    next_stamp: u64,
    /// Entries that came in earlier are gone: so removing all is one store.
    oldest_stamp: u64,
    /// Entries held of each level, to skip look-ups for sizes that are not there.
    held: [usize; LEVELS],
}

impl ModelledTlb {
    /// An empty TLB. A shape that does not divide evenly is rounded down to whole sets; there is
    /// always at least one entry.
    pub(crate) fn new(shape: TlbShape) -> Self {
        let ways_per_set = shape.ways.clamp(1, shape.entries.max(1));
        let sets = (shape.entries / ways_per_set).max(1);
        Self {
            ways: vec![EMPTY; sets * ways_per_set],
            sets: sets as u64,
            ways_per_set,
            next_stamp: 1,
            oldest_stamp: 1,
            held: [0; LEVELS],
        }
    }

    /// The entry that translates `va` in this address space; the smallest page if several do.
    pub(crate) fn lookup(&self, va: u64, asid: u16) -> Option<&TlbEntry> {
        self.find(va, asid).map(|position| &self.ways[position].entry)
    }

    /// Removes the entry that [`ModelledTlb::lookup`] finds.
    pub(crate) fn remove(&mut self, va: u64, asid: u16) -> Option<TlbEntry> {
        let position = self.find(va, asid)?;
        Some(self.vacate(position))
    }

    /// Enters a translation; returns the one that had to leave. Translations of the same page that
    /// some address space would find beside the new one give way to it.
    pub(crate) fn insert(&mut self, entry: TlbEntry) -> Option<TlbEntry> {
        let set = self.set_of(entry.base, entry.level);
        self.vacate_rivals(set, &entry);
        let oldest = self.positions(set).min_by_key(|position| self.ways[*position].stamp)?;
        let leaving = self.holds(oldest).then(|| self.vacate(oldest));
        self.ways[oldest] = Way { stamp: self.next_stamp, entry };
        self.held[entry.level] += 1;
        self.next_stamp += 1;
        leaving
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.oldest_stamp = self.next_stamp;
        self.held = [0; LEVELS];
    }

    /// Removes all entries of an address space but the global ones.
    pub(crate) fn clear_asid(&mut self, asid: u16) {
        for position in 0..self.ways.len() {
            let entry = &self.ways[position].entry;
            let chosen = entry.asid == asid && !entry.pte.is_global();
            if chosen && self.holds(position) {
                self.vacate(position);
            }
        }
    }

    /// Removes the entries that map `va`: all of them, or those of one address space but the
    /// global ones. Calls `ended` for each.
    pub(crate) fn clear_page(
        &mut self,
        va: u64,
        asid: Option<u16>,
        mut ended: impl FnMut(&TlbEntry),
    ) {
        for level in 0..LEVELS {
            if self.held[level] == 0 {
                continue;
            }
            for position in self.positions(self.set_of(va, level)) {
                let entry = &self.ways[position].entry;
                let chosen = asid.is_none_or(|asid| entry.asid == asid && !entry.pte.is_global());
                let matches = entry.level == level && entry.covers(va) && chosen;
                if matches && self.holds(position) {
                    ended(&self.vacate(position));
                }
            }
        }
    }

    fn find(&self, va: u64, asid: u16) -> Option<usize> {
        (0..LEVELS).filter(|level| self.held[*level] != 0).find_map(|level| {
            self.positions(self.set_of(va, level)).find(|position| {
                let entry = &self.ways[*position].entry;
                entry.level == level
                    && entry.covers(va)
                    && entry.belongs_to(asid)
                    && self.holds(*position)
            })
        })
    }

    fn holds(&self, position: usize) -> bool {
        self.ways[position].stamp >= self.oldest_stamp
    }

    fn vacate(&mut self, position: usize) -> TlbEntry {
        let way = std::mem::replace(&mut self.ways[position], EMPTY);
        self.held[way.entry.level] -= 1;
        way.entry
    }

    fn vacate_rivals(&mut self, set: usize, new: &TlbEntry) {
        for position in self.positions(set) {
            let entry = &self.ways[position].entry;
            let same_page = entry.level == new.level && entry.base == new.base;
            let same_space = new.pte.is_global() || entry.belongs_to(new.asid);
            if same_page && same_space && self.holds(position) {
                self.vacate(position);
            }
        }
    }

    fn set_of(&self, va: u64, level: usize) -> usize {
        ((va >> (12 + 9 * level)) % self.sets) as usize
    }

    fn positions(&self, set: usize) -> std::ops::Range<usize> {
        set * self.ways_per_set..(set + 1) * self.ways_per_set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOBAL: u64 = 1 << 5;

    fn entry(page: u64, asid: u16) -> TlbEntry {
        TlbEntry { base: page << 12, asid, level: 0, pte: Pte(page << 10) }
    }

    fn fully_associative(entries: usize) -> ModelledTlb {
        ModelledTlb::new(TlbShape { entries, ways: entries })
    }

    #[test]
    fn the_first_in_leaves_first_however_often_it_hits() {
        let mut tlb = fully_associative(2);
        assert_eq!(tlb.insert(entry(1, 0)), None);
        assert_eq!(tlb.insert(entry(2, 0)), None);
        assert!(tlb.lookup(0x1000, 0).is_some());
        assert_eq!(tlb.insert(entry(3, 0)), Some(entry(1, 0)));
        assert_eq!(tlb.insert(entry(1, 0)), Some(entry(2, 0)));
    }

    #[test]
    fn a_hole_is_filled_before_anything_leaves() {
        let mut tlb = fully_associative(3);
        for page in 1..=3 {
            tlb.insert(entry(page, 0));
        }
        tlb.clear_page(0x2000, None, |_| {});
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
        assert!(tlb.lookup(0x1000, 0).is_some());
    }

    #[test]
    fn address_spaces_share_global_entries_only() {
        let mut tlb = fully_associative(4);
        tlb.insert(entry(1, 7));
        tlb.insert(TlbEntry { pte: Pte(GLOBAL), ..entry(2, 7) });
        assert!(tlb.lookup(0x1000, 8).is_none());
        assert!(tlb.lookup(0x2000, 8).is_some());

        tlb.clear_asid(7);
        assert!(tlb.lookup(0x1000, 7).is_none());
        assert!(tlb.lookup(0x2000, 7).is_some());
        tlb.clear_page(0x2000, Some(7), |_| {});
        assert!(tlb.lookup(0x2000, 7).is_some());
        tlb.clear_page(0x2000, None, |_| {});
        assert!(tlb.lookup(0x2000, 7).is_none());
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
            assert_eq!(tlb.lookup(0x1000, asid), Some(&global));
        }
        assert_eq!(tlb.insert(entry(2, 1)), None);
        assert_eq!(tlb.insert(entry(3, 1)), None);
    }

    #[test]
    fn a_superpage_is_one_entry_with_its_own_size() {
        let mut tlb = fully_associative(2);
        let mega = TlbEntry { base: 0x20_0000, asid: 0, level: 1, pte: Pte(0x8_0200 << 10) };
        tlb.insert(mega);
        let found = tlb.lookup(0x3f_f123, 0).copied();
        assert_eq!(found.map(|entry| entry.physical(0x3f_f123)), Some(0x803f_f123));
        assert!(tlb.lookup(0x40_0000, 0).is_none());
        tlb.clear_page(0x3f_f000, None, |_| {});
        assert!(tlb.lookup(0x20_0000, 0).is_none());
    }
}
