//! Many hostile guests, in every cell, on all processors.
//!
//! A batch is a range of seeds, each played in every cell; the campaign ends after the batch with
//! which enough has been executed. So what is played depends on the goal alone, whatever threads
//! there are.

use super::cell::Cell;
use super::neighbour::Neighbour;
use super::play::{Outcome, Plan, play};
use dcsim_hart::IsaProfile;
use dcsim_memory::{PageStore, Use};
use dcsim_monitor::ExitReason;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Every so many seeds, a play is repeated without checks, and must come to the same.
const REPEATED_EVERY: u64 = 8;
/// The most that the pages of a play take.
const STORE_BYTES: u64 = 64 << 20;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Instructions of hostile guests, at least.
    pub instructions: u64,
    /// The first seed.
    pub first_seed: u64,
    /// Seeds in a batch.
    pub batch: u64,
    /// How long each guest has, in its own time.
    pub length_ns: u64,
    /// Where they play.
    pub cells: Vec<Cell>,
    /// Threads that play.
    pub threads: usize,
}

/// What has been played.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// The seed after the last.
    pub next_seed: u64,
    /// Guests.
    pub plays: u64,
    /// Their instructions.
    pub instructions: u64,
    /// Their exits, by the number of the cell.
    pub exits: BTreeMap<(usize, ExitReason), u64>,
    /// Accesses that were checked, by use.
    pub seen: [u64; Use::ALL.len()],
}

impl Totals {
    fn add(&mut self, cell: usize, outcome: &Outcome) {
        self.plays += 1;
        self.instructions += outcome.instructions;
        for (reason, count) in &outcome.exits {
            *self.exits.entry((cell, *reason)).or_default() += count;
        }
        for (sum, seen) in self.seen.iter_mut().zip(outcome.seen) {
            *sum += seen;
        }
    }

    /// Reasons for which guests leave in a cell, and for which none has.
    pub fn missing(&self, cells: &[Cell]) -> Vec<(Cell, ExitReason)> {
        let all = cells.iter().enumerate().flat_map(|(number, cell)| {
            cell.reasons().into_iter().map(move |reason| (number, *cell, reason))
        });
        all.filter(|(number, _, reason)| !self.exits.contains_key(&(*number, *reason)))
            .map(|(_, cell, reason)| (cell, reason))
            .collect()
    }

    /// A table of exits by cell, and what was checked.
    pub fn describe(&self, cells: &[Cell]) -> String {
        let mut text = String::new();
        for (number, cell) in cells.iter().enumerate() {
            let of_cell = self.exits.iter().filter(|((of, _), _)| *of == number);
            let counts: Vec<String> =
                of_cell.map(|((_, reason), count)| format!("{} {count}", reason.name())).collect();
            // Writing to a string does not fail.
            let _ = writeln!(text, "{cell}: {}", counts.join(", "));
        }
        for (purpose, seen) in Use::ALL.into_iter().zip(self.seen) {
            let _ = writeln!(text, "checked {purpose:?}: {seen}");
        }
        text
    }
}

/// What went wrong, and where.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The cell.
    pub cell: Cell,
    /// The seed.
    pub seed: u64,
    /// What happened.
    pub what: String,
}

/// Plays one guest, a second time without checks now and then.
pub fn play_once(plan: Plan, neighbours: &[Neighbour]) -> Result<Outcome, Failure> {
    let attempt = |plan| {
        let mut store = PageStore::new(STORE_BYTES);
        let played = AssertUnwindSafe(|| play(&mut store, plan, neighbours));
        catch_unwind(played).unwrap_or_else(|_| Err("it panicked".to_owned()))
    };
    let failure = |what| Failure { cell: plan.cell, seed: plan.seed, what };
    let outcome = attempt(plan).map_err(failure)?;
    if plan.guarded && plan.seed.is_multiple_of(REPEATED_EVERY) {
        let repeated = attempt(Plan { guarded: false, ..plan }).map_err(failure)?;
        let expected = Outcome { seen: [0; Use::ALL.len()], ..outcome.clone() };
        if repeated != expected {
            return Err(failure(format!("without checks {repeated:?}, with them {expected:?}")));
        }
    }
    Ok(outcome)
}

/// Plays until the goal is reached, and tells of progress after each batch.
pub fn run(goal: &Goal, mut progress: impl FnMut(&Totals)) -> Result<Totals, Failure> {
    let neighbours = IsaProfile::ALL.map(|isa| (isa, Neighbour::on(isa)));
    let of =
        |cell: Cell| neighbours.iter().find(|(isa, _)| *isa == cell.isa).map(|(_, of)| &of[..]);
    let mut totals = Totals { next_seed: goal.first_seed, ..Totals::default() };
    while totals.instructions < goal.instructions {
        let seeds = totals.next_seed..totals.next_seed + goal.batch;
        let plans: Vec<(usize, Plan)> = seeds
            .clone()
            .flat_map(|seed| goal.cells.iter().enumerate().map(move |cell| (seed, cell)))
            .map(|(seed, (number, cell))| {
                (number, Plan { cell: *cell, seed, length_ns: goal.length_ns, guarded: true })
            })
            .collect();
        let outcomes =
            in_parallel(goal.threads, &plans, |plan| play_once(plan, of(plan.cell).unwrap_or(&[])));
        for ((number, _), outcome) in plans.iter().zip(outcomes) {
            totals.add(*number, &outcome?);
        }
        totals.next_seed = seeds.end;
        progress(&totals);
    }
    Ok(totals)
}

/// Plays all plans, in any order; the outcomes are in theirs.
fn in_parallel(
    threads: usize,
    plans: &[(usize, Plan)],
    act: impl Fn(Plan) -> Result<Outcome, Failure> + Sync,
) -> Vec<Result<Outcome, Failure>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((number, (_, plan))) = take(&next, plans) {
                    let outcome = act(*plan);
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, outcome);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

fn take<'a, T>(next: &AtomicUsize, all: &'a [T]) -> Option<(usize, &'a T)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    all.get(number).map(|item| (number, item))
}
