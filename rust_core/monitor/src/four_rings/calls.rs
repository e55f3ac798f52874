//! Calls of the guest kernel to its firmware.

use super::vcpu::FourRings;
use crate::error::HostError;
use crate::guest_firmware::{GuestPort, receive, serve_call};
use crate::mail::Letters;
use crate::shadow::Shadow;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::supervisor::csr;
use crate::technique::{Phase, Site};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_machine::firmware::{StartPoint, csr as machine};

/// A guest whose timer and interrupts are the hart's own.
struct Port<'a> {
    spaces: &'a mut Shadow,
}

impl GuestPort for Port<'_> {
    fn set_timer(&mut self, meter: &mut Meter<'_>, time: u64) {
        meter.write_csr(csr::STIMECMP, time);
    }

    fn raise_software_interrupt(&mut self, meter: &mut Meter<'_>) {
        meter.set_csr(machine::MIP, interrupt::SSIP);
    }

    fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError> {
        self.spaces.fence(meter, frames, scope)
    }

    fn memory_written(&mut self, address: u64) {
        self.spaces.traced_tables().into_iter().for_each(|tables| tables.open(address));
    }
}

impl FourRings {
    /// Serves the call in the guest's registers. Tells how the guest goes on.
    pub(super) fn call_firmware(&mut self, site: &mut Site<'_>) -> Result<Phase, HostError> {
        let mut port = Port { spaces: &mut self.spaces };
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
        receive(site, &self.map, &mut Port { spaces: &mut self.spaces }, letters)?;
        self.life.guest.software_pending |= letters.interrupt;
        Ok(())
    }

    /// The state in which firmware enters a kernel.
    pub(super) fn restart(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        let settings = [(csr::SIE, 0), (csr::SSCRATCH, 0), (csr::STVEC, start.address & !3)];
        for (number, value) in settings {
            meter.write_csr(number, value);
        }
        meter.store_state(3);
        self.life.guest.translation = 0;
        self.life.guest.status = status::FS;
        self.life.guest.privilege = Privilege::Supervisor;
        self.life.pc = start.address;
        meter.write_register(Register::R10, self.life.number as u64);
        meter.write_register(Register::R11, start.opaque);
    }
}
