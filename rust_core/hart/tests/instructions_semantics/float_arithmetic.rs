//! F and D: arithmetic, comparison, sign injection, classification; registers, flags and modes.
//!
//! That the arithmetic itself is right for all operands is tested with the `float` module.

use crate::privileged_world::{csr, status};
use crate::support::{A0, A1, A2, A3, Machine, op};
use dcsim_hart::Exception;
use dcsim_hart::isa::Opcode::{self, *};
use dcsim_hart::isa::{Extension, INSTRUCTIONS, ImmediateField};

/// Flags.
pub const NX: u64 = 1;
pub const UF: u64 = 2;
pub const OF: u64 = 4;
const DZ: u64 = 8;
pub const NV: u64 = 16;

/// Rounding modes.
pub const RNE: i64 = 0;
pub const RTZ: i64 = 1;
pub const RDN: i64 = 2;
pub const RUP: i64 = 3;
pub const RMM: i64 = 4;
pub const DYN: i64 = 7;

/// A single-precision value in a register.
pub const fn s(value: f32) -> u64 {
    0xffff_ffff_0000_0000 | value.to_bits() as u64
}

/// A double-precision value in a register.
pub const fn d(value: f64) -> u64 {
    value.to_bits()
}

/// The canonical NaNs, and signalling ones.
pub const NAN_S: u64 = 0xffff_ffff_7fc0_0000;
pub const NAN_D: u64 = 0x7ff8_0000_0000_0000;
const SIGNALING_S: u64 = 0xffff_ffff_7f80_0001;
const SIGNALING_D: u64 = 0x7ff0_0000_0000_0001;
/// 1.0 in single precision, not boxed.
const UNBOXED: u64 = 0x3f80_0000;

const INF_S: u64 = s(f32::INFINITY);
const INF_D: u64 = d(f64::INFINITY);

/// An instruction with its sources, rounding mode, result in a floating-point register, and flags.
type Arithmetic = (Opcode, [u64; 3], i64, u64, u64);

