//! Translated code as it grows, and what has to be known of each of its instructions.

use super::hole::{Hole, is_open};
use dcsim_hart::Op;
use dcsim_hart::isa::{Opcode, Register, encode, instruction_length};

/// How the guest's state at a translated instruction, before it executes, differs from the state
/// at an instruction boundary of the guest.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Fix {
    /// Not at all.
    #[default]
    None,
    /// An integer register's value is in a floating-point register.
    Restore(Register, Register),
    /// The same of two registers.
    RestoreBoth([(Register, Register); 2]),
    /// The guest's instruction has retired, but its result is not in its register yet.
    Set(Register, u64),
    /// An indirect jump has retired; where it goes is known, and what its link register gets. Its
    /// temporaries are not restored.
    Jump(Option<(Register, u64)>),
}

/// What an ECALL in translated code asks for.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Action {
    /// Nothing: the instruction is none.
    #[default]
    Run,
    /// The guest's instruction itself, by emulation.
    Call,
    /// An access to a device or a traced page, by emulation.
    Access,
    /// The floating-point registers for the guest.
    OpenFloat,
    /// The floating-point registers for the translator.
    CloseFloat,
    /// To go on at an address of the guest.
    Exit {
        /// The address.
        target: u64,
        /// Whether this is the guest's own jump, which retires with it.
        retires: bool,
    },
    /// To go on where an indirect jump goes.
    Miss,
    /// To leave the single step.
    Stepped,
}

/// What is known of a translated instruction.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Position {
    /// Where it starts in its page.
    pub(super) offset: u16,
    /// The guest's address once the state is fixed.
    pub(super) guest: u64,
    /// The guest's instruction, or 0 where there is none.
    pub(super) bits: u32,
    /// How to fix the state.
    pub(super) fix: Fix,
    /// What it asks the monitor for.
    pub(super) action: Action,
}

/// The instruction that asks the monitor for something.
pub(super) const CALL: u32 = 0x0000_0073;

/// Translated code.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    /// The instructions.
    pub(super) code: Vec<u8>,
    /// What is known of each, in order.
    pub(super) positions: Vec<Position>,
    /// Offsets of the instructions with which the guest's retire.
    pub(super) marks: Vec<usize>,
    /// Offsets of the instructions that have to be told where the table of targets is.
    pub(super) dispatches: Vec<usize>,
    /// Stamped on the instructions that follow.
    pub(super) guest: u64,
    /// Stamped on the instructions that follow.
    pub(super) bits: u32,
    /// Stamped on the instructions that follow.
    pub(super) fix: Fix,
}

impl Emitter {
    /// The offset of the next instruction.
    pub(super) fn here(&self) -> usize {
        self.code.len()
    }

    fn put(&mut self, word: u32, length: usize, action: Action) {
        self.positions.push(Position {
            offset: self.here() as u16,
            guest: self.guest,
            bits: self.bits,
            fix: self.fix,
            action,
        });
        self.code.extend_from_slice(&word.to_le_bytes()[..length]);
    }

    /// An instruction of the translator's.
    pub(super) fn op(&mut self, op: &Op) {
        self.put(encode(op), 4, Action::Run);
    }

    /// The same; the guest's instruction retires with it.
    pub(super) fn retiring(&mut self, op: &Op) {
        self.mark();
        self.op(op);
    }

    /// The guest's instruction retires with the next instruction.
    pub(super) fn mark(&mut self) {
        self.marks.push(self.here() + if is_open(Hole::Marks) { 4 } else { 0 });
    }

    /// The guest's instruction as it is.
    pub(super) fn copy(&mut self, bits: u32, length: u64) {
        self.mark();
        self.put(bits, length as usize, Action::Run);
    }

    /// A call of the monitor.
    pub(super) fn call(&mut self, action: Action) {
        if matches!(action, Action::Exit { retires: true, .. }) {
            self.mark();
        }
        self.put(CALL, 4, action);
    }

