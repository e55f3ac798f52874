//! A guest's supervisor registers where hardware keeps them: in the hart itself.
//!
//! Guests whose kernel runs in a supervisor mode of the hart's have them there while they are on a
//! pCPU; they are put in and taken out when the vCPU comes and goes, as host software would do.

use crate::cpu_state::CpuState;
use crate::supervisor::{Supervisor, csr};
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::{Hart, Privilege};

/// Which supervisor mode of a hart a guest has.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Bank {
    /// The hart's own: S, or HS.
    Host,
    /// The one for guests: VS, of the hypervisor extension.
    Guest,
}

/// From the number of a supervisor register to that of its counterpart in VS mode.
const TO_GUEST: u16 = 0x100;

/// The writable view of pending interrupts of VS mode.
const HVIP: u16 = 0x645;

impl Bank {
    /// The number of a register of this bank, from its number in supervisor mode. `scounteren` and
    /// `senvcfg` have no counterpart: VS mode uses the same.
    fn number(self, supervisor: u16) -> u16 {
        match (self, supervisor) {
            (Self::Host, _) | (_, csr::SCOUNTEREN | csr::SENVCFG) => supervisor,
            (Self::Guest, _) => supervisor + TO_GUEST,
        }
    }

    /// Whether the software interrupt is pending.
    fn software_pending(self, hart: &Hart) -> bool {
        match self {
            Self::Host => hart.csrs.mip & interrupt::SSIP != 0,
            Self::Guest => hart.read_csr(HVIP).unwrap_or(0) & interrupt::VSSIP != 0,
        }
    }

    /// Makes the software interrupt pending or not, and no other.
    fn set_software_pending(self, hart: &mut Hart, pending: bool) {
        let (number, bit) = match self {
            Self::Host => (csr::SIP, interrupt::SSIP),
            Self::Guest => (HVIP, interrupt::VSSIP),
        };
        hart.write_csr(number, if pending { bit } else { 0 });
    }
}

/// The supervisor registers that have a number, with their place in the record.
fn registers(guest: &mut Supervisor) -> [(u16, &mut u64); 11] {
    [
        (csr::SSTATUS, &mut guest.status),
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
pub fn extract_supervisor(hart: &Hart, privilege: Privilege, bank: Bank) -> Supervisor {
    let mut guest = Supervisor { privilege, ..Supervisor::default() };
    for (number, value) in registers(&mut guest) {
        *value = hart.read_csr(bank.number(number)).unwrap_or(0);
    }
    guest.status &= status::SUPERVISOR_WRITABLE;
    guest.software_pending = bank.software_pending(hart);
    guest
}

/// Puts supervisor registers into a hart.
pub fn install_supervisor(hart: &mut Hart, guest: &Supervisor, bank: Bank) {
    let mut guest = guest.clone();
    for (number, value) in registers(&mut guest) {
        hart.write_csr(bank.number(number), *value);
    }
    bank.set_software_pending(hart, guest.software_pending);
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
