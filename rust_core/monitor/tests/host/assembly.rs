//! Small guests, assembled by hand.

use dcsim_hart::Op;
use dcsim_hart::isa::{Opcode, Register, encode};

/// The integer register with this number.
pub const fn x(number: usize) -> Register {
    Register::ALL[number]
}

/// Code that grows.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    pub words: Vec<u32>,
}

impl Assembler {
    /// Bytes so far: the offset of the next instruction.
    pub fn here(&self) -> u64 {
        self.words.len() as u64 * 4
    }

    pub fn op(&mut self, opcode: Opcode, rd: Register, rs1: Register, rs2: Register, imm: i64) {
        self.words.push(encode(&Op { rd, rs1, rs2, imm, ..Op::new(opcode, 4) }));
    }

    /// `rd, rs1, imm`; also loads and jumps through a register.
    pub fn immediate(&mut self, opcode: Opcode, rd: Register, rs1: Register, imm: i64) {
        self.op(opcode, rd, rs1, x(0), imm);
    }

    /// A store of `rs2`, or a branch.
    pub fn store(&mut self, opcode: Opcode, rs2: Register, rs1: Register, imm: i64) {
        self.op(opcode, x(0), rs1, rs2, imm);
    }

    pub fn csr(&mut self, opcode: Opcode, rd: Register, number: u16, rs1: Register) {
        self.op(opcode, rd, rs1, x(0), i64::from(number));
    }

    pub fn read_csr(&mut self, rd: Register, number: u16) {
        self.csr(Opcode::Csrrs, rd, number, x(0));
    }

    pub fn write_csr(&mut self, number: u16, rs1: Register) {
        self.csr(Opcode::Csrrw, x(0), number, rs1);
    }

    pub fn plain(&mut self, opcode: Opcode) {
        self.op(opcode, x(0), x(0), x(0), 0);
    }

    /// Any 64-bit constant: the upper half, then three pieces of the lower one.
    pub fn constant(&mut self, rd: Register, value: u64) {
        let upper = (value >> 32) as i32;
        let low = i64::from(upper << 20 >> 20);
        let high = (i64::from(upper) - low) as i32;
        self.op(Opcode::Lui, rd, x(0), x(0), i64::from(high));
        self.immediate(Opcode::Addiw, rd, rd, low);
        for (shift, piece) in [(11, value >> 21), (11, value >> 10), (10, value)] {
            let piece = piece & ((1 << shift) - 1);
            self.immediate(Opcode::Slli, rd, rd, shift);
            self.immediate(Opcode::Ori, rd, rd, piece as i64);
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}
