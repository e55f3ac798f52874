//! Random instruction sequences that always come to their end.
//!
//! A sequence is a list of *units*. A unit is one instruction with what it needs before it: a
//! memory access is preceded by two instructions that put a fitting address into its base
//! register. Jumps and branches go forward, to the beginning of a later unit. Whatever traps is
//! skipped by the handler of the image.

use crate::assembler::{Assembler, address, csr, immediate};
use crate::random::Random;
use dcsim_hart::isa::{
    Compressed, Extension, Flow, Format, INSTRUCTIONS, Opcode, Register, Row, decode,
    decode_compressed, encode, encode_compressed, instruction_length,
};
use dcsim_hart::op::Op;

/// The memory that the loads and stores of sequences use.
#[derive(Clone, Copy, Debug)]
pub struct Scratch {
    /// The first address.
    pub start: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// CSRs that hold what is written to them and change nothing else: `fflags`, `frm`, `fcsr`,
/// `sscratch`, `stval`, `mtval`. Not `sepc` and `mepc`: their lowest bit is always zero, but QEMU 10
/// keeps what was written to it.
const CSRS: [u16; 6] = [0x001, 0x002, 0x003, 0x140, 0x143, 0x343];

/// A part of a sequence whose bytes may depend on where later parts begin.
#[derive(Clone, Debug)]
enum Unit {
    Plain(Vec<u8>),
    /// A branch or jump over `skip` further units.
    Forward {
        op: Op,
        skip: usize,
    },
    /// A jump through a register over `skip` further units.
    Indirect {
        link: Register,
        base: Register,
        skip: usize,
    },
}

impl Unit {
    fn length(&self) -> u64 {
        match self {
            Self::Plain(bytes) => bytes.len() as u64,
            Self::Forward { op, .. } => op.place.length(),
            Self::Indirect { .. } => 8,
        }
    }

    fn bytes(&self, distance: i64) -> Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes.clone(),
            Self::Forward { op, .. } => forward_bytes(&Op { imm: distance, ..*op }),
            Self::Indirect { link, base, .. } => words(&[
                Op { rd: *base, ..Op::new(Opcode::Auipc, 4) },
                immediate(Opcode::Jalr, *link, *base, distance),
            ]),
        }
    }

    const fn skip(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Forward { skip, .. } | Self::Indirect { skip, .. } => *skip,
        }
    }
}

/// Appends a random sequence of `units` units to the image.
pub fn append(image: &mut Assembler, random: &mut Random, scratch: Scratch, units: usize) {
    let mut sequence = Vec::new();
    let mut here = image.here();
    for _ in 0..units {
        let unit = generate(random, scratch, here);
        here += unit.length();
        sequence.push(unit);
    }
    for (index, unit) in sequence.iter().enumerate() {
        let last = (index + 1 + unit.skip()).min(sequence.len());
        let distance: u64 = sequence[index..last].iter().map(Unit::length).sum();
        image.raw(&unit.bytes(distance as i64));
    }
}

fn generate(random: &mut Random, scratch: Scratch, here: u64) -> Unit {
    match random.below(64) {
        0..4 => forward(random),
        4 => indirect(random),
        5..9 => Unit::Plain(reservation(random, scratch, here)),
        9..11 => Unit::Plain(csr_access(random)),
        11 => Unit::Plain(illegal(random)),
        12 => Unit::Plain(call(random)),
        13..28 => Unit::Plain(compressed(random, scratch, here)),
        _ => Unit::Plain(any_row(random, scratch, here)),
    }
}

/// An instruction from a random row of the table, with its address if it needs one.
fn any_row(random: &mut Random, scratch: Scratch, here: u64) -> Vec<u8> {
    let row = loop {
        let row = &INSTRUCTIONS[random.below(INSTRUCTIONS.len() as u64) as usize];
        if is_plain(row) {
            break row;
        }
    };
    let op = operands(random, row);
    match row.format {
        Format::Load | Format::Store | Format::FloatLoad | Format::FloatStore => {
            access(random, scratch, here, op, 0)
        }
        Format::Atomic => access(random, scratch, here, Op { imm: op.imm & 3, ..op }, 7),
        _ => words(&[op]),
    }
}

/// Whether the instruction needs nothing but operands, or an address.
fn is_plain(row: &Row) -> bool {
    let special = matches!(row.format, Format::Csr | Format::CsrImmediate | Format::LoadReserved)
        || matches!(row.opcode, Opcode::ScW | Opcode::ScD);
    row.flow == Flow::Next && row.extension != Extension::Privileged && !special
}

