//! Handling a trap out of the guest: find the reason, do what it asks for.

use super::vcpu::TrapAndEmulate;
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::guest_firmware::frames_for_call;
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::supervisor::csr;
use crate::technique::{Site, Step};
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::{Exception, Interrupt, Privilege, TrapRecord};
use dcsim_machine::Meter;

pub use crate::technique::Handled;

impl TrapAndEmulate {
    /// One step: from the trap to the point where the guest can be entered again.
    pub fn handle(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Result<Step, HostError> {
        if let Some(access) = Access::of_page_fault(record.cause) {
            return self.handle_page_fault(site, record, access);
        }
        let call = record.cause == Exception::EcallFromUser.code();
        let frames = if call { frames_for_call(&site.pcpu.hart) } else { 0 };
        if !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        self.begin(&mut site.meter(), record);
        let handled = if record.cause & interrupt::CAUSE != 0 {
            Handled::Resume(handle_interrupt(site, record))
        } else if record.cause == Exception::IllegalInstruction.code() {
            self.handle_illegal(site, record)?
        } else if call {
            self.handle_call(site, record)?
        } else {
            self.reflect(&mut site.meter(), record.cause, record.value);
            Handled::Resume(ExitReason::OtherException)
        };
        Ok(self.life.finish(site, handled))
    }

    /// What every handler starts with: save the guest's registers, find out what happened.
    pub(crate) fn begin(&mut self, meter: &mut Meter<'_>, record: &TrapRecord) {
        meter.enter();
        meter.read_csr(csr::SCAUSE);
        meter.read_csr(csr::SEPC);
        meter.assume(assumed::DISPATCH);
        let physical = meter.read_csr(csr::SSTATUS);
        self.life.guest.status = self.life.guest.status & !status::FS | physical & status::FS;
        self.life.pc = record.pc;
    }

    fn handle_call(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Handled, HostError> {
        if self.life.guest.privilege == Privilege::User {
            self.reflect(&mut site.meter(), record.cause, record.value);
            return Ok(Handled::Resume(ExitReason::SystemCall));
        }
        Ok(Handled::Turn(ExitReason::FirmwareCall, self.call_firmware(site)?))
    }
}

/// The pCPU's own interrupts only make the monitor look at the guest again: entering it delivers
/// what is due.
pub(crate) fn handle_interrupt(site: &mut Site<'_>, record: &TrapRecord) -> ExitReason {
    if record.cause == Interrupt::SupervisorExternal.cause() {
        site.pcpu.bus.interrupted = false;
        site.meter().store_state(1);
        return site.reason_of_interrupt();
    }
    ExitReason::Timer
}
