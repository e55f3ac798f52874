//! Operand layouts of 16-bit instructions.
//!
//! Each instruction of the C extension stands for one 32-bit instruction; a layout says which
//! operands that one has. The diagrams of the layouts are in the chapter on the C extension; an
//! immediate is given here as the list of its pieces, highest bit first.

use super::format::sign_extend;
use super::register::Register;
use super::table::CompressedRow;
use crate::op::Op;

/// Which operands a 16-bit instruction has. A primed register (`rd'`) is one of x8 to x15.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum CompressedFormat {
    /// `rd', sp, imm` (CIW): an address on the stack.
    AddressOnStack,
    /// `rd', imm(rs1')`, a multiple of 4 (CL).
    LoadWord,
    /// `rd', imm(rs1')`, a multiple of 8 (CL).
    LoadDouble,
    /// `rs2', imm(rs1')`, a multiple of 4 (CS).
    StoreWord,
    /// `rs2', imm(rs1')`, a multiple of 8 (CS).
    StoreDouble,
    /// `rd, rd, imm` (CI).
    Immediate,
    /// `rd, zero, imm` (CI).
    LoadImmediate,
    /// `rd, imm` with the immediate shifted by 12 (CI).
    LoadUpper,
    /// `sp, sp, imm`, a multiple of 16 (CI).
    MoveStack,
    /// `rd, rd, amount` (CI).
    Shift,
    /// `rd', rd', amount` (CB).
    ShiftShort,
    /// `rd', rd', imm` (CB).
    ImmediateShort,
    /// `rd', rd', rs2'` (CA).
    RegisterShort,
    /// `zero, target` (CJ).
    Jump,
    /// `rs1', zero, target` (CB).
    BranchZero,
    /// `rd, imm(sp)`, a multiple of 4 (CI).
    StackLoadWord,
    /// `rd, imm(sp)`, a multiple of 8 (CI).
    StackLoadDouble,
    /// `rs2, imm(sp)`, a multiple of 4 (CSS).
    StackStoreWord,
    /// `rs2, imm(sp)`, a multiple of 8 (CSS).
    StackStoreDouble,
    /// `zero, 0(rs1)` (CR).
    JumpRegister,
    /// `ra, 0(rs1)` (CR).
    CallRegister,
    /// `rd, zero, rs2` (CR).
    Move,
    /// `rd, rd, rs2` (CR).
    Register,
    /// Nothing.
    None,
}

/// Operands that an instruction may not have: the encoding is reserved then, or another row's.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Reserved {
    /// All operands are allowed.
    Nothing,
    /// An immediate of zero.
    ZeroImmediate,
    /// `rd` = x0.
    RdZero,
    /// `rs1` = x0.
    Rs1Zero,
    /// `rs2` = x0.
    Rs2Zero,
    /// `rd` = x2, or an immediate of zero.
    RdTwoOrZeroImmediate,
}

impl Reserved {
    /// Whether the instruction may have the operands of `op`.
    pub fn allows(self, op: &Op) -> bool {
        match self {
            Self::Nothing => true,
            Self::ZeroImmediate => op.imm != 0,
            Self::RdZero => op.rd != Register::R0,
            Self::Rs1Zero => op.rs1 != Register::R0,
            Self::Rs2Zero => op.rs2 != Register::R0,
            Self::RdTwoOrZeroImmediate => op.rd != Register::R2 && op.imm != 0,
        }
    }
}

/// A run of bits of an immediate: its lowest bit in the instruction, its lowest bit in the value,
/// and its length.
type Piece = (u32, u32, u32);

/// A scattered immediate.
struct Scattered {
    /// The number of bits of the value, its low zeros included, if it is signed.
    signed: Option<u32>,
    pieces: &'static [Piece],
}

impl CompressedFormat {
    /// Where the immediate of the layout is.
    const fn immediate(self) -> Scattered {
        let (signed, pieces): (Option<u32>, &'static [Piece]) = match self {
            Self::AddressOnStack => (None, &[(7, 6, 4), (11, 4, 2), (5, 3, 1), (6, 2, 1)]),
            Self::LoadWord | Self::StoreWord => (None, &[(5, 6, 1), (10, 3, 3), (6, 2, 1)]),
            Self::LoadDouble | Self::StoreDouble => (None, &[(5, 6, 2), (10, 3, 3)]),
            Self::Immediate | Self::LoadImmediate | Self::ImmediateShort => {
                (Some(6), &[(12, 5, 1), (2, 0, 5)])
            }
            Self::LoadUpper => (Some(18), &[(12, 17, 1), (2, 12, 5)]),
            Self::MoveStack => {
                (Some(10), &[(12, 9, 1), (3, 7, 2), (5, 6, 1), (2, 5, 1), (6, 4, 1)])
            }
            Self::Shift | Self::ShiftShort => (None, &[(12, 5, 1), (2, 0, 5)]),
            Self::Jump => (
                Some(12),
                &[
                    (12, 11, 1),
                    (8, 10, 1),
                    (9, 8, 2),
                    (6, 7, 1),
                    (7, 6, 1),
                    (2, 5, 1),
                    (11, 4, 1),
                    (3, 1, 3),
                ],
            ),
            Self::BranchZero => {
                (Some(9), &[(12, 8, 1), (5, 6, 2), (2, 5, 1), (10, 3, 2), (3, 1, 2)])
            }
            Self::StackLoadWord => (None, &[(2, 6, 2), (12, 5, 1), (4, 2, 3)]),
            Self::StackLoadDouble => (None, &[(2, 6, 3), (12, 5, 1), (5, 3, 2)]),
            Self::StackStoreWord => (None, &[(7, 6, 2), (9, 2, 4)]),
            Self::StackStoreDouble => (None, &[(7, 6, 3), (10, 3, 3)]),
            Self::RegisterShort
            | Self::JumpRegister
            | Self::CallRegister
            | Self::Move
            | Self::Register
            | Self::None => (None, &[]),
        };
        Scattered { signed, pieces }
    }
}

