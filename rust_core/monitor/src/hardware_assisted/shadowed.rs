//! What a guest with shadow tables leaves to its monitor: page faults, `satp`, and fences.

use super::paging::Paging;
use super::vcpu::{HardwareAssisted, register};
use crate::error::HostError;
use crate::instruction::CsrAccess;
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::shadow::resolve::{Fault, Resolution, Resolver};
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::shadow::view::View;
use crate::supervisor::csr;
use crate::technique::{Handled, Site};
use dcsim_hart::csr::fields::status;
use dcsim_hart::isa::Register;
use dcsim_hart::{Exception, TrapRecord};
use dcsim_machine::Meter;

impl HardwareAssisted {
    /// Finds out what a page fault means and does what is to be done about it.
    pub(super) fn handle_page_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Handled, HostError> {
        let mut meter = site.meter();
        meter.read_csr(csr::STVAL);
        self.life.guest.status = meter.read_csr(register::VSSTATUS) & status::SUPERVISOR_WRITABLE;
        let Paging::Shadow(shadow) = &mut self.paging else {
            // Delegated: none comes here.
            return Err(HostError::FrameNotReserved);
        };
        let fault = Fault { address: record.value, access, pc: self.life.pc };
        let mut resolver = Resolver {
            guest: &self.life.guest,
            view: View::of_resident(&self.life.guest),
            map: &self.map,
            shadow,
            updates_marks: self.updates_marks,
        };
        Ok(match resolver.resolve(site, &fault)? {
            Resolution::Retry(reason) => Handled::Resume(reason),
            Resolution::Completed { length, reason, float_written } => {
                self.life.pc = self.life.pc.wrapping_add(length);
                if float_written {
                    site.meter().set_csr(register::VSSTATUS, status::FS);
                }
                Handled::Resume(reason)
            }
            Resolution::Exception { cause, value, reason } => {
                self.inject(&mut site.meter(), cause, value);
                Handled::Resume(reason)
            }
        })
    }

    /// Emulates an access to `satp`; none if the instruction is another, or not the guest's right.
    pub(super) fn access_translation(
        &mut self,
        site: &mut Site<'_>,
        access: &CsrAccess,
    ) -> Option<Handled> {
        let is_ours = matches!(self.paging, Paging::Shadow(_)) && access.number == csr::SATP;
        if !is_ours || !access.is_allowed_to(self.life.guest.privilege) {
            return None;
        }
        let mut meter = site.meter();
        meter.load_state(1);
        let old = self.life.guest.translation;
        self.life.guest.access(&mut meter, access, old);
        Some(Handled::Resume(ExitReason::CsrAccess))
    }

    /// Emulates SFENCE.VMA on the shadow tables; none if there are none.
    pub(super) fn fence(
        &mut self,
        site: &mut Site<'_>,
        (address, asid): (Register, Register),
    ) -> Result<Option<Handled>, HostError> {
        let Paging::Shadow(shadow) = &mut self.paging else { return Ok(None) };
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let scope = FenceScope::read(&mut meter, address, asid);
        shadow.fence(&mut meter, &mut frames, scope)?;
        Ok(Some(Handled::Resume(ExitReason::AddressFence)))
    }
}

/// The exceptions of the guest's own tables, which say nothing while shadow tables are in their
/// place.
pub(super) const PAGE_FAULTS: [Exception; 3] =
    [Exception::InstructionPageFault, Exception::LoadPageFault, Exception::StorePageFault];