/// Random operands. Immediates are cut to their fields by the encoder.
fn operands(random: &mut Random, row: &Row) -> Op {
    Op {
        rd: any_register(random),
        rs1: any_register(random),
        rs2: any_register(random),
        rs3: any_register(random),
        imm: operand_immediate(random, row),
        ..Op::new(row.opcode, 4)
    }
}

fn operand_immediate(random: &mut Random, row: &Row) -> i64 {
    match row.format {
        Format::FloatRounded
        | Format::FloatFused
        | Format::FloatUnaryRounded
        | Format::FloatToInteger
        | Format::IntegerToFloat => {
            let reserved = [5, 6];
            if random.once_in(64) {
                random.pick(&reserved)
            } else {
                random.pick(&[0, 1, 2, 3, 4, 7, 7])
            }
        }
        _ => random.bits() as i64,
    }
}

/// A memory access whose base register is set to fit: anywhere in the scratch memory, and where
/// `alignment` is not 0, aligned to it. Read-modify-writes are always aligned: where they are not,
/// QEMU names the cause of a misaligned load instead of that of an atomic operation when it
/// executes without parallelism, as here.
fn access(random: &mut Random, scratch: Scratch, here: u64, op: Op, alignment: u64) -> Vec<u8> {
    let rs1 = if op.rs1 == Register::R0 { Register::R5 } else { op.rs1 };
    let imm = if alignment == 0 { op.imm << 52 >> 52 } else { 0 };
    let target = scratch_address(random, scratch, alignment);
    let [upper, lower] = address(rs1, (target.wrapping_sub(here) as i64) - imm);
    let imm = if alignment == 0 { imm } else { op.imm };
    words(&[upper, lower, Op { rs1, imm, ..op }])
}

fn scratch_address(random: &mut Random, scratch: Scratch, alignment: u64) -> u64 {
    scratch.start + (random.below(scratch.bytes - 16) & !alignment)
}

/// Load-reserved, a register instruction, store-conditional to the same address.
///
/// Once in a while the address is misaligned: the load-reserved traps. Then there is no
/// store-conditional, which should trap as well, but on QEMU just fails without a reservation.
fn reservation(random: &mut Random, scratch: Scratch, here: u64) -> Vec<u8> {
    let (load, conditional) =
        random.pick(&[(Opcode::LrW, Opcode::ScW), (Opcode::LrD, Opcode::ScD)]);
    let rs1 = Register::from_bits(1 + random.below(31) as u32);
    let alignment = if random.once_in(16) { 0 } else { 7 };
    let target = scratch_address(random, scratch, alignment);
    let rd = different_from(random, rs1);
    let loaded = different_from(random, rs1);
    let rs2 = any_register(random);
    let [upper, lower] = address(rs1, target.wrapping_sub(here) as i64);
    let order = random.below(4) as i64;
    let mut ops = vec![
        upper,
        lower,
        Op { rd: loaded, rs1, imm: order, ..Op::new(load, 4) },
        immediate(Opcode::Addi, loaded, loaded, 1),
    ];
    if target & 7 == 0 {
        ops.push(Op { rd, rs1, rs2, imm: order, ..Op::new(conditional, 4) });
    }
    words(&ops)
}

fn csr_access(random: &mut Random) -> Vec<u8> {
    let opcodes = [
        Opcode::Csrrw,
        Opcode::Csrrs,
        Opcode::Csrrc,
        Opcode::Csrrwi,
        Opcode::Csrrsi,
        Opcode::Csrrci,
    ];
    let opcode = random.pick(&opcodes);
    words(&[csr(opcode, any_register(random), random.pick(&CSRS), any_register(random))])
}

/// An instruction whose only effect is a trap.
fn call(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => words(&[Op::new(Opcode::Ebreak, 4)]),
        1 => 0x9002_u16.to_le_bytes().to_vec(),
        _ => words(&[Op::new(Opcode::Ecall, 4)]),
    }
}

/// An encoding that no row matches: a random one, or an instruction with a few of its fixed bits
/// turned over. No encoding of more than 32 bits, which the handler would not skip whole.
fn illegal(random: &mut Random) -> Vec<u8> {
    loop {
        let word = match random.below(4) {
            0 => random.bits() as u32,
            1 => random.bits() as u32 & 0xffff,
            _ => near_miss(random),
        };
        let is_long = word & 0x1f == 0x1f;
        if !is_long && decode(word).is_none() {
            let length = instruction_length(word as u16);
            return word.to_le_bytes()[..length].to_vec();
        }
    }
}

