//! The executable form of an instruction.
//!
//! A [`Step`] is a decoded instruction made ready for one page: targets and `auipc` results are
//! relative to the page that holds it, instructions whose only effect would be on `x0` do nothing,
//! and a few common special cases have operations of their own. Lowering never changes what an
//! instruction does or costs.

use crate::isa::{Format, InstructionClass, Opcode, Register, for_each_instruction};
use crate::op::{Op, Place};

macro_rules! define_operations {
    (
        base { $($name:ident, $text:literal, $extension:ident, $format:ident, $pattern:expr,
                 $class:ident, $flow:ident;)* }
        compressed { $($short:tt)* }
    ) => {
        /// What a step does: an instruction of the table, or a special case of one.
        #[derive(Copy, Clone, Debug, Eq, PartialEq)]
        #[repr(u16)]
        pub(crate) enum Operation {
            $($name,)*
            /// No instruction: the immediate holds its bits.
            Illegal,
            /// Only effect would be on `x0`.
            Nothing,
            /// `rd` becomes the immediate.
            LoadImmediate,
            /// `rd` becomes `rs1`.
            Move,
            /// JAL without a link.
            Goto,
            /// JALR without a link.
            GotoRegister,
        }

        impl From<Opcode> for Operation {
            fn from(opcode: Opcode) -> Self {
                match opcode { $(Opcode::$name => Self::$name,)* }
            }
        }
    };
}

for_each_instruction!(define_operations);

/// One step of a block, in 16 bytes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) rd: Register,
    pub(crate) rs1: Register,
    pub(crate) rs2: Register,
    /// The third source; of a branch, whether it is inside its block.
    pub(crate) rs3: Register,
    pub(crate) place: Place,
    /// The immediate; relative to the start of the page where the instruction's is to itself.
    pub(crate) imm: i64,
}

const _: () = assert!(size_of::<Step>() == 16, "four steps share a cache line");

impl Step {
    /// The step for bits that are no instruction.
    pub(super) fn illegal(bits: u32, place: Place) -> Self {
        let nothing = Op { place, imm: i64::from(bits), ..Op::new(Opcode::Addi, 4) };
        Self { operation: Operation::Illegal, ..Self::plain(&nothing) }
    }

    /// The step for an instruction at `op.place`.
    pub(super) fn lower(op: &Op) -> Self {
        let step = Self::relative(Self::plain(op), op);
        if op.opcode.row().class.is_pure_integer() && op.rd == Register::R0 {
            return Self { operation: Operation::Nothing, ..step };
        }
        match op.opcode {
            Opcode::Lui => step.with(Operation::LoadImmediate),
            Opcode::Addi if op.rs1 == Register::R0 => step.with(Operation::LoadImmediate),
            Opcode::Addi if op.imm == 0 => step.with(Operation::Move),
            Opcode::Add if op.rs2 == Register::R0 => step.with(Operation::Move),
            Opcode::Add if op.rs1 == Register::R0 => {
                Self { rs1: op.rs2, ..step.with(Operation::Move) }
            }
            Opcode::Jal if op.rd == Register::R0 => step.with(Operation::Goto),
            Opcode::Jalr if op.rd == Register::R0 => step.with(Operation::GotoRegister),
            _ => step,
        }
    }

    /// The same branch in a block that goes on where it is not taken.
    pub(super) fn inside(self) -> Self {
        Self { rs3: Register::R1, ..self }
    }

    /// Whether the step, a branch, does not end its block.
    #[inline(always)]
    pub(super) fn is_inside(&self) -> bool {
        self.rs3 != Register::R0
    }

    fn plain(op: &Op) -> Self {
        Self {
            operation: op.opcode.into(),
            rd: op.rd,
            rs1: op.rs1,
            rs2: op.rs2,
            rs3: op.rs3,
            place: op.place,
            imm: op.imm,
        }
    }

    fn relative(self, op: &Op) -> Self {
        let is_relative = matches!(op.opcode.row().format, Format::Branch | Format::Jump)
            || op.opcode == Opcode::Auipc;
        let base = if is_relative { op.place.offset() as i64 } else { 0 };
        Self { imm: op.imm + base, ..self }
    }

    fn with(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }
}

/// The class of bits that are no instruction: what it costs to find that out.
pub(super) const ILLEGAL_CLASS: InstructionClass = InstructionClass::System;
