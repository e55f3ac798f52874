//! Handling a trap out of the guest: find the reason, do what it asks for.

use super::vcpu::FourRings;
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::guest_firmware::frames_for_call;
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::shadow::resolve::{Fault, Resolution, Resolver};
use crate::shadow::view::View;
use crate::technique::{Handled, Site, Step};
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::{Exception, TrapRecord};
use dcsim_machine::Meter;
use dcsim_machine::firmware::csr as machine;

impl FourRings {
    /// One step: from the trap to the point where the guest can be entered again.
    pub(super) fn handle(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Step, HostError> {
        let access = Access::of_page_fault(record.cause);
        let call = record.cause == Exception::EcallFromSupervisor.code();
        let frames = match access {
            Some(_) => self.spaces.fill_frames(),
            None if call => frames_for_call(&site.pcpu.hart),
            None => 0,
        };
        // The tree of the mode that trapped is the one in use.
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
            self.resolve(site, record, access)?
        } else if record.cause == Exception::IllegalInstruction.code() {
            self.handle_illegal(site, record)?
        } else if call {
            Handled::Turn(ExitReason::FirmwareCall, self.call_firmware(site)?)
        } else {
            self.reflect(&mut site.meter(), record.cause, record.value);
            Handled::Resume(ExitReason::OtherException)
        };
        Ok(self.life.finish(site, handled))
    }

    /// What every handler starts with: save the guest's registers, find out what happened.
    fn begin(&mut self, meter: &mut Meter<'_>, record: &TrapRecord) {
        meter.enter();
        meter.read_csr(machine::MCAUSE);
        meter.read_csr(machine::MEPC);
        meter.assume(assumed::DISPATCH);
        self.life.guest.status = meter.read_csr(machine::MSTATUS) & status::SUPERVISOR_WRITABLE;
        self.life.pc = record.pc;
        self.installed.status = Some(self.machine_status());
        self.installed.pc = Some(self.life.pc);
    }

    /// Finds out what a page fault means and does what is to be done about it.
    fn resolve(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Handled, HostError> {
        site.meter().read_csr(machine::MTVAL);
        let fault = Fault { address: record.value, access, pc: self.life.pc };
        let mut resolver = Resolver {
            guest: &self.life.guest,
            view: View::of_resident(&self.life.guest),
            map: &self.map,
            shadow: &mut self.spaces,
            updates_marks: self.updates_marks,
        };
        Ok(match resolver.resolve(site, &fault)? {
            Resolution::Retry(reason) => Handled::Resume(reason),
            Resolution::Completed { length, reason, float_written } => {
                self.life.pc = self.life.pc.wrapping_add(length);
                self.life.guest.status |= if float_written { status::FS } else { 0 };
                Handled::Resume(reason)
            }
            Resolution::Exception { cause, value, reason } => {
                self.reflect(&mut site.meter(), cause, value);
                Handled::Resume(reason)
            }
        })
    }
}
