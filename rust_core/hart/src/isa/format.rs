//! Operand layouts of 32-bit instructions.

/// Which operands an instruction has, and how they are written.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Format {
    /// `rd, imm` with the immediate in bits 31:12 (U).
    Upper,
    /// `rd, target` (J).
    Jump,
    /// `rd, imm(rs1)`: jump to a register.
    JumpRegister,
    /// `rs1, rs2, target` (B).
    Branch,
    /// `rd, imm(rs1)` (I).
    Load,
    /// `rs2, imm(rs1)` (S).
    Store,
    /// `rd, rs1, imm` (I).
    Immediate,
    /// `rd, rs1, amount` with a 6-bit amount.
    Shift,
    /// `rd, rs1, amount` with a 5-bit amount.
    ShiftWord,
    /// `rd, rs1, rs2` (R).
    Register,
    /// `rd, rs1`.
    Unary,
    /// `predecessor, successor`: memory ordering.
    Fence,
    /// Nothing.
    None,
    /// `rd, csr, rs1`.
    Csr,
    /// `rd, csr, uimm` with the immediate in the place of `rs1`.
    CsrImmediate,
    /// `rd, rs2, (rs1)`.
    Atomic,
    /// `rd, (rs1)`.
    LoadReserved,
    /// `rs1, rs2`: address and address-space identifier.
    FenceTranslation,
    /// `rd, (rs1)`: from a guest's memory.
    GuestLoad,
    /// `rs2, (rs1)`: to a guest's memory.
    GuestStore,
    /// `fd, imm(rs1)`.
    FloatLoad,
    /// `fs2, imm(rs1)`.
    FloatStore,
    /// `fd, fs1, fs2, rm`.
    FloatRounded,
    /// `fd, fs1, fs2, fs3, rm`.
    FloatFused,
    /// `fd, fs1, rm`.
    FloatUnaryRounded,
    /// `fd, fs1, fs2`.
    FloatRegister,
    /// `rd, fs1, fs2`.
    FloatCompare,
    /// `rd, fs1, rm`.
    FloatToInteger,
    /// `fd, rs1, rm`.
    IntegerToFloat,
    /// `rd, fs1`.
    MoveToInteger,
    /// `fd, rs1`.
    MoveToFloat,
}

/// Where the bits of an immediate are.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum ImmediateField {
    /// There is none.
    None,
    /// Bits 31:20, signed.
    I,
    /// Bits 31:25 and 11:7, signed.
    S,
    /// Bits 31, 7, 30:25, 11:8: signed, even.
    B,
    /// Bits 31:12, signed, a multiple of 4096.
    U,
    /// Bits 31, 19:12, 20, 30:21: signed, even.
    J,
    /// Bits 25:20, unsigned.
    Shift,
    /// Bits 24:20, unsigned.
    ShiftWord,
    /// Bits 31:20, unsigned: a CSR number, or the sets of a fence.
    Csr,
    /// Bits 14:12: a rounding mode.
    Rounding,
    /// Bits 26:25: acquire and release.
    Ordering,
}

/// What a register field holds.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum RegisterField {
    /// The field is no operand.
    Absent,
    /// The number of an integer register, or a small immediate.
    Integer,
    /// The number of a floating-point register.
    Float,
}

/// The operand fields of a format.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Fields {
    /// Bits 11:7.
    pub rd: RegisterField,
    /// Bits 19:15.
    pub rs1: RegisterField,
    /// Bits 24:20.
    pub rs2: RegisterField,
    /// Bits 31:27.
    pub rs3: RegisterField,
    /// The immediate.
    pub immediate: ImmediateField,
}

