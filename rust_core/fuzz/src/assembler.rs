//! A buffer of code and data that knows the address of what comes next.

use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::op::Op;

/// Bytes from a base address upwards.
#[derive(Clone, Debug)]
pub struct Assembler {
    base: u64,
    bytes: Vec<u8>,
}

/// An instruction with two registers and an immediate.
pub fn immediate(opcode: Opcode, rd: Register, rs1: Register, imm: i64) -> Op {
    Op { rd, rs1, imm, ..Op::new(opcode, 4) }
}

/// An instruction with three registers.
pub fn register(opcode: Opcode, rd: Register, rs1: Register, rs2: Register) -> Op {
    Op { rd, rs1, rs2, ..Op::new(opcode, 4) }
}

/// A store of `rs2` at `imm(rs1)`, or a branch on the two.
pub fn store(opcode: Opcode, rs2: Register, rs1: Register, imm: i64) -> Op {
    Op { rs1, rs2, imm, ..Op::new(opcode, 4) }
}

/// A CSR instruction.
pub fn csr(opcode: Opcode, rd: Register, number: u16, rs1: Register) -> Op {
    immediate(opcode, rd, rs1, i64::from(number))
}

/// The two instructions that put `distance` from the first of them into `rd`.
pub fn address(rd: Register, distance: i64) -> [Op; 2] {
    let low = distance << 52 >> 52;
    [
        Op { rd, imm: distance - low, ..Op::new(Opcode::Auipc, 4) },
        immediate(Opcode::Addi, rd, rd, low),
    ]
}

impl Assembler {
    /// An empty buffer whose first byte will be at `base`.
    pub const fn new(base: u64) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// The address of the next byte.
    pub fn here(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// Appends an instruction of 32 bits.
    pub fn op(&mut self, op: Op) {
        self.raw(&encode(&op).to_le_bytes());
    }

    /// Appends several instructions of 32 bits.
    pub fn ops(&mut self, ops: impl IntoIterator<Item = Op>) {
        ops.into_iter().for_each(|op| self.op(op));
    }

    /// Appends the two instructions that put the address `target` into `rd`.
    pub fn load_address(&mut self, rd: Register, target: u64) {
        self.ops(address(rd, target.wrapping_sub(self.here()) as i64));
    }

    /// Appends bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends zeros up to the address `target`; nothing if that is passed.
    pub fn pad_to(&mut self, target: u64) {
        let length = target.saturating_sub(self.base) as usize;
        if length > self.bytes.len() {
            self.bytes.resize(length, 0);
        }
    }

    /// All bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
