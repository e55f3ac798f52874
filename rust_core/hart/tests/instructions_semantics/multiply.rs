//! The M extension, with the results that the table "Semantics for division by zero and division
//! overflow" gives.

use crate::support::{Binary, check_binary};
use dcsim_hart::isa::Opcode::{self, *};

const MIN: u64 = 1 << 63;
const ONES: u64 = u64::MAX;
const MIN_WORD: u64 = 0xffff_ffff_8000_0000;
/// -7 and -3.
const MINUS_7: u64 = ONES - 6;
const MINUS_3: u64 = ONES - 2;

const CASES: &[Binary] = &[
    (Mul, 7, 6, 42),
    (Mul, ONES, ONES, 1),
    (Mul, 1 << 32, 1 << 32, 0),
    (Mulh, ONES, ONES, 0),
    (Mulh, MIN, MIN, 1 << 62),
    (Mulh, MIN, 1, ONES),
    (Mulhsu, ONES, ONES, ONES),
    (Mulhsu, MIN, ONES, MIN),
    (Mulhsu, 2, ONES, 1),
    (Mulhu, ONES, ONES, ONES - 1),
    (Mulhu, 1 << 32, 1 << 32, 1),
    (Div, 7, MINUS_3, ONES - 1),
    (Div, MINUS_7, 3, ONES - 1),
    (Div, 7, 0, ONES),
    (Div, MIN, ONES, MIN),
    (Divu, ONES, 2, ONES >> 1),
    (Divu, 7, 0, ONES),
    (Divu, MIN, ONES, 0),
    (Rem, 7, MINUS_3, 1),
    (Rem, MINUS_7, 3, ONES),
    (Rem, MINUS_7, 0, MINUS_7),
    (Rem, MIN, ONES, 0),
    (Remu, ONES, 10, 5),
    (Remu, 7, 0, 7),
    (Remu, MIN, ONES, MIN),
    (Mulw, 0x1_0000_0003, 5, 15),
    (Mulw, 0x8000_0000, 1, MIN_WORD),
    (Mulw, 0xffff_ffff, 0xffff_ffff, 1),
    (Divw, 0xffff_fff9, 2, MINUS_3),
    (Divw, 7, 0x1_0000_0000, ONES),
    (Divw, 0x8000_0000, 0xffff_ffff, MIN_WORD),
    (Divuw, 0xffff_ffff, 1, ONES),
    (Divuw, 0x1_0000_0009, 4, 2),
    (Divuw, 7, 0x1_0000_0000, ONES),
    (Remw, 0xffff_fff9, 2, ONES),
    (Remw, 0x1_8000_0001, 0, 0xffff_ffff_8000_0001),
    (Remw, 0x8000_0000, 0xffff_ffff, 0),
    (Remuw, 0xffff_ffff, 10, 5),
    (Remuw, 0xffff_fff9, 0, MINUS_7),
];

pub fn opcodes() -> Vec<Opcode> {
    CASES.iter().map(|case| case.0).collect()
}

#[test]
fn products_quotients_and_remainders() {
    check_binary(CASES);
}
