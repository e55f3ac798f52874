//! The code around the sequences: it enters them, handles their traps and prints what they leave.
//!
//! Everything that differs from sequence to sequence stands in its initial record, so the code is
//! there once. `mscratch` (and `sscratch`) always hold the address of the save area while a
//! sequence runs. A sequence ends with an environment call at a known address; every other trap
//! is folded into a hash and skipped.

use crate::assembler::{Assembler, csr, immediate, register, store};
use crate::core::MTIMECMP;
use crate::layout::{
    CONTROL, FINISHER, PAGE, SAVE, SCRATCH, SCRATCH_PAGES, UART, initial, number, record, save,
};
use crate::tables::SET_BYTES;
use dcsim_hart::isa::{Opcode, Register};
use dcsim_hart::op::Op;

use Opcode::{
    Add, Addi, Andi, Beq, Bge, Bltu, Bne, Csrrci, Csrrs, Csrrw, Fld, Fsd, Jal, Jalr, Lbu, Ld, Lhu,
    Lui, Mret, Mul, Rori, Sb, Sd, SfenceVma, Slli, Sltiu, Sret, Srli, Sw, Xor,
};
use Register::{R0, R1, R2, R5, R6, R7, R8, R9, R10, R11, R12, R13, R28, R29, R30, R31};

/// Floating point on, and machine mode as the previous privilege.
const STATUS: u64 = 0x7800;

/// Where the parts of the harness are.
#[derive(Clone, Copy, Debug)]
pub struct Harness {
    /// The first code to run.
    pub start: u64,
    /// The trap handler of supervisor mode.
    pub supervisor: u64,
}

/// The registers that a trap handler uses.
struct Level {
    cause: u16,
    value: u16,
    pc: u16,
    scratch: u16,
    pending: u16,
    /// Where the level finds the code, as an offset in the save area.
    code: i64,
    back: Opcode,
}

const MACHINE: Level = Level {
    cause: number::MCAUSE,
    value: number::MTVAL,
    pc: number::MEPC,
    scratch: number::MSCRATCH,
    pending: number::MIP,
    code: save::MACHINE_CODE,
    back: Mret,
};

const SUPERVISOR: Level = Level {
    cause: number::SCAUSE,
    value: number::STVAL,
    pc: number::SEPC,
    scratch: number::SSCRATCH,
    pending: number::SIP,
    code: save::SUPERVISOR_CODE,
    back: Sret,
};

/// Appends all of it.
pub fn append(image: &mut Assembler) -> Harness {
    let print = append_print(image);
    let enter = append_enter(image);
    let finish = append_finish(image, print, enter);
    let machine = append_handler(image, &MACHINE, Some(finish));
    let supervisor = append_handler(image, &SUPERVISOR, None);
    let start = append_start(image, machine, enter);
    Harness { start, supervisor }
}

fn load(rd: Register, rs1: Register, offset: i64) -> Op {
    immediate(Ld, rd, rs1, offset)
}

fn read_csr(rd: Register, number: u16) -> Op {
    csr(Csrrs, rd, number, R0)
}

fn write_csr(number: u16, rs1: Register) -> Op {
    csr(Csrrw, R0, number, rs1)
}

/// Trap vector, save area, floating point, no timer, protection of all but what sequences protect.
fn append_start(image: &mut Assembler, handler: u64, enter: u64) -> u64 {
    let start = image.here();
    image.load_address(R5, handler);
    image.op(write_csr(number::MTVEC, R5));
    image.op(immediate(Addi, R5, R0, -1));
    image.op(write_csr(number::PMPADDR0 + 1, R5));
    // On QEMU the timer interrupt is pending from the start.
    image.op(Op { rd: R6, imm: MTIMECMP as i64, ..Op::new(Lui, 4) });
    image.op(store(Sd, R5, R6, 0));
    image.load_address(R31, SAVE);
    image.op(write_csr(number::MSCRATCH, R31));
    image.constant(R5, STATUS);
    image.op(write_csr(number::MSTATUS, R5));
    image.jump(R0, enter);
    start
}

