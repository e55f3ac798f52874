//! Random instruction sequences that always come to their end.
//!
//! A sequence is a list of *units*. A unit is one instruction with what it needs before it: a
//! memory access is preceded by two instructions that put a fitting address into its base
//! register. Jumps and branches go forward, to the beginning of a later unit. Whatever traps is
//! skipped by the handler of the harness.

use crate::access;
use crate::assembler::{Assembler, immediate};
use crate::encoding;
use crate::layout::MEMORY;
use crate::random::Random;
use crate::system;
use crate::world::World;
use dcsim_hart::isa::{Compressed, Opcode, Register, encode, encode_compressed};
use dcsim_hart::op::Op;

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
pub fn append(image: &mut Assembler, random: &mut Random, world: &World, units: usize) {
    let mut sequence = Vec::new();
    let mut here = image.here() - MEMORY + world.code;
    for _ in 0..units {
        let unit = generate(random, world, here);
        here += unit.length();
        sequence.push(unit);
    }
    for (index, unit) in sequence.iter().enumerate() {
        let last = (index + 1 + unit.skip()).min(sequence.len());
        let distance: u64 = sequence[index..last].iter().map(Unit::length).sum();
        image.raw(&unit.bytes(distance as i64));
    }
}

fn generate(random: &mut Random, world: &World, here: u64) -> Unit {
    match random.below(64) {
        0..4 => forward(random),
        4 => indirect(random),
        5..8 => Unit::Plain(access::reservation(random, world, here)),
        8 => Unit::Plain(access::landing(random, world, here)),
        9 => Unit::Plain(access::modification(random, world, here)),
        10..12 => Unit::Plain(system::csr_access(random, world)),
        12 => Unit::Plain(encoding::illegal(random)),
        13 => Unit::Plain(system::trap(random, world)),
        14..28 => Unit::Plain(compressed(random, world, here)),
        28..36 => Unit::Plain(access::any(random, world, here)),
        _ => Unit::Plain(any_row(random, world, here)),
    }
}

/// An instruction from a random row of the table, with its address if it needs one.
fn any_row(random: &mut Random, world: &World, here: u64) -> Vec<u8> {
    let op = encoding::any(random, encoding::is_plain);
    if encoding::has_address(&op) {
        return access::with_address(random, world, here, op);
    }
    words(&[op])
}

/// A random 16-bit instruction that does not jump, with its address if it needs one.
fn compressed(random: &mut Random, world: &World, here: u64) -> Vec<u8> {
    let (halfword, name, op) = encoding::any_compressed(random);
    if encoding::has_address(&op) {
        return access::compressed(random, world, here, name, op);
    }
    halfword.to_le_bytes().to_vec()
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
    let base = other_than(random, &[Register::R0]);
    Unit::Indirect { link: any_register(random), base, skip: random.below(5) as usize }
}

/// Any register.
pub(crate) fn any_register(random: &mut Random) -> Register {
    Register::from_bits(random.below(32) as u32)
}

/// Any register but these.
pub(crate) fn other_than(random: &mut Random, others: &[Register]) -> Register {
    loop {
        let register = any_register(random);
        if !others.contains(&register) {
            return register;
        }
    }
}

/// The bytes of some instructions of 32 bits.
pub(crate) fn words(ops: &[Op]) -> Vec<u8> {
    ops.iter().flat_map(|op| encode(op).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world;
    use dcsim_hart::isa::{INSTRUCTIONS, decode};

    #[test]
    fn a_seed_names_one_sequence() {
        let build = |seed| {
            let mut image = Assembler::new(MEMORY + 0x24_0000);
            append(&mut image, &mut Random::new(seed), &world::bare(), 100);
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
            let bytes = any_row(&mut random, &world::bare(), MEMORY + 0x4_0000);
            let last: [u8; 4] = bytes[bytes.len() - 4..].try_into().unwrap();
            seen.insert(decode(u32::from_le_bytes(last)).map(|op| op.opcode));
        }
        for row in INSTRUCTIONS.iter().filter(|row| encoding::is_plain(row)) {
            assert!(seen.contains(&Some(row.opcode)), "{} never came", row.mnemonic);
        }
    }
}
