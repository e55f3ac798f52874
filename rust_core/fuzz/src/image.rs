//! A bare program that runs many sequences and prints all registers after each.
//!
//! What is printed, as raw bytes on the UART: after each sequence a record of [`RECORD_WORDS`]
//! words (a hash of the traps it took, `x1` to `x31`, `f0` to `f31`, `fcsr`, and a hash of the
//! memory that it may have changed).

use crate::assembler::{Assembler, immediate};
use crate::harness::{self, Harness};
use crate::layout::{
    BASE, CONTROL, MEMORY, SAVE, TABLES, append_landing, initial, number, record, save,
};
use crate::random::Random;
use crate::sequence;
use crate::tables::{self, SET_BYTES, Tables};
use crate::values;
use crate::world::{self, World};
use dcsim_hart::isa::{Opcode, Register};
use dcsim_hart::op::Op;

pub use crate::layout::RECORD_WORDS;

/// The most sets of page tables in an image.
const MOST_SETS: usize = 64;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many sequences.
    pub sequences: usize,
    /// Units in each.
    pub units: usize,
    /// Whether sequences run at any privilege, with translation; otherwise all run in machine
    /// mode.
    pub translated: bool,
}

/// A generated image and where its sequences are.
#[derive(Clone, Debug)]
pub struct Image {
    /// The bytes, from [`BASE`] upwards.
    pub bytes: Vec<u8>,
    /// The sequences.
    pub sequences: Vec<Place>,
}

/// A sequence in an image.
#[derive(Clone, Debug)]
pub struct Place {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset of the byte after the last.
    pub end: usize,
    /// What it runs in.
    pub world: World,
}

/// Builds the image.
pub fn build(plan: Plan) -> Image {
    let mut random = Random::new(plan.seed);
    let mut image = Assembler::new(BASE);
    image.pad_to(crate::layout::LANDING);
    append_landing(&mut image);
    image.pad_to(TABLES);
    let sets = append_tables(&mut image, &mut random, plan);
    let records = image.here();
    image.pad_to(records + initial::BYTES_IN_ALL as u64 * plan.sequences as u64);
    let end = image.here();
    let harness = harness::append(&mut image);
    let mut sequences = Vec::new();
    for index in 0..plan.sequences {
        let place = append_sequence(&mut image, &mut random, plan, index, &sets);
        let record = records + initial::BYTES_IN_ALL as u64 * index as u64;
        write_initial(&mut image, &mut random, record, &place, harness);
        sequences.push(place);
    }
    write_save_area(&mut image, records, end);
    write_entry(&mut image, harness.start);
    Image { bytes: image.finish(), sequences }
}

fn append_tables(image: &mut Assembler, random: &mut Random, plan: Plan) -> Vec<Tables> {
    let count = if plan.translated { plan.sequences.min(MOST_SETS) } else { 0 };
    let mut sets = Vec::new();
    for _ in 0..count {
        let set = tables::build(random, image.here());
        debug_assert_eq!(set.bytes.len() as u64, SET_BYTES);
        image.raw(&set.bytes);
        sets.push(set);
    }
    sets
}

fn append_sequence(
    image: &mut Assembler,
    random: &mut Random,
    plan: Plan,
    index: usize,
    sets: &[Tables],
) -> Place {
    let world = match sets.len() {
        0 => world::bare(),
        count => world::random(random, (index % count) as u64, &sets[index % count]),
    };
    let start = image.here();
    sequence::append(image, random, &world, plan.units);
    let end = image.here();
    image.op(Op::new(Opcode::Ecall, 4));
    Place { start: (start - BASE) as usize, end: (end - BASE) as usize, world }
}

fn write_initial(
    image: &mut Assembler,
    random: &mut Random,
    at: u64,
    place: &Place,
    harness: Harness,
) {
    let mut words = vec![0; initial::BYTES_IN_ALL as usize / 8];
    words[1..32].fill_with(|| values::integer(random));
    words[32..64].fill_with(|| values::float(random));
    words[64] = values::fcsr(random);
    let World { code, supervisor, control, .. } = &place.world;
    let mut set = |offset: i64, value: u64| words[offset as usize / 8] = value;
    let virtual_base = code + BASE - MEMORY;
    set(initial::EXIT, virtual_base + place.end as u64);
    set(initial::SUPERVISOR_CODE, *supervisor);
    set(initial::TABLES, control.tables);
    set(initial::FENCE, control.fence);
    for (index, register) in CONTROL.into_iter().enumerate() {
        let value = match register {
            number::SATP => control.satp,
            number::MEDELEG => control.medeleg,
            number::MIDELEG => control.mideleg,
            number::MIE => control.mie,
            number::MIP => control.mip,
            number::MENVCFG => control.menvcfg,
            number::STVEC => harness.supervisor - MEMORY + supervisor,
            number::SSCRATCH => SAVE - MEMORY + supervisor,
            number::PMPADDR0 => control.pmpaddr0,
            number::PMPCFG0 => control.pmpcfg0,
            number::MEPC => virtual_base + place.start as u64,
            _ => control.mstatus,
        };
        set(initial::CONTROL + 8 * index as i64, value);
    }
    words.iter().enumerate().for_each(|(index, word)| image.write(at + 8 * index as u64, *word));
}

fn write_save_area(image: &mut Assembler, records: u64, end: u64) {
    for (offset, value) in
        [(save::CURRENT, records), (save::END, end), (save::MACHINE_CODE, MEMORY)]
    {
        image.write(SAVE + offset as u64, value);
    }
}

/// Puts a jump to `start` at the base.
pub(crate) fn write_entry(image: &mut Assembler, start: u64) {
    let mut entry = Assembler::new(BASE);
    entry.load_address(Register::R5, start);
    entry.op(immediate(Opcode::Jalr, Register::R0, Register::R5, 0));
    entry.op(Op::new(Opcode::Addi, 4));
    let entry = entry.finish();
    for (index, chunk) in entry.as_chunks::<8>().0.iter().enumerate() {
        image.write(BASE + 8 * index as u64, u64::from_le_bytes(*chunk));
    }
}

/// Words that stand for the registers in a record.
const _: () = assert!(record::MEMORY as usize / 8 + 1 == RECORD_WORDS);
