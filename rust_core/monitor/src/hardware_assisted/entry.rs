//! Entering the guest: its second stage, its external interrupt, and off.
//!
//! What is pending for the guest and enabled, the hart delivers itself.

use super::vcpu::{GUEST, HardwareAssisted, register};
use crate::assumed;
use crate::ledger::Activity;
use crate::supervisor::csr;
use crate::technique::{Phase, Site, Step};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{hypervisor_status, interrupt, satp};
use dcsim_machine::Meter;

impl HardwareAssisted {
    /// One step: from the monitor into the guest.
    pub(super) fn enter(&mut self, site: &mut Site<'_>) -> Step {
        let root = self.root_register(site);
        let external = site.board.lines(0).supervisor_external;
        let mut meter = site.meter();
        install(&mut meter, &mut self.installed.second_stage, register::HGATP, root);
        self.mirror_external(&mut meter, external);
        let supervisor = self.guest.privilege == Privilege::Supervisor;
        let privilege = if supervisor { hypervisor_status::SPVP } else { 0 };
        install(&mut meter, &mut self.installed.hypervisor, register::HSTATUS, GUEST | privilege);
        let status = self.status();
        install(&mut meter, &mut self.installed.status, csr::SSTATUS, status);
        install(&mut meter, &mut self.installed.pc, csr::SEPC, self.pc);
        meter.leave();
        site.book(Activity::Handler(self.reason));
        self.phase = Phase::Guest;
        Step::Done
    }

    /// The value of `hgatp` for the guest. Gives it an identifier if it has none that is current,
    /// and empties a TLB whose generation of identifiers is over.
    fn root_register(&mut self, site: &mut Site<'_>) -> u64 {
        let identifier = match self.identifier {
            Some(identifier) if site.vmids.is_current(identifier) => identifier,
            _ => *self.identifier.insert(site.vmids.take()),
        };
        if site.pcpu.vmid_generation != identifier.generation {
            site.meter().flush_second_stage();
            site.pcpu.vmid_generation = identifier.generation;
        }
        let root = self.second_stage.root().0 >> 12;
        satp::SV39 << 60 | u64::from(identifier.number) << 44 | root
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

/// Writes a register of the pCPU unless it holds the value already.
fn install(meter: &mut Meter<'_>, installed: &mut Option<u64>, number: u16, value: u64) {
    meter.assume(assumed::COMPARE_INSTALLED);
    if installed.replace(value) != Some(value) {
        meter.write_csr(number, value);
    }
}
