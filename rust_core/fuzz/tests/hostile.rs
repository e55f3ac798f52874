//! Hostile guests under every technique: they reach nothing that is not theirs, and stop nobody.
//! `make fuzz` plays very many more.

use dcsim_fuzz::hostile::campaign::{Goal, run};
use dcsim_fuzz::hostile::cell::Cell;
use dcsim_memory::Use;
use std::thread::available_parallelism;

#[test]
fn hostile_guests_reach_nothing_that_is_not_theirs() {
    let goal = Goal {
        instructions: 20_000_000,
        first_seed: 1_000_000,
        batch: 8,
        length_ns: 100_000,
        cells: Cell::all(),
        threads: available_parallelism().map_or(1, usize::from),
    };
    let totals = run(&goal, |_| {}).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(totals.instructions >= goal.instructions);
    for (purpose, seen) in Use::ALL.into_iter().zip(totals.seen) {
        assert!(seen > 0, "{purpose:?} was never checked");
    }
}
