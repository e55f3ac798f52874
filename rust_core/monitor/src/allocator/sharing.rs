//! Frames in which several pages lie, and pages that leave the frames that they were in.

use super::{FrameAllocator, FrameOwner};
use crate::ids::VmId;
use crate::overcommit::samples::Samples;
use crate::overcommit::shared_frames::{Departure, SharedFrames};
use dcsim_memory::PhysicalAddress;

/// Frames in which several pages lie.
impl FrameAllocator {
    /// The frames that are shared.
    pub fn shared(&self) -> &SharedFrames {
        &self.shared
    }

    /// Makes the frame of a guest's page one that others may share; `hash` is that of its content,
    /// which from now on does not change. Tells whether it was a guest's page.
    pub fn share(&mut self, frame: PhysicalAddress, hash: u64) -> bool {
        let Some(FrameOwner::Guest { vm, page }) = self.owner_of(frame) else { return false };
        self.hand_over(frame, FrameOwner::Shared);
        self.shared.add(frame, hash);
        self.join(frame, vm, page);
        true
    }

    /// A page lies in a shared frame from now on. It must have no frame of its own any more.
    pub fn join(&mut self, frame: PhysicalAddress, vm: VmId, page: u64) {
        if self.shared.join(frame, vm, page) {
            self.usage.entry(vm).or_default().shared += 1;
            if let Some(guard) = &self.guard {
                guard.joined(frame, vm);
            }
        }
    }

    /// A page lies in a shared frame no longer; the last one that leaves frees it.
    pub fn leave(&mut self, frame: PhysicalAddress, vm: VmId, page: u64) {
        let Some(remaining) = self.shared.leave(frame, vm, page) else { return };
        self.usage.entry(vm).or_default().shared -= 1;
        if let Some(guard) = &self.guard {
            guard.left(frame, vm);
        }
        if remaining == 0 {
            self.shared.remove(frame);
            self.release(frame);
        }
    }

    /// Gives a shared frame to the only page that is left in it. Tells whether it was the only one.
    pub fn adopt(&mut self, frame: PhysicalAddress, vm: VmId, page: u64) -> bool {
        if self.shared.sharers(frame) != 1 || self.shared.leave(frame, vm, page).is_none() {
            return false;
        }
        self.usage.entry(vm).or_default().shared -= 1;
        if let Some(guard) = &self.guard {
            guard.left(frame, vm);
        }
        self.shared.remove(frame);
        self.hand_over(frame, FrameOwner::Guest { vm, page });
        true
    }

    /// A frame that somebody holds becomes somebody else's.
    fn hand_over(&mut self, frame: PhysicalAddress, owner: FrameOwner) {
        let Some(index) = self.index_of(frame) else { return };
        let Some(before) = self.owners[index].replace(owner) else { return };
        self.count_for(before, -1);
        self.count_for(owner, 1);
        if let Some(guard) = &self.guard {
            guard.taken_back(frame);
            guard.given(frame, owner);
        }
    }

    /// Pages whose next access is noticed.
    pub fn samples(&mut self) -> &mut Samples {
        &mut self.samples
    }

    /// A page was given back: it reads as zeros now.
    pub fn note_emptied(&mut self, vm: VmId, page: u64) {
        self.emptied.push((vm, page));
    }

    /// The pages that were given back since this was last asked.
    pub fn take_emptied(&mut self) -> Vec<(VmId, u64)> {
        std::mem::take(&mut self.emptied)
    }

    /// A page of a VM is elsewhere than its translations may say: they have to go before the guest
    /// executes again ([`Self::take_departures`]).
    pub fn depart(&mut self, departure: Departure) {
        self.departures.push(departure);
    }

    /// A device took a page out of a frame that it shared: somebody has to pay for the copy.
    pub fn count_device_break(&mut self, vm: VmId) {
        *self.device_breaks.entry(vm).or_default() += 1;
    }

    /// The copies that devices had made for a VM since this was last asked.
    pub fn take_device_breaks(&mut self, vm: VmId) -> u64 {
        self.device_breaks.remove(&vm).unwrap_or_default()
    }

    /// Whether translations have to go.
    pub fn has_departures(&self) -> bool {
        !self.departures.is_empty()
    }

    /// A VM of whose pages translations have to go.
    pub fn next_departed(&self) -> Option<VmId> {
        self.departures.first().map(|departure| departure.vm)
    }

    /// The pages of a VM whose translations have to go, and where they were.
    pub fn take_departures(&mut self, vm: VmId) -> Vec<Departure> {
        self.departures.extract_if(.., |departure| departure.vm == vm).collect()
    }
}
