//! From instruction words to decoded instructions.

use super::compressed;
use super::format::RegisterField;
use super::register::Register;
use super::table::{COMPRESSED, Compressed, CompressedRow, INSTRUCTIONS, Row};
use crate::op::Op;
use std::sync::LazyLock;

/// The number of bytes of the instruction that begins with this halfword.
///
/// Longer encodings than 32 bits are reserved; they count as 32-bit ones, none of which match.
#[inline]
pub const fn instruction_length(halfword: u16) -> usize {
    if halfword & 3 == 3 { 4 } else { 2 }
}

/// Decodes an instruction; `None` if it is illegal. Only the low half of `word` counts if that is
/// a 16-bit instruction.
pub fn decode(word: u32) -> Option<Op> {
    if word & 3 == 3 {
        find(word).map(|row| operands(row, word))
    } else {
        decode_compressed(word as u16).map(|(_, op)| op)
    }
}

/// Decodes a 16-bit instruction; also gives its own name. `None` for the low half of a longer one.
pub fn decode_compressed(halfword: u16) -> Option<(Compressed, Op)> {
    let word = u32::from(halfword);
    let mut rows = BY_QUADRANT.get((word & 3) as usize * 8 + (word >> 13) as usize)?.iter();
    rows.find_map(|row| Some((row.name, compressed::expand(row, word)?)))
}

/// The row of a 32-bit instruction.
pub fn find(word: u32) -> Option<&'static Row> {
    BY_MAJOR[(word >> 2 & 31) as usize].iter().find(|row| row.pattern.matches(word)).copied()
}

fn operands(row: &Row, word: u32) -> Op {
    let fields = row.format.fields();
    let register = |field, low: u32| match field {
        RegisterField::Absent => Register::R0,
        RegisterField::Integer | RegisterField::Float => Register::from_bits(word >> low),
    };
    Op {
        rd: register(fields.rd, 7),
        rs1: register(fields.rs1, 15),
        rs2: register(fields.rs2, 20),
        rs3: register(fields.rs3, 27),
        imm: fields.immediate.extract(word),
        ..Op::new(row.opcode, 4)
    }
}

/// The rows by bits 6:2.
static BY_MAJOR: LazyLock<Vec<Vec<&'static Row>>> = LazyLock::new(|| {
    let of_major = |major| {
        let rows = INSTRUCTIONS.iter();
        rows.filter(|row| row.pattern.value >> 2 & 31 == major).collect()
    };
    (0..32).map(of_major).collect()
});

/// The 16-bit rows by quadrant and funct3.
static BY_QUADRANT: LazyLock<Vec<Vec<&'static CompressedRow>>> = LazyLock::new(|| {
    let of_group = |group: u32| {
        let (quadrant, funct3) = (group / 8, group % 8);
        let rows = COMPRESSED.iter();
        rows.filter(|row| row.pattern.value & 3 == quadrant && row.pattern.value >> 13 == funct3)
            .collect()
    };
    (0..24).map(of_group).collect()
});
