//! A bare program of many cases, which prints a record after each.

use super::case::{self, Case, Handlers};
use super::harness;
use super::layout::{LANDING, SAVE, TABLES, initial, save};
use super::registers::CONTROL;
use super::tables::{self, CHANGING, SET_BYTES, Tables};
use super::unit;
use crate::assembler::Assembler;
use crate::image::write_entry;
use crate::layout::{BASE, append_landing};
use crate::random::Random;
use crate::values;
use dcsim_hart::isa::Opcode;
use dcsim_hart::op::Op;

/// The most sets of tables in an image.
const MOST_SETS: usize = 64;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many cases.
    pub cases: usize,
    /// Units in each.
    pub units: usize,
}

/// A generated image and its cases.
#[derive(Clone, Debug)]
pub struct Image {
    /// The bytes, from [`BASE`] upwards.
    pub bytes: Vec<u8>,
    /// The cases.
    pub cases: Vec<Place>,
    /// The handlers of HS and VS mode.
    pub handlers: Handlers,
}

/// A case in an image.
#[derive(Clone, Debug)]
pub struct Place {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset of the byte after the last.
    pub end: usize,
    /// How it begins.
    pub case: Case,
}

/// Builds the image.
pub fn build(plan: Plan) -> Image {
    let mut random = Random::new(plan.seed);
    let mut image = Assembler::new(BASE);
    image.pad_to(LANDING);
    append_landing(&mut image);
    image.pad_to(TABLES);
    let sets = append_tables(&mut image, &mut random, plan);
    let records = image.here();
    image.pad_to(records + initial::BYTES as u64 * plan.cases as u64);
    let end = image.here();
    let harness = harness::append(&mut image);
    let handlers = Handlers { host: harness.host, guest: harness.guest };
    let mut cases = Vec::new();
    for index in 0..plan.cases {
        let set = &sets[index % sets.len()];
        let place = append_case(&mut image, &mut random, plan, set, handlers);
        let record = records + initial::BYTES as u64 * index as u64;
        write_initial(&mut image, &mut random, record, &place.case, set);
        cases.push(place);
    }
    image.write(SAVE + save::CURRENT as u64, records);
    image.write(SAVE + save::END as u64, end);
    write_entry(&mut image, harness.start);
    Image { bytes: image.finish(), cases, handlers }
}

fn append_tables(image: &mut Assembler, random: &mut Random, plan: Plan) -> Vec<Tables> {
    let mut sets = Vec::new();
    for _ in 0..plan.cases.clamp(1, MOST_SETS) {
        let start = image.here();
        let set = tables::build(random, start);
        image.raw(&set.bytes);
        image.pad_to(start + SET_BYTES);
        sets.push(set);
    }
    sets
}

fn append_case(
    image: &mut Assembler,
    random: &mut Random,
    plan: Plan,
    set: &Tables,
    handlers: Handlers,
) -> Place {
    let mut case = case::random(random, set, handlers);
    image.align(4);
    let start = image.here();
    let here = |image: &Assembler, case: &Case| case.code_address(case.mode, image.here());
    image.raw(&unit::prologue(random, &case, here(image, &case)));
    for _ in 0..plan.units {
        let unit = unit::generate(random, &case, here(image, &case));
        image.raw(&unit);
    }
    let end = image.here();
    image.op(Op::new(Opcode::Ecall, 4));
    case.place(random, start, end);
    Place { start: (start - BASE) as usize, end: (end - BASE) as usize, case }
}

fn write_initial(image: &mut Assembler, random: &mut Random, at: u64, case: &Case, set: &Tables) {
    let mut words = vec![0; initial::BYTES as usize / 8];
    words[1..32].fill_with(|| values::integer(random));
    for (place, number) in CONTROL.into_iter().enumerate() {
        words[initial::CONTROL_FROM as usize / 8 + place] = case.value(number);
    }
    words[initial::TABLES as usize / 8] = set.start + CHANGING.0;
    words.iter().enumerate().for_each(|(index, word)| image.write(at + 8 * index as u64, *word));
}
