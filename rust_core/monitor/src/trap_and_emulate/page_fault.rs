//! Page faults of the physical MMU: the guest's own, missing shadow entries, and devices.

use super::exits::Handled;
use super::vcpu::TrapAndEmulate;
use crate::allocator::FrameOwner;
use crate::error::HostError;
use crate::guest_pages::PageMap;
use crate::reason::ExitReason;
use crate::shadow::entry;
use crate::shadow::guest_walk::{Access, GuestFault, GuestLeaf};
use crate::shadow::spaces::flush;
use crate::shadow::tree::{Removed, TableFrames, Tree};
use crate::shadow::view::View;
use crate::supervisor::csr;
use crate::technique::{Site, Step};
use crate::trap_and_emulate::reserve;
use dcsim_hart::{Exception, TrapRecord};
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// Frames that a fill takes at most: a root that was reclaimed meanwhile, tables, the page itself.
const FILL_FRAMES: u64 = Tree::NEW_FRAMES + Tree::MAP_FRAMES + 1;

impl TrapAndEmulate {
    /// Handles a page fault, or asks for frames with nothing changed.
    pub(super) fn handle_page_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Step, HostError> {
        if !reserve(self, site, FILL_FRAMES) {
            return Ok(Step::Memory(FILL_FRAMES));
        }
        self.begin(&mut site.meter(), record);
        site.meter().read_csr(csr::STVAL);
        let handled = self.resolve(site, record, access)?;
        Ok(self.finish(site, handled))
    }

    fn resolve(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Handled, HostError> {
        match self.walk_guest(site, record.value, access)? {
            Err(GuestFault::Page) => {
                self.reflect(&mut site.meter(), record.cause, record.value);
                Ok(Handled::Resume(ExitReason::GuestPageFault))
            }
            Err(GuestFault::Access) => Ok(self.refuse(site, record.value, access)),
            Ok(leaf) => match self.map.page_of(leaf.address) {
                Some(page) => self.fill(site, record.value, &leaf, page),
                None => self.access_device(site, record, access, leaf.address),
            },
        }
    }

    /// Walks the guest's tables; the ledger keeps the cycles of walks apart.
    fn walk_guest(
        &self,
        site: &mut Site<'_>,
        address: u64,
        access: Access,
    ) -> Result<Result<GuestLeaf, GuestFault>, HostError> {
        let started = site.reading();
        let walked = self.walker().walk(&mut site.meter(), &self.guest, address, access);
        site.book_walk_since(started);
        walked
    }

    /// The guest takes an access fault.
    pub(super) fn refuse(&mut self, site: &mut Site<'_>, address: u64, access: Access) -> Handled {
        let exception = match access {
            Access::Fetch => Exception::InstructionAccessFault,
            Access::Load => Exception::LoadAccessFault,
            Access::Store => Exception::StoreAccessFault,
        };
        self.reflect(&mut site.meter(), exception.code(), address);
        Handled::Resume(ExitReason::OtherException)
    }

    /// Puts the translation of an address into the shadow tree.
    fn fill(
        &mut self,
        site: &mut Site<'_>,
        address: u64,
        leaf: &GuestLeaf,
        page: u64,
    ) -> Result<Handled, HostError> {
        let view = View::of(&self.guest);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let frame = provide(&mut meter, &mut frames, &self.map, page)?;
        let flags = view.leaf_flags(leaf.flags).unwrap_or(0);
        let target = address & !(PAGE_BYTES as u64 - 1);
        let shadow = entry::compose(frame, flags);
        let tree = self.spaces.enter(&mut meter, &mut frames, self.guest.translation, view)?;
        if tree.map(&mut meter, &mut frames, target, shadow, leaf.level)? {
            flush(&mut meter, tree.asid, Removed::Page, target);
        }
        Ok(Handled::Resume(ExitReason::ShadowFill))
    }
}

/// The frame of a guest page, given and cleared at the first touch.
pub(super) fn provide(
    meter: &mut Meter<'_>,
    frames: &mut TableFrames<'_>,
    map: &PageMap,
    page: u64,
) -> Result<PhysicalAddress, HostError> {
    let slot = map.slot(page).ok_or(HostError::FrameNotReserved)?;
    if let Some(frame) = PageMap::decode(meter.load(slot)?) {
        return Ok(frame);
    }
    let owner = FrameOwner::Guest { vm: frames.vm, page };
    let frame = frames.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
    meter.clear_page(frame)?;
    meter.store(slot, PageMap::encode(frame))?;
    Ok(frame)
}