impl Scattered {
    fn extract(&self, word: u32) -> i64 {
        let value = self.pieces.iter().fold(0, |value, (from, to, length)| {
            value | (word >> from & ((1 << length) - 1)) << to
        });
        match self.signed {
            Some(bits) => sign_extend(value, bits),
            None => i64::from(value),
        }
    }

    fn insert(&self, immediate: i64) -> u32 {
        self.pieces.iter().fold(0, |word, (from, to, length)| {
            word | ((immediate as u32) >> to & ((1 << length) - 1)) << from
        })
    }
}

/// The registers of the instruction that `word` stands for: `rd`, `rs1`, `rs2`.
fn registers(format: CompressedFormat, word: u32) -> (Register, Register, Register) {
    use CompressedFormat as Format;
    const ZERO: Register = Register::R0;
    const STACK: Register = Register::R2;
    let full = Register::from_bits(word >> 7);
    let second = Register::from_bits(word >> 2);
    let low = Register::from_short_bits(word >> 2);
    let high = Register::from_short_bits(word >> 7);
    match format {
        Format::AddressOnStack => (low, STACK, ZERO),
        Format::LoadWord | Format::LoadDouble => (low, high, ZERO),
        Format::StoreWord | Format::StoreDouble => (ZERO, high, low),
        Format::Immediate | Format::Shift => (full, full, ZERO),
        Format::LoadImmediate | Format::LoadUpper => (full, ZERO, ZERO),
        Format::MoveStack => (STACK, STACK, ZERO),
        Format::ShiftShort | Format::ImmediateShort => (high, high, ZERO),
        Format::RegisterShort => (high, high, low),
        Format::Jump | Format::None => (ZERO, ZERO, ZERO),
        Format::BranchZero => (ZERO, high, ZERO),
        Format::StackLoadWord | Format::StackLoadDouble => (full, STACK, ZERO),
        Format::StackStoreWord | Format::StackStoreDouble => (ZERO, STACK, second),
        Format::JumpRegister => (ZERO, full, ZERO),
        Format::CallRegister => (Register::R1, full, ZERO),
        Format::Move => (full, ZERO, second),
        Format::Register => (full, full, second),
    }
}

/// The register fields of a 16-bit instruction that stands for `op`.
fn register_bits(format: CompressedFormat, op: &Op) -> u32 {
    use CompressedFormat as Format;
    let (rd, rs1, rs2) = (op.rd.bits(), op.rs1.bits(), op.rs2.bits());
    let low = |register: u32| (register & 7) << 2;
    let high = |register: u32| (register & 7) << 7;
    match format {
        Format::AddressOnStack => low(rd),
        Format::LoadWord | Format::LoadDouble => low(rd) | high(rs1),
        Format::StoreWord | Format::StoreDouble => low(rs2) | high(rs1),
        Format::Immediate
        | Format::Shift
        | Format::LoadImmediate
        | Format::LoadUpper
        | Format::MoveStack
        | Format::StackLoadWord
        | Format::StackLoadDouble => rd << 7,
        Format::ShiftShort | Format::ImmediateShort => high(rd),
        Format::RegisterShort => high(rd) | low(rs2),
        Format::Jump | Format::None => 0,
        Format::BranchZero => high(rs1),
        Format::StackStoreWord | Format::StackStoreDouble => rs2 << 2,
        Format::JumpRegister | Format::CallRegister => rs1 << 7,
        Format::Move | Format::Register => rd << 7 | rs2 << 2,
    }
}

/// The instruction that `word` stands for if it is of this row.
pub(super) fn expand(row: &CompressedRow, word: u32) -> Option<Op> {
    if !row.pattern.matches(word) {
        return None;
    }
    let (rd, rs1, rs2) = registers(row.format, word);
    let imm = row.format.immediate().extract(word);
    let op = Op { rd, rs1, rs2, imm, ..Op::new(row.opcode, 2) };
    row.reserved.allows(&op).then_some(op)
}

/// The 16-bit encoding of `op` in this row, if it has one.
pub(super) fn compress(row: &CompressedRow, op: &Op) -> Option<u16> {
    let immediate = row.format.immediate().insert(op.imm);
    let word = row.pattern.value | register_bits(row.format, op) | immediate;
    let same = |other: Op| Op { place: op.place, ..other } == *op;
    expand(row, word).is_some_and(same).then_some(word as u16)
}
