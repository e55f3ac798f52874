//! What steps are and cost on a kind of hart: exactly, as far as it is known beforehand, and at
//! worst.

use crate::hart::Hart;
use crate::isa::{Extension, InstructionClass};
use crate::missing::Missing;
use crate::op::Place;
use crate::profile::IsaProfile;
use crate::timing::Timing;
use std::ops::{Add, Sub};

/// Table entries that the deepest translation reads.
const DEEPEST_WALK: u64 = 4;

/// The same with two stages: each of four entries, and the page, is found by a walk of its own.
const DEEPEST_WALK_OF_GUEST: u64 = 24;

/// Pages that one access can touch.
const PAGES_OF_ACCESS: u64 = 2;

/// A bound on what an access is taken to cost at worst, so that sums do not overflow. A profile in
/// which it costs more has runs that end late.
const MOST_ACCESS_CYCLES: u64 = 1 << 48;

/// The costs that matter to decoded blocks, and which instructions there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Costs {
    profile: IsaProfile,
    missing: Missing,
    class_cycles: [u32; InstructionClass::COUNT],
    /// The most that a memory access can add to its class cycles.
    access_cycles: u64,
}

impl Costs {
    pub(super) fn new(timing: &Timing, profile: IsaProfile, missing: Missing) -> Self {
        let walk = if profile.has_hypervisor() { DEEPEST_WALK_OF_GUEST } else { DEEPEST_WALK };
        let walks = (PAGES_OF_ACCESS * walk).saturating_mul(timing.walk_reference_cycles);
        let cache = timing.data_cache.map_or(0, |shape| {
            // Eight bytes anywhere touch at most this many lines.
            let lines = 8 / shape.line_bytes.max(1) as u64 + PAGES_OF_ACCESS;
            lines.saturating_mul(shape.miss_cycles.saturating_add(timing.remote_cycles))
        });
        let others = timing.device_access_cycles.saturating_add(timing.misaligned_cycles);
        let access_cycles = walks.saturating_add(cache).saturating_add(others);
        // No instruction is free: otherwise a loop could keep a run from its end.
        let class_cycles = timing.class_cycles.map(|cycles| cycles.max(1));
        let access_cycles = access_cycles.min(MOST_ACCESS_CYCLES);
        Self { profile, missing, class_cycles, access_cycles }
    }

    /// Whether the instructions of an extension are there.
    pub(super) fn includes(&self, extension: Extension) -> bool {
        self.profile.includes(extension) && !self.missing.contains(extension)
    }

    /// Whether an instruction of this length can be at this place.
    pub(super) fn allows(&self, place: Place) -> bool {
        let is_word = place.length() == 4 && place.offset().is_multiple_of(4);
        is_word || !self.missing.contains(Extension::C)
    }

    /// The charge of one instruction.
    pub(super) fn of(&self, class: InstructionClass) -> Charge {
        let cycles = u64::from(self.class_cycles[class as usize]);
        let extra = if class.accesses_memory() { self.access_cycles } else { 0 };
        Charge { cycles, worst_cycles: cycles + extra, instructions: 1, marked: 0 }
    }
}

/// The cost of a run of instructions.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Charge {
    /// What is certain.
    pub(super) cycles: u64,
    /// What it cannot exceed.
    pub(super) worst_cycles: u64,
    /// The number of instructions.
    pub(super) instructions: u64,
    /// Those of them that are marked.
    pub(super) marked: u64,
}

impl Charge {
    /// Charges a hart.
    #[inline(always)]
    pub(super) fn make(&self, hart: &mut Hart) {
        hart.clock.cycles += self.cycles;
        hart.counters.instructions += self.instructions;
        hart.counters.marked_instructions += self.marked;
    }

    /// Takes a charge back.
    #[inline(always)]
    pub(super) fn refund(&self, hart: &mut Hart) {
        hart.clock.cycles -= self.cycles;
        hart.counters.instructions -= self.instructions;
        hart.counters.marked_instructions -= self.marked;
    }
}

impl Add for Charge {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cycles: self.cycles + other.cycles,
            worst_cycles: self.worst_cycles + other.worst_cycles,
            instructions: self.instructions + other.instructions,
            marked: self.marked + other.marked,
        }
    }
}

impl Sub for Charge {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            cycles: self.cycles - other.cycles,
            worst_cycles: self.worst_cycles - other.worst_cycles,
            instructions: self.instructions - other.instructions,
            marked: self.marked - other.marked,
        }
    }
}
