//! What the system-call interface finds below it: the VM's memory, its page tables, the clock.

use super::trees::Trees;
use crate::guest_pages::{GuestPages, PageMap};
use crate::technique::Site;
use dcsim_linux::hardware::Work;
use dcsim_linux::{Access, Hardware, PageNumber, SpaceId, Unavailable};
use dcsim_machine::{Direction, GuestMemory, GuestMemoryError, GuestRange};
use dcsim_memory::PAGE_BYTES;

/// A pCPU and the VM on it, as an operating system's kernel uses them.
pub(super) struct Below<'a, 'site> {
    pub(super) site: &'a mut Site<'site>,
    pub(super) map: &'a PageMap,
    pub(super) trees: &'a mut Trees,
}

impl Below<'_, '_> {
    /// The guest-physical address of a place in a page.
    fn address(&self, page: PageNumber, offset: usize) -> u64 {
        self.map.base() + u64::from(page.0) * PAGE_BYTES as u64 + offset as u64
    }

    fn memory(&mut self) -> GuestPages<'_> {
        GuestPages {
            memory: self.site.memory.reborrow(),
            allocator: self.site.allocator,
            map: self.map,
            vm: self.site.vm,
        }
    }
}

impl Hardware for Below<'_, '_> {
    fn provide(&mut self, page: PageNumber, access: Access) -> Result<(), Unavailable> {
        let (address, length) = (self.address(page, 0), PAGE_BYTES as u64);
        let direction = if access == Access::Write { Direction::Write } else { Direction::Read };
        let range = GuestRange { address, length, direction };
        match self.memory().reserve(&[range]) {
            Ok(()) => Ok(()),
            Err(GuestMemoryError::Unavailable(_) | GuestMemoryError::Invalid { .. }) => {
                Err(Unavailable(page))
            }
        }
    }

    fn read(&mut self, page: PageNumber, offset: usize, buffer: &mut [u8]) {
        let address = self.address(page, offset);
        if self.memory().read(address, buffer).is_err() {
            buffer.fill(0);
        }
    }

    fn write(&mut self, page: PageNumber, offset: usize, bytes: &[u8]) {
        let address = self.address(page, offset);
        let written = self.memory().write(address, bytes);
        debug_assert!(written.is_ok(), "{page:?} was not provided");
    }

    fn discard(&mut self, page: PageNumber) {
        // One that is swapped out stays so: whoever takes the page next writes it as a whole.
        let emptied = self.memory().empty(u64::from(page.0));
        debug_assert!(emptied.is_ok(), "{page:?} is none of this machine");
    }

    fn forget(&mut self, space: SpaceId, address: u64, pages: u64) {
        let (mut meter, mut frames) = self.site.tables();
        if self.trees.forget(&mut meter, &mut frames, space, address, pages).is_err() {
            // A table that cannot be read any more must not be walked either.
            self.trees.drop_space(&mut meter, &mut frames, space);
        }
    }

    fn drop_space(&mut self, space: SpaceId) {
        let (mut meter, mut frames) = self.site.tables();
        self.trees.drop_space(&mut meter, &mut frames, space);
    }

    fn account(&mut self, work: Work) {
        let mut meter = self.site.meter();
        match work {
            Work::Lookups(count) => meter.lookup(count),
            Work::Loads(count) => meter.load_state(count),
            Work::Stores(count) => meter.store_state(count),
        }
    }

    fn now_ns(&self) -> u64 {
        self.site.pcpu.hart.clock.ns()
    }
}
