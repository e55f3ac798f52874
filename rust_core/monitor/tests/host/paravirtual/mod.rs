//! Guests that know their monitor.

mod cost;
pub mod elf;
mod fidelity;
mod large;
mod moves;
mod seal;
mod stolen;
mod user_mode;

use crate::support::{Cell, Outcome, profile};
use dcsim_hart::IsaProfile;
use dcsim_monitor::{HardwareProfile, TechniqueKind};

/// The only way of paging that goes with it.
pub fn cell() -> Cell {
    TechniqueKind::Paravirtual.into()
}

/// The profile of the tests with another instruction set, which decides where the kernel runs.
pub fn profile_with(isa: IsaProfile) -> HardwareProfile {
    HardwareProfile { isa, ..profile() }
}

/// How often a guest left for a reason.
pub fn exits(outcome: &Outcome, name: &str) -> u64 {
    let found = outcome.counters.exits().find(|(reason, _)| reason.name() == name);
    found.map_or(0, |(_, count)| count)
}
