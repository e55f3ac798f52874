//! F and D: conversions and moves between the register files.

use crate::float_arithmetic::{
    NAN_D, NAN_S, NV, NX, OF, RDN, RNE, RTZ, RUP, UF, d, flags, machine_with, s,
};
use crate::support::{A0, A2, Machine, op};
use dcsim_hart::isa::Opcode::{self, *};

const ONES: u64 = u64::MAX;
const MIN: u64 = 1 << 63;
const MIN_WORD: u64 = 0xffff_ffff_8000_0000;
const MAX_WORD: u64 = 0x7fff_ffff;

/// To an integer: the source, the rounding mode, the result and the flags. Out of range is invalid
/// and gives the nearest value there is; NaN counts as too large.
const TO_INTEGER: &[(Opcode, u64, i64, u64, u64)] = &[
    (FcvtWS, s(-1.9), RTZ, ONES, NX),
    (FcvtWS, s(2.5), RNE, 2, NX),
    (FcvtWS, s(2.5), RUP, 3, NX),
    (FcvtWS, s(-7.0), RNE, ONES - 6, 0),
    (FcvtWS, NAN_S, RNE, MAX_WORD, NV),
    (FcvtWS, s(f32::NEG_INFINITY), RNE, MIN_WORD, NV),
    (FcvtWS, 0x3f80_0000, RNE, MAX_WORD, NV),
    (FcvtWuS, s(-1.0), RNE, 0, NV),
    (FcvtWuS, s(-0.9), RTZ, 0, NX),
    (FcvtWuS, s(4_294_967_040.0), RNE, 0xffff_ffff_ffff_ff00, 0),
    (FcvtWuS, NAN_S, RNE, ONES, NV),
    (FcvtLS, s(-9_223_372_036_854_775_808.0), RNE, MIN, 0),
    (FcvtLS, s(f32::INFINITY), RNE, MIN - 1, NV),
    (FcvtLuS, s(1.5), RDN, 1, NX),
    (FcvtLuS, s(f32::INFINITY), RNE, ONES, NV),
    (FcvtLuS, s(-1.0), RNE, 0, NV),
    (FcvtWD, d(2_147_483_647.4), RNE, MAX_WORD, NX),
    (FcvtWD, d(2_147_483_647.5), RNE, MAX_WORD, NV),
    (FcvtWD, d(-2_147_483_648.0), RNE, MIN_WORD, 0),
    (FcvtWuD, d(4_294_967_295.0), RNE, ONES, 0),
    (FcvtWuD, d(4_294_967_296.0), RNE, ONES, NV),
    (FcvtLD, d(-1.5), RDN, ONES - 1, NX),
    (FcvtLD, d(9.3e18), RNE, MIN - 1, NV),
    (FcvtLD, NAN_D, RNE, MIN - 1, NV),
    (FcvtLuD, d(9.223_372_036_854_776e18), RNE, MIN, 0),
    (FcvtLuD, NAN_D, RNE, ONES, NV),
];

/// From an integer.
const FROM_INTEGER: &[(Opcode, u64, i64, u64, u64)] = &[
    (FcvtSW, 0x1_ffff_ffff, RNE, s(-1.0), 0),
    (FcvtSW, MAX_WORD, RTZ, s(2_147_483_520.0), NX),
    (FcvtSWu, ONES, RNE, s(4_294_967_296.0), NX),
    (FcvtSL, ONES, RNE, s(-1.0), 0),
    (FcvtSL, (1 << 24) + 1, RNE, s(16_777_216.0), NX),
    (FcvtSL, (1 << 24) + 1, RUP, s(16_777_218.0), NX),
    (FcvtSLu, ONES, RNE, s(18_446_744_073_709_552_000.0), NX),
    (FcvtDW, 0x8000_0000, RNE, d(-2_147_483_648.0), 0),
    (FcvtDWu, 0x7_8000_0000, RNE, d(2_147_483_648.0), 0),
    (FcvtDL, MIN, RNE, d(-9_223_372_036_854_775_808.0), 0),
    (FcvtDL, (1 << 53) + 1, RNE, d(9_007_199_254_740_992.0), NX),
    (FcvtDLu, ONES, RNE, d(18_446_744_073_709_551_615.0), NX),
];

