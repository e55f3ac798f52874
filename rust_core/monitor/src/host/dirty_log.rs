//! The dirty log: which pages of which VM were written.

use super::Host;
use crate::allocator::FrameOwner;
use crate::error::HostError;
use crate::ids::VmId;

impl Host {
    /// Pages of a VM written since the last call, in order; begins a new log.
    pub fn take_dirty_pages(&mut self, vm: VmId) -> Result<Vec<u64>, HostError> {
        self.vm(vm)?;
        self.collect_dirty();
        Ok(std::mem::take(self.dirty.entry(vm).or_default()).into_iter().collect())
    }

    /// Sorts the frames' dirty marks by guest page.
    pub(super) fn collect_dirty(&mut self) {
        for (vm, page) in self.allocator.take_emptied() {
            self.dirty.entry(vm).or_default().insert(page);
        }
        for number in self.frames.take_dirty() {
            if let Some(FrameOwner::Guest { vm, page }) = self.allocator.owner(number) {
                self.dirty.entry(vm).or_default().insert(page);
            }
        }
    }
}
