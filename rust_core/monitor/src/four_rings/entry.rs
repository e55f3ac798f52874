//! Entering the guest: the right shadow tree, its external interrupt, and off.
//!
//! What is pending for the guest and enabled, the hart delivers itself.

use super::vcpu::FourRings;
use crate::assumed;
use crate::error::HostError;
use crate::ledger::Activity;
use crate::shadow::active::root_register;
use crate::shadow::view::View;
use crate::supervisor::csr;
use crate::technique::{Phase, Site, Step};
use dcsim_hart::csr::fields::interrupt;
use dcsim_machine::Meter;
use dcsim_machine::firmware::csr as machine;

impl FourRings {
    /// One step: from the monitor into the guest.
    pub(super) fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        let view = View::of_resident(&self.life.guest);
        let translation = self.life.guest.translation;
        let frames = self.spaces.entry_frames();
        if !self.spaces.has_tree(translation, view) && !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        let external = site.board.lines(site.vcpu).supervisor_external;
        let root = root_register(site, &mut self.spaces, translation, view)?;
        let mut meter = site.meter();
        install(&mut meter, &mut self.installed.translation, csr::SATP, root);
        self.mirror_external(&mut meter, external);
        let status = self.machine_status();
        install(&mut meter, &mut self.installed.status, machine::MSTATUS, status);
        install(&mut meter, &mut self.installed.pc, machine::MEPC, self.life.pc);
        meter.leave();
        site.book(Activity::Handler(self.life.reason));
        self.life.phase = Phase::Guest;
        Ok(Step::Done)
    }

    /// Shows the guest the level of its external interrupt.
    fn mirror_external(&mut self, meter: &mut Meter<'_>, level: bool) {
        meter.load_state(1);
        meter.assume(assumed::COMPARE_INSTALLED);
        if self.installed.external.replace(level) == Some(level) {
            return;
        }
        if level {
            meter.set_csr(machine::MIP, interrupt::SEIP);
        } else {
            meter.clear_csr(machine::MIP, interrupt::SEIP);
        }
    }
}

/// Writes a register of the pCPU unless it holds the value already.
fn install(meter: &mut Meter<'_>, installed: &mut Option<u64>, number: u16, value: u64) {
    meter.assume(assumed::COMPARE_INSTALLED);
    if installed.replace(value) != Some(value) {
        meter.write_csr(number, value);
    }
}
