//! A hart that executes one instruction.

// A failure of a helper is a failure of its test.
#![allow(clippy::unwrap_used)]

use crate::privileged_world::{RAM, World, csr, status};
use dcsim_hart::isa::{Compressed, Opcode, Register, encode, encode_compressed};
use dcsim_hart::{Hart, Interpreter, IsaProfile, Op, Timing};

/// Where the instruction is.
pub const CODE: u64 = RAM + 0x1000;
/// Where its data is.
pub const DATA: u64 = RAM + 0x8000;
/// Where a trap goes.
pub const VECTOR: u64 = RAM + 0x2000;

pub const A0: Register = Register::R10;
pub const A1: Register = Register::R11;
pub const A2: Register = Register::R12;
pub const A3: Register = Register::R13;
pub const ZERO: Register = Register::R0;

/// An instruction with `a2` as destination, and `a0`, `a1` and `a3` as sources.
pub fn op(opcode: Opcode, imm: i64) -> Op {
    Op { rd: A2, rs1: A0, rs2: A1, rs3: A3, imm, ..Op::new(opcode, 4) }
}

pub struct Machine {
    pub world: World,
    engine: Interpreter,
}

impl Machine {
    /// In machine mode, floating point on and clean.
    pub fn new() -> Self {
        Self::of(World::new())
    }

    /// The same on a hart with the hypervisor extension.
    pub fn with_hypervisor() -> Self {
        Self::of(World::of(Hart::new(0, IsaProfile::Rv64gch, Timing::uniform())))
    }

    fn of(mut world: World) -> Self {
        world.write(csr::MTVEC, VECTOR);
        world.write(csr::MSTATUS, status::FS & status::FS << 1);
        world.hart.pc = CODE;
        Self { world, engine: Interpreter::new() }
    }

    pub fn set(&mut self, register: Register, value: u64) {
        self.world.hart.x[register.index()] = value;
    }

    pub fn get(&self, register: Register) -> u64 {
        self.world.hart.x[register.index()]
    }

    pub fn set_float(&mut self, register: Register, value: u64) {
        self.world.hart.f[register.index()] = value;
    }

    pub fn get_float(&self, register: Register) -> u64 {
        self.world.hart.f[register.index()]
    }

    /// Executes the instruction, put at `pc`.
    pub fn execute(&mut self, op: &Op) {
        self.execute_word(encode(op));
    }

    /// Executes the 16-bit form of the instruction.
    pub fn execute_short(&mut self, name: Compressed, op: &Op) {
        self.execute_word(u32::from(encode_compressed(name, op).unwrap()));
    }

    pub fn execute_word(&mut self, word: u32) {
        let pc = self.world.hart.pc;
        self.world.memory().write_u32(dcsim_memory::PhysicalAddress(pc), word).unwrap();
        self.step();
    }

    /// Executes what is at `pc`.
    pub fn step(&mut self) {
        let engine = &mut self.engine;
        self.world.with(|hart, ports| engine.step(hart, ports));
    }

    /// The cause and the value of the trap that the instruction raised, if it did.
    pub fn trap(&self) -> Option<(u64, u64)> {
        let trapped = self.world.hart.pc == VECTOR;
        trapped.then(|| (self.world.read(csr::MCAUSE), self.world.read(csr::MTVAL)))
    }
}

/// The result of an instruction on integer registers. Also checks that it is the same where the
/// destination is a source, that `x0` stays zero, and that the next instruction follows.
pub fn integer_result(op: &Op, a: u64, b: u64) -> u64 {
    let with_destination = |rd| {
        let mut machine = Machine::new();
        machine.set(A0, a);
        machine.set(A1, b);
        machine.execute(&Op { rd, ..*op });
        assert_eq!(machine.world.hart.pc, CODE + 4, "{op:?}");
        assert_eq!(machine.world.hart.counters.instructions, 1);
        machine.get(rd)
    };
    assert_eq!(with_destination(ZERO), 0, "{op:?}");
    let result = with_destination(A2);
    assert_eq!(with_destination(A0), result, "{op:?} in place of the first source");
    assert_eq!(with_destination(A1), result, "{op:?} in place of the second source");
    result
}

/// A case of an instruction with two register sources: the sources and the result.
pub type Binary = (Opcode, u64, u64, u64);

/// A case of an instruction with one register source and an immediate.
pub type Immediate = (Opcode, u64, i64, u64);

/// A case of an instruction with one register source.
pub type Unary = (Opcode, u64, u64);

pub fn check_binary(cases: &[Binary]) {
    for (opcode, a, b, expected) in cases {
        let result = integer_result(&op(*opcode, 0), *a, *b);
        assert_eq!(result, *expected, "{opcode:?} {a:#x} {b:#x}: {result:#x}");
    }
}

pub fn check_immediate(cases: &[Immediate]) {
    for (opcode, a, imm, expected) in cases {
        let result = integer_result(&op(*opcode, *imm), *a, 0);
        assert_eq!(result, *expected, "{opcode:?} {a:#x} {imm:#x}: {result:#x}");
    }
}

pub fn check_unary(cases: &[Unary]) {
    for (opcode, a, expected) in cases {
        let result = integer_result(&op(*opcode, 0), *a, 0);
        assert_eq!(result, *expected, "{opcode:?} {a:#x}: {result:#x}");
    }
}
