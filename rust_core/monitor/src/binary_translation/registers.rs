//! Registers for the translator: some of the floating-point registers, on loan while the guest's
//! kernel executes.
//!
//! RISC-V has no spare integer register, and a page of state that translated code can write is one
//! that the guest's own loads and stores reach as well: no fault tells such an access from the
//! translator's. Floating-point registers have no address. Kernels hardly ever use them, and where
//! one does the translator sees it: it gives them back around those instructions.
//!
//! So the virtual registers that kernels touch most live in floating-point registers, where
//! inlined code and the monitor see the same values. The guest's own values are kept meanwhile.

use crate::supervisor::{Inputs, Supervisor};
use dcsim_hart::Hart;
use dcsim_hart::csr::fields::status;
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;

/// Where an indirect jump goes.
pub(super) const TARGET: Register = Register::R23;
/// What [`SECOND_TEMPORARY`] held.
pub(super) const SECOND_SPILL: Register = Register::R24;
/// What a temporary held.
pub(super) const SPILL: Register = Register::R25;
/// Not zero if an enabled interrupt is pending.
pub(super) const PENDING: Register = Register::R26;
/// `sstatus` as a read returns it.
pub(super) const STATUS: Register = Register::R27;
/// `stval`.
pub(super) const VALUE: Register = Register::R28;
/// `scause`.
pub(super) const CAUSE: Register = Register::R29;
/// `sepc`.
pub(super) const COUNTER: Register = Register::R30;
/// `sscratch`.
pub(super) const SCRATCH: Register = Register::R31;

/// The integer registers that indirect jumps use.
pub(super) const TEMPORARY: Register = Register::R6;
/// The other one.
pub(super) const SECOND_TEMPORARY: Register = Register::R7;

/// What indirect jumps spill, and where.
pub(super) const SPILLS: [(Register, Register); 2] =
    [(TEMPORARY, SPILL), (SECOND_TEMPORARY, SECOND_SPILL)];

/// The first register on loan; all that follow are, too.
const FIRST: usize = TARGET as usize;
const COUNT: usize = 32 - FIRST;

/// The fields of `sstatus` that inlined code changes.
pub(super) const INLINED_STATUS: u64 = status::SIE | status::SPIE | status::SPP;

/// Whose the registers are.
#[derive(Clone, Debug, Default)]
pub(super) struct Loan {
    /// The guest's values while the registers are on loan.
    kept: Option<[u64; COUNT]>,
}

impl Loan {
    /// Whether the registers are the translator's.
    pub(super) fn is_out(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes the registers, unless they are taken.
    pub(super) fn take(&mut self, meter: &mut Meter<'_>) {
        if self.kept.is_none() {
            let kept = std::array::from_fn(|index| {
                meter.read_float_register(Register::ALL[FIRST + index])
            });
            meter.store_state(COUNT as u64);
            self.kept = Some(kept);
        }
    }

    /// Gives the registers back, unless they are the guest's.
    pub(super) fn give_back(&mut self, meter: &mut Meter<'_>) {
        if let Some(kept) = self.kept.take() {
            meter.load_state(COUNT as u64);
            for (index, value) in kept.into_iter().enumerate() {
                meter.write_float_register(Register::ALL[FIRST + index], value);
            }
        }
    }

    /// Gives the registers back when the vCPU leaves the pCPU: host software moves registers.
    pub(super) fn end(&mut self, hart: &mut Hart) {
        if let Some(kept) = self.kept.take() {
            hart.f[FIRST..].copy_from_slice(&kept);
        }
    }
}

/// Puts the virtual registers where translated code finds them.
pub(super) fn show(meter: &mut Meter<'_>, guest: &Supervisor, inputs: Inputs) {
    let values = [
        (SCRATCH, guest.scratch),
        (COUNTER, guest.exception_pc),
        (CAUSE, guest.cause),
        (VALUE, guest.trap_value),
        (STATUS, guest.read_status()),
        (PENDING, u64::from(guest.wakes(inputs))),
    ];
    for (register, value) in values {
        meter.load_state(1);
        meter.write_float_register(register, value);
    }
}

/// Takes over what translated code has changed: no more than the guest could change itself.
pub(super) fn take_over(hart: &Hart, guest: &mut Supervisor) {
    let value = |register: Register| hart.f[register.index()];
    guest.scratch = value(SCRATCH);
    guest.exception_pc = value(COUNTER) & !1;
    guest.cause = value(CAUSE);
    guest.trap_value = value(VALUE);
    guest.status = guest.status & !INLINED_STATUS | value(STATUS) & INLINED_STATUS;
}

/// Registers that [`take_over`] reads.
pub(super) const TAKEN_OVER: [Register; 5] = [SCRATCH, COUNTER, CAUSE, VALUE, STATUS];
