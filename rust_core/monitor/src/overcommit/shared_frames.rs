//! Frames in which several pages of guests lie.
//!
//! Their content does not change for as long as they are shared: whoever writes to a page of his
//! leaves the frame first.

use crate::ids::VmId;
use dcsim_memory::PhysicalAddress;
use std::collections::{BTreeMap, BTreeSet};

/// A page that is no longer in a frame, which translations of its guest's may still name.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Departure {
    /// Whose page.
    pub vm: VmId,
    /// Its number.
    pub page: u64,
    /// Where it was.
    pub frame: PhysicalAddress,
    /// Where it is now has the same content.
    pub keeps_content: bool,
}

#[derive(Debug, Default)]
struct SharedFrame {
    hash: u64,
    pages: BTreeSet<(VmId, u64)>,
}

/// The shared frames of a host.
#[derive(Debug, Default)]
pub struct SharedFrames {
    frames: BTreeMap<PhysicalAddress, SharedFrame>,
    by_hash: BTreeMap<u64, BTreeSet<PhysicalAddress>>,
    pages: u64,
}

impl SharedFrames {
    /// The number of shared frames.
    pub fn frame_count(&self) -> u64 {
        self.frames.len() as u64
    }

    /// The number of pages in them.
    pub fn page_count(&self) -> u64 {
        self.pages
    }

    /// The number of pages in a frame; 0 if it is not shared.
    pub fn sharers(&self, frame: PhysicalAddress) -> u64 {
        self.frames.get(&frame).map_or(0, |shared| shared.pages.len() as u64)
    }

    /// All shared frames, with the number of pages in each.
    pub fn iter(&self) -> impl Iterator<Item = (PhysicalAddress, u64)> {
        self.frames.iter().map(|(frame, shared)| (*frame, shared.pages.len() as u64))
    }

    /// The pages in a frame.
    pub fn pages_in(&self, frame: PhysicalAddress) -> impl Iterator<Item = (VmId, u64)> {
        self.frames.get(&frame).into_iter().flat_map(|shared| shared.pages.iter().copied())
    }

    /// The shared frames whose content has a hash.
    pub fn with_hash(&self, hash: u64) -> impl Iterator<Item = PhysicalAddress> {
        self.by_hash.get(&hash).into_iter().flatten().copied()
    }

    /// The pages of a VM that lie in shared frames.
    pub(crate) fn pages_of(&self, vm: VmId) -> Vec<(PhysicalAddress, u64)> {
        let of_vm = |(frame, shared): (&PhysicalAddress, &SharedFrame)| {
            let pages = shared.pages.range((vm, 0)..=(vm, u64::MAX));
            pages.map(|(_, page)| (*frame, *page)).collect::<Vec<_>>()
        };
        self.frames.iter().flat_map(of_vm).collect()
    }

    pub(crate) fn add(&mut self, frame: PhysicalAddress, hash: u64) {
        self.frames.insert(frame, SharedFrame { hash, pages: BTreeSet::new() });
        self.by_hash.entry(hash).or_default().insert(frame);
    }

    /// Tells whether the page was not in the frame before.
    pub(crate) fn join(&mut self, frame: PhysicalAddress, vm: VmId, page: u64) -> bool {
        let joined =
            self.frames.get_mut(&frame).is_some_and(|shared| shared.pages.insert((vm, page)));
        self.pages += u64::from(joined);
        joined
    }

    /// The number of pages that are left in the frame; `None` if this one was not in it.
    pub(crate) fn leave(&mut self, frame: PhysicalAddress, vm: VmId, page: u64) -> Option<u64> {
        let shared = self.frames.get_mut(&frame)?;
        if !shared.pages.remove(&(vm, page)) {
            return None;
        }
        self.pages -= 1;
        Some(shared.pages.len() as u64)
    }

    /// Forgets a frame in which no page is left.
    pub(crate) fn remove(&mut self, frame: PhysicalAddress) {
        let Some(shared) = self.frames.remove(&frame) else { return };
        if let Some(frames) = self.by_hash.get_mut(&shared.hash) {
            frames.remove(&frame);
            if frames.is_empty() {
                self.by_hash.remove(&shared.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::allocator::{FrameAllocator, FrameOwner, FrameUsage};
    use crate::ids::VmId;
    use dcsim_memory::PhysicalAddress;

    const BASE: PhysicalAddress = PhysicalAddress(0x8000_0000);
    const ONE: VmId = VmId(1);
    const TWO: VmId = VmId(2);

    fn shared() -> (FrameAllocator, PhysicalAddress) {
        let mut frames = FrameAllocator::new(BASE, 4);
        let frame = frames.allocate(FrameOwner::Guest { vm: ONE, page: 7 }).unwrap();
        assert!(frames.share(frame, 42));
        frames.join(frame, TWO, 9);
        (frames, frame)
    }

    #[test]
    fn a_shared_frame_is_counted_for_nobody_and_its_pages_for_their_vms() {
        let (frames, frame) = shared();
        let usage = FrameUsage { shared: 1, ..FrameUsage::default() };
        assert_eq!((frames.usage(ONE), frames.usage(TWO)), (usage, usage));
        assert_eq!(frames.owner_of(frame), Some(FrameOwner::Shared));
        assert_eq!(frames.shared().with_hash(42).collect::<Vec<_>>(), [frame]);
        assert_eq!((frames.shared().frame_count(), frames.shared().page_count()), (1, 2));
        assert_eq!(frames.free_count(), 3);
    }

    #[test]
    fn the_last_that_leaves_frees_the_frame() {
        let (mut frames, frame) = shared();
        frames.leave(frame, ONE, 7);
        frames.leave(frame, ONE, 7);
        assert_eq!(frames.free_count(), 3);
        frames.release_vm(TWO);
        assert_eq!(frames.free_count(), 4);
        assert_eq!((frames.shared().frame_count(), frames.shared().page_count()), (0, 0));
        assert_eq!(frames.shared().with_hash(42).count(), 0);
        assert_eq!(frames.usage(TWO), FrameUsage::default());
    }

    #[test]
    fn only_the_last_page_can_have_the_frame_for_itself() {
        let (mut frames, frame) = shared();
        assert!(!frames.adopt(frame, ONE, 7));
        frames.leave(frame, ONE, 7);
        assert!(!frames.adopt(frame, ONE, 7));
        assert!(frames.adopt(frame, TWO, 9));
        assert_eq!(frames.owner_of(frame), Some(FrameOwner::Guest { vm: TWO, page: 9 }));
        assert_eq!(frames.usage(TWO), FrameUsage { guest: 1, ..FrameUsage::default() });
        assert_eq!(frames.shared().frame_count(), 0);
    }

    #[test]
    fn only_pages_of_guests_can_be_shared() {
        let mut frames = FrameAllocator::new(BASE, 4);
        let table = frames.allocate(FrameOwner::Shadow { vm: ONE }).unwrap();
        assert!(!frames.share(table, 1));
        assert!(!frames.share(PhysicalAddress(0), 1));
    }
}
