//! Which entries of tables lead to a frame.
//!
//! Monitors that take pages away from guests keep such a map (Linux KVM calls it `rmap`), at the
//! price of a store for each entry made or dropped. One that never does needs none, so it is begun
//! when it is first asked for.

use dcsim_memory::PhysicalAddress;
use std::collections::{BTreeMap, BTreeSet};

/// The entries that lead to frames; a place is whatever names an entry.
#[derive(Debug)]
pub struct BackMap<Place> {
    places: BTreeMap<PhysicalAddress, BTreeSet<Place>>,
    frames: BTreeMap<Place, PhysicalAddress>,
}

impl<Place> Default for BackMap<Place> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), frames: BTreeMap::new() }
    }
}

impl<Place: Copy + Ord> BackMap<Place> {
    /// The entry at a place leads to a frame now.
    pub fn note(&mut self, place: Place, frame: PhysicalAddress) {
        self.forget(place);
        self.frames.insert(place, frame);
        self.places.entry(frame).or_default().insert(place);
    }

    /// The entry at a place leads nowhere any more.
    pub fn forget(&mut self, place: Place) {
        let Some(frame) = self.frames.remove(&place) else { return };
        if let Some(places) = self.places.get_mut(&frame) {
            places.remove(&place);
            if places.is_empty() {
                self.places.remove(&frame);
            }
        }
    }

    /// The same for all places of which `is_gone` says so.
    pub fn forget_all(&mut self, is_gone: impl Fn(&Place) -> bool) {
        let gone: Vec<_> = self.frames.keys().copied().filter(is_gone).collect();
        for place in gone {
            self.forget(place);
        }
    }

    /// The places of entries that lead to a frame.
    pub fn places(&self, frame: PhysicalAddress) -> Vec<Place> {
        self.places.get(&frame).into_iter().flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: PhysicalAddress = PhysicalAddress(0x1000);
    const TWO: PhysicalAddress = PhysicalAddress(0x2000);

    #[test]
    fn an_entry_leads_to_one_frame_at_a_time() {
        let mut map = BackMap::default();
        map.note(1, ONE);
        map.note(2, ONE);
        map.note(2, TWO);
        assert_eq!((map.places(ONE), map.places(TWO)), (vec![1], vec![2]));
        map.forget(1);
        map.forget(1);
        assert!(map.places(ONE).is_empty() && map.places.len() == 1);
        map.forget_all(|place| *place > 1);
        assert!(map.places.is_empty() && map.frames.is_empty());
    }
}
