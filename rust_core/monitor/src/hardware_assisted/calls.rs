//! Calls of the guest kernel to its firmware.

use super::paging::Paging;
use super::vcpu::{HardwareAssisted, register};
use crate::error::HostError;
use crate::guest_firmware::{GuestPort, receive, serve_call};
use crate::mail::Letters;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::supervisor::csr;
use crate::technique::{Phase, Site};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_machine::firmware::StartPoint;

/// A guest whose timer and interrupts are the hart's own of VS mode.
struct Port<'a> {
    paging: &'a mut Paging,
}

impl GuestPort for Port<'_> {
    fn set_timer(&mut self, meter: &mut Meter<'_>, time: u64) {
        meter.write_csr(register::VSTIMECMP, time);
    }

    fn raise_software_interrupt(&mut self, meter: &mut Meter<'_>) {
        meter.set_csr(register::HVIP, interrupt::VSSIP);
    }

    fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError> {
        match self.paging {
            Paging::Nested(_) => {
                meter.flush_guest(scope.address, scope.asid);
                Ok(())
            }
            Paging::Shadow(shadow) => shadow.fence(meter, frames, scope),
        }
    }

    fn memory_written(&mut self, address: u64) {
        self.paging.traced_tables().into_iter().for_each(|tables| tables.open(address));
    }
}

impl HardwareAssisted {
    /// Serves the call in the guest's registers. Tells how the guest goes on.
    pub(super) fn call_firmware(&mut self, site: &mut Site<'_>) -> Result<Phase, HostError> {
        let mut port = Port { paging: &mut self.paging };
        let departure = serve_call(site, &self.map, &mut port)?;
        let phase = self.life.depart(departure);
        if phase == Phase::Wait {
            self.read_wakers(&mut site.meter());
        }
        Ok(phase)
    }

    /// Does what other vCPUs asked for.
    pub(super) fn receive(
        &mut self,
        site: &mut Site<'_>,
        letters: &Letters,
    ) -> Result<(), HostError> {
        if self.installed.root.is_none() && !letters.fences.is_empty() {
            // Fences are for the guest whose identifier is in `hgatp`: it is not yet. Under a new one
            // the TLB knows nothing.
            self.identifier = None;
        }
        receive(site, &self.map, &mut Port { paging: &mut self.paging }, letters)?;
        self.life.guest.software_pending |= letters.interrupt;
        Ok(())
    }

    /// The state in which firmware enters a kernel.
    pub(super) fn restart(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        for (number, value) in [
            (register::VSSTATUS, status::FS),
            (register::VSIE, 0),
            (register::VSTVEC, start.address & !3),
            (register::VSSCRATCH, 0),
            (csr::SENVCFG, 0),
        ] {
            meter.write_csr(number, value);
        }
        match self.paging {
            Paging::Nested(_) => meter.write_csr(register::VSATP, 0),
            Paging::Shadow(_) => meter.store_state(1),
        }
        self.life.guest.translation = 0;
        self.life.guest.privilege = Privilege::Supervisor;
        self.life.pc = start.address;
        meter.write_register(Register::R10, self.life.number as u64);
        meter.write_register(Register::R11, start.opaque);
    }
}
