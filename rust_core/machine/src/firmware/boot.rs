//! What the firmware sets up before it enters a kernel.

use super::state::HartRecord;
use super::{Firmware, HartState, StartPoint, csr};
use crate::meter::Meter;
use dcsim_hart::Exception;
use dcsim_hart::csr::fields::{counter, environment, interrupt, status};
use dcsim_hart::isa::Register;

/// Which facilities of the hart the firmware switches on.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct FirmwareConfig {
    /// The supervisor's own timer (Sstc). Without it the TIME extension uses the machine timer.
    pub supervisor_timer: bool,
    /// Hardware updates accessed and dirty bits (Svadu), as QEMU's harts do.
    pub updates_dirty_bits: bool,
}

impl Default for FirmwareConfig {
    fn default() -> Self {
        Self { supervisor_timer: true, updates_dirty_bits: true }
    }
}

/// One protection entry: read, write and execute for all addresses, naturally aligned.
const PROTECTION_ALL: u64 = 0x1f;
const EVERY_ADDRESS: u64 = u64::MAX;

/// Exceptions that the kernel handles without the firmware.
const DELEGATED: [Exception; 6] = [
    Exception::InstructionMisaligned,
    Exception::Breakpoint,
    Exception::EcallFromUser,
    Exception::InstructionPageFault,
    Exception::LoadPageFault,
    Exception::StorePageFault,
];

const COUNTERS: u64 = counter::CYCLE | counter::TIME | counter::INSTRET;

impl Firmware {
    /// Sets up the calling hart and enters the kernel on it.
    pub fn boot(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        self.set_up(meter);
        self.enter_supervisor(meter, start);
    }

    /// Machine-level registers, as they stay while the machine runs.
    fn set_up(&self, meter: &mut Meter<'_>) {
        let exceptions = DELEGATED.iter().fold(0, |set, exception| set | 1 << exception.code());
        let timer = if self.config.supervisor_timer { environment::STCE } else { 0 };
        let dirty = if self.config.updates_dirty_bits { environment::ADUE } else { 0 };
        let settings = [
            (csr::PMPADDR0, EVERY_ADDRESS),
            (csr::PMPCFG0, PROTECTION_ALL),
            (csr::MEDELEG, exceptions),
            (csr::MIDELEG, interrupt::SUPERVISOR),
            (csr::MCOUNTEREN, COUNTERS),
            (csr::SCOUNTEREN, COUNTERS),
            (csr::MENVCFG, timer | dirty),
            (csr::MIE, interrupt::MSIP),
        ];
        for (number, value) in settings {
            meter.write_csr(number, value);
        }
    }

    /// Enters supervisor mode at a start point: translation and interrupts off, the floating-point
    /// unit on.
    pub(super) fn enter_supervisor(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        let hart = meter.hart_id();
        let settings = [
            (csr::SATP, 0),
            (csr::SIE, 0),
            (csr::SSCRATCH, 0),
            (csr::STVEC, start.address & !3),
            (csr::MSTATUS, status::FS | 1 << status::MPP_SHIFT),
            (csr::MEPC, start.address),
        ];
        for (number, value) in settings {
            meter.write_csr(number, value);
        }
        meter.write_register(Register::R10, hart as u64);
        meter.write_register(Register::R11, start.opaque);
        if let Some(HartRecord { state, .. }) = self.harts.get_mut(hart) {
            *state = HartState::Started;
        }
        meter.leave();
    }
}