/// Enters the sequence whose initial record the save area names; `x31` is the save area.
fn append_enter(image: &mut Assembler) -> u64 {
    let enter = image.here();
    image.op(load(R30, R31, save::CURRENT));
    for (from, to) in
        [(initial::EXIT, save::EXIT), (initial::SUPERVISOR_CODE, save::SUPERVISOR_CODE)]
    {
        image.op(load(R5, R30, from));
        image.op(store(Sd, R5, R31, to));
    }
    image.op(store(Sd, R0, R31, record::TRAPS));
    for (place, number) in CONTROL.into_iter().enumerate() {
        image.op(load(R5, R30, initial::CONTROL + 8 * place as i64));
        image.op(write_csr(number, R5));
    }
    image.op(load(R5, R30, initial::FENCE));
    image.op(store(Beq, R0, R5, 8));
    image.op(Op::new(SfenceVma, 4));
    append_restore(image);
    image.op(Op::new(Mret, 4));
    enter
}

/// Loads all registers from the record at `x30`.
fn append_restore(image: &mut Assembler) {
    image.op(load(R5, R30, record::FCSR));
    image.op(write_csr(number::FCSR, R5));
    image.op(immediate(Addi, R31, R30, 0));
    for register in Register::ALL {
        image.op(immediate(Fld, register, R31, record::FLOATS + 8 * register.index() as i64));
    }
    for register in &Register::ALL[1..] {
        image.op(load(*register, R31, 8 * register.index() as i64));
    }
}

/// Saves all registers, hashes memory, prints the record and enters the next sequence. `x31` is
/// the save area, and three registers are spilled.
fn append_finish(image: &mut Assembler, print: u64, enter: u64) -> u64 {
    let finish = image.here();
    image.constant(R29, STATUS);
    image.op(write_csr(number::MSTATUS, R29));
    append_unspill(image);
    for register in &Register::ALL[1..31] {
        image.op(store(Sd, *register, R31, 8 * register.index() as i64));
    }
    image.op(csr(Csrrw, R5, number::MSCRATCH, R31));
    image.op(store(Sd, R5, R31, 8 * 31));
    for register in Register::ALL {
        image.op(store(Fsd, register, R31, record::FLOATS + 8 * register.index() as i64));
    }
    image.op(read_csr(R5, number::FCSR));
    image.op(store(Sd, R5, R31, record::FCSR));
    append_hash(image);
    image.op(immediate(Addi, R10, R31, 0));
    image.op(immediate(Addi, R11, R31, record::BYTES));
    image.jump(R1, print);
    append_next(image, enter);
    finish
}

/// Hashes the scratch memory and the page tables of the sequence.
fn append_hash(image: &mut Assembler) {
    image.constant(R5, 0);
    image.constant(R9, 0x0100_01b3);
    image.load_address(R6, SCRATCH);
    image.constant(R7, SCRATCH_PAGES * PAGE);
    append_hash_range(image);
    image.op(load(R6, R31, save::CURRENT));
    image.op(load(R6, R6, initial::TABLES));
    image.constant(R7, SET_BYTES);
    append_hash_range(image);
    image.op(store(Sd, R5, R31, record::MEMORY));
}

/// Folds the `x7` bytes from `x6` into `x5`.
pub(crate) fn append_hash_range(image: &mut Assembler) {
    image.op(register(Add, R7, R7, R6));
    let again = image.here();
    image.op(load(R8, R6, 0));
    image.op(register(Xor, R5, R5, R8));
    image.op(register(Mul, R5, R5, R9));
    image.op(immediate(Rori, R5, R5, 35));
    image.op(immediate(Addi, R6, R6, 8));
    image.branch(Bltu, R6, R7, again);
}

/// Goes on with the next initial record, or powers off.
fn append_next(image: &mut Assembler, enter: u64) {
    image.op(load(R5, R31, save::CURRENT));
    image.op(immediate(Addi, R5, R5, initial::BYTES_IN_ALL));
    image.op(store(Sd, R5, R31, save::CURRENT));
    image.op(load(R6, R31, save::END));
    image.branch(Bne, R5, R6, enter);
    append_power_off(image);
}

/// Ends the run.
pub(crate) fn append_power_off(image: &mut Assembler) {
    image.op(Op { rd: R5, imm: FINISHER as i64, ..Op::new(Lui, 4) });
    image.constant(R6, 0x5555);
    image.op(store(Sw, R6, R5, 0));
    image.op(Op { rd: R0, ..Op::new(Jal, 4) });
}

