//! Privileged instructions that translated code carries out itself.
//!
//! Each sequence changes the guest's state with one instruction, the one with which the guest's
//! retires; the others only save and restore temporaries. So an interrupt anywhere in it finds the
//! state before the guest's instruction, or after it.

use super::emitter::{Action, Emitter, Fix, from_float, immediate, move_float, op, to_float};
use super::registers::{
    CAUSE, COUNTER, INLINED_STATUS, PENDING, SCRATCH, SECOND_SPILL, SPILL, STATUS, VALUE,
};
use crate::instruction::{CsrAccess, CsrChange, CsrOperand};
use crate::supervisor::csr;
use dcsim_hart::csr::fields::status;
use dcsim_hart::isa::{Opcode, Register};

const ZERO: Register = Register::R0;

/// Bytes of a CSR instruction.
const LENGTH: u64 = 4;

/// Inlines an access to a register, if it is one of those that are. `false`: nothing was emitted.
pub(super) fn inline(code: &mut Emitter, access: &CsrAccess) -> bool {
    let Some(float) = home(access.number) else { return false };
    if !access.writes() {
        code.retiring(&from_float(access.destination, float));
        return true;
    }
    match (access.number, access.change, access.operand) {
        (csr::SSTATUS, CsrChange::Set, CsrOperand::Immediate(status::SIE)) => {
            enable(code, access.destination);
        }
        (csr::SSTATUS, CsrChange::Clear, CsrOperand::Immediate(status::SIE)) => {
            disable(code, access.destination);
        }
        (csr::SSTATUS, CsrChange::Write, CsrOperand::Register(from)) => {
            if access.destination != ZERO {
                return false;
            }
            write_status(code, from);
        }
        (csr::SEPC, CsrChange::Write, CsrOperand::Register(from)) => {
            if access.destination != ZERO {
                return false;
            }
            write_counter(code, from);
        }
        (
            csr::SSCRATCH | csr::SCAUSE | csr::STVAL,
            CsrChange::Write,
            CsrOperand::Register(from),
        ) => {
            write(code, access.destination, float, from);
        }
        _ => return false,
    }
    true
}

/// Where a register lives while the guest's kernel executes.
fn home(number: u16) -> Option<Register> {
    Some(match number {
        csr::SSTATUS => STATUS,
        csr::SSCRATCH => SCRATCH,
        csr::SEPC => COUNTER,
        csr::SCAUSE => CAUSE,
        csr::STVAL => VALUE,
        _ => return None,
    })
}

/// An integer register beside these.
fn temporary(others: &[Register]) -> Register {
    let all = [Register::R6, Register::R7, Register::R28, Register::R29];
    all.into_iter().find(|register| !others.contains(register)).unwrap_or(Register::R6)
}

/// The state after the guest's instruction, but for what `fix` says.
fn after(code: &mut Emitter, fix: Fix) {
    (code.guest, code.fix) = (code.guest.wrapping_add(LENGTH), fix);
}

/// A register that takes any value.
fn write(code: &mut Emitter, rd: Register, float: Register, from: Register) {
    if rd != ZERO {
        code.op(&move_float(SPILL, float));
    }
    code.retiring(&to_float(float, from));
    if rd != ZERO {
        after(code, Fix::Restore(rd, SPILL));
        code.op(&from_float(rd, SPILL));
    }
}

/// `sepc`, whose lowest bit is always zero.
fn write_counter(code: &mut Emitter, from: Register) {
    let spare = temporary(&[from]);
    code.op(&to_float(SPILL, spare));
    code.op(&immediate(Opcode::Andi, spare, from, -2));
    code.fix = Fix::Restore(spare, SPILL);
    code.retiring(&to_float(COUNTER, spare));
    after(code, Fix::Restore(spare, SPILL));
    code.op(&from_float(spare, SPILL));
}

/// Sets SIE, unless an interrupt is pending: then the monitor does it, and delivers it.
fn enable(code: &mut Emitter, rd: Register) {
    let spare = temporary(&[rd]);
    code.op(&to_float(SPILL, spare));
    let before = code.guest;
    code.op(&from_float(spare, PENDING));
    code.fix = Fix::Restore(spare, SPILL);
    let at = code.here();
    let branch = op(Opcode::Bne, ZERO, spare, ZERO);
    code.op(&branch);
    change_status(code, rd, spare, (Opcode::Ori, status::SIE as i64));
    code.fix = Fix::None;
    slow_path(code, before, (at, &branch), &[(spare, SPILL)]);
}

/// Clears SIE.
fn disable(code: &mut Emitter, rd: Register) {
    let spare = temporary(&[rd]);
    code.op(&to_float(SPILL, spare));
    change_status(code, rd, spare, (Opcode::Andi, !(status::SIE as i64)));
}

/// Sets or clears bits of `sstatus`, and gives `rd` the old value. The temporary is spilled.
fn change_status(
    code: &mut Emitter,
    rd: Register,
    spare: Register,
    (opcode, operand): (Opcode, i64),
) {
    if rd != ZERO {
        code.op(&move_float(SECOND_SPILL, STATUS));
    }
    code.op(&from_float(spare, STATUS));
    code.fix = Fix::Restore(spare, SPILL);
    code.op(&immediate(opcode, spare, spare, operand));
    code.retiring(&to_float(STATUS, spare));
    if rd == ZERO {
        after(code, Fix::Restore(spare, SPILL));
    } else {
        after(code, Fix::RestoreBoth([(spare, SPILL), (rd, SECOND_SPILL)]));
        code.op(&from_float(rd, SECOND_SPILL));
    }
    code.op(&from_float(spare, SPILL));
}

/// Writes `sstatus` if only SPIE and SPP change; otherwise the monitor does it.
fn write_status(code: &mut Emitter, from: Register) {
    let spare = temporary(&[from]);
    let before = code.guest;
    code.op(&to_float(SPILL, spare));
    code.op(&from_float(spare, STATUS));
    code.fix = Fix::Restore(spare, SPILL);
    code.op(&op(Opcode::Xor, spare, spare, from));
    let stacked = INLINED_STATUS & !status::SIE;
    code.op(&immediate(Opcode::Andi, spare, spare, !(stacked as i64)));
    let at = code.here();
    let branch = op(Opcode::Bne, ZERO, spare, ZERO);
    code.op(&branch);
    code.retiring(&to_float(STATUS, from));
    after(code, Fix::Restore(spare, SPILL));
    code.op(&from_float(spare, SPILL));
    code.fix = Fix::None;
    slow_path(code, before, (at, &branch), &[(spare, SPILL)]);
}

/// What the fast path jumps over: temporaries restored, the monitor called.
fn slow_path(
    code: &mut Emitter,
    guest: u64,
    branch: (usize, &dcsim_hart::Op),
    spilled: &[(Register, Register)],
) {
    // The fast path goes on behind the slow one.
    let over = code.here();
    let skip = immediate(Opcode::Jal, ZERO, ZERO, 0);
    code.op(&skip);
    code.branch_here(branch.0, branch.1);
    code.guest = guest;
    for (register, float) in spilled {
        code.fix = Fix::Restore(*register, *float);
        code.op(&from_float(*register, *float));
    }
    code.fix = Fix::None;
    code.call(Action::Call);
    code.branch_here(over, &skip);
}
