//! Decoded blocks of one page.
//!
//! A block is a run of steps that is left only at its end or by an exit that fixes the accounts.
//! It never crosses the page. The suffix of a block is a block as well: a jump into the middle of
//! decoded code needs no decoding, and what is left of a block at a step is one look-up.

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
const MOST_STEPS: usize = 4 * SLOTS;

/// In place of a step's number: not decoded yet.
const UNKNOWN: u16 = u16::MAX;

/// A step's relation to its block.
#[derive(Copy, Clone, Debug)]
pub(super) struct Suffix {
    /// What the step and the rest of its block cost.
    pub(super) charge: Charge,
    /// The number of steps from this one to the end of the block.
    pub(super) steps: usize,
}

/// The decoded blocks of a page.
#[derive(Debug)]
pub(super) struct CodePage {
    pub(super) id: PageId,
    pub(super) version: u32,
    /// The number of the step at each position.
    numbers: Box<[u16; SLOTS]>,
    steps: Vec<Step>,
    suffixes: Vec<Suffix>,
}

/// A run of steps that is executed together.
#[derive(Copy, Clone, Debug)]
pub(super) struct Block<'a> {
    pub(super) steps: &'a [Step],
    pub(super) suffixes: &'a [Suffix],
}

/// An instruction taken out of a page.
enum Found {
    /// It ends in the page.
    Step { step: Step, charge: Charge, flow: Flow },
    /// It goes on in the next page.
    Crossing,
}

impl CodePage {
    /// Nothing decoded yet.
    pub(super) fn new(id: PageId, version: u32) -> Self {
        let numbers = Box::new([UNKNOWN; SLOTS]);
        Self { id, version, numbers, steps: Vec::new(), suffixes: Vec::new() }
    }

    /// The block that starts at `offset` in the page, if it is decoded.
    #[inline]
    pub(super) fn block(&self, offset: u64) -> Option<Block<'_>> {
        let number = usize::from(self.numbers[offset as usize / 2 % SLOTS]);
        let end = number + self.suffixes.get(number)?.steps;
        let (steps, suffixes) = (self.steps.get(number..end)?, self.suffixes.get(number..end)?);
        Some(Block { steps, suffixes })
    }

    /// Decodes the block at `offset` from the page's bytes. `false` if its first instruction goes
    /// on in the next page: then there is no block.
    pub(super) fn decode(&mut self, bytes: &[u8], offset: u64, costs: &Costs) -> bool {
        if self.steps.len() + LONGEST_BLOCK > MOST_STEPS {
            *self = Self::new(self.id, self.version);
        }
        let first = self.steps.len();
        let mut charges = Vec::with_capacity(LONGEST_BLOCK);
        let mut offset = offset as usize;
        while charges.len() < LONGEST_BLOCK && offset < PAGE_BYTES {
            let Found::Step { step, charge, flow } = find(bytes, offset, costs) else { break };
            self.enter(offset, step);
            charges.push(charge);
            offset = step.place.end() as usize;
            if flow != Flow::Next {
                break;
            }
        }
        self.add_suffixes(&charges);
        self.steps.len() > first
    }

    fn enter(&mut self, offset: usize, step: Step) {
        let number = &mut self.numbers[offset / 2 % SLOTS];
        if *number == UNKNOWN {
            *number = self.steps.len() as u16;
        }
        self.steps.push(step);
    }

    fn add_suffixes(&mut self, charges: &[Charge]) {
        let mut suffix = Suffix { charge: Charge::default(), steps: 0 };
        let from_the_end = charges.iter().rev().map(|charge| {
            suffix = Suffix { charge: suffix.charge + *charge, steps: suffix.steps + 1 };
            suffix
        });
        let first = self.suffixes.len();
        self.suffixes.extend(from_the_end);
        self.suffixes[first..].reverse();
    }
}

impl<'a> Block<'a> {
    /// The most steps from the beginning, at least one, that even at worst start before `cycles`
    /// have passed.
    pub(super) fn starting_within(self, cycles: u64) -> usize {
        let whole = self.charge_from(0).worst_cycles;
        let starts = |suffix: &Suffix| whole - suffix.charge.worst_cycles < cycles;
        1 + self.suffixes.iter().skip(1).take_while(|suffix| starts(suffix)).count()
    }

    /// What the steps from `number` on cost; nothing at the end of the block.
    pub(super) fn charge_from(self, number: usize) -> Charge {
        self.suffixes.get(number).map_or(Charge::default(), |suffix| suffix.charge)
    }
}

/// The one-step block of an instruction that no page holds whole.
#[derive(Debug)]
pub(super) struct Single {
    step: Step,
    suffix: Suffix,
}

impl Single {
    /// Decodes the instruction with these bits at `offset` in the page where it starts.
    pub(super) fn decode(bits: u32, offset: u64, costs: &Costs) -> Self {
        let (step, charge, _) = make_step(bits, offset as usize, costs);
        Self { step, suffix: Suffix { charge, steps: 1 } }
    }

    pub(super) fn block(&self) -> Block<'_> {
        Block {
            steps: std::slice::from_ref(&self.step),
            suffixes: std::slice::from_ref(&self.suffix),
        }
    }
}

fn find(bytes: &[u8], offset: usize, costs: &Costs) -> Found {
    let halfword = |offset: usize| u16::from_le_bytes([bytes[offset], bytes[offset + 1]]);
    let low = halfword(offset);
    let bits = if instruction_length(low) == 2 {
        u32::from(low)
    } else if offset + 4 > PAGE_BYTES {
        return Found::Crossing;
    } else {
        u32::from(low) | u32::from(halfword(offset + 2)) << 16
    };
    let (step, charge, flow) = make_step(bits, offset, costs);
    Found::Step { step, charge, flow }
}

fn make_step(bits: u32, offset: usize, costs: &Costs) -> (Step, Charge, Flow) {
    let place = Place::new(offset as u16, instruction_length(bits as u16) as u16);
    match decode(bits) {
        Some(op) => {
            let row = op.opcode.row();
            (Step::lower(&Op { place, ..op }), costs.of(row.class), row.flow)
        }
        None => (Step::illegal(bits, place), costs.of(ILLEGAL_CLASS), Flow::End),
    }
}
