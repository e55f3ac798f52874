//! What is classified: every instruction of the table, each CSR instruction once for every
//! register that exists below machine mode.

use super::registers::Registers;
use dcsim_hart::isa::{
    COMPRESSED, CompressedRow, Extension, Fields, Format, RegisterField, Row, decode_compressed,
    find,
};
use dcsim_hart::{Hart, csr};
use dcsim_machine::random::Random;

/// Attempts at an encoding; few 16-bit encodings of an instruction are reserved ones.
const TRIES: usize = 256;

/// Which register fields of an encoding are zero: the destination, the first and the second
/// source. CSR instructions do something else then, so each combination has its turn.
const FORMS: [[bool; 3]; 8] = [
    [false, false, false],
    [true, false, false],
    [false, true, false],
    [true, true, true],
    [false, false, false],
    [false, false, true],
    [true, false, false],
    [false, false, false],
];

/// Lowest bits of the register fields, in the order of [`FORMS`].
const FIELD_SHIFTS: [u32; 3] = [7, 15, 20];
const FIELD_BITS: u32 = 31;

/// Where a CSR instruction has the number of its register.
const NUMBER_SHIFT: u32 = 20;
const NUMBER_BITS: u32 = 0xfff;

/// An instruction.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Whole(&'static Row),
    Register(&'static Row, u16),
    Short(&'static CompressedRow),
}

/// All instructions of a hart, in the order of the table.
pub(super) fn subjects(hart: &Hart, registers: &Registers) -> Vec<Subject> {
    let rows = hart.profile().instructions().iter();
    let whole = rows.flat_map(|row| subjects_of(row, registers));
    whole.chain(COMPRESSED.iter().map(short)).collect()
}

fn subjects_of(row: &'static Row, registers: &Registers) -> Vec<Subject> {
    let is_csr = matches!(row.format, Format::Csr | Format::CsrImmediate);
    if !is_csr {
        return vec![Subject { name: row.mnemonic.to_owned(), encoding: Encoding::Whole(row) }];
    }
    let of_register = |&number: &u16| {
        let name = csr::name(number).unwrap_or_else(|| format!("{number:#x}"));
        let name = format!("{} {name}", row.mnemonic);
        Subject { name, encoding: Encoding::Register(row, number) }
    };
    registers.below_machine.iter().map(of_register).collect()
}

fn short(row: &'static CompressedRow) -> Subject {
    Subject { name: row.mnemonic.to_owned(), encoding: Encoding::Short(row) }
}

impl Subject {
    /// The extension that defines the instruction.
    pub(super) fn extension(&self) -> Extension {
        match self.encoding {
            Encoding::Whole(row) | Encoding::Register(row, _) => row.extension,
            Encoding::Short(_) => Extension::C,
        }
    }

    /// A random encoding of the instruction for the state with this number; `None` if none was
    /// found, which the table does not let happen.
    pub(super) fn word(&self, random: &mut Random, number: u32) -> Option<u32> {
        let form = FORMS[number as usize % FORMS.len()];
        (0..TRIES).find_map(|_| self.attempt(random.next_u64() as u32, form))
    }

    fn attempt(&self, bits: u32, form: [bool; 3]) -> Option<u32> {
        match self.encoding {
            Encoding::Whole(row) => whole(row, bits & !zeros(row.format.fields(), form)),
            Encoding::Register(row, number) => {
                let bits = bits & !(NUMBER_BITS << NUMBER_SHIFT);
                let bits = bits & !zeros(row.format.fields(), form);
                whole(row, bits | u32::from(number) << NUMBER_SHIFT)
            }
            Encoding::Short(row) => {
                let halfword = (row.pattern.value | bits & !row.pattern.mask) as u16;
                let (name, _) = decode_compressed(halfword)?;
                (name == row.name).then_some(halfword.into())
            }
        }
    }
}

/// The word with the row's fixed bits and these others, if it is the row's instruction.
fn whole(row: &Row, bits: u32) -> Option<u32> {
    let word = row.pattern.value | bits & !row.pattern.mask;
    find(word).filter(|found| found.opcode == row.opcode).map(|_| word)
}

/// The bits of the register fields that a form has zero.
fn zeros(fields: Fields, form: [bool; 3]) -> u32 {
    let present = [fields.rd, fields.rs1, fields.rs2].map(|field| field != RegisterField::Absent);
    let of_field = |index: usize| {
        let is_zero = form[index] && present[index];
        if is_zero { FIELD_BITS << FIELD_SHIFTS[index] } else { 0 }
    };
    (0..FORMS[0].len()).map(of_field).fold(0, |all, bits| all | bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_hart::isa::decode;
    use dcsim_hart::{IsaProfile, Timing};

    fn all() -> Vec<Subject> {
        let hart = Hart::new(0, IsaProfile::Rv64gc, Timing::uniform());
        subjects(&hart, &Registers::of(&hart))
    }

    #[test]
    fn every_row_is_there_and_csr_instructions_once_for_each_register() {
        let names: Vec<String> = all().into_iter().map(|subject| subject.name).collect();
        for expected in ["lui", "sret", "c.ebreak", "csrrw sstatus", "csrrci fflags", "csrrs satp"]
        {
            assert!(names.iter().any(|name| name == expected), "{expected}");
        }
        assert!(!names.iter().any(|name| name.ends_with("mstatus") || name == "csrrw"));
        let rows = IsaProfile::Rv64gc.instructions().len();
        let csr = names.iter().filter(|name| name.starts_with("csrr")).count();
        assert_eq!(names.len() - csr, rows - 6 + COMPRESSED.len());
    }

    #[test]
    fn encodings_are_those_of_their_instruction_in_every_form() {
        let mut random = Random::new(3);
        for subject in all() {
            for number in 0..FORMS.len() as u32 {
                let word = subject.word(&mut random, number).unwrap();
                let op = decode(word).unwrap();
                if let Encoding::Register(row, register) = subject.encoding {
                    assert_eq!((op.opcode, op.imm), (row.opcode, register.into()));
                    assert!(!FORMS[number as usize][0] || op.rd.index() == 0);
                    assert!(!FORMS[number as usize][1] || op.rs1.index() == 0);
                }
            }
        }
    }
}
