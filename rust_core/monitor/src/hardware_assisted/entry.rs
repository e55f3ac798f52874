//! Entering the guest: its second stage, its external interrupt, and off.
//!
//! What is pending for the guest and enabled, the hart delivers itself.

use super::paging::Paging;
use super::second_stage::SecondStage;
use super::vcpu::{HardwareAssisted, register};
use crate::assumed;
use crate::error::HostError;
use crate::ledger::Activity;
use crate::shadow::active::root_register;
use crate::shadow::asid::Asid;
use crate::shadow::view::View;
use crate::supervisor::csr;
use crate::technique::{Phase, Site, Step};
use dcsim_hart::csr::fields::{interrupt, satp};
use dcsim_machine::Meter;

impl HardwareAssisted {
    /// One step: from the monitor into the guest.
    pub(super) fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        let frames = self.frames_to_enter();
        if !self.reserve(site, frames) {
            return Ok(Step::Memory(frames));
        }
        let (number, root) = self.root(site)?;
        let external = site.board.lines(site.vcpu).supervisor_external;
        let mut meter = site.meter();
        install(&mut meter, &mut self.installed.root, number, root);
        self.mirror_external(&mut meter, external);
        let hypervisor = self.hypervisor_status();
        install(&mut meter, &mut self.installed.hypervisor, register::HSTATUS, hypervisor);
        let status = self.status();
        install(&mut meter, &mut self.installed.status, csr::SSTATUS, status);
        install(&mut meter, &mut self.installed.pc, csr::SEPC, self.life.pc);
        meter.leave();
        site.book(Activity::Handler(self.life.reason));
        self.life.phase = Phase::Guest;
        Ok(Step::Done)
    }

    /// Frames that entering may take: for a shadow tree that is not there yet.
    fn frames_to_enter(&self) -> u64 {
        match &self.paging {
            Paging::Nested(_) => 0,
            Paging::Shadow(shadow) => {
                let view = View::of_resident(&self.life.guest);
                let is_there = shadow.has_tree(self.life.guest.translation, view);
                if is_there { 0 } else { shadow.entry_frames() }
            }
        }
    }

    /// The register that names the monitor's tables, and its value for the guest.
    fn root(&mut self, site: &mut Site<'_>) -> Result<(u16, u64), HostError> {
        match &mut self.paging {
            Paging::Nested(stage) => {
                Ok((register::HGATP, second_stage_register(site, stage, &mut self.identifier)))
            }
            Paging::Shadow(shadow) => {
                let view = View::of_resident(&self.life.guest);
                let root = root_register(site, shadow, self.life.guest.translation, view)?;
                Ok((register::VSATP, root))
            }
        }
    }

    /// Shows the guest the level of its external interrupt.
    fn mirror_external(&mut self, meter: &mut Meter<'_>, level: bool) {
        meter.load_state(1);
        meter.assume(assumed::COMPARE_INSTALLED);
        if self.installed.external.replace(level) == Some(level) {
            return;
        }
        if level {
            meter.set_csr(register::HVIP, interrupt::VSEIP);
        } else {
            meter.clear_csr(register::HVIP, interrupt::VSEIP);
        }
    }
}

/// The value of `hgatp` for a guest. Gives it an identifier if it has none that is current, and
/// empties a TLB whose generation of identifiers is over.
fn second_stage_register(
    site: &mut Site<'_>,
    stage: &SecondStage,
    identifier: &mut Option<Asid>,
) -> u64 {
    let identifier = match *identifier {
        Some(identifier) if site.vmids.is_current(identifier) => identifier,
        _ => *identifier.insert(site.vmids.take()),
    };
    if site.pcpu.vmid_generation != identifier.generation {
        site.meter().flush_second_stage();
        site.pcpu.vmid_generation = identifier.generation;
    }
    satp::SV39 << 60 | u64::from(identifier.number) << 44 | stage.root().0 >> 12
}

/// Writes a register of the pCPU unless it holds the value already.
fn install(meter: &mut Meter<'_>, installed: &mut Option<u64>, number: u16, value: u64) {
    meter.assume(assumed::COMPARE_INSTALLED);
    if installed.replace(value) != Some(value) {
        meter.write_csr(number, value);
    }
}
