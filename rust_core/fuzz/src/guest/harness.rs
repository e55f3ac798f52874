//! The code around the cases: it enters them, and prints what their traps leave.

use super::layout::{SAVE, SCRATCH, SCRATCH_PAGES, initial, save};
use super::registers::hnumber::VSTIMECMP;
use super::registers::{CONTROL, PRINTED};
use super::tables::CHANGING;
use crate::assembler::{Assembler, csr, immediate, store};
use crate::core::MTIMECMP;
use crate::harness::{append_hash_range, append_power_off, append_print};
use crate::layout::{PAGE, number};
use dcsim_hart::isa::{Opcode, Register};
use dcsim_hart::op::Op;

use Opcode::{
    Addi, Bne, Csrrs, Csrrw, Ecall, HfenceGvma, HfenceVvma, Ld, Lui, Mret, Sd, SfenceVma,
};
use Register::{R0, R1, R5, R6, R7, R9, R10, R11, R30, R31};

/// Where the parts of the harness are.
#[derive(Clone, Copy, Debug)]
pub struct Harness {
    /// The first code to run.
    pub start: u64,
    /// The handler of HS mode.
    pub host: u64,
    /// The handler of VS mode.
    pub guest: u64,
}

/// Appends all of it.
pub fn append(image: &mut Assembler) -> Harness {
    let print = append_print(image);
    let enter = append_enter(image);
    let handler = append_handler(image, print, enter);
    let start = append_start(image, handler, enter);
    let [host, guest] = [(); 2].map(|()| append_call(image));
    Harness { start, host, guest }
}

/// A handler that does nothing but to call machine mode.
fn append_call(image: &mut Assembler) -> u64 {
    image.align(4);
    let handler = image.here();
    image.op(Op::new(Ecall, 4));
    handler
}

/// Trap vector, save area, no timers, no protection.
fn append_start(image: &mut Assembler, handler: u64, enter: u64) -> u64 {
    let start = image.here();
    image.load_address(R5, handler);
    image.op(csr(Csrrw, R0, number::MTVEC, R5));
    image.op(immediate(Addi, R5, R0, -1));
    image.op(csr(Csrrw, R0, number::PMPADDR0, R5));
    // On QEMU timer interrupts are pending from the start.
    image.op(Op { rd: R6, imm: MTIMECMP as i64, ..Op::new(Lui, 4) });
    image.op(store(Sd, R5, R6, 0));
    for number in [number::STIMECMP, VSTIMECMP] {
        image.op(csr(Csrrw, R0, number, R5));
    }
    image.constant(R5, 0x1f);
    image.op(csr(Csrrw, R0, number::PMPCFG0, R5));
    image.load_address(R31, SAVE);
    image.op(csr(Csrrw, R0, number::MSCRATCH, R31));
    image.jump(R0, enter);
    start
}

/// Enters the case whose initial record the save area names; `x31` is the save area.
fn append_enter(image: &mut Assembler) -> u64 {
    let enter = image.here();
    image.op(immediate(Ld, R30, R31, save::CURRENT));
    for (place, number) in CONTROL.into_iter().enumerate() {
        image.op(immediate(Ld, R5, R30, initial::CONTROL_FROM + 8 * place as i64));
        image.op(csr(Csrrw, R0, number, R5));
    }
    for opcode in [SfenceVma, HfenceVvma, HfenceGvma] {
        image.op(Op::new(opcode, 4));
    }
    image.op(immediate(Addi, R31, R30, 0));
    for register in &Register::ALL[1..] {
        image.op(immediate(Ld, *register, R31, 8 * register.index() as i64));
    }
    image.op(Op::new(Mret, 4));
    enter
}

/// Saves all registers, hashes memory, prints the record and enters the next case.
fn append_handler(image: &mut Assembler, print: u64, enter: u64) -> u64 {
    image.align(4);
    let handler = image.here();
    image.op(csr(Csrrw, R31, number::MSCRATCH, R31));
    for register in &Register::ALL[1..31] {
        image.op(store(Sd, *register, R31, 8 * register.index() as i64));
    }
    image.op(csr(Csrrw, R5, number::MSCRATCH, R31));
    image.op(store(Sd, R5, R31, 8 * 31));
    for (place, number) in PRINTED.into_iter().enumerate() {
        image.op(csr(Csrrs, R5, number, R0));
        image.op(store(Sd, R5, R31, save::PRINTED_FROM + 8 * place as i64));
    }
    append_hash(image);
    image.op(immediate(Addi, R10, R31, 0));
    image.op(immediate(Addi, R11, R31, save::RECORD));
    image.jump(R1, print);
    append_next(image, enter);
    handler
}

/// Hashes scratch memory and those tables of the case that may change.
fn append_hash(image: &mut Assembler) {
    image.constant(R5, 0);
    image.constant(R9, 0x0100_01b3);
    image.load_address(R6, SCRATCH);
    image.constant(R7, SCRATCH_PAGES * PAGE);
    append_hash_range(image);
    image.op(immediate(Ld, R6, R31, save::CURRENT));
    image.op(immediate(Ld, R6, R6, initial::TABLES));
    image.constant(R7, CHANGING.1);
    append_hash_range(image);
    image.op(store(Sd, R5, R31, save::MEMORY));
}

/// Goes on with the next initial record, or powers off.
fn append_next(image: &mut Assembler, enter: u64) {
    image.op(immediate(Ld, R5, R31, save::CURRENT));
    image.op(immediate(Addi, R5, R5, initial::BYTES));
    image.op(store(Sd, R5, R31, save::CURRENT));
    image.op(immediate(Ld, R6, R31, save::END));
    image.branch(Bne, R5, R6, enter);
    append_power_off(image);
}
