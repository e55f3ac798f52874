//! Bit patterns of encodings, named after the fields that they fix.
//!
//! Field names and positions are those of the chapter "RV32/64G Instruction Set Listings" of the
//! unprivileged specification.

/// Major opcodes (bits 6:0 of a 32-bit instruction).
pub(crate) mod major {
    pub const LOAD: u32 = 0x03;
    pub const LOAD_FP: u32 = 0x07;
    pub const MISC_MEM: u32 = 0x0f;
    pub const OP_IMM: u32 = 0x13;
    pub const AUIPC: u32 = 0x17;
    pub const OP_IMM_32: u32 = 0x1b;
    pub const STORE: u32 = 0x23;
    pub const STORE_FP: u32 = 0x27;
    pub const AMO: u32 = 0x2f;
    pub const OP: u32 = 0x33;
    pub const LUI: u32 = 0x37;
    pub const OP_32: u32 = 0x3b;
    pub const MADD: u32 = 0x43;
    pub const MSUB: u32 = 0x47;
    pub const NMSUB: u32 = 0x4b;
    pub const NMADD: u32 = 0x4f;
    pub const OP_FP: u32 = 0x53;
    pub const BRANCH: u32 = 0x63;
    pub const JALR: u32 = 0x67;
    pub const JAL: u32 = 0x6f;
    pub const SYSTEM: u32 = 0x73;
}

/// Which bits of an instruction are fixed, and to what.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// The fixed bits.
    pub mask: u32,
    /// Their values; zero outside the mask.
    pub value: u32,
}

impl Pattern {
    const fn new(mask: u32, value: u32) -> Self {
        assert!(value & !mask == 0, "a value outside its mask");
        Self { mask, value }
    }

    /// Whether an instruction word has this pattern.
    #[inline]
    pub const fn matches(self, word: u32) -> bool {
        word & self.mask == self.value
    }
}

/// Only the major opcode is fixed (formats U and J).
pub(crate) const fn only(opcode: u32) -> Pattern {
    Pattern::new(0x7f, opcode)
}

/// Major opcode and funct3 (formats I, S and B).
pub(crate) const fn funct3(opcode: u32, funct3: u32) -> Pattern {
    Pattern::new(0x707f, opcode | funct3 << 12)
}

/// Format R: also bits 31:25.
pub(crate) const fn funct7(opcode: u32, funct3: u32, funct7: u32) -> Pattern {
    Pattern::new(0xfe00_707f, opcode | funct3 << 12 | funct7 << 25)
}

/// Shifts by a 6-bit amount: also bits 31:26.
pub(crate) const fn funct6(opcode: u32, funct3: u32, funct6: u32) -> Pattern {
    Pattern::new(0xfc00_707f, opcode | funct3 << 12 | funct6 << 26)
}

/// One source register: also bits 31:20.
pub(crate) const fn funct12(opcode: u32, funct3: u32, funct12: u32) -> Pattern {
    Pattern::new(0xfff0_707f, opcode | funct3 << 12 | funct12 << 20)
}

/// All bits are fixed.
pub(crate) const fn exact(word: u32) -> Pattern {
    Pattern::new(u32::MAX, word)
}

/// A fence of address translation: two source registers, no destination.
pub(crate) const fn fence(funct7: u32) -> Pattern {
    Pattern::new(0xfe00_7fff, major::SYSTEM | funct7 << 25)
}

/// A store to a guest's memory: two source registers, no destination.
pub(crate) const fn guest_store(funct7: u32) -> Pattern {
    Pattern::new(0xfe00_7fff, major::SYSTEM | 4 << 12 | funct7 << 25)
}

/// Format R of the A extension: funct3 is the width, bits 31:27 the operation.
pub(crate) const fn amo(width: u32, funct5: u32) -> Pattern {
    Pattern::new(0xf800_707f, major::AMO | width << 12 | funct5 << 27)
}

/// Load-reserved: an A operation without a second source.
pub(crate) const fn load_reserved(width: u32) -> Pattern {
    Pattern::new(0xf9f0_707f, major::AMO | width << 12 | 0x02 << 27)
}

/// Floating point with two sources and a rounding mode.
pub(crate) const fn float(funct7: u32) -> Pattern {
    Pattern::new(0xfe00_007f, major::OP_FP | funct7 << 25)
}

/// Floating point with one source and a rounding mode; `rs2` selects the variant.
pub(crate) const fn float_unary(funct7: u32, rs2: u32) -> Pattern {
    Pattern::new(0xfff0_007f, major::OP_FP | funct7 << 25 | rs2 << 20)
}

/// Fused multiply-add: `format` is 0 for single and 1 for double precision.
pub(crate) const fn fused(opcode: u32, format: u32) -> Pattern {
    Pattern::new(0x0600_007f, opcode | format << 25)
}

/// Compressed: quadrant (bits 1:0) and funct3 (bits 15:13).
pub(crate) const fn compressed(quadrant: u32, funct3: u32) -> Pattern {
    Pattern::new(0xe003, quadrant | funct3 << 13)
}

/// Compressed with a fixed register in bits 11:7.
pub(crate) const fn compressed_rd(quadrant: u32, funct3: u32, rd: u32) -> Pattern {
    Pattern::new(0xef83, quadrant | funct3 << 13 | rd << 7)
}

/// Compressed: quadrant 1, funct3 4, bits 11:10 the operation on `rd'` and an immediate.
pub(crate) const fn compressed_alu_immediate(funct2: u32) -> Pattern {
    Pattern::new(0xec03, 1 | 4 << 13 | funct2 << 10)
}

/// Compressed format CA: bits 15:10 and 6:5 the operation on `rd'` and `rs2'`.
pub(crate) const fn compressed_alu(funct6: u32, funct2: u32) -> Pattern {
    Pattern::new(0xfc63, 1 | funct6 << 10 | funct2 << 5)
}

/// Compressed format CR: quadrant 2, funct4 (bits 15:12).
pub(crate) const fn compressed_register(funct4: u32) -> Pattern {
    Pattern::new(0xf003, 2 | funct4 << 12)
}

/// Compressed format CR with `rs2` fixed to x0: the jumps.
pub(crate) const fn compressed_jump_register(funct4: u32) -> Pattern {
    Pattern::new(0xf07f, 2 | funct4 << 12)
}

/// Compressed, all 16 bits fixed.
pub(crate) const fn compressed_exact(halfword: u32) -> Pattern {
    Pattern::new(0xffff, halfword)
}