fn near_miss(random: &mut Random) -> u32 {
    let row = &INSTRUCTIONS[random.below(INSTRUCTIONS.len() as u64) as usize];
    let flips = (0..1 + random.below(3)).fold(0, |flips, _| flips | 1 << random.below(32));
    encode(&operands(random, row)) ^ flips & row.pattern.mask & !3
}

/// A random 16-bit instruction that does not jump.
fn compressed(random: &mut Random, scratch: Scratch, here: u64) -> Vec<u8> {
    loop {
        let halfword = random.bits() as u16;
        let Some((name, op)) = decode_compressed(halfword) else { continue };
        let row = op.opcode.row();
        match row.format {
            Format::Load | Format::Store | Format::FloatLoad | Format::FloatStore => {
                return compressed_access(random, scratch, here, name, op);
            }
            _ if row.flow == Flow::Next => return halfword.to_le_bytes().to_vec(),
            _ => {}
        }
    }
}

fn compressed_access(
    random: &mut Random,
    scratch: Scratch,
    here: u64,
    name: Compressed,
    op: Op,
) -> Vec<u8> {
    let target = scratch_address(random, scratch, 0);
    let distance = (target.wrapping_sub(here) as i64) - op.imm;
    let mut bytes = words(&address(op.rs1, distance));
    let halfword = encode_compressed(name, &op).unwrap_or_default();
    bytes.extend_from_slice(&halfword.to_le_bytes());
    bytes
}

fn forward(random: &mut Random) -> Unit {
    let opcodes = [
        Opcode::Beq,
        Opcode::Bne,
        Opcode::Blt,
        Opcode::Bge,
        Opcode::Bltu,
        Opcode::Bgeu,
        Opcode::Jal,
    ];
    let skip = random.below(5) as usize;
    let (rd, rs1, rs2) = (any_register(random), any_register(random), any_register(random));
    let short = Register::from_short_bits(rs1.bits());
    let op = match random.below(10) {
        0 => Op::new(Opcode::Jal, 2),
        1 => Op { rs1: short, ..Op::new(Opcode::Beq, 2) },
        2 => Op { rs1: short, ..Op::new(Opcode::Bne, 2) },
        _ => Op { rd, rs1, rs2, ..Op::new(random.pick(&opcodes), 4) },
    };
    Unit::Forward { op, skip }
}

fn forward_bytes(op: &Op) -> Vec<u8> {
    let name = match op.opcode {
        Opcode::Jal => Compressed::CJ,
        Opcode::Beq => Compressed::CBeqz,
        _ => Compressed::CBnez,
    };
    if op.place.length() == 4 {
        return words(&[*op]);
    }
    encode_compressed(name, op).unwrap_or_default().to_le_bytes().to_vec()
}

fn indirect(random: &mut Random) -> Unit {
    let base = Register::from_bits(1 + random.below(31) as u32);
    Unit::Indirect { link: any_register(random), base, skip: random.below(5) as usize }
}

fn any_register(random: &mut Random) -> Register {
    Register::from_bits(random.below(32) as u32)
}

fn different_from(random: &mut Random, other: Register) -> Register {
    loop {
        let register = any_register(random);
        if register != other {
            return register;
        }
    }
}

fn words(ops: &[Op]) -> Vec<u8> {
    ops.iter().flat_map(|op| encode(op).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRATCH: Scratch = Scratch { start: 0x8000_1000, bytes: 0x1000 };

    #[test]
    fn a_seed_names_one_sequence() {
        let build = |seed| {
            let mut image = Assembler::new(0x8000_4000);
            append(&mut image, &mut Random::new(seed), SCRATCH, 100);
            image.finish()
        };
        assert_eq!(build(5), build(5));
        assert_ne!(build(5), build(6));
    }

    #[test]
    fn long_sequences_use_every_row_that_they_may() {
        let mut random = Random::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            let bytes = any_row(&mut random, SCRATCH, 0x8000_4000);
            let last: [u8; 4] = bytes[bytes.len() - 4..].try_into().unwrap();
            seen.insert(decode(u32::from_le_bytes(last)).map(|op| op.opcode));
        }
        for row in INSTRUCTIONS.iter().filter(|row| is_plain(row)) {
            assert!(seen.contains(&Some(row.opcode)), "{} never came", row.mnemonic);
        }
    }
}
