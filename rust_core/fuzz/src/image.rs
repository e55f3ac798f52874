//! A bare machine-mode program that runs many sequences and prints all registers after each.
//!
//! Memory, from the base upwards: a jump to the code; the save area; the scratch memory of the
//! sequences; the initial registers of every sequence; the code. What is printed, as raw bytes on
//! the UART: after each sequence a [`RECORD_WORDS`]-word record (a hash of the traps it took in
//! place of `x0`, `x1` to `x31`, `f0` to `f31`, `fcsr`), and at the end the scratch memory.

use crate::assembler::{Assembler, csr, immediate, register, store};
use crate::random::Random;
use crate::sequence::{self, Scratch};
use dcsim_hart::isa::{Opcode, Register};
use dcsim_hart::op::Op;

/// Where the image is loaded and entered.
pub const BASE: u64 = 0x8000_0000;
/// The UART that the image prints to.
pub const UART: u64 = 0x1000_0000;
/// The test finisher that ends the run.
pub const FINISHER: u64 = 0x0010_0000;
/// Words in the record of a sequence.
pub const RECORD_WORDS: usize = 65;

const SAVE: u64 = BASE + 0x1000;
const SCRATCH: Scratch = Scratch { start: BASE + 0x2000, bytes: 0x2000 };
const INITIAL: u64 = BASE + 0x4000;
const RECORD_BYTES: u64 = RECORD_WORDS as u64 * 8;
const FLOATS: i64 = 32 * 8;
const FCSR: i64 = 64 * 8;
/// Where the trap handler keeps two registers, behind the record.
const SPILL: i64 = RECORD_BYTES as i64;

mod number {
    pub const FCSR: u16 = 0x003;
    pub const MSTATUS: u16 = 0x300;
    pub const MTVEC: u16 = 0x305;
    pub const MSCRATCH: u16 = 0x340;
    pub const MEPC: u16 = 0x341;
    pub const MCAUSE: u16 = 0x342;
    pub const MTVAL: u16 = 0x343;
}

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many sequences.
    pub sequences: usize,
    /// Units in each.
    pub units: usize,
}

/// A generated image and where its sequences are.
#[derive(Clone, Debug)]
pub struct Image {
    /// The bytes, from [`BASE`] upwards.
    pub bytes: Vec<u8>,
    /// For every sequence the offsets of its first byte and of the byte after its last.
    pub sequences: Vec<(usize, usize)>,
}

/// Builds the image.
pub fn build(plan: Plan) -> Image {
    let mut random = Random::new(plan.seed);
    let mut image = Assembler::new(BASE);
    image.pad_to(INITIAL);
    for _ in 0..plan.sequences {
        append_initial(&mut image, &mut random);
    }
    let handler = append_handler(&mut image);
    let print = append_print(&mut image);
    let start = image.here();
    append_start(&mut image, handler);
    let sequences = (0..plan.sequences)
        .map(|index| append_sequence(&mut image, &mut random, index, print, plan.units))
        .collect();
    append_end(&mut image, print);
    Image { bytes: with_entry(image.finish(), start), sequences }
}

/// Puts a jump to `start` at the base.
fn with_entry(mut bytes: Vec<u8>, start: u64) -> Vec<u8> {
    let mut entry = Assembler::new(BASE);
    entry.load_address(Register::R5, start);
    entry.op(immediate(Opcode::Jalr, Register::R0, Register::R5, 0));
    let entry = entry.finish();
    bytes[..entry.len()].copy_from_slice(&entry);
    bytes
}

/// Random registers, with values at the edges as likely as any.
fn append_initial(image: &mut Assembler, random: &mut Random) {
    for word in 0..RECORD_WORDS {
        let value = match word {
            0 => 0,
            1..32 => initial_integer(random),
            32..64 => initial_float(random),
            _ => initial_fcsr(random),
        };
        image.raw(&value.to_le_bytes());
    }
}

fn initial_integer(random: &mut Random) -> u64 {
    let edges =
        [0, 1, 2, u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, 0xffff_ffff, 1 << 32];
    match random.below(4) {
        0 => random.pick(&edges),
        1 => random.bits() as i32 as u64,
        2 => random.bits() >> random.below(64),
        _ => random.bits(),
    }
}

