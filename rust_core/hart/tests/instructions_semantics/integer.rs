//! RV64I: arithmetic, logic, shifts.

use crate::support::{
    A0, Binary, CODE, Immediate, Machine, check_binary, check_immediate, integer_result, op,
};
use dcsim_hart::isa::Opcode::{self, *};

const MIN: u64 = 1 << 63;
const MAX: u64 = MIN - 1;
const ONES: u64 = u64::MAX;
/// The least word, sign-extended.
const MIN_WORD: u64 = 0xffff_ffff_8000_0000;

const BINARY: &[Binary] = &[
    (Add, 1, 2, 3),
    (Add, ONES, 1, 0),
    (Add, MAX, 1, MIN),
    (Sub, 1, 2, ONES),
    (Sub, MIN, 1, MAX),
    (Sll, 1, 63, MIN),
    (Sll, 1, 64, 1),
    (Sll, 3, 127, MIN),
    (Slt, ONES, 0, 1),
    (Slt, MAX, MIN, 0),
    (Slt, 5, 5, 0),
    (Sltu, ONES, 0, 0),
    (Sltu, 0, ONES, 1),
    (Sltu, 5, 5, 0),
    (Xor, 0b1100, 0b1010, 0b0110),
    (Srl, MIN, 63, 1),
    (Srl, MIN, 64, MIN),
    (Srl, ONES, 4, ONES >> 4),
    (Sra, MIN, 63, ONES),
    (Sra, MAX, 62, 1),
    (Sra, MIN, 64, MIN),
    (Or, 0b1100, 0b1010, 0b1110),
    (And, 0b1100, 0b1010, 0b1000),
    (Addw, 0x7fff_ffff, 1, MIN_WORD),
    (Addw, 0xffff_ffff_0000_0001, 0x1_0000_0001, 2),
    (Subw, 0, 1, ONES),
    (Subw, MIN_WORD, 1, 0x7fff_ffff),
    (Sllw, 1, 31, MIN_WORD),
    (Sllw, 1, 32, 1),
    (Sllw, 0xffff_ffff, 1, 0xffff_ffff_ffff_fffe),
    (Srlw, MIN_WORD, 31, 1),
    (Srlw, 0xffff_ffff_8000_0000, 32, MIN_WORD),
    (Srlw, 0x1_0000_0002, 1, 1),
    (Sraw, MIN_WORD, 31, ONES),
    (Sraw, 0x7fff_ffff, 30, 1),
    (Sraw, 0x1_8000_0000, 33, 0xffff_ffff_c000_0000),
];

const IMMEDIATE: &[Immediate] = &[
    (Addi, 1, -2048, 0xffff_ffff_ffff_f801),
    (Addi, ONES, 1, 0),
    (Addi, 7, 0, 7),
    (Slti, 5, 6, 1),
    (Slti, ONES, -1, 0),
    (Slti, MIN, -2048, 1),
    // SLTIU compares with the sign-extended immediate as an unsigned number.
    (Sltiu, 5, -1, 1),
    (Sltiu, ONES, -1, 0),
    (Sltiu, 0, 1, 1),
    (Sltiu, 1, 1, 0),
    (Xori, 0b1100, 0b1010, 0b0110),
    (Xori, 0, -1, ONES),
    (Ori, 0b1100, 0b1010, 0b1110),
    (Ori, 0, -1, ONES),
    (Andi, 0b1100, 0b1010, 0b1000),
    (Andi, ONES, -16, ONES - 15),
    (Slli, 1, 63, MIN),
    (Slli, 5, 0, 5),
    (Srli, MIN, 63, 1),
    (Srli, ONES, 32, 0xffff_ffff),
    (Srai, MIN, 63, ONES),
    (Srai, MIN, 32, MIN_WORD),
    (Addiw, 0x7fff_ffff, 1, MIN_WORD),
    (Addiw, 0x1_ffff_ffff, 0, ONES),
    (Addiw, 0, -1, ONES),
    (Slliw, 1, 31, MIN_WORD),
    (Slliw, 0xffff_ffff_0000_0001, 0, 1),
    (Srliw, MIN_WORD, 31, 1),
    (Srliw, 0xffff_ffff_8000_0000, 0, MIN_WORD),
    (Sraiw, MIN_WORD, 31, ONES),
    (Sraiw, 0x1_7fff_ffff, 0, 0x7fff_ffff),
];

/// LUI and AUIPC: the immediate, and the result where the instruction is at `CODE`.
const UPPER: &[(Opcode, i64, u64)] = &[
    (Lui, 0x1234_5000, 0x1234_5000),
    (Lui, -0x8000_0000, MIN_WORD),
    (Auipc, 0, CODE),
    (Auipc, 0x1000, CODE + 0x1000),
    (Auipc, -0x8000_0000, CODE - 0x8000_0000),
];

pub fn opcodes() -> Vec<Opcode> {
    let binary = BINARY.iter().map(|case| case.0);
    let immediate = IMMEDIATE.iter().map(|case| case.0);
    binary.chain(immediate).chain(UPPER.iter().map(|case| case.0)).collect()
}

#[test]
fn register_forms() {
    check_binary(BINARY);
}

#[test]
fn immediate_forms() {
    check_immediate(IMMEDIATE);
}

#[test]
fn upper_immediates() {
    for (opcode, imm, expected) in UPPER {
        assert_eq!(integer_result(&op(*opcode, *imm), 0, 0), *expected, "{opcode:?} {imm:#x}");
    }
}

#[test]
fn sources_may_be_x0() {
    let mut machine = Machine::new();
    machine.set(A0, 9);
    let zero = crate::support::ZERO;
    machine.execute(&dcsim_hart::Op { rd: A0, rs1: zero, rs2: zero, ..op(Add, 0) });
    assert_eq!(machine.get(A0), 0);
}
