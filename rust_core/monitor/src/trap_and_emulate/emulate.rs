//! Emulating the privileged instructions of a guest kernel on its saved supervisor state.

use super::exits::Handled;
use super::vcpu::{Phase, TrapAndEmulate};
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::instruction::CsrAccess;
use crate::reason::ExitReason;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, csr};
use crate::technique::Site;
use crate::trap_and_emulate::entry::TRAP_FIELDS;
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::counter;
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;

/// Bytes of the instructions here: none has a short form.
const LENGTH: u64 = 4;

impl Emulator for TrapAndEmulate {
    fn access_csr(&mut self, site: &mut Site<'_>, access: CsrAccess) -> bool {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let instructions = self.life.resting.instructions + site.counters.instructions();
        let mut meter = site.meter();
        meter.read_csr(csr::STVAL);
        meter.assume(assumed::DECODE_PRIVILEGED);
        if !access.is_allowed_to(self.life.guest.privilege) {
            return false;
        }
        let inputs = Inputs { time: 0, external };
        let Some(old) = self.read_csr(&mut meter, access.number, inputs, instructions) else {
            return false;
        };
        self.life.guest.access(&mut meter, &access, old);
        self.life.pc = self.life.pc.wrapping_add(LENGTH);
        true
    }

    fn return_from_trap(&mut self, site: &mut Site<'_>) -> Handled {
        let mut meter = site.meter();
        meter.read_csr(csr::STVAL);
        meter.assume(assumed::DECODE_PRIVILEGED);
        meter.load_state(2);
        meter.store_state(2);
        self.life.pc = self.life.guest.leave_trap();
        Handled::Resume(ExitReason::SupervisorReturn)
    }

    fn wait(&mut self, site: &mut Site<'_>) -> Handled {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let mut meter = site.meter();
        meter.read_csr(csr::STVAL);
        meter.assume(assumed::DECODE_PRIVILEGED);
        meter.load_state(3);
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
        meter.read_csr(csr::STVAL);
        meter.assume(assumed::DECODE_PRIVILEGED);
        let scope = FenceScope::read(&mut meter, address, asid);
        self.spaces.fence(&mut meter, &mut frames, scope)?;
        self.life.pc = self.life.pc.wrapping_add(LENGTH);
        Ok(Handled::Resume(ExitReason::AddressFence))
    }

    fn reflect(&mut self, meter: &mut Meter<'_>, cause: u64, value: u64) {
        meter.read_csr(csr::STVAL);
        meter.store_state(TRAP_FIELDS);
        self.life.pc = self.life.guest.enter_trap(cause, value, self.life.pc);
    }
}

impl TrapAndEmulate {
    fn read_csr(
        &self,
        meter: &mut Meter<'_>,
        number: u16,
        inputs: Inputs,
        instructions: u64,
    ) -> Option<u64> {
        if (csr::CYCLE..=csr::HPMCOUNTER31).contains(&number) {
            return self.read_counter(meter, number, instructions);
        }
        meter.load_state(1);
        let time = if number == csr::SIP { meter.read_csr(csr::TIME) } else { 0 };
        self.life.guest.read(number, Inputs { time, ..inputs })
    }

    /// Reads a counter if supervisor and user mode may.
    fn read_counter(&self, meter: &mut Meter<'_>, number: u16, instructions: u64) -> Option<u64> {
        let bit = 1 << (number - csr::CYCLE);
        let existing = counter::CYCLE | counter::TIME | counter::INSTRET;
        let readable = match self.life.guest.privilege {
            Privilege::User => existing & self.life.guest.counter_enable,
            _ => existing,
        };
        if readable & bit == 0 {
            return None;
        }
        meter.load_state(2);
        Some(if number == csr::INSTRET { instructions } else { meter.read_csr(number) })
    }
}
