//! What is counted for a vCPU, or for all of a VM's.

use crate::reason::{ByReason, ExitReason};

/// Counts since the VM was created on its host. They only grow.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VmCounters {
    /// Instructions that the guest executed itself.
    pub direct_instructions: u64,
    /// Instructions of the guest that translated code executed for it.
    pub translated_instructions: u64,
    /// Instructions that pCPUs executed in translated code.
    pub translation_instructions: u64,
    /// Instructions that the monitor carried out for the guest.
    pub emulated_instructions: u64,
    /// Exits by reason.
    exits: ByReason,
    /// Page-table entries read by hardware walks of the guest.
    pub walk_references: u64,
    /// Misses of the instruction TLB in the guest.
    pub itlb_misses: u64,
    /// Misses of the data TLB in the guest.
    pub dtlb_misses: u64,
    /// Lines that the data cache did not hold, in the guest.
    pub data_cache_misses: u64,
    /// Those of them that it would have held, had the vCPU had it for itself.
    pub data_cache_refills: u64,
    /// Lines that were missing and came from another node's memory.
    pub remote_misses: u64,
    /// Cycles of data-cache misses in the guest.
    pub data_cache_cycles: u64,
    /// The longest that anything came into the vCPU's past: 0, or the model has a bug.
    pub lateness_ns: u64,
}

impl VmCounters {
    /// Instructions that pCPUs executed for the guest: its own, and those of translated code.
    pub fn hart_instructions(&self) -> u64 {
        self.direct_instructions + self.translation_instructions
    }

    /// Instructions that the guest saw retire.
    pub fn instructions(&self) -> u64 {
        self.direct_instructions + self.translated_instructions + self.emulated_instructions
    }

    /// Adds what another vCPU of the VM counted.
    fn absorb(&mut self, other: &Self) {
        self.direct_instructions += other.direct_instructions;
        self.translated_instructions += other.translated_instructions;
        self.translation_instructions += other.translation_instructions;
        self.emulated_instructions += other.emulated_instructions;
        for (reason, more) in other.exits.iter() {
            self.exits.add(reason, more);
        }
        self.walk_references += other.walk_references;
        self.itlb_misses += other.itlb_misses;
        self.dtlb_misses += other.dtlb_misses;
        self.data_cache_misses += other.data_cache_misses;
        self.data_cache_refills += other.data_cache_refills;
        self.remote_misses += other.remote_misses;
        self.data_cache_cycles += other.data_cache_cycles;
        self.lateness_ns = self.lateness_ns.max(other.lateness_ns);
    }

    /// Counts an exit.
    pub fn count_exit(&mut self, reason: ExitReason) {
        self.exits.add(reason, 1);
    }

    /// Exits by reason; reasons that did not occur are left out.
    pub fn exits(&self) -> impl Iterator<Item = (ExitReason, u64)> {
        self.exits.iter().filter(|(_, count)| *count > 0)
    }
}

impl<'a> std::iter::Sum<&'a Self> for VmCounters {
    fn sum<I: Iterator<Item = &'a Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, part| {
            sum.absorb(part);
            sum
        })
    }
}