const ARITHMETIC: &[Arithmetic] = &[
    (FaddS, [s(1.5), s(2.25), 0], RNE, s(3.75), 0),
    (FaddS, [s(1.0), s(2.980_232_2e-8), 0], RNE, s(1.0), NX),
    (FaddS, [s(1.0), s(2.980_232_2e-8), 0], RTZ, s(1.0), NX),
    (FaddS, [s(1.0), s(2.980_232_2e-8), 0], RDN, s(1.0), NX),
    (FaddS, [s(1.0), s(2.980_232_2e-8), 0], RUP, s(1.000_000_1), NX),
    // Half a unit in the last place: the tie goes to the even neighbour or away from zero.
    (FaddS, [s(1.0), s(5.960_464_5e-8), 0], RNE, s(1.0), NX),
    (FaddS, [s(1.0), s(5.960_464_5e-8), 0], RMM, s(1.000_000_1), NX),
    // A value that is not boxed is a quiet NaN.
    (FaddS, [UNBOXED, s(1.0), 0], RNE, NAN_S, 0),
    (FaddS, [SIGNALING_S, s(1.0), 0], RNE, NAN_S, NV),
    (FaddS, [INF_S, s(f32::NEG_INFINITY), 0], RNE, NAN_S, NV),
    (FsubS, [s(1.5), s(2.25), 0], RNE, s(-0.75), 0),
    (FsubS, [s(1.0), s(1.0), 0], RNE, s(0.0), 0),
    (FsubS, [s(1.0), s(1.0), 0], RDN, s(-0.0), 0),
    (FmulS, [s(3.0), s(-4.0), 0], RNE, s(-12.0), 0),
    (FmulS, [s(f32::MAX), s(2.0), 0], RNE, INF_S, OF | NX),
    (FmulS, [s(f32::MAX), s(2.0), 0], RTZ, s(f32::MAX), OF | NX),
    (FmulS, [s(f32::MIN_POSITIVE), s(f32::EPSILON), 0], RTZ, 0xffff_ffff_0000_0001, 0),
    (FmulS, [s(f32::MIN_POSITIVE), s(1e-9), 0], RNE, s(0.0), UF | NX),
    (FdivS, [s(1.0), s(0.0), 0], RNE, INF_S, DZ),
    (FdivS, [s(0.0), s(0.0), 0], RNE, NAN_S, NV),
    (FdivS, [s(1.0), s(3.0), 0], RNE, 0xffff_ffff_3eaa_aaab, NX),
    (FdivS, [s(1.0), s(3.0), 0], RTZ, 0xffff_ffff_3eaa_aaaa, NX),
    (FsqrtS, [s(4.0), 0, 0], RNE, s(2.0), 0),
    (FsqrtS, [s(-1.0), 0, 0], RNE, NAN_S, NV),
    (FsqrtS, [s(-0.0), 0, 0], RNE, s(-0.0), 0),
    (FmaddS, [s(2.0), s(3.0), s(4.0)], RNE, s(10.0), 0),
    (FmsubS, [s(2.0), s(3.0), s(4.0)], RNE, s(2.0), 0),
    (FnmsubS, [s(2.0), s(3.0), s(4.0)], RNE, s(-2.0), 0),
    (FnmaddS, [s(2.0), s(3.0), s(4.0)], RNE, s(-10.0), 0),
    // Zero times infinity is invalid even beside a quiet NaN.
    (FmaddS, [s(0.0), INF_S, NAN_S], RNE, NAN_S, NV),
    (FnmaddS, [s(1.0), s(1.0), s(-1.0)], RNE, s(0.0), 0),
    (FsgnjS, [s(1.0), s(-2.0), 0], RNE, s(-1.0), 0),
    (FsgnjS, [UNBOXED, s(-2.0), 0], RNE, NAN_S | 0x8000_0000, 0),
    (FsgnjnS, [s(1.0), s(-2.0), 0], RNE, s(1.0), 0),
    (FsgnjnS, [SIGNALING_S, s(2.0), 0], RNE, SIGNALING_S | 0x8000_0000, 0),
    (FsgnjxS, [s(-1.0), s(-2.0), 0], RNE, s(1.0), 0),
    (FminS, [s(1.0), s(-2.0), 0], RNE, s(-2.0), 0),
    (FminS, [s(0.0), s(-0.0), 0], RNE, s(-0.0), 0),
    (FminS, [NAN_S, s(1.0), 0], RNE, s(1.0), 0),
    (FminS, [SIGNALING_S, s(1.0), 0], RNE, s(1.0), NV),
    (FmaxS, [s(1.0), s(-2.0), 0], RNE, s(1.0), 0),
    (FmaxS, [s(-0.0), s(0.0), 0], RNE, s(0.0), 0),
    (FmaxS, [NAN_S, NAN_S | 1, 0], RNE, NAN_S, 0),
    (FaddD, [d(1.5), d(2.25), 0], RNE, d(3.75), 0),
    (FaddD, [d(1.0), d(1e-30), 0], RUP, 0x3ff0_0000_0000_0001, NX),
    (FsubD, [d(1.5), d(2.25), 0], RNE, d(-0.75), 0),
    (FmulD, [d(3.0), d(-4.0), 0], RNE, d(-12.0), 0),
    (FmulD, [d(f64::MAX), d(2.0), 0], RNE, INF_D, OF | NX),
    (FdivD, [d(1.0), d(0.0), 0], RNE, INF_D, DZ),
    (FdivD, [d(0.0), d(0.0), 0], RNE, NAN_D, NV),
    (FsqrtD, [d(2.25), 0, 0], RNE, d(1.5), 0),
    (FsqrtD, [d(2.0), 0, 0], RNE, 0x3ff6_a09e_667f_3bcd, NX),
    (FmaddD, [d(2.0), d(3.0), d(4.0)], RNE, d(10.0), 0),
    (FmsubD, [d(2.0), d(3.0), d(4.0)], RNE, d(2.0), 0),
    (FnmsubD, [d(2.0), d(3.0), d(4.0)], RNE, d(-2.0), 0),
    (FnmaddD, [d(2.0), d(3.0), d(4.0)], RNE, d(-10.0), 0),
    (FsgnjD, [d(1.0), d(-2.0), 0], RNE, d(-1.0), 0),
    (FsgnjnD, [d(1.0), d(-2.0), 0], RNE, d(1.0), 0),
    (FsgnjxD, [d(1.0), d(-2.0), 0], RNE, d(-1.0), 0),
    (FminD, [d(1.0), d(-2.0), 0], RNE, d(-2.0), 0),
    (FminD, [SIGNALING_D, SIGNALING_D, 0], RNE, NAN_D, NV),
    (FmaxD, [d(1.0), d(-2.0), 0], RNE, d(1.0), 0),
];