/// Between the formats.
const BETWEEN: &[(Opcode, u64, i64, u64, u64)] = &[
    (FcvtSD, d(1.5), RNE, s(1.5), 0),
    (FcvtSD, d(1e40), RNE, s(f32::INFINITY), OF | NX),
    (FcvtSD, d(1e-50), RNE, s(0.0), UF | NX),
    (FcvtSD, 0x7ff0_0000_0000_0001, RNE, NAN_S, NV),
    (FcvtDS, s(1.5), RNE, d(1.5), 0),
    (FcvtDS, s(1e-45), RNE, d(1.401_298_464_324_817e-45), 0),
    (FcvtDS, 0x3f80_0000, RNE, NAN_D, 0),
];

/// Moves of bits to an integer register.
const MOVES_OUT: &[(Opcode, u64, u64)] = &[
    (FmvXW, 0x1234_5678_8765_4321, 0xffff_ffff_8765_4321),
    (FmvXD, 0x1234_5678_8765_4321, 0x1234_5678_8765_4321),
];

/// Moves of bits from an integer register.
const MOVES_IN: &[(Opcode, u64, u64)] = &[
    (FmvWX, 0x1234_5678_8765_4321, 0xffff_ffff_8765_4321),
    (FmvDX, 0x1234_5678_8765_4321, 0x1234_5678_8765_4321),
];

pub fn opcodes() -> Vec<Opcode> {
    let conversions = [TO_INTEGER, FROM_INTEGER, BETWEEN].concat();
    let moves = [MOVES_OUT, MOVES_IN].concat();
    conversions.iter().map(|case| case.0).chain(moves.iter().map(|case| case.0)).collect()
}

#[test]
fn to_integers() {
    for (opcode, source, rounding, expected, raised) in TO_INTEGER {
        let mut machine = machine_with([*source, 0, 0]);
        machine.execute(&op(*opcode, *rounding));
        let result = machine.get(A2);
        assert_eq!(result, *expected, "{opcode:?} {source:#x} {rounding}: {result:#x}");
        assert_eq!(flags(&machine), *raised, "{opcode:?} {source:#x} {rounding}");
    }
}

#[test]
fn a_result_for_x0_is_lost_but_its_flags_are_not() {
    let mut machine = machine_with([s(-1.9), 0, 0]);
    machine.execute(&dcsim_hart::Op { rd: crate::support::ZERO, ..op(FcvtWS, RTZ) });
    assert_eq!((machine.get(crate::support::ZERO), flags(&machine)), (0, NX));
}

#[test]
fn from_integers() {
    for (opcode, source, rounding, expected, raised) in FROM_INTEGER {
        let mut machine = Machine::new();
        machine.set(A0, *source);
        machine.execute(&op(*opcode, *rounding));
        let result = machine.get_float(A2);
        assert_eq!(result, *expected, "{opcode:?} {source:#x} {rounding}: {result:#x}");
        assert_eq!(flags(&machine), *raised, "{opcode:?} {source:#x} {rounding}");
    }
}

#[test]
fn between_formats() {
    for (opcode, source, rounding, expected, raised) in BETWEEN {
        let mut machine = machine_with([*source, 0, 0]);
        machine.execute(&op(*opcode, *rounding));
        let result = machine.get_float(A2);
        assert_eq!(result, *expected, "{opcode:?} {source:#x}: {result:#x}");
        assert_eq!(flags(&machine), *raised, "{opcode:?} {source:#x}");
    }
}

#[test]
fn moves_keep_bits() {
    for (opcode, source, expected) in MOVES_OUT {
        let mut machine = machine_with([*source, 0, 0]);
        machine.execute(&op(*opcode, 0));
        assert_eq!(machine.get(A2), *expected, "{opcode:?}");
    }
    for (opcode, source, expected) in MOVES_IN {
        let mut machine = Machine::new();
        machine.set(A0, *source);
        machine.execute(&op(*opcode, 0));
        assert_eq!(machine.get_float(A2), *expected, "{opcode:?}");
    }
}
