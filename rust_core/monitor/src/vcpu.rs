//! A vCPU as its host knows it: where it is, what was counted for it, what it has to report.

use crate::counters::VmCounters;
use crate::exit::ExitKind;
use crate::ledger::Ledger;
use dcsim_hart::OwnLines;
use std::collections::VecDeque;

/// A vCPU of a VM. Its registers are its technique's affair.
#[derive(Debug, Default)]
pub struct Vcpu {
    /// The pCPU that it is on.
    pub pcpu: Option<usize>,
    /// Where its cycles went.
    pub ledger: Ledger,
    /// What it counted.
    pub counters: VmCounters,
    /// What it would have in a data cache for itself, while it is on no pCPU.
    pub own_lines: OwnLines,
    /// What its model has not been told yet.
    pub events: VecDeque<ExitKind>,
    /// Its model was told of something, and did not let it go on yet.
    pub is_parked: bool,
    /// The level of its external interrupt, as it was last told.
    pub external: bool,
}