/// A comparison with its sources, result and flags.
const COMPARISONS: &[(Opcode, u64, u64, u64, u64)] = &[
    (FeqS, s(1.0), s(1.0), 1, 0),
    (FeqS, s(0.0), s(-0.0), 1, 0),
    (FeqS, NAN_S, s(1.0), 0, 0),
    (FeqS, SIGNALING_S, s(1.0), 0, NV),
    (FeqS, UNBOXED, s(1.0), 0, 0),
    (FltS, s(-1.0), s(1.0), 1, 0),
    (FltS, s(1.0), s(1.0), 0, 0),
    (FltS, NAN_S, s(1.0), 0, NV),
    (FleS, s(1.0), s(1.0), 1, 0),
    (FleS, s(2.0), s(1.0), 0, 0),
    (FleS, s(1.0), NAN_S, 0, NV),
    (FeqD, d(1.0), d(1.0), 1, 0),
    (FeqD, NAN_D, NAN_D, 0, 0),
    (FltD, d(f64::NEG_INFINITY), d(-1.0), 1, 0),
    (FltD, d(-0.0), d(0.0), 0, 0),
    (FltD, d(1.0), NAN_D, 0, NV),
    (FleD, d(-0.0), d(0.0), 1, 0),
    (FleD, NAN_D, d(1.0), 0, NV),
];

/// Values of every class, single and double, and the number of the bit that FCLASS sets.
const CLASSES: &[(u64, u64, u32)] = &[
    (s(f32::NEG_INFINITY), d(f64::NEG_INFINITY), 0),
    (s(-1.0), d(-1.0), 1),
    (s(-1e-40), d(-1e-310), 2),
    (s(-0.0), d(-0.0), 3),
    (s(0.0), d(0.0), 4),
    (s(1e-40), d(1e-310), 5),
    (s(1.0), d(1.0), 6),
    (INF_S, INF_D, 7),
    (SIGNALING_S, SIGNALING_D, 8),
    (NAN_S, NAN_D, 9),
];

pub fn opcodes() -> Vec<Opcode> {
    let arithmetic = ARITHMETIC.iter().map(|case| case.0);
    let comparisons = COMPARISONS.iter().map(|case| case.0);
    arithmetic.chain(comparisons).chain([FclassS, FclassD]).collect()
}

/// A hart with these sources in `fa0`, `fa1` and `fa3`.
pub fn machine_with(sources: [u64; 3]) -> Machine {
    let mut machine = Machine::new();
    for (register, value) in [A0, A1, A3].into_iter().zip(sources) {
        machine.set_float(register, value);
    }
    machine
}

pub fn flags(machine: &Machine) -> u64 {
    machine.world.read(0x001)
}

#[test]
fn arithmetic() {
    for (opcode, sources, rounding, expected, raised) in ARITHMETIC {
        let mut machine = machine_with(*sources);
        machine.execute(&op(*opcode, *rounding));
        let result = machine.get_float(A2);
        assert_eq!(result, *expected, "{opcode:?} {sources:x?} {rounding}: {result:#x}");
        assert_eq!(flags(&machine), *raised, "{opcode:?} {sources:x?} {rounding}");
    }
}

