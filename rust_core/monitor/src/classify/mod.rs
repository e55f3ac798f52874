//! Which instructions are privileged, sensitive or innocuous, found out by executing them.
//!
//! Popek and Goldberg (1974) give conditions on an instruction set under which a virtual-machine
//! monitor can be built for it. Here a hart executes every instruction in random machine states,
//! each state in user and in supervisor mode, in two places of memory, and with two sets of values
//! in the registers of supervisor mode; and what a program can see of the executions is compared.
//! No instruction's class is written down anywhere: a hart that does something else is classified
//! otherwise. What hart that is, the engine decides.
//!
//! A state has the same effective memory map in every execution: the page tables map the same
//! virtual pages with the same contents, for the mode in question.

mod exclusions;
mod finding;
mod layout;
mod observation;
mod registers;
mod report;
mod state;
mod subject;
mod world;

pub use exclusions::Exclusion;
pub use observation::Difference;
pub use report::{
    Class, Classification, Counts, Instruction, Kind, Mode, Proof, Sensitivity, Trials, Verdict,
};

use dcsim_hart::{Engine, IsaProfile, Privilege};
use dcsim_memory::{MemoryError, PAGE_BYTES, PageStore};
use exclusions::exclusions;
use finding::{Findings, Runs};
use layout::{FRAMES, Place};
use observation::Observation;
use registers::Registers;
use state::State;
use subject::{Subject, subjects};
use world::{Shared, Values, World};

/// States for each instruction, unless the caller says otherwise.
pub const STATES: u32 = 32;

/// What the frames of all worlds take at most, and as much again.
const STORE_BYTES: u64 = 8 * FRAMES * PAGE_BYTES as u64;

/// Why a classification did not come about: a bug in this crate.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// A state reached outside its memory.
    #[error("a state of the classification does not fit in its memory: {0}")]
    Memory(#[from] MemoryError),
    /// The table has an instruction that nothing encodes.
    #[error("no encoding of `{0}` was found")]
    Encoding(String),
}

/// What is to be classified, and how thoroughly.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// The instruction set.
    pub isa: IsaProfile,
    /// The seed of the states.
    pub seed: u64,
    /// States for each instruction.
    pub states: u32,
}

/// A classification under way: one instruction after the other.
#[derive(Debug)]
pub struct Classifier<E> {
    request: Request,
    shared: Shared<E>,
    /// User mode and supervisor mode in one place, and both in another.
    worlds: [[World; 2]; 2],
    registers: Registers,
    subjects: Vec<Subject>,
    instructions: Vec<Instruction>,
}

impl<E: Engine> Classifier<E> {
    /// Prepares a classification of what this engine makes of the instruction set.
    pub fn new(request: Request, engine: E) -> Result<Self, ClassifyError> {
        let mut store = PageStore::new(STORE_BYTES);
        let mut world = |mode, place| World::new(&mut store, request.isa, mode, place);
        let mut pair = |place| -> Result<[World; 2], MemoryError> {
            Ok([world(Privilege::User, place)?, world(Privilege::Supervisor, place)?])
        };
        let worlds = [pair(Place::HERE)?, pair(Place::ELSEWHERE)?];
        let hart = worlds[0][0].hart();
        let registers = Registers::of(hart);
        let subjects = subjects(hart, &registers);
        let shared = Shared { store, engine };
        Ok(Self { request, shared, worlds, registers, subjects, instructions: Vec::new() })
    }

    /// Classifies the next instruction. `false` if there was none left.
    pub fn advance(&mut self) -> Result<bool, ClassifyError> {
        let Some(subject) = self.subjects.get(self.instructions.len()).cloned() else {
            return Ok(false);
        };
        let mut findings = Findings::default();
        for number in 0..self.request.states {
            let state = State::new(self.request.seed, &subject, number, &self.registers)
                .ok_or_else(|| ClassifyError::Encoding(subject.name.clone()))?;
            let runs = self.run(&state)?;
            findings.add(&state, &runs, &self.registers);
        }
        self.instructions.push(findings.conclude(&subject));
        Ok(true)
    }

    /// What has been found.
    pub fn finish(self) -> Classification {
        let Request { isa, seed, states } = self.request;
        let exclusions = exclusions(isa.has_hypervisor());
        Classification::new(isa.name(), (seed, states), exclusions, self.instructions)
    }

    fn run(&mut self, state: &State) -> Result<Runs, ClassifyError> {
        Ok(Runs {
            plain: self.run_both(0, state, Values::First)?,
            moved: self.run_both(1, state, Values::First)?,
            altered: self.run_both(0, state, Values::Second)?,
        })
    }

    fn run_both(
        &mut self,
        place: usize,
        state: &State,
        values: Values,
    ) -> Result<[Observation; 2], ClassifyError> {
        let Self { shared, worlds, registers, .. } = self;
        let [user, supervisor] = &mut worlds[place];
        Ok([
            user.execute(shared, registers, state, values)?,
            supervisor.execute(shared, registers, state, values)?,
        ])
    }
}

/// Classifies all instructions as this engine executes them.
pub fn classify<E: Engine>(request: Request, engine: E) -> Result<Classification, ClassifyError> {
    let mut classifier = Classifier::new(request, engine)?;
    while classifier.advance()? {}
    Ok(classifier.finish())
}
