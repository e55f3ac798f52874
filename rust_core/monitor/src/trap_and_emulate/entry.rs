//! Entering the guest: interrupts, the right shadow tree, the timer, and off.

use super::vcpu::{Phase, TrapAndEmulate};
use crate::assumed;
use crate::error::HostError;
use crate::ledger::Activity;
use crate::shadow::active::root_register;
use crate::shadow::view::View;
use crate::supervisor::{Inputs, csr};
use crate::technique::{Site, Step};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{counter, interrupt, status};
use dcsim_machine::Meter;

/// Fields of the vCPU's saved state that delivering an interrupt or exception reads and writes.
pub const TRAP_FIELDS: u64 = 6;

impl TrapAndEmulate {
    /// One step: from the monitor into the guest.
    pub fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let time = site.pcpu.hart.clock.time();
        let inputs = Inputs { time, external };
        let frames = self.spaces.entry_frames();
        if !self.has_tree_after(inputs) && !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        self.deliver_interrupt(&mut site.meter(), inputs);
        self.install_tree(site)?;
        self.install_registers(&mut site.meter(), inputs);
        site.book(Activity::Handler(self.life.reason));
        self.life.phase = Phase::Guest;
        Ok(Step::Done)
    }

    /// Whether the tree exists that the guest will need once its interrupt, if one is pending, has
    /// been delivered. A look ahead of the simulator, not of the monitor: it costs nothing.
    pub(crate) fn has_tree_after(&self, inputs: Inputs) -> bool {
        let mut guest = self.life.guest.clone();
        if let Some(interrupt) = guest.deliverable(inputs) {
            guest.enter_trap(interrupt.cause(), 0, self.life.pc);
        }
        self.spaces.has_tree(guest.translation, View::of(&guest))
    }

    /// Delivers the guest's most urgent interrupt, if its state lets it through.
    pub(crate) fn deliver_interrupt(&mut self, meter: &mut Meter<'_>, inputs: Inputs) {
        meter.load_state(3);
        if self.life.guest.enable & interrupt::STIP != 0 {
            // The timer has to be compared with the present, which `inputs` holds.
            meter.read_csr(csr::TIME);
        }
        let Some(interrupt) = self.life.guest.deliverable(inputs) else { return };
        meter.store_state(TRAP_FIELDS);
        self.life.pc = self.life.guest.enter_trap(interrupt.cause(), 0, self.life.pc);
    }

    /// Makes the pCPU translate through the tree for the guest's state.
    pub(crate) fn install_tree(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        let view = View::of(&self.life.guest);
        let value = root_register(site, &mut self.spaces, self.life.guest.translation, view)?;
        let mut meter = site.meter();
        install(&mut meter, &mut self.installed.translation, csr::SATP, value);
        Ok(())
    }

    /// Arms the timer, opens the counters that the guest may read, and leaves for the guest.
    pub(crate) fn install_registers(&mut self, meter: &mut Meter<'_>, inputs: Inputs) {
        let timer = self
            .life
            .guest
            .timer_deadline(inputs.time)
            .filter(|_| self.life.guest.interruptible())
            .unwrap_or(u64::MAX);
        install(meter, &mut self.installed.timer, csr::STIMECMP, timer);
        let counters = self.readable_counters();
        install(meter, &mut self.installed.counters, csr::SCOUNTEREN, counters);
        let status = self.life.guest.status & (status::FS | status::MXR) | status::SPIE;
        meter.write_csr(csr::SSTATUS, status);
        meter.write_csr(csr::SEPC, self.life.pc);
        meter.leave();
    }

    /// The guest reads `time` itself where it may; the other counters are emulated, because the
    /// pCPU counts for all its guests and for the monitor.
    pub(crate) fn readable_counters(&self) -> u64 {
        match self.life.guest.privilege {
            Privilege::User => self.life.guest.counter_enable & counter::TIME,
            _ => counter::TIME,
        }
    }
}

/// Writes a register of the pCPU unless it holds the value already.
pub(crate) fn install(meter: &mut Meter<'_>, installed: &mut Option<u64>, number: u16, value: u64) {
    meter.assume(assumed::COMPARE_INSTALLED);
    if *installed != Some(value) {
        meter.write_csr(number, value);
        *installed = Some(value);
    }
}
