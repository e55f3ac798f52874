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
//!
//! With the hypervisor extension there is a second table: every instruction in a guest, in its user
//! and in its supervisor mode, with the guest's frames in two places and with two sets of values in
//! the registers of HS mode and machine mode. There, nothing of these may change or show.

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
    Class, Classification, Counts, GuestTable, Instruction, Kind, Mode, Proof, Sensitivity, Trials,
    Verdict,
};

use dcsim_hart::{Engine, IsaProfile, Privilege};
use dcsim_memory::{MemoryError, PAGE_BYTES, PageStore};
use exclusions::{exclusions, guest_exclusions};
use finding::{Findings, Runs};
use layout::{FRAMES, Place};
use observation::Observation;
use registers::Registers;
use state::State;
use subject::{Subject, subjects};
use world::{Shared, Values, World, WorldMode};

/// What the frames of all worlds take at most, and as much again.
const STORE_BYTES: u64 = 16 * FRAMES * PAGE_BYTES as u64;

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

/// User mode and supervisor mode in one place, and both in another.
type Worlds = [[World; 2]; 2];

/// One table under way: all instructions outside guests, or in one.
#[derive(Debug)]
struct Table {
    in_guest: bool,
    worlds: Worlds,
    instructions: Vec<Instruction>,
}

impl Table {
    fn new(store: &mut PageStore, isa: IsaProfile, in_guest: bool) -> Result<Self, ClassifyError> {
        let mut world =
            |privilege, place| World::new(store, isa, WorldMode { privilege, in_guest }, place);
        let mut pair = |place| -> Result<[World; 2], MemoryError> {
            Ok([world(Privilege::User, place)?, world(Privilege::Supervisor, place)?])
        };
        let worlds = [pair(Place::HERE)?, pair(Place::ELSEWHERE)?];
        Ok(Self { in_guest, worlds, instructions: Vec::new() })
    }
}

/// What the executions of a table need besides its worlds.
#[derive(Debug)]
struct Executor<E> {
    shared: Shared<E>,
    registers: Registers,
}

impl<E: Engine> Executor<E> {
    fn run(&mut self, worlds: &mut Worlds, state: &State) -> Result<Runs, ClassifyError> {
        let [here, elsewhere] = worlds;
        Ok(Runs {
            plain: self.run_both(here, state, Values::First)?,
            moved: self.run_both(elsewhere, state, Values::First)?,
            altered: self.run_both(here, state, Values::Second)?,
        })
    }

    fn run_both(
        &mut self,
        [user, supervisor]: &mut [World; 2],
        state: &State,
        values: Values,
    ) -> Result<[Observation; 2], ClassifyError> {
        let Self { shared, registers } = self;
        Ok([
            user.execute(shared, registers, state, values)?,
            supervisor.execute(shared, registers, state, values)?,
        ])
    }
}

/// A classification under way: one instruction after the other.
#[derive(Debug)]
pub struct Classifier<E> {
    request: Request,
    executor: Executor<E>,
    subjects: Vec<Subject>,
    host: Table,
    /// If the hart has the hypervisor extension.
    guest: Option<Table>,
}

impl<E: Engine> Classifier<E> {
    /// Prepares a classification of what this engine makes of the instruction set.
    pub fn new(request: Request, engine: E) -> Result<Self, ClassifyError> {
        let isa = request.isa;
        let mut store = PageStore::new(STORE_BYTES);
        let host = Table::new(&mut store, isa, false)?;
        let has_guests = isa.has_hypervisor();
        let guest = has_guests.then(|| Table::new(&mut store, isa, true)).transpose()?;
        let hart = host.worlds[0][0].hart();
        let registers = Registers::of(hart);
        let subjects = subjects(hart, &registers);
        let executor = Executor { shared: Shared { store, engine }, registers };
        Ok(Self { request, executor, subjects, host, guest })
    }

    /// Classifies the next instruction. `false` if there was none left.
    pub fn advance(&mut self) -> Result<bool, ClassifyError> {
        let Self { request, executor, subjects, host, guest } = self;
        let Some(subject) = subjects.get(host.instructions.len()) else {
            return Ok(false);
        };
        let mut tables: Vec<&mut Table> = std::iter::once(host).chain(guest).collect();
        let mut findings: Vec<_> =
            tables.iter().map(|table| Findings::new(table.in_guest)).collect();
        for number in 0..request.states {
            let state = State::new(request.seed, subject, number, &executor.registers)
                .ok_or_else(|| ClassifyError::Encoding(subject.name.clone()))?;
            for (table, findings) in tables.iter_mut().zip(&mut findings) {
                let runs = executor.run(&mut table.worlds, &state)?;
                findings.add(&state, &runs, &executor.registers);
            }
        }
        for (table, findings) in tables.into_iter().zip(findings) {
            table.instructions.push(findings.conclude(subject));
        }
        Ok(true)
    }

    /// What has been found.
    pub fn finish(self) -> Classification {
        let Request { isa, seed, states } = self.request;
        let guest = self.guest.map(|table| GuestTable::new(guest_exclusions(), table.instructions));
        let exclusions = exclusions(isa.has_hypervisor());
        let instructions = self.host.instructions;
        Classification::new(isa.name(), (seed, states), exclusions, instructions, guest)
    }
}

/// Classifies all instructions as this engine executes them.
pub fn classify<E: Engine>(request: Request, engine: E) -> Result<Classification, ClassifyError> {
    let mut classifier = Classifier::new(request, engine)?;
    while classifier.advance()? {}
    Ok(classifier.finish())
}
