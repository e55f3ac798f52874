//! Handling a trap out of the guest: find the reason, do what it asks for.

use super::paging::Paging;
use super::vcpu::{HardwareAssisted, register};
use crate::assumed;
use crate::error::HostError;
use crate::guest_firmware::frames_for_call;
use crate::guest_pages::{Provided, provide_for};
use crate::holes::Hole;
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::shadow::tree::TableFrames;
use crate::supervisor::csr;
use crate::technique::{Handled, Site, Step};
use dcsim_hart::csr::fields::interrupt;
use dcsim_hart::{Exception, TrapRecord};
use dcsim_machine::Meter;

/// In the instruction that `htinst` shows for an access of a walk: the walk writes.
const WRITE_IN_WALK: u64 = 1 << 5;

/// An access of the guest that its second stage does not translate.
#[derive(Copy, Clone, Debug)]
pub(super) struct GuestPageFault {
    /// What the guest wanted to do.
    pub(super) access: Access,
    /// The guest-physical address that has no translation.
    pub(super) target: u64,
    /// The guest-virtual address that it came from.
    pub(super) address: u64,
    /// The address is not that of the access but of one of the guest's page tables.
    pub(super) in_walk: bool,
}

impl HardwareAssisted {
    /// One step: from the trap to the point where the guest can be entered again.
    pub(super) fn handle(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Step, HostError> {
        let access = guest_page_fault(record.cause);
        let shadowed = Access::of_page_fault(record.cause);
        let call = record.cause == Exception::EcallFromVirtualSupervisor.code();
        let frames = match access.or(shadowed) {
            Some(_) => self.paging.fill_frames(),
            None if call => frames_for_call(&site.pcpu.hart),
            None => 0,
        };
        self.life.guest.privilege = record.from;
        if !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        self.begin(&mut site.meter(), record);
        let handled = if record.cause & interrupt::CAUSE != 0 {
            // Entering the guest mirrors the line.
            site.pcpu.bus.interrupted = false;
            site.meter().store_state(1);
            Handled::Resume(site.reason_of_interrupt())
        } else if let Some(access) = access {
            self.handle_fault(site, record, access)?
        } else if let Some(access) = shadowed {
            self.handle_page_fault(site, record, access)?
        } else if call {
            Handled::Turn(ExitReason::FirmwareCall, self.call_firmware(site)?)
        } else if record.cause == Exception::VirtualInstruction.code() {
            self.handle_virtual(site, record)?
        } else {
            self.inject(&mut site.meter(), record.cause, record.value);
            Handled::Resume(ExitReason::OtherException)
        };
        Ok(self.life.finish(site, handled))
    }

    /// What every handler starts with: save the guest's registers, find out what happened. The
    /// trap has left in `hstatus`, `sstatus` and `sepc` what would lead back to where it was.
    fn begin(&mut self, meter: &mut Meter<'_>, record: &TrapRecord) {
        meter.enter();
        meter.read_csr(csr::SCAUSE);
        meter.read_csr(csr::SEPC);
        meter.assume(assumed::DISPATCH);
        self.life.pc = record.pc;
        self.installed.hypervisor = Some(self.hypervisor_status());
        // The trap has cleared `SIE` into `SPIE`, which only `sret` looks at.
        self.installed.status = None;
        self.installed.pc = Some(self.life.pc);
    }

    /// A guest-physical address without translation: a page to be mapped, or no memory.
    fn handle_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Handled, HostError> {
        let mut meter = site.meter();
        let address = meter.read_csr(csr::STVAL);
        let instruction = meter.read_csr(register::HTINST);
        // Bits 1:0 are not in `htval`; they are those of the address that was accessed.
        let target = meter.read_csr(register::HTVAL) << 2 | address & 3;
        let fault = GuestPageFault { access, target, address, in_walk: instruction != 0 };
        debug_assert_eq!(address, record.value, "stval is what the trap said");
        match self.map.page_of(target) {
            Some(page) => {
                // What a walk in the guest's name does to a table is in the instruction's place.
                let writes = if fault.in_walk {
                    instruction & WRITE_IN_WALK != 0
                } else {
                    access == Access::Store
                };
                self.fill(site, target, page, writes)
            }
            None => match Hole::SecondStage.frame(target) {
                Some(frame) => {
                    let provided = Provided { frame, writable: true, broke: false };
                    self.map(site, target, provided)
                }
                None => Ok(self.access_device(site, &fault)),
            },
        }
    }

    /// Gives a page of the guest its frame, and the frame its place in the second stage.
    fn fill(
        &mut self,
        site: &mut Site<'_>,
        target: u64,
        page: u64,
        writes: bool,
    ) -> Result<Handled, HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let provided = provide_for(&mut meter, &mut frames, &self.map, page, writes)?;
        self.map(site, target, provided)
    }

    /// Gives a frame its place in the second stage.
    fn map(
        &mut self,
        site: &mut Site<'_>,
        target: u64,
        provided: Provided,
    ) -> Result<Handled, HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        if let Paging::Nested(second_stage) = &mut self.paging {
            second_stage.map(&mut meter, &mut frames, target, provided)?;
        }
        let broke = ExitReason::CowBreak;
        Ok(Handled::Resume(if provided.broke { broke } else { ExitReason::SecondStageFill }))
    }
}

/// The access of a guest-page fault.
fn guest_page_fault(cause: u64) -> Option<Access> {
    [
        (Exception::InstructionGuestPageFault, Access::Fetch),
        (Exception::LoadGuestPageFault, Access::Load),
        (Exception::StoreGuestPageFault, Access::Store),
    ]
    .into_iter()
    .find(|(exception, _)| exception.code() == cause)
    .map(|(_, access)| access)
}