/// Prints the bytes from `x10` up to `x11` and returns to `x1`.
pub(crate) fn append_print(image: &mut Assembler) -> u64 {
    let print = image.here();
    image.op(Op { rd: R12, imm: UART as i64, ..Op::new(Lui, 4) });
    let again = image.here();
    image.op(immediate(Lbu, R13, R12, 5));
    image.op(immediate(Andi, R13, R13, 0x20));
    image.branch(Beq, R13, R0, again);
    image.op(immediate(Lbu, R13, R10, 0));
    image.op(store(Sb, R13, R12, 0));
    image.op(immediate(Addi, R10, R10, 1));
    image.branch(Bltu, R10, R11, again);
    image.op(immediate(Jalr, R0, R1, 0));
    print
}

/// Folds cause, value and address of a trap into the hash, and goes on after the instruction that
/// trapped, or where it was called from if it could not be fetched. At the exit it goes to
/// `finish`.
fn append_handler(image: &mut Assembler, level: &Level, finish: Option<u64>) -> u64 {
    image.align(4);
    let handler = image.here();
    image.op(csr(Csrrw, R31, level.scratch, R31));
    for (place, register) in [R28, R29, R30].into_iter().enumerate() {
        image.op(store(Sd, register, R31, save::SPILL + 8 * place as i64));
    }
    if let Some(finish) = finish {
        image.op(read_csr(R30, level.pc));
        image.op(load(R29, R31, save::EXIT));
        // The branch would not reach so far.
        image.op(store(Bne, R29, R30, 8));
        image.jump(R0, finish);
    }
    image.op(load(R29, R31, record::TRAPS));
    for number in [level.cause, level.value, level.pc] {
        image.op(read_csr(R30, number));
        image.op(immediate(Rori, R29, R29, 57));
        image.op(register(Xor, R29, R29, R30));
    }
    image.op(store(Sd, R29, R31, record::TRAPS));
    append_skip(image, level);
    append_unspill(image);
    image.op(csr(Csrrw, R31, level.scratch, R31));
    image.op(Op::new(level.back, 4));
    handler
}

/// Ends the software interrupt, if it is one, or sets the address to return to; `x30` is that of the
/// trap.
fn append_skip(image: &mut Assembler, level: &Level) {
    image.op(read_csr(R29, level.cause));
    let to_exception = image.here();
    image.op(Op::new(Addi, 4));
    image.op(csr(Csrrci, R0, level.pending, R2));
    let to_return = image.here();
    image.op(Op::new(Addi, 4));
    let exception = image.here();
    // The causes of a failed fetch, as bits: access fault and page fault.
    image.constant(R28, 1 << 1 | 1 << 12);
    image.op(register(Opcode::Srl, R28, R28, R29));
    image.op(immediate(Andi, R28, R28, 1));
    let to_fetched = image.here();
    image.op(Op::new(Addi, 4));
    // Not fetched: back to the caller.
    image.op(immediate(Addi, R30, R1, 0));
    let to_end = image.here();
    image.op(Op::new(Addi, 4));
    let fetched = image.here();
    image.op(load(R29, R31, level.code));
    image.op(immediate(Slli, R28, R30, 34));
    image.op(immediate(Srli, R28, R28, 34));
    image.op(register(Add, R29, R29, R28));
    image.op(immediate(Lhu, R29, R29, 0));
    image.op(immediate(Andi, R29, R29, 3));
    image.op(immediate(Addi, R29, R29, -3));
    image.op(immediate(Sltiu, R29, R29, 1));
    image.op(immediate(Slli, R29, R29, 1));
    image.op(immediate(Addi, R30, R30, 2));
    image.op(register(Add, R30, R30, R29));
    image.op(write_csr(level.pc, R30));
    let end = image.here();
    image.patch(
        to_exception,
        Op { rs1: R29, imm: (exception - to_exception) as i64, ..Op::new(Bge, 4) },
    );
    image.patch(to_return, Op { imm: (end - to_return) as i64, ..Op::new(Jal, 4) });
    image.patch(to_fetched, store(Beq, R0, R28, (fetched - to_fetched) as i64));
    image.patch(to_end, Op { imm: (end - 4 - to_end) as i64, ..Op::new(Jal, 4) });
}

fn append_unspill(image: &mut Assembler) {
    for (place, register) in [R28, R29, R30].into_iter().enumerate() {
        image.op(load(register, R31, save::SPILL + 8 * place as i64));
    }
}
