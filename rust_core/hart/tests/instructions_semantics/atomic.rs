//! The A extension.

use crate::support::{A0, A1, A2, DATA, Machine, op};
use dcsim_hart::isa::Opcode::{self, *};
use dcsim_hart::{Exception, Op};

const ONES: u64 = u64::MAX;
const MIN: u64 = 1 << 63;
/// What is in memory above a word that is operated on: it must not change.
const ABOVE: u64 = 0x5555_5555 << 32;

/// An operation: memory before, source, the value loaded, memory after. For a word the upper half
/// of memory is `ABOVE`.
const CASES: &[(Opcode, u64, u64, u64, u64)] = &[
    (AmoswapW, 0x8000_0000, ABOVE | 7, 0xffff_ffff_8000_0000, 7),
    (AmoaddW, 0xffff_ffff, 2, ONES, 1),
    (AmoxorW, 0b1100, 0b1010, 0b1100, 0b0110),
    (AmoandW, 0b1100, 0b1010, 0b1100, 0b1000),
    (AmoorW, 0b1100, 0b1010, 0b1100, 0b1110),
    (AmominW, 0xffff_ffff, 1, ONES, 0xffff_ffff),
    (AmominW, 1, ONES, 1, 0xffff_ffff),
    (AmomaxW, 0xffff_ffff, 1, ONES, 1),
    // Only the low word of the source takes part.
    (AmomaxW, 1, 0x7_ffff_ffff, 1, 1),
    (AmominuW, 0xffff_ffff, 1, ONES, 1),
    (AmominuW, 1, 0x7_0000_0000, 1, 0),
    (AmomaxuW, 0xffff_ffff, 1, ONES, 0xffff_ffff),
    (AmomaxuW, 1, ONES, 1, 0xffff_ffff),
    (AmoswapD, 5, 7, 5, 7),
    (AmoaddD, ONES, 2, ONES, 1),
    (AmoxorD, 0b1100, 0b1010, 0b1100, 0b0110),
    (AmoandD, 0b1100, 0b1010, 0b1100, 0b1000),
    (AmoorD, 0b1100, 0b1010, 0b1100, 0b1110),
    (AmominD, MIN, 1, MIN, MIN),
    (AmominD, 1, ONES, 1, ONES),
    (AmomaxD, MIN, 1, MIN, 1),
    (AmominuD, MIN, 1, MIN, 1),
    (AmomaxuD, MIN, 1, MIN, MIN),
    (AmomaxuD, 1, ONES, 1, ONES),
];

pub fn opcodes() -> Vec<Opcode> {
    CASES.iter().map(|case| case.0).chain([LrW, ScW, LrD, ScD]).collect()
}

fn is_word(opcode: Opcode) -> bool {
    opcode.row().mnemonic.contains(".w")
}

#[test]
fn operations_load_the_old_value_and_store_the_new_one() {
    for (opcode, before, source, loaded, after) in CASES {
        let above = if is_word(*opcode) { ABOVE } else { 0 };
        let mut machine = Machine::new();
        machine.set(A0, DATA);
        machine.set(A1, *source);
        for _ in 0..2 {
            let at = dcsim_memory::PhysicalAddress(DATA);
            machine.world.memory().write_u64(at, before | above).unwrap();
            machine.execute(&op(*opcode, 0));
            assert_eq!(machine.get(A2), *loaded, "{opcode:?} {before:#x}");
            assert_eq!(machine.world.peek(DATA), after | above, "{opcode:?} {before:#x}");
        }
    }
}

/// The destination may be the source, the base or `x0`; acquire and release change nothing here.
#[test]
fn operands_may_coincide() {
    for rd in [A0, A1, crate::support::ZERO] {
        let mut machine = Machine::new();
        machine.world.poke(DATA, 5);
        machine.set(A0, DATA);
        machine.set(A1, 7);
        machine.execute(&Op { rd, ..op(AmoaddD, 3) });
        assert_eq!(machine.world.peek(DATA), 12);
        assert_eq!(machine.get(rd), if rd == crate::support::ZERO { 0 } else { 5 });
    }
}

fn reserved(load: Opcode) -> Machine {
    let mut machine = Machine::new();
    machine.world.poke(DATA, 0xffff_ffff_8000_0001);
    machine.set(A0, DATA);
    machine.set(A1, 9);
    machine.execute(&op(load, 0));
    assert_eq!(machine.get(A2), 0xffff_ffff_8000_0001);
    machine
}

#[test]
fn a_conditional_store_succeeds_once_after_its_load() {
    for (load, store, after) in [(LrW, ScW, 0xffff_ffff_0000_0009), (LrD, ScD, 9)] {
        let mut machine = reserved(load);
        machine.execute(&op(store, 0));
        assert_eq!((machine.get(A2), machine.world.peek(DATA)), (0, after), "{store:?}");
        machine.set(A1, 10);
        machine.execute(&op(store, 0));
        assert_eq!((machine.get(A2), machine.world.peek(DATA)), (1, after), "{store:?}");
    }
}

#[test]
fn a_reservation_ends_with_a_change_a_trap_or_another_address() {
    let stored_between = |machine: &mut Machine| machine.execute(&op(Sd, 0));
    let trapped = |machine: &mut Machine| {
        machine.execute(&op(Ecall, 0));
        assert!(machine.trap().is_some());
    };
    let elsewhere = |machine: &mut Machine| machine.set(A0, DATA + 64);
    for spoil in [stored_between, trapped, elsewhere] {
        let mut machine = reserved(LrD);
        spoil(&mut machine);
        machine.execute(&op(ScD, 0));
        assert_eq!(machine.get(A2), 1);
    }
}

#[test]
fn misaligned_atomics_trap() {
    for (opcode, cause) in [
        (LrW, Exception::LoadMisaligned),
        (LrD, Exception::LoadMisaligned),
        (ScW, Exception::StoreMisaligned),
        (AmoaddW, Exception::StoreMisaligned),
        (AmoswapD, Exception::StoreMisaligned),
    ] {
        let address = DATA + 8 - if is_word(opcode) { 2 } else { 4 };
        let mut machine = Machine::new();
        machine.set(A0, address);
        machine.execute(&op(opcode, 0));
        assert_eq!(machine.trap(), Some((cause.code(), address)), "{opcode:?}");
    }
}
