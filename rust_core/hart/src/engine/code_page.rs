//! Decoded blocks of one page.
//!
//! A block is a run of steps that is left at its end, or before by an exit that fixes the accounts.
//! It goes on after a conditional branch forwards, which is often not taken. It never crosses the
//! page.

use super::cost::{Charge, Costs};
use super::operation::{ILLEGAL_CLASS, Step};
use crate::isa::{Flow, decode, instruction_length};
use crate::op::{Op, Place};
use dcsim_memory::{PAGE_BYTES, PageId};

/// Positions in a page where an instruction can start.
const SLOTS: usize = PAGE_BYTES / 2;

/// The most steps in a block, so that the cost of a block at worst stays small against deadlines.
const LONGEST_BLOCK: usize = 48;

/// The most steps kept of a page: a page of code that jumps into its instructions everywhere
/// starts over.
const MOST_STEPS: usize = 8 * SLOTS;

/// In place of a block's number: not decoded yet.
const UNKNOWN: u16 = u16::MAX;

/// Halfwords of a page, one bit each.
pub type Marks = Box<[u64; SLOTS / 64]>;

/// A run of steps that is executed together.
#[derive(Copy, Clone, Debug)]
pub(super) struct Block {
    /// The number of its first step in the page.
    first: u32,
    /// The number of its steps.
    pub(super) count: u32,
    /// What it costs.
    pub(super) charge: Charge,
}

/// The decoded blocks of a page.
#[derive(Debug)]
pub(super) struct CodePage {
    pub(super) id: PageId,
    pub(super) version: u32,
    /// The number of the block at each position.
    numbers: [u16; SLOTS],
    /// Where instructions start that are counted apart.
    marks: Option<Marks>,
    blocks: Vec<Block>,
    steps: Vec<Step>,
    /// What each step and the rest of its block cost.
    rests: Vec<Charge>,
}

impl CodePage {
    /// Nothing decoded yet.
    pub(super) fn new(id: PageId, version: u32) -> Self {
        let numbers = [UNKNOWN; SLOTS];
        let (blocks, steps, rests) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, version, numbers, marks: None, blocks, steps, rests }
    }

    /// The same page with instructions to be counted apart.
    pub(super) fn with_marks(self, marks: Option<Marks>) -> Self {
        Self { marks, ..self }
    }

    /// How many instructions at this place are counted apart: one or none.
    fn marked_at(&self, place: usize) -> u64 {
        let slot = place / 2 % SLOTS;
        self.marks.as_ref().map_or(0, |marks| marks[slot / 64] >> (slot % 64) & 1)
    }

    /// The block that starts at `offset` in the page, if it is decoded.
    #[inline(always)]
    pub(super) fn block(&self, offset: u64) -> Option<&Block> {
        self.blocks.get(usize::from(self.numbers[offset as usize / 2 % SLOTS]))
    }

    /// The first `count` steps of a block.
    #[inline(always)]
    pub(super) fn steps(&self, block: &Block, count: u32) -> &[Step] {
        let first = block.first as usize;
        &self.steps[first..first + count as usize]
    }

    /// What the steps of a block from `number` on cost: nothing at its end.
    pub(super) fn rest(&self, block: &Block, number: u32) -> Charge {
        if number < block.count {
            self.rests[block.first as usize + number as usize]
        } else {
            Charge::default()
        }
    }

    /// How many steps of a block even at worst start before `cycles` have passed: at least one.
    pub(super) fn steps_within(&self, block: &Block, cycles: u64) -> u32 {
        let starts = |number: &u32| {
            block.charge.worst_cycles - self.rest(block, *number).worst_cycles < cycles
        };
        1 + (1..block.count).take_while(starts).count() as u32
    }

    /// Decodes the block at `offset` from the page's bytes. `false` if its first instruction goes
    /// on in the next page: then there is no block.
    pub(super) fn decode(&mut self, bytes: &[u8], offset: u64, costs: &Costs) -> bool {
        if self.steps.len() + LONGEST_BLOCK > MOST_STEPS {
            *self = Self::new(self.id, self.version).with_marks(self.marks.take());
        }
        let mut charges = Vec::with_capacity(LONGEST_BLOCK);
        let mut next = Some(offset as usize);
        while let Some((bits, at)) = next.and_then(|at| Some((bits_at(bytes, at)?, at))) {
            let (step, charge, flow) = make_step(bits, at, costs);
            charges.push(Charge { marked: self.marked_at(at), ..charge });
            let end = step.place.end() as usize;
            let goes_on = charges.len() < LONGEST_BLOCK && bits_at(bytes, end).is_some();
            let is_inside = flow == Flow::Branch && goes_on && step.imm > end as i64;
            self.steps.push(if is_inside { step.inside() } else { step });
            next = (is_inside || flow == Flow::Next && goes_on).then_some(end);
        }
        if !charges.is_empty() {
            self.enter(offset as usize, &charges);
        }
        !charges.is_empty()
    }

    /// Makes the page one block of one instruction, one that no page holds whole.
    pub(super) fn hold_single(&mut self, bits: u32, offset: u64, costs: &Costs) {
        self.numbers = [UNKNOWN; SLOTS];
        self.blocks.clear();
        self.steps.clear();
        self.rests.clear();
        let (step, charge, _) = make_step(bits, offset as usize, costs);
        self.steps.push(step);
        self.enter(offset as usize, &[charge]);
    }

    /// Enters the block at `offset`, of the newest steps, given what each of them costs.
    fn enter(&mut self, offset: usize, charges: &[Charge]) {
        self.numbers[offset / 2 % SLOTS] = self.blocks.len() as u16;
        let first = self.rests.len();
        let mut rest = Charge::default();
        self.rests.extend(charges.iter().rev().map(|charge| {
            rest = rest + *charge;
            rest
        }));
        self.rests[first..].reverse();
        let count = charges.len() as u32;
        self.blocks.push(Block { first: first as u32, count, charge: rest });
    }
}

/// The bits of the instruction at `offset`; `None` if it goes on in the next page, or starts there.
fn bits_at(bytes: &[u8], offset: usize) -> Option<u32> {
    if offset >= PAGE_BYTES {
        return None;
    }
    let halfword = |offset: usize| u16::from_le_bytes([bytes[offset], bytes[offset + 1]]);
    let low = halfword(offset);
    if instruction_length(low) == 2 {
        Some(u32::from(low))
    } else if offset + 4 <= PAGE_BYTES {
        Some(u32::from(low) | u32::from(halfword(offset + 2)) << 16)
    } else {
        None
    }
}

fn make_step(bits: u32, offset: usize, costs: &Costs) -> (Step, Charge, Flow) {
    let place = Place::new(offset as u16, instruction_length(bits as u16) as u16);
    let is_there = |op: &Op| costs.allows(place) && costs.includes(op.opcode.row().extension);
    match decode(bits).filter(is_there) {
        Some(op) => {
            let row = op.opcode.row();
            (Step::lower(&Op { place, ..op }), costs.of(row.class), row.flow)
        }
        None => (Step::illegal(bits, place), costs.of(ILLEGAL_CLASS), Flow::End),
    }
}