    /// Loads a constant; the guest's instruction retires with the first word, if `retires`, and
    /// goes on at `next`.
    pub(super) fn result(&mut self, register: Register, value: u64, next: u64) {
        for (index, op) in constant(register, value).iter().enumerate() {
            if index == 0 {
                self.mark();
            }
            self.op(op);
            (self.guest, self.fix) = (next, Fix::Set(register, value));
        }
        self.fix = Fix::None;
    }

    /// Replaces a branch that was put at `offset` by one to the next instruction.
    pub(super) fn branch_here(&mut self, offset: usize, branch: &Op) {
        let distance = (self.here() - offset) as i64;
        let word = encode(&Op { imm: distance, ..*branch });
        self.code[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }
}

/// Bytes of the instruction with these bits.
pub(super) fn length_of(bits: u32) -> u64 {
    instruction_length(bits as u16) as u64
}

/// An operation on integer registers.
pub(super) fn op(opcode: Opcode, rd: Register, rs1: Register, rs2: Register) -> Op {
    Op { rd, rs1, rs2, ..Op::new(opcode, 4) }
}

/// An operation with an immediate.
pub(super) fn immediate(opcode: Opcode, rd: Register, rs1: Register, imm: i64) -> Op {
    Op { rd, rs1, imm, ..Op::new(opcode, 4) }
}

/// Integer register to floating-point register.
pub(super) fn to_float(float: Register, integer: Register) -> Op {
    op(Opcode::FmvDX, float, integer, Register::R0)
}

/// Floating-point register to integer register.
pub(super) fn from_float(integer: Register, float: Register) -> Op {
    op(Opcode::FmvXD, integer, float, Register::R0)
}

/// Floating-point register to floating-point register.
pub(super) fn move_float(to: Register, from: Register) -> Op {
    op(Opcode::FsgnjD, to, from, from)
}

/// A jump over `distance` bytes.
pub(super) fn jump(distance: i64) -> u32 {
    encode(&immediate(Opcode::Jal, Register::R0, Register::R0, distance))
}

/// The lowest twelve bits as a signed number.
fn low_part(value: i64) -> i64 {
    value << 52 >> 52
}

/// The instructions that load a constant: one to eight.
pub(super) fn constant(register: Register, value: u64) -> Vec<Op> {
    let value = value as i64;
    let low = low_part(value);
    if low == value {
        return vec![immediate(Opcode::Addi, register, Register::R0, low)];
    }
    let mut ops;
    if i64::from(value as i32) == value {
        let high = i64::from(value.wrapping_sub(low) as i32);
        ops = vec![immediate(Opcode::Lui, register, Register::R0, high)];
        if low != 0 {
            ops.push(immediate(Opcode::Addiw, register, register, low));
        }
        return ops;
    }
    let rest = value.wrapping_sub(low) >> 12;
    let zeros = rest.trailing_zeros();
    ops = constant(register, (rest >> zeros) as u64);
    ops.push(immediate(Opcode::Slli, register, register, i64::from(12 + zeros)));
    if low != 0 {
        ops.push(immediate(Opcode::Addi, register, register, low));
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sequence leaves in its register.
    fn value(ops: &[Op]) -> u64 {
        ops.iter().fold(0_i64, |value, op| match op.opcode {
            Opcode::Lui => op.imm,
            Opcode::Addi if op.rs1 == Register::R0 => op.imm,
            Opcode::Addi => value.wrapping_add(op.imm),
            Opcode::Addiw => i64::from(value.wrapping_add(op.imm) as i32),
            Opcode::Slli => value << op.imm,
            other => panic!("{other:?}"),
        }) as u64
    }

    #[test]
    fn constants_of_every_shape_are_loaded() {
        let edges = [0, 1, 0x7ff, 0x800, 0xfff, 0x7fff_f800, 0x7fff_ffff, 0x8000_0000];
        for edge in edges {
            for value_wanted in
                [edge, !edge, edge << 20, edge << 32, !edge << 12 | 5, u64::MAX >> 1]
            {
                let ops = constant(Register::R5, value_wanted);
                assert_eq!(value(&ops), value_wanted, "{value_wanted:x}");
                assert!(ops.len() <= 8);
            }
        }
        // An address of a kernel in the upper half.
        assert!(constant(Register::R5, 0xffff_ffc0_8020_1234).len() <= 4);
    }
}
