//! Emulating what traps out of VS and VU mode: waiting, the counters that are not the guest's own,
//! and with shadow tables `satp` and fences. Everything else that raises a virtual-instruction exception is illegal on the machine that
//! the guest believes to have.

use super::vcpu::{HardwareAssisted, register};
use crate::assumed;
use crate::error::HostError;
use crate::instruction::{CsrAccess, Sensitive, sensitive};
use crate::reason::ExitReason;
use crate::supervisor::{Inputs, csr};
use crate::technique::{Handled, Phase, Site};
use dcsim_hart::csr::fields::{counter, interrupt};
use dcsim_hart::{Exception, Privilege, TrapRecord};
use dcsim_machine::Meter;

/// Bytes of the instructions here: none has a short form.
const LENGTH: u64 = 4;

impl HardwareAssisted {
    /// A virtual-instruction exception.
    pub(super) fn handle_virtual(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Handled, HostError> {
        decode(&mut site.meter());
        let supervisor = self.life.guest.privilege == Privilege::Supervisor;
        let emulated = match sensitive(record.value as u32) {
            Some(Sensitive::WaitForInterrupt) if supervisor => Some(self.wait(site)),
            Some(Sensitive::AddressFence { address, asid }) if supervisor => {
                self.fence(site, (address, asid))?
            }
            Some(Sensitive::Csr(access)) => {
                self.access_translation(site, &access).or_else(|| self.read_counter(site, &access))
            }
            _ => None,
        };
        let Some(handled) = emulated else {
            let cause = Exception::IllegalInstruction.code();
            self.inject(&mut site.meter(), cause, record.value);
            return Ok(Handled::Resume(ExitReason::IllegalInstruction));
        };
        self.life.pc = self.life.pc.wrapping_add(LENGTH);
        site.counters.emulated_instructions += 1;
        Ok(handled)
    }

    /// Reads a counter, if this is such an instruction and the guest may.
    fn read_counter(&self, site: &mut Site<'_>, access: &CsrAccess) -> Option<Handled> {
        let instructions = self.life.resting.instructions + site.counters.instructions();
        let mut meter = site.meter();
        let (bit, value) = match access.number {
            csr::INSTRET => (counter::INSTRET, instructions),
            csr::CYCLE => (counter::CYCLE, meter.read_csr(csr::CYCLE)),
            _ => return None,
        };
        let user = self.life.guest.privilege == Privilege::User;
        let hidden = user && meter.read_csr(csr::SCOUNTEREN) & bit == 0;
        if hidden || access.writes() {
            return None;
        }
        meter.load_state(2);
        meter.write_register(access.destination, value);
        Some(Handled::Resume(ExitReason::CsrAccess))
    }

    /// Emulates WFI.
    fn wait(&mut self, site: &mut Site<'_>) -> Handled {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let mut meter = site.meter();
        self.read_wakers(&mut meter);
        let time = meter.read_csr(csr::TIME);
        if self.life.guest.wakes(Inputs { time, external }) {
            Handled::Resume(ExitReason::WaitForInterrupt)
        } else {
            Handled::Turn(ExitReason::WaitForInterrupt, Phase::Wait)
        }
    }

    /// Reads what decides about the end of a wait.
    pub(super) fn read_wakers(&mut self, meter: &mut Meter<'_>) {
        self.life.guest.enable = meter.read_csr(register::VSIE);
        self.life.guest.software_pending = meter.read_csr(register::HVIP) & interrupt::VSSIP != 0;
        self.life.guest.timer_compare = meter.read_csr(register::VSTIMECMP);
    }
}

/// Takes the instruction apart, whose bits the trap left.
fn decode(meter: &mut Meter<'_>) {
    meter.read_csr(csr::STVAL);
    meter.assume(assumed::DECODE_PRIVILEGED);
}