fn initial_float(random: &mut Random) -> u64 {
    if random.once_in(2) {
        return double(random);
    }
    let boxed = 0xffff_ffff_0000_0000 | u64::from(single(random));
    // Once in a while a single that is not boxed right, which counts as NaN.
    if random.once_in(16) { boxed & !(1 << 40) } else { boxed }
}

/// A double with an exponent near the middle, near an end, or of a special value.
fn double(random: &mut Random) -> u64 {
    let exponent = match random.below(8) {
        0 => 0,
        1 => 0x7ff,
        2 => 1 + random.below(54),
        3 => 0x7fe - random.below(54),
        _ => 0x3ff - 40 + random.below(80),
    };
    let sparse = random.bits() & random.bits() & random.bits();
    let mantissa = if random.once_in(3) { 0 } else { sparse } & ((1 << 52) - 1);
    random.below(2) << 63 | exponent << 52 | mantissa
}

fn single(random: &mut Random) -> u32 {
    let exponent = match random.below(8) {
        0 => 0,
        1 => 0xff,
        2 => 1 + random.below(25),
        3 => 0xfe - random.below(25),
        _ => 0x7f - 20 + random.below(40),
    };
    let sparse = random.bits() & random.bits() & random.bits();
    let mantissa = if random.once_in(3) { 0 } else { sparse } & ((1 << 23) - 1);
    (random.below(2) << 31 | exponent << 23 | mantissa) as u32
}

/// Any flags and mostly a valid rounding mode.
fn initial_fcsr(random: &mut Random) -> u64 {
    let mode = if random.once_in(32) { 5 + random.below(3) } else { random.below(5) };
    mode << 5 | random.below(32)
}

/// The trap handler: folds cause, value and address into the hash, and goes on after the
/// instruction that trapped.
fn append_handler(image: &mut Assembler) -> u64 {
    use Opcode::{Add, Addi, Andi, Ld, Lhu, Mret, Rori, Sd, Slli, Sltiu, Xor};
    use Register::{R0, R29, R30, R31};
    let handler = image.here();
    image.op(csr(Opcode::Csrrw, R31, number::MSCRATCH, R31));
    image.op(store(Sd, R30, R31, SPILL));
    image.op(store(Sd, R29, R31, SPILL + 8));
    image.op(immediate(Ld, R29, R31, 0));
    for cause in [number::MCAUSE, number::MTVAL, number::MEPC] {
        image.op(csr(Opcode::Csrrs, R30, cause, R0));
        image.op(immediate(Rori, R29, R29, 57));
        image.op(register(Xor, R29, R29, R30));
    }
    image.op(store(Sd, R29, R31, 0));
    image.op(immediate(Lhu, R29, R30, 0));
    image.op(immediate(Andi, R29, R29, 3));
    image.op(immediate(Addi, R29, R29, -3));
    image.op(immediate(Sltiu, R29, R29, 1));
    image.op(immediate(Slli, R29, R29, 1));
    image.op(immediate(Addi, R30, R30, 2));
    image.op(register(Add, R30, R30, R29));
    image.op(csr(Opcode::Csrrw, R0, number::MEPC, R30));
    image.op(immediate(Ld, R30, R31, SPILL));
    image.op(immediate(Ld, R29, R31, SPILL + 8));
    image.op(csr(Opcode::Csrrw, R31, number::MSCRATCH, R31));
    image.op(Op::new(Mret, 4));
    handler
}

/// Prints the bytes from `x10` up to `x11` and returns to `x1`.
fn append_print(image: &mut Assembler) -> u64 {
    use Opcode::{Addi, Andi, Beq, Bltu, Jalr, Lbu, Lui, Sb};
    use Register::{R0, R1, R10, R11, R12, R13};
    let print = image.here();
    image.op(Op { rd: R12, imm: UART as i64, ..Op::new(Lui, 4) });
    image.op(immediate(Lbu, R13, R12, 5));
    image.op(immediate(Andi, R13, R13, 0x20));
    image.op(store(Beq, R0, R13, -8));
    image.op(immediate(Lbu, R13, R10, 0));
    image.op(store(Sb, R13, R12, 0));
    image.op(immediate(Addi, R10, R10, 1));
    image.op(store(Bltu, R11, R10, -24));
    image.op(immediate(Jalr, R0, R1, 0));
    print
}

