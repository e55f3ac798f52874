//! Instruction fetch.

use super::Access;
use crate::bus::Ports;
use crate::hart::Hart;
use crate::trap::{Abort, Trap};
use dcsim_memory::{PAGE_BYTES, PageId, PhysicalAddress};

/// A page that instructions can be decoded from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FetchedPage {
    /// The page; it is marked as code.
    pub page: PageId,
    /// The version of its code.
    pub version: u32,
    /// Offset in the page store of its first byte.
    pub slab_offset: usize,
}

impl Hart {
    /// Translates `va` for execution and gives its page to decode from. `None` if only parts of
    /// the page may be executed: then every halfword goes through [`Hart::fetch_halfword`].
    pub fn fetch_page(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
    ) -> Result<Option<FetchedPage>, Abort> {
        let physical = self.locate_code(ports, va)?;
        let base = physical.page_base();
        let length = PAGE_BYTES as u64;
        if !self.csrs.pmp.allows(base.0, length, Access::Fetch, self.privilege) {
            return Ok(None);
        }
        let Some((page, version)) = ports.memory.code_page(physical) else {
            return Err(Access::Fetch.access_fault(va).into());
        };
        self.sync_generation(ports);
        let slab_offset = page.offset();
        if !ports.memory.frames.is_watched() {
            self.mmu.execute.fill(self.mmu.fetch_context, va, slab_offset);
        }
        Ok(Some(FetchedPage { page, version, slab_offset }))
    }

    /// The offset in the page store of the instruction at `va`, for decoding in place. `None` as
    /// with [`Hart::fetch_page`].
    #[inline]
    pub fn fetch_offset(&mut self, ports: &mut Ports<'_>, va: u64) -> Result<Option<usize>, Abort> {
        if let Some(offset) = self.fast_fetch(va) {
            return Ok(Some(offset));
        }
        let within = va as usize % PAGE_BYTES;
        Ok(self.fetch_page(ports, va)?.map(|fetched| fetched.slab_offset + within))
    }

    /// Fetches two bytes; the trap value of a fault is `va`.
    pub fn fetch_halfword(&mut self, ports: &mut Ports<'_>, va: u64) -> Result<u16, Abort> {
        let physical = self.locate_code(ports, va)?;
        ports.memory.read_code(physical).map_err(|_| Access::Fetch.access_fault(va).into())
    }

    /// The physical address of the two bytes at `va`, which may be executed and are memory.
    fn locate_code(&mut self, ports: &mut Ports<'_>, va: u64) -> Result<PhysicalAddress, Abort> {
        let physical = self.translate(ports, va, Access::Fetch)?;
        let fault: Trap = Access::Fetch.access_fault(va);
        let allowed = self.csrs.pmp.allows(physical, 2, Access::Fetch, self.privilege);
        if !allowed || !ports.memory.frames.contains(PhysicalAddress(physical), 2) {
            return Err(fault.into());
        }
        Ok(PhysicalAddress(physical))
    }
}
