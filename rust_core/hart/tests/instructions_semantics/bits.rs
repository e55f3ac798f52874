//! Zba, Zbb and Zbs.

use crate::support::{Binary, Immediate, Unary, check_binary, check_immediate, check_unary};
use dcsim_hart::isa::Opcode::{self, *};

const MIN: u64 = 1 << 63;
const ONES: u64 = u64::MAX;
const MIN_WORD: u64 = 0xffff_ffff_8000_0000;

const BINARY: &[Binary] = &[
    (AddUw, 0xffff_ffff_8000_0000, 1, 0x8000_0001),
    (Sh1add, 3, 100, 106),
    (Sh1add, MIN, 1, 1),
    (Sh2add, 3, 100, 112),
    (Sh3add, 3, 100, 124),
    (Sh3add, ONES, 0, ONES - 7),
    (Sh1addUw, 0xffff_ffff_ffff_ffff, 1, 0x1_ffff_ffff),
    (Sh2addUw, 0xffff_ffff_8000_0000, 0, 0x2_0000_0000),
    (Sh3addUw, 0xffff_ffff_0000_0001, 2, 10),
    (Andn, 0b1100, 0b1010, 0b0100),
    (Orn, 0b1100, ONES - 0b1010, 0b1110),
    (Xnor, 0b1100, 0b1010, ONES - 0b0110),
    (Min, ONES, 1, ONES),
    (Min, MIN, MIN - 1, MIN),
    (Minu, ONES, 1, 1),
    (Max, ONES, 1, 1),
    (Maxu, ONES, 1, ONES),
    (Rol, MIN | 1, 1, 3),
    (Rol, 5, 64, 5),
    (Ror, 3, 1, MIN | 1),
    (Ror, 5, 64, 5),
    (Rolw, 0x8000_0001, 1, 3),
    (Rolw, 0x4000_0000, 33, MIN_WORD),
    (Rorw, 1, 1, MIN_WORD),
    (Rorw, 0xffff_ffff_0000_0002, 33, 1),
    (Bclr, ONES, 63, ONES >> 1),
    (Bclr, ONES, 64, ONES - 1),
    (Bext, MIN, 63, 1),
    (Bext, MIN, 62, 0),
    (Bext, 1, 64, 1),
    (Binv, 0, 63, MIN),
    (Binv, 1, 64, 0),
    (Bset, 0, 63, MIN),
    (Bset, 0, 64, 1),
];

const IMMEDIATE: &[Immediate] = &[
    (SlliUw, 0xffff_ffff_8000_0000, 1, 0x1_0000_0000),
    (SlliUw, 1, 63, MIN),
    (Rori, 3, 1, MIN | 1),
    (Rori, 0xff, 60, 0xff0),
    (Roriw, 1, 1, MIN_WORD),
    (Roriw, 0xffff_ffff_0000_00f0, 4, 0xf),
    (Bclri, ONES, 32, 0xffff_fffe_ffff_ffff),
    (Bexti, 1 << 40, 40, 1),
    (Bexti, 1 << 40, 39, 0),
    (Binvi, 1 << 40, 40, 0),
    (Bseti, 0, 40, 1 << 40),
];

const UNARY: &[Unary] = &[
    (Clz, 0, 64),
    (Clz, 1, 63),
    (Clz, MIN, 0),
    (Ctz, 0, 64),
    (Ctz, MIN, 63),
    (Ctz, 1, 0),
    (Cpop, ONES, 64),
    (Cpop, 0x8000_0000_0000_0003, 3),
    (Clzw, 0xffff_ffff_0000_0000, 32),
    (Clzw, 0x1_0000_0001, 31),
    (Ctzw, 0xffff_ffff_0000_0000, 32),
    (Ctzw, 0x1_8000_0000, 31),
    (Cpopw, 0xffff_ffff_0000_0007, 3),
    (SextB, 0x180, 0xffff_ffff_ffff_ff80),
    (SextB, 0xff7f, 0x7f),
    (SextH, 0x1_8000, 0xffff_ffff_ffff_8000),
    (SextH, 0xffff_7fff, 0x7fff),
    (ZextH, 0xffff_ffff, 0xffff),
    (OrcB, 0x0100_8000_0010_0001, 0xff00_ff00_00ff_00ff),
    (Rev8, 0x0102_0304_0506_0708, 0x0807_0605_0403_0201),
];

pub fn opcodes() -> Vec<Opcode> {
    let binary = BINARY.iter().map(|case| case.0);
    let immediate = IMMEDIATE.iter().map(|case| case.0);
    binary.chain(immediate).chain(UNARY.iter().map(|case| case.0)).collect()
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
fn one_source() {
    check_unary(UNARY);
}
