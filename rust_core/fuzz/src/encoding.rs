//! Random encodings: of instructions with random operands, and of none.

use crate::random::Random;
use crate::sequence::any_register;
use dcsim_hart::isa::{
    Compressed, Extension, Flow, Format, Opcode, Row, decode, decode_compressed, encode,
    instruction_length,
};
use dcsim_hart::{IsaProfile, op::Op};

/// Whether the instruction needs nothing but operands, or an address.
pub fn is_plain(row: &Row) -> bool {
    let special = matches!(row.format, Format::Csr | Format::CsrImmediate | Format::LoadReserved)
        || matches!(row.opcode, Opcode::ScW | Opcode::ScD);
    let plain_extension = !matches!(row.extension, Extension::Privileged | Extension::H);
    row.flow == Flow::Next && plain_extension && !special
}

/// Whether the instruction loads or stores.
pub fn has_address(op: &Op) -> bool {
    matches!(
        op.opcode.row().format,
        Format::Load | Format::Store | Format::FloatLoad | Format::FloatStore | Format::Atomic
    )
}

/// An instruction from a random row that is `wanted`, with random operands.
pub fn any(random: &mut Random, wanted: impl Fn(&Row) -> bool) -> Op {
    loop {
        let rows = IsaProfile::Rv64gc.instructions();
        let row = &rows[random.below(rows.len() as u64) as usize];
        if wanted(row) {
            return operands(random, row);
        }
    }
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
            let (reserved, valid) = ([5, 6], [0, 1, 2, 3, 4, 7, 7]);
            if random.once_in(64) { random.pick(&reserved) } else { random.pick(&valid) }
        }
        _ => random.bits() as i64,
    }
}

/// A random 16-bit instruction that does not jump.
pub fn any_compressed(random: &mut Random) -> (u16, Compressed, Op) {
    loop {
        let halfword = random.bits() as u16;
        if let Some((name, op)) = decode_compressed(halfword)
            && op.opcode.row().flow == Flow::Next
        {
            return (halfword, name, op);
        }
    }
}

/// An encoding that no row matches: a random one, or an instruction with a few of its fixed bits
/// turned over. No encoding of more than 32 bits, which the handler would not skip whole.
pub fn illegal(random: &mut Random) -> Vec<u8> {
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
    let op = any(random, |_| true);
    let flips = (0..=random.below(3)).fold(0, |flips, _| flips | 1 << random.below(32));
    encode(&op) ^ flips & op.opcode.row().pattern.mask & !3
}
