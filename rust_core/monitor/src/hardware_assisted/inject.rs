//! Giving the guest's own supervisor mode an exception that the monitor has found for it.

use super::vcpu::{HardwareAssisted, register};
use crate::supervisor::Supervisor;
use dcsim_hart::csr::fields::status;
use dcsim_machine::Meter;

impl HardwareAssisted {
    /// Does what a trap into VS mode does.
    pub(super) fn inject(&mut self, meter: &mut Meter<'_>, cause: u64, value: u64) {
        let status = meter.read_csr(register::VSSTATUS) & status::SUPERVISOR_WRITABLE;
        let vector = meter.read_csr(register::VSTVEC);
        let mut guest = Supervisor { status, vector, ..self.life.guest.clone() };
        let pc = self.life.pc;
        self.life.pc = guest.enter_trap(cause, value, pc);
        self.life.guest.privilege = guest.privilege;
        for (number, value) in [
            (register::VSSTATUS, guest.status),
            (register::VSCAUSE, cause),
            (register::VSTVAL, value),
            (register::VSEPC, pc),
        ] {
            meter.write_csr(number, value);
        }
    }
}
