//! A guest's supervisor registers where hardware keeps them: in the hart itself.
//!
//! Guests whose kernel runs in the hart's own supervisor mode have them there while they are on a
//! pCPU; they are put in and taken out when the vCPU comes and goes, as host software would do.

use crate::cpu_state::CpuState;
use crate::supervisor::{Supervisor, csr};
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::{Hart, Privilege};

/// The supervisor registers that have a number, with their place in the record.
fn registers(guest: &mut Supervisor) -> [(u16, &mut u64); 10] {
    [
        (csr::SIE, &mut guest.enable),
        (csr::STVEC, &mut guest.vector),
        (csr::SCOUNTEREN, &mut guest.counter_enable),
        (csr::SENVCFG, &mut guest.environment),
        (csr::SSCRATCH, &mut guest.scratch),
        (csr::SEPC, &mut guest.exception_pc),
        (csr::SCAUSE, &mut guest.cause),
        (csr::STVAL, &mut guest.trap_value),
        (csr::SATP, &mut guest.translation),
        (csr::STIMECMP, &mut guest.timer_compare),
    ]
}

/// Takes the supervisor registers out of a hart.
pub fn extract_supervisor(hart: &Hart, privilege: Privilege) -> Supervisor {
    let mut guest = Supervisor { privilege, ..Supervisor::default() };
    for (number, value) in registers(&mut guest) {
        *value = hart.read_csr(number).unwrap_or(0);
    }
    guest.status = hart.csrs.mstatus & status::SUPERVISOR_WRITABLE;
    guest.software_pending = hart.csrs.mip & interrupt::SSIP != 0;
    guest
}

/// Puts supervisor registers into a hart.
pub fn install_supervisor(hart: &mut Hart, guest: &Supervisor) {
    let mut guest = guest.clone();
    for (number, value) in registers(&mut guest) {
        hart.write_csr(number, *value);
    }
    hart.write_csr(csr::SSTATUS, guest.status);
    hart.write_csr(csr::SIP, if guest.software_pending { interrupt::SSIP } else { 0 });
}

/// Takes integer and floating-point registers out of a hart.
pub fn extract_user(hart: &Hart, state: &mut CpuState) {
    state.x = hart.x;
    state.f = hart.f;
    state.fflags = hart.csrs.fflags;
    state.frm = hart.csrs.frm;
}

/// Puts integer and floating-point registers into a hart, on which no reservation stands.
pub fn install_user(hart: &mut Hart, state: &CpuState) {
    hart.x = state.x;
    hart.f = state.f;
    hart.csrs.fflags = state.fflags;
    hart.csrs.frm = state.frm;
    hart.reservation = None;
}
