//! Emulating what traps out of a guest's supervisor mode: `satp`, fences, returns from traps,
//! waiting, and the counters that are not the guest's own.

use super::vcpu::FourRings;
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::instruction::CsrAccess;
use crate::reason::ExitReason;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, csr};
use crate::technique::{Handled, Phase, Site};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{counter, interrupt};
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_machine::firmware::csr as machine;

/// Bytes of the instructions here: none has a short form.
const LENGTH: u64 = 4;

impl Emulator for FourRings {
    fn access_csr(&mut self, site: &mut Site<'_>, access: CsrAccess) -> bool {
        let instructions = self.life.resting.instructions + site.counters.instructions();
        let mut meter = site.meter();
        decode(&mut meter);
        if !access.is_allowed_to(self.life.guest.privilege) {
            return false;
        }
        let old = match access.number {
            csr::SATP => {
                meter.load_state(1);
                Some(self.life.guest.translation)
            }
            csr::CYCLE | csr::INSTRET => self.read_counter(&mut meter, access.number, instructions),
            // Any other register that the guest has, it reaches itself.
            _ => None,
        };
        let Some(old) = old else { return false };
        self.life.guest.access(&mut meter, &access, old);
        self.life.pc = self.life.pc.wrapping_add(LENGTH);
        true
    }

    fn return_from_trap(&mut self, site: &mut Site<'_>) -> Handled {
        let mut meter = site.meter();
        decode(&mut meter);
        self.life.guest.exception_pc = meter.read_csr(csr::SEPC);
        self.life.pc = self.life.guest.leave_trap();
        Handled::Resume(ExitReason::SupervisorReturn)
    }

    fn wait(&mut self, site: &mut Site<'_>) -> Handled {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let mut meter = site.meter();
        decode(&mut meter);
        self.read_wakers(&mut meter);
        let time = meter.read_csr(csr::TIME);
        self.life.pc = self.life.pc.wrapping_add(LENGTH);
        if self.life.guest.wakes(Inputs { time, external }) {
            Handled::Resume(ExitReason::WaitForInterrupt)
        } else {
            Handled::Turn(ExitReason::WaitForInterrupt, Phase::Wait)
        }
    }

    fn fence(
        &mut self,
        site: &mut Site<'_>,
        address: Register,
        asid: Register,
    ) -> Result<Handled, HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        decode(&mut meter);
        let scope = FenceScope::read(&mut meter, address, asid);
        self.spaces.fence(&mut meter, &mut frames, scope)?;
        self.life.pc = self.life.pc.wrapping_add(LENGTH);
        Ok(Handled::Resume(ExitReason::AddressFence))
    }

    fn reflect(&mut self, meter: &mut Meter<'_>, cause: u64, value: u64) {
        meter.read_csr(machine::MTVAL);
        self.life.guest.vector = meter.read_csr(csr::STVEC);
        let pc = self.life.pc;
        self.life.pc = self.life.guest.enter_trap(cause, value, pc);
        for (number, value) in [(csr::SCAUSE, cause), (csr::STVAL, value), (csr::SEPC, pc)] {
            meter.write_csr(number, value);
        }
    }
}

impl FourRings {
    /// Reads a counter if supervisor mode, and for user mode the guest kernel, lets it.
    fn read_counter(&self, meter: &mut Meter<'_>, number: u16, instructions: u64) -> Option<u64> {
        let bit = if number == csr::INSTRET { counter::INSTRET } else { counter::CYCLE };
        if self.life.guest.privilege == Privilege::User
            && meter.read_csr(csr::SCOUNTEREN) & bit == 0
        {
            return None;
        }
        meter.load_state(2);
        Some(if number == csr::INSTRET { instructions } else { meter.read_csr(number) })
    }

    /// Reads what decides about the end of a wait.
    pub(super) fn read_wakers(&mut self, meter: &mut Meter<'_>) {
        self.life.guest.enable = meter.read_csr(csr::SIE);
        self.life.guest.software_pending = meter.read_csr(csr::SIP) & interrupt::SSIP != 0;
        self.life.guest.timer_compare = meter.read_csr(csr::STIMECMP);
    }
}

/// Takes the instruction apart, whose bits the trap left.
fn decode(meter: &mut Meter<'_>) {
    meter.read_csr(machine::MTVAL);
    meter.assume(assumed::DECODE_PRIVILEGED);
}
