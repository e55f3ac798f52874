//! Guests that know their monitor.

mod cost;
pub mod elf;
mod fidelity;
mod moves;

use crate::support::{Cell, Outcome};
use dcsim_monitor::TechniqueKind;

/// The only way of paging that goes with it.
pub fn cell() -> Cell {
    TechniqueKind::Paravirtual.into()
}

/// How often a guest left for a reason.
pub fn exits(outcome: &Outcome, name: &str) -> u64 {
    let found = outcome.counters.exits().find(|(reason, _)| reason.name() == name);
    found.map_or(0, |(_, count)| count)
}