/// The first code to run: trap vector, save area, floating point on.
fn append_start(image: &mut Assembler, handler: u64) {
    use Register::{R0, R5};
    image.load_address(R5, handler);
    image.op(csr(Opcode::Csrrw, R0, number::MTVEC, R5));
    image.load_address(R5, SAVE);
    image.op(csr(Opcode::Csrrw, R0, number::MSCRATCH, R5));
    image.op(Op { rd: R5, imm: 0x6000, ..Op::new(Opcode::Lui, 4) });
    image.op(csr(Opcode::Csrrs, R0, number::MSTATUS, R5));
}

/// One sequence between the code that sets its registers and the code that prints them.
fn append_sequence(
    image: &mut Assembler,
    random: &mut Random,
    index: usize,
    print: u64,
    units: usize,
) -> (usize, usize) {
    append_load(image, INITIAL + RECORD_BYTES * index as u64);
    let start = image.here();
    sequence::append(image, random, SCRATCH, units);
    let end = image.here();
    append_save(image);
    append_call(image, print, SAVE, RECORD_BYTES);
    ((start - BASE) as usize, (end - BASE) as usize)
}

fn append_load(image: &mut Assembler, initial: u64) {
    use Opcode::{Fld, Ld};
    use Register::{R0, R5, R31};
    image.load_address(R31, initial);
    image.op(immediate(Ld, R5, R31, FCSR));
    image.op(csr(Opcode::Csrrw, R0, number::FCSR, R5));
    for register in Register::ALL {
        image.op(immediate(Fld, register, R31, FLOATS + 8 * register.index() as i64));
    }
    for register in &Register::ALL[1..] {
        image.op(immediate(Ld, *register, R31, 8 * register.index() as i64));
    }
}

fn append_save(image: &mut Assembler) {
    use Opcode::{Fsd, Sd};
    use Register::{R0, R5, R31};
    image.op(csr(Opcode::Csrrw, R31, number::MSCRATCH, R31));
    for register in &Register::ALL[1..31] {
        image.op(store(Sd, *register, R31, 8 * register.index() as i64));
    }
    for register in Register::ALL {
        image.op(store(Fsd, register, R31, FLOATS + 8 * register.index() as i64));
    }
    image.op(csr(Opcode::Csrrs, R5, number::FCSR, R0));
    image.op(store(Sd, R5, R31, FCSR));
    image.op(csr(Opcode::Csrrw, R5, number::MSCRATCH, R31));
    image.op(store(Sd, R5, R31, 8 * 31));
}

fn append_call(image: &mut Assembler, print: u64, start: u64, length: u64) {
    use Register::{R1, R5, R10, R11};
    image.load_address(R10, start);
    image.load_address(R11, start + length);
    image.load_address(R5, print);
    image.op(immediate(Opcode::Jalr, R1, R5, 0));
}

/// Prints the scratch memory and powers off.
fn append_end(image: &mut Assembler, print: u64) {
    use Register::{R0, R5, R6};
    append_call(image, print, SCRATCH.start, SCRATCH.bytes);
    image.op(Op { rd: R5, imm: FINISHER as i64, ..Op::new(Opcode::Lui, 4) });
    image.op(Op { rd: R6, imm: 0x5000, ..Op::new(Opcode::Lui, 4) });
    image.op(immediate(Opcode::Addi, R6, R6, 0x555));
    image.op(store(Opcode::Sw, R6, R5, 0));
    image.op(Op { rd: R0, ..Op::new(Opcode::Jal, 4) });
}

/// Bytes that the scratch memory adds to what is printed.
pub const SCRATCH_BYTES: usize = SCRATCH.bytes as usize;