impl Format {
    /// The operand fields of the format.
    pub const fn fields(self) -> Fields {
        use ImmediateField as Imm;
        use RegisterField::{Absent as N, Float as F, Integer as X};
        let (rd, rs1, rs2, rs3, immediate) = match self {
            Self::Upper => (X, N, N, N, Imm::U),
            Self::Jump => (X, N, N, N, Imm::J),
            Self::JumpRegister | Self::Load | Self::Immediate => (X, X, N, N, Imm::I),
            Self::Branch => (N, X, X, N, Imm::B),
            Self::Store => (N, X, X, N, Imm::S),
            Self::Shift => (X, X, N, N, Imm::Shift),
            Self::ShiftWord => (X, X, N, N, Imm::ShiftWord),
            Self::Register => (X, X, X, N, Imm::None),
            Self::Unary | Self::GuestLoad => (X, X, N, N, Imm::None),
            Self::Fence | Self::Csr | Self::CsrImmediate => (X, X, N, N, Imm::Csr),
            Self::None => (N, N, N, N, Imm::None),
            Self::Atomic => (X, X, X, N, Imm::Ordering),
            Self::LoadReserved => (X, X, N, N, Imm::Ordering),
            Self::FenceTranslation | Self::GuestStore => (N, X, X, N, Imm::None),
            Self::FloatLoad => (F, X, N, N, Imm::I),
            Self::FloatStore => (N, X, F, N, Imm::S),
            Self::FloatRounded => (F, F, F, N, Imm::Rounding),
            Self::FloatFused => (F, F, F, F, Imm::Rounding),
            Self::FloatUnaryRounded => (F, F, N, N, Imm::Rounding),
            Self::FloatRegister => (F, F, F, N, Imm::None),
            Self::FloatCompare => (X, F, F, N, Imm::None),
            Self::FloatToInteger => (X, F, N, N, Imm::Rounding),
            Self::IntegerToFloat => (F, X, N, N, Imm::Rounding),
            Self::MoveToInteger => (X, F, N, N, Imm::None),
            Self::MoveToFloat => (F, X, N, N, Imm::None),
        };
        Fields { rd, rs1, rs2, rs3, immediate }
    }
}

const fn bits(word: u32, low: u32, count: u32) -> u32 {
    word >> low & ((1 << count) - 1)
}

/// The number in the lowest `count` bits as a signed one.
pub(crate) const fn sign_extend(value: u32, count: u32) -> i64 {
    ((value << (32 - count)) as i32 >> (32 - count)) as i64
}

impl ImmediateField {
    /// Takes the immediate out of an instruction word.
    pub const fn extract(self, word: u32) -> i64 {
        match self {
            Self::None => 0,
            Self::I => sign_extend(word >> 20, 12),
            Self::S => sign_extend(bits(word, 25, 7) << 5 | bits(word, 7, 5), 12),
            Self::B => sign_extend(
                bits(word, 31, 1) << 12
                    | bits(word, 7, 1) << 11
                    | bits(word, 25, 6) << 5
                    | bits(word, 8, 4) << 1,
                13,
            ),
            Self::U => (word & 0xffff_f000) as i32 as i64,
            Self::J => sign_extend(
                bits(word, 31, 1) << 20
                    | bits(word, 12, 8) << 12
                    | bits(word, 20, 1) << 11
                    | bits(word, 21, 10) << 1,
                21,
            ),
            Self::Shift => bits(word, 20, 6) as i64,
            Self::ShiftWord => bits(word, 20, 5) as i64,
            Self::Csr => bits(word, 20, 12) as i64,
            Self::Rounding => bits(word, 12, 3) as i64,
            Self::Ordering => bits(word, 25, 2) as i64,
        }
    }

    /// Puts an immediate in its place; bits that have none are lost.
    pub const fn insert(self, immediate: i64) -> u32 {
        let value = immediate as u32;
        match self {
            Self::None => 0,
            Self::I | Self::Csr => value << 20,
            Self::S => bits(value, 5, 7) << 25 | bits(value, 0, 5) << 7,
            Self::B => {
                bits(value, 12, 1) << 31
                    | bits(value, 5, 6) << 25
                    | bits(value, 1, 4) << 8
                    | bits(value, 11, 1) << 7
            }
            Self::U => value & 0xffff_f000,
            Self::J => {
                bits(value, 20, 1) << 31
                    | bits(value, 1, 10) << 21
                    | bits(value, 11, 1) << 20
                    | bits(value, 12, 8) << 12
            }
            Self::Shift => bits(value, 0, 6) << 20,
            Self::ShiftWord => bits(value, 0, 5) << 20,
            Self::Rounding => bits(value, 0, 3) << 12,
            Self::Ordering => bits(value, 0, 2) << 25,
        }
    }
}
