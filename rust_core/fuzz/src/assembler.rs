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
fn near_address(rd: Register, distance: i64) -> [Op; 2] {
    let low = distance << 52 >> 52;
    [
        Op { rd, imm: distance - low, ..Op::new(Opcode::Auipc, 4) },
        immediate(Opcode::Addi, rd, rd, low),
    ]
}

/// The instructions that put the address `target` into `rd`, the first of them at `here`.
pub fn address(rd: Register, here: u64, target: u64) -> Vec<Op> {
    let distance = target.wrapping_sub(here) as i64;
    let reach = i64::from(i32::MIN) + 0x800..i64::from(i32::MAX) - 0x800;
    if reach.contains(&distance) {
        return near_address(rd, distance).to_vec();
    }
    far_address(rd, target as i64)
}

/// The instructions that put any value into `rd`: twelve bits after the other, from the highest.
pub fn far_address(rd: Register, target: i64) -> Vec<Op> {
    if let Ok(word) = i32::try_from(target) {
        return constant(rd, word as u32).to_vec();
    }
    let low = target << 52 >> 52;
    let high = target.wrapping_sub(low) >> 12;
    let zeros = high.trailing_zeros().min(51);
    let mut ops = far_address(rd, high >> zeros);
    ops.push(immediate(Opcode::Slli, rd, rd, i64::from(12 + zeros)));
    ops.push(immediate(Opcode::Addi, rd, rd, low));
    ops
}

/// The two instructions that put a word, with its sign, into `rd`.
pub fn constant(rd: Register, word: u32) -> [Op; 2] {
    let low = i64::from(word) << 52 >> 52;
    let high = i64::from(word as i32) - low;
    [Op { rd, imm: high, ..Op::new(Opcode::Lui, 4) }, immediate(Opcode::Addiw, rd, rd, low)]
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

    /// Appends the instructions that put the address `target` into `rd`: two, as it is near.
    pub fn load_address(&mut self, rd: Register, target: u64) {
        self.ops(near_address(rd, target.wrapping_sub(self.here()) as i64));
    }

    /// Appends the two instructions that put a constant of up to 31 bits into `rd`.
    pub fn constant(&mut self, rd: Register, value: u64) {
        self.ops(constant(rd, value as u32));
    }

    /// Appends a jump to `target` that leaves its return address in `rd`.
    pub fn jump(&mut self, rd: Register, target: u64) {
        let imm = target.wrapping_sub(self.here()) as i64;
        self.op(Op { rd, imm, ..Op::new(Opcode::Jal, 4) });
    }

    /// Appends a branch to `target`.
    pub fn branch(&mut self, opcode: Opcode, rs1: Register, rs2: Register, target: u64) {
        let imm = target.wrapping_sub(self.here()) as i64;
        self.op(Op { rs1, rs2, imm, ..Op::new(opcode, 4) });
    }

    /// Replaces the instruction at `address`.
    pub fn patch(&mut self, address: u64, op: Op) {
        let at = (address - self.base) as usize;
        self.bytes[at..at + 4].copy_from_slice(&encode(&op).to_le_bytes());
    }

    /// Replaces the eight bytes at `address`.
    pub fn write(&mut self, address: u64, word: u64) {
        let at = (address - self.base) as usize;
        self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// Appends zeros up to a multiple of `alignment`.
    pub fn align(&mut self, alignment: u64) {
        self.pad_to(self.here().next_multiple_of(alignment));
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
