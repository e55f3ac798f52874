//! The decoded form of an instruction.

use crate::isa::{Opcode, Register};

/// A decoded instruction, in 16 bytes.
///
/// Operands that the instruction does not have are zero. In a decoded block the form is lowered:
/// see [`crate::engine`].
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Op {
    /// What to do. A 16-bit instruction has the name of the 32-bit one that it stands for.
    pub opcode: Opcode,
    /// The destination.
    pub rd: Register,
    /// The first source, or the immediate of a CSR instruction.
    pub rs1: Register,
    /// The second source.
    pub rs2: Register,
    /// The third source of a fused multiply-add.
    pub rs3: Register,
    /// Where the instruction is and how long it is.
    pub place: Place,
    /// The immediate; for floating point the rounding mode, for atomics acquire and release.
    pub imm: i64,
}

/// Where in its page an instruction starts, and how long it is: two or four bytes.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Place(u16);

impl Place {
    const LENGTH_SHIFT: u32 = 12;

    /// An instruction of `length` bytes at `offset` in its page.
    pub const fn new(offset: u16, length: u16) -> Self {
        Self(offset & 0xfff | length << Self::LENGTH_SHIFT)
    }

    /// The offset in the page of the first byte.
    #[inline]
    pub const fn offset(self) -> u64 {
        (self.0 & 0xfff) as u64
    }

    /// The length in bytes.
    #[inline]
    pub const fn length(self) -> u64 {
        (self.0 >> Self::LENGTH_SHIFT) as u64
    }

    /// The offset in the page of the first byte after the instruction; may be 4096 or 4098.
    #[inline]
    pub const fn end(self) -> u64 {
        self.offset() + self.length()
    }
}

impl Op {
    /// An instruction at offset 0 without operands.
    pub const fn new(opcode: Opcode, length: u16) -> Self {
        let zero = Register::R0;
        let place = Place::new(0, length);
        Self { opcode, rd: zero, rs1: zero, rs2: zero, rs3: zero, place, imm: 0 }
    }
}

const _: () = assert!(size_of::<Op>() == 16, "two decoded instructions share 32 bytes");
