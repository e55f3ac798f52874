//! Calls of the guest kernel to its firmware.

use super::vcpu::{Phase, TrapAndEmulate};
use crate::error::HostError;
use crate::guest_firmware::{GuestPort, receive, serve_call};
use crate::mail::Letters;
use crate::shadow::Shadow;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::supervisor::Supervisor;
use crate::technique::Site;
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_machine::firmware::StartPoint;

/// A guest whose supervisor mode is a record of the monitor's.
struct Port<'a> {
    guest: &'a mut Supervisor,
    spaces: &'a mut Shadow,
}

impl GuestPort for Port<'_> {
    fn set_timer(&mut self, meter: &mut Meter<'_>, time: u64) {
        meter.store_state(1);
        self.guest.timer_compare = time;
    }

    fn raise_software_interrupt(&mut self, meter: &mut Meter<'_>) {
        meter.store_state(1);
        self.guest.software_pending = true;
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

impl TrapAndEmulate {
    /// Serves the call in the guest's registers. Tells how the guest goes on.
    pub(crate) fn call_firmware(&mut self, site: &mut Site<'_>) -> Result<Phase, HostError> {
        let mut port = Port { guest: &mut self.life.guest, spaces: &mut self.spaces };
        let departure = serve_call(site, &self.map, &mut port)?;
        Ok(self.life.depart(departure))
    }

    /// Does what other vCPUs asked for.
    pub(crate) fn receive(
        &mut self,
        site: &mut Site<'_>,
        letters: &Letters,
    ) -> Result<(), HostError> {
        let mut port = Port { guest: &mut self.life.guest, spaces: &mut self.spaces };
        receive(site, &self.map, &mut port, letters)
    }

    /// The state in which firmware enters a kernel.
    pub(crate) fn restart(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        meter.store_state(6);
        self.life.guest = Supervisor {
            counter_enable: self.life.guest.counter_enable,
            timer_compare: self.life.guest.timer_compare,
            software_pending: self.life.guest.software_pending,
            ..Supervisor::at_entry(start.address)
        };
        self.life.pc = start.address;
        meter.write_register(Register::R10, self.life.number as u64);
        meter.write_register(Register::R11, start.opaque);
    }
}
