//! A kernel that has given up writing its code, and executing its data, is kept to it.

use super::{cell, elf::announced};
use crate::assembly::{Assembler, x};
use crate::support::{MIB, Model, config};
use dcsim_hart::isa::Opcode;

const SCAUSE: u16 = 0x142;
const STVEC: u16 = 0x105;
const FINISHER: u64 = 0x10_0000;
const FAILED: u64 = 0x3333;

/// A page of code, one of constants, and the first of data.
const CODE: u64 = 0x8020_0000;
const CONSTANTS: u64 = CODE + 0x1000;
const DATA: u64 = CODE + 0x2000;
/// Where traps go, in the page of code.
const HANDLER: u64 = 0x400;

/// Calls *seal* with these addresses.
fn seal(code: &mut Assembler, [start, constants, end]: [u64; 3]) {
    for (register, value) in [(10, start), (11, constants), (12, end), (16, 7), (17, 0x0a44_4353)] {
        code.constant(x(register), value);
    }
    code.plain(Opcode::Ecall);
}

/// The cause of the first trap of a kernel that seals itself, if `sealed`, and acts.
fn cause_behind(sealed: bool, act: impl FnOnce(&mut Assembler)) -> Option<u32> {
    let mut code = Assembler::default();
    code.constant(x(5), CODE + HANDLER);
    code.write_csr(STVEC, x(5));
    if sealed {
        seal(&mut code, [CODE, CONSTANTS, DATA]);
    }
    act(&mut code);
    code.plain(Opcode::Ebreak);
    while code.here() < HANDLER {
        code.immediate(Opcode::Addi, x(0), x(0), 0);
    }
    code.read_csr(x(6), SCAUSE);
    code.immediate(Opcode::Slli, x(6), x(6), 16);
    code.constant(x(7), FAILED);
    code.op(Opcode::Or, x(6), x(6), x(7), 0);
    code.constant(x(7), FINISHER);
    code.store(Opcode::Sw, x(6), x(7), 0);
    code.op(Opcode::Jal, x(0), x(0), x(0), 0);
    let mut model = Model::new(1, 16 * MIB);
    model.add_image(config(cell(), 8 * MIB, ""), &announced(&code.bytes()), None);
    model.play();
    model.outcomes().remove(0).code
}

fn store_to(address: u64) -> impl FnOnce(&mut Assembler) {
    move |code| {
        code.constant(x(5), address);
        code.store(Opcode::Sd, x(0), x(5), 8);
    }
}

fn jump_to(address: u64) -> impl FnOnce(&mut Assembler) {
    move |code| {
        code.constant(x(5), address);
        code.immediate(Opcode::Jalr, x(0), x(5), 0);
    }
}

const ILLEGAL_INSTRUCTION: Option<u32> = Some(2);
const BREAKPOINT: Option<u32> = Some(3);
const FETCH_FAULT: Option<u32> = Some(12);
const STORE_FAULT: Option<u32> = Some(15);

#[test]
fn code_and_constants_are_not_written_and_data_is_not_executed() {
    // Zeros are no instruction.
    for (sealed, store, jump) in
        [(false, BREAKPOINT, ILLEGAL_INSTRUCTION), (true, STORE_FAULT, FETCH_FAULT)]
    {
        assert_eq!(cause_behind(sealed, store_to(CODE + 0x800)), store, "{sealed}");
        assert_eq!(cause_behind(sealed, store_to(CONSTANTS)), store, "{sealed}");
        assert_eq!(cause_behind(sealed, jump_to(CONSTANTS)), jump, "{sealed}");
        assert_eq!(cause_behind(sealed, jump_to(DATA)), jump, "{sealed}");
        assert_eq!(cause_behind(sealed, store_to(DATA)), BREAKPOINT, "{sealed}");
    }
}

#[test]
fn what_was_given_up_does_not_come_back() {
    let again = |code: &mut Assembler| {
        seal(code, [DATA, DATA, DATA]);
        store_to(CODE + 0x800)(code);
    };
    assert_eq!(cause_behind(true, again), STORE_FAULT);
}
