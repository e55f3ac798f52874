//! What was executed: where the hart was with each instruction, and what kinds of places there were.

use crate::binary_translation::emitter::{Action, CALL, Fix, Position};
use crate::binary_translation::sheet::Owner;
use dcsim_hart::Privilege;
use std::collections::{BTreeMap, BTreeSet};

/// What a place in the cache is for.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// The guest's instruction as it is, or the beginning of a sequence for one.
    Boundary,
    /// The middle of an inlined sequence: a temporary is not the guest's.
    Middle,
    /// The same, of two registers.
    MiddleOfTwo,
    /// A constant that is not complete.
    Constant,
    /// An indirect jump that is under way.
    Jump,
    /// The table of targets, and its comparisons.
    Sieve,
    /// An exit that calls the monitor.
    Exit,
    /// An exit that has become a jump.
    Chained,
    /// A call of the monitor.
    Call,
    /// An access to a device that has become a call.
    Device,
    /// Floating-point registers change hands.
    FloatWindow,
    /// An instruction that is executed alone.
    Step,
}

impl Kind {
    /// All kinds.
    pub(super) const ALL: [Self; 12] = [
        Self::Boundary,
        Self::Middle,
        Self::MiddleOfTwo,
        Self::Constant,
        Self::Jump,
        Self::Sieve,
        Self::Exit,
        Self::Chained,
        Self::Call,
        Self::Device,
        Self::FloatWindow,
        Self::Step,
    ];

    /// The kind of a place.
    pub(super) fn of(owner: Option<Owner>, position: &Position, bits: u32) -> Self {
        match (owner, position.action, position.fix) {
            (Some(Owner::Sieve), ..) => Self::Sieve,
            (Some(Owner::Step), ..) => Self::Step,
            (_, Action::Exit { .. }, _) if bits == CALL => Self::Exit,
            (_, Action::Exit { .. }, _) => Self::Chained,
            (_, Action::Call, _) => Self::Call,
            (_, Action::Access, _) => Self::Device,
            (_, Action::OpenFloat | Action::CloseFloat, _) => Self::FloatWindow,
            (_, _, Fix::Restore(..)) => Self::Middle,
            (_, _, Fix::RestoreBoth(_)) => Self::MiddleOfTwo,
            (_, _, Fix::Set(..)) => Self::Constant,
            (_, _, Fix::Jump(_)) => Self::Jump,
            _ => Self::Boundary,
        }
    }
}

/// A place with what is there, as places are used again, and with the mode that executes it.
pub(super) type Key = (u64, u32, u64, Privilege);

/// What was executed.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    /// Retirements in the guest's kernel mode, by the hart's pc.
    pub(super) kernel: BTreeMap<u64, u64>,
    /// Those of them that were not in the translation cache.
    pub(super) astray: BTreeSet<u64>,
    /// Retirements in the guest's user mode, by the hart's pc.
    pub(super) user: BTreeMap<u64, u64>,
    /// Places of the cache at which the hart was about to execute an instruction.
    pub(super) executed: BTreeMap<Key, Kind>,
    /// Places at which every fault was injected.
    pub(super) faulted: BTreeSet<Key>,
}

impl Coverage {
    /// The number of places of each kind.
    pub(super) fn kinds(&self) -> BTreeMap<Kind, u64> {
        let mut kinds = BTreeMap::new();
        for kind in self.executed.values() {
            *kinds.entry(*kind).or_default() += 1;
        }
        kinds
    }

    /// Retirements in the guest's kernel mode.
    pub(super) fn kernel_retirements(&self) -> u64 {
        self.kernel.values().sum()
    }

    /// Puts another run's coverage beside this one, for the kinds.
    pub(super) fn add_kinds(&self, sum: &mut BTreeMap<Kind, u64>) {
        for (kind, count) in self.kinds() {
            *sum.entry(kind).or_default() += count;
        }
    }
}