/// With the dynamic mode the instruction rounds as `frm` says.
#[test]
fn the_dynamic_rounding_mode_is_that_of_frm() {
    for (opcode, sources, rounding, expected, _) in ARITHMETIC {
        if opcode.row().format.fields().immediate == ImmediateField::Rounding {
            let mut machine = machine_with(*sources);
            machine.world.write(0x002, *rounding as u64);
            machine.execute(&op(*opcode, DYN));
            assert_eq!(machine.get_float(A2), *expected, "{opcode:?} {sources:x?} {rounding}");
        }
    }
}

#[test]
fn comparisons() {
    for (opcode, a, b, expected, raised) in COMPARISONS {
        let mut machine = machine_with([*a, *b, 0]);
        machine.execute(&op(*opcode, 0));
        assert_eq!(machine.get(A2), *expected, "{opcode:?} {a:#x} {b:#x}");
        assert_eq!(flags(&machine), *raised, "{opcode:?} {a:#x} {b:#x}");
    }
}

#[test]
fn classes() {
    for (single, double, bit) in CLASSES {
        for (opcode, value) in [(FclassS, *single), (FclassD, *double)] {
            let mut machine = machine_with([value, 0, 0]);
            machine.execute(&op(opcode, 0));
            assert_eq!(machine.get(A2), 1 << bit, "{opcode:?} {value:#x}");
            assert_eq!(flags(&machine), 0);
        }
    }
}

#[test]
fn flags_accrue() {
    let mut machine = machine_with([s(1.0), s(0.0), 0]);
    machine.execute(&op(FdivS, RNE));
    machine.set_float(A1, s(3.0));
    machine.execute(&op(FdivS, RNE));
    machine.execute(&op(FaddS, RNE));
    assert_eq!(flags(&machine), DZ | NX);
}

fn float_opcodes() -> impl Iterator<Item = Opcode> {
    let is_float = |extension| matches!(extension, Extension::F | Extension::D);
    INSTRUCTIONS.iter().filter(move |row| is_float(row.extension)).map(|row| row.opcode)
}

#[test]
fn everything_is_illegal_while_the_unit_is_off() {
    for opcode in float_opcodes() {
        let mut machine = Machine::new();
        machine.world.write(csr::MSTATUS, 0);
        machine.set(A0, crate::support::DATA);
        let instruction = op(opcode, 0);
        machine.execute(&instruction);
        let bits = u64::from(dcsim_hart::isa::encode(&instruction));
        let expected = (Exception::IllegalInstruction.code(), bits);
        assert_eq!(machine.trap(), Some(expected), "{opcode:?}");
        assert_eq!(machine.world.hart.counters.instructions, 0);
    }
}

#[test]
fn reserved_rounding_modes_are_illegal() {
    let rounds =
        |opcode: &Opcode| opcode.row().format.fields().immediate == ImmediateField::Rounding;
    for opcode in float_opcodes().filter(rounds) {
        for (mode, frm) in [(5, 0), (6, 0), (DYN, 5), (DYN, 6), (DYN, 7)] {
            let mut machine = Machine::new();
            machine.world.write(0x002, frm);
            machine.execute(&op(opcode, mode));
            let cause = machine.trap().map(|trap| trap.0);
            assert_eq!(cause, Some(Exception::IllegalInstruction.code()), "{opcode:?} {mode}");
        }
    }
}

/// Writing a register makes the state dirty; reading and storing does not, nor does a comparison
/// that raises nothing.
#[test]
fn writes_make_the_state_dirty() {
    for opcode in float_opcodes() {
        let writes_register =
            opcode.row().format.fields().rd == dcsim_hart::isa::RegisterField::Float;
        let mut machine = machine_with([s(1.0), s(1.0), s(1.0)]);
        machine.set(A0, crate::support::DATA);
        machine.execute(&op(opcode, 0));
        let is_dirty = machine.world.read(csr::MSTATUS) & status::FS == status::FS;
        // As doubles, the sources are NaNs: some instructions on those raise a flag.
        let raises = flags(&machine) != 0;
        assert_eq!(is_dirty, writes_register || raises, "{opcode:?}");
    }
}
