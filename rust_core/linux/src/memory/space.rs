//! The regions and pages of one program.

use super::region::Region;
use crate::hardware::{PageNumber, Rights};
use std::collections::BTreeMap;

/// The first address that a region may have: address 0 stays unmapped.
pub const LOWEST: u64 = 0x1_0000;

/// The first address behind a program's: half of what three levels of tables translate.
pub const HIGHEST: u64 = 0x40_0000_0000;

/// A page that is in memory.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Resident {
    /// Where.
    pub page: PageNumber,
    /// It belongs to others as well: the first write copies it.
    pub copied_on_write: bool,
}

/// An address space.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// By first address; they do not overlap.
    regions: BTreeMap<u64, Region>,
    /// By address.
    pub(super) pages: BTreeMap<u64, Resident>,
    /// Where the heap begins and ends.
    pub heap: (u64, u64),
}

impl Space {
    /// The region that holds an address.
    pub fn region(&self, address: u64) -> Option<(u64, Region)> {
        let (start, region) = self.regions.range(..=address).next_back()?;
        (address < region.end).then_some((*start, *region))
    }

    /// Whether nothing is mapped between two addresses.
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.overlapping(start, end).next().is_none()
    }

    /// Bytes that are mapped.
    pub fn mapped_bytes(&self) -> u64 {
        self.regions.iter().map(|(start, region)| region.end - start).sum()
    }

    /// The highest free range of so many bytes that ends at or below an address.
    pub fn free_range(&self, length: u64, below: u64) -> Option<u64> {
        let mut end = below;
        for (start, region) in self.regions.range(..below).rev() {
            let gap = end.saturating_sub(region.end.min(end));
            if gap >= length {
                return Some(end - length);
            }
            end = end.min(*start);
        }
        end.checked_sub(length).filter(|start| *start >= LOWEST)
    }

    /// Whether every address between two is mapped.
    pub fn is_mapped(&self, start: u64, end: u64) -> bool {
        let mut reached = start;
        while reached < end {
            let Some((_, region)) = self.region(reached) else { return false };
            reached = region.end;
        }
        true
    }

    fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, Region)> + '_ {
        let first = self.region(start).map_or(start, |(first, _)| first);
        self.regions.range(first..end.max(first)).map(|(start, region)| (*start, *region))
    }

    /// Adds a region where nothing is mapped.
    pub(super) fn insert(&mut self, start: u64, region: Region) {
        debug_assert!(start < region.end && self.is_free(start, region.end));
        self.regions.insert(start, region);
    }

    /// Takes out what is mapped between two addresses, cut to them. The pages stay.
    pub(super) fn take(&mut self, start: u64, end: u64) -> Vec<(u64, Region)> {
        let found: Vec<_> = self.overlapping(start, end).collect();
        let mut taken = Vec::new();
        for (first, region) in found {
            self.regions.remove(&first);
            if first < start {
                self.regions.insert(first, Region { end: start, ..region });
            }
            if region.end > end {
                let source = region.source.advanced(end - first);
                self.regions.insert(end, Region { source, ..region });
            }
            let from = first.max(start);
            let source = region.source.advanced(from - first);
            taken.push((from, Region { end: region.end.min(end), source, ..region }));
        }
        taken
    }

    /// Changes what the program may do between two addresses, all of which are mapped.
    pub(super) fn protect(&mut self, start: u64, end: u64, rights: Rights) {
        for (first, region) in self.take(start, end) {
            self.regions.insert(first, Region { rights, ..region });
        }
    }

    /// Takes the pages between two addresses out.
    pub(super) fn take_pages(&mut self, start: u64, end: u64) -> Vec<PageNumber> {
        let addresses: Vec<_> = self.pages.range(start..end).map(|(at, _)| *at).collect();
        addresses.iter().filter_map(|at| self.pages.remove(at)).map(|each| each.page).collect()
    }

    /// All regions.
    pub fn regions(&self) -> impl Iterator<Item = (u64, Region)> + '_ {
        self.regions.iter().map(|(start, region)| (*start, *region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::region::Source;

    const ALL: Rights = Rights { read: true, write: true, execute: true };

    fn zeros(end: u64) -> Region {
        Region { end, rights: ALL, source: Source::Zeros }
    }

    fn bounds(space: &Space) -> Vec<(u64, u64)> {
        space.regions().map(|(start, region)| (start, region.end)).collect()
    }

    #[test]
    fn taking_the_middle_leaves_both_ends() {
        let mut space = Space::default();
        space.insert(0x10_000, zeros(0x20_000));
        assert_eq!(space.take(0x14_000, 0x18_000), [(0x14_000, zeros(0x18_000))]);
        assert_eq!(bounds(&space), [(0x10_000, 0x14_000), (0x18_000, 0x20_000)]);
        assert!(space.is_free(0x14_000, 0x18_000));
        assert!(!space.is_mapped(0x10_000, 0x20_000));
    }

    #[test]
    fn a_part_of_a_shared_region_keeps_its_offset() {
        let object = crate::memory::region::ObjectId(3);
        let mut space = Space::default();
        let source = Source::Shared { object, offset: 0x1000 };
        space.insert(0x10_000, Region { end: 0x14_000, rights: ALL, source });
        space.take(0x11_000, 0x12_000);
        let (start, rest) = space.region(0x13_000).unwrap();
        assert_eq!((start, rest.source), (0x12_000, Source::Shared { object, offset: 0x3000 }));
    }

    #[test]
    fn free_ranges_are_found_from_above() {
        let mut space = Space::default();
        assert_eq!(space.free_range(0x1000, 0x100_000), Some(0xff_000));
        space.insert(0xfe_000, zeros(0x100_000));
        space.insert(0xf0_000, zeros(0xfd_000));
        assert_eq!(space.free_range(0x1000, 0x100_000), Some(0xfd_000));
        assert_eq!(space.free_range(0x2000, 0x100_000), Some(0xee_000));
        assert_eq!(space.free_range(0xf0_000, 0x100_000), None);
    }

    #[test]
    fn a_changed_right_holds_for_its_part_only() {
        let mut space = Space::default();
        space.insert(0x10_000, zeros(0x13_000));
        space.protect(0x11_000, 0x12_000, Rights::default());
        let rights: Vec<_> = space.regions().map(|(_, region)| region.rights.write).collect();
        assert_eq!(rights, [true, false, true]);
    }
}
