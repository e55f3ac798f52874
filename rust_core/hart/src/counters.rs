//! What a hart has counted since power-on. Counters only grow.

/// Events and the cycles they cost. Cycles of each kind are part of the cycle clock, never beside
/// it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Instructions retired.
    pub instructions: u64,
    /// Those of them at places that an engine was told to count apart.
    pub marked_instructions: u64,
    /// Page-table entries read by walks.
    pub walk_references: u64,
    /// Cycles of those reads.
    pub walk_cycles: u64,
    /// Look-ups that the instruction TLB could not answer.
    pub itlb_misses: u64,
    /// Look-ups that the data TLB could not answer.
    pub dtlb_misses: u64,
    /// Exceptions taken.
    pub exceptions: u64,
    /// Interrupts taken.
    pub interrupts: u64,
    /// Returns from traps.
    pub returns: u64,
    /// Hardware latency of traps and returns.
    pub transition_cycles: u64,
    /// Accesses to devices.
    pub device_accesses: u64,
    /// Cycles that accesses to devices added.
    pub device_cycles: u64,
    /// Misaligned accesses.
    pub misaligned_accesses: u64,
    /// Cycles that misalignment added.
    pub misaligned_cycles: u64,
    /// Lines that the data cache did not hold.
    pub data_cache_misses: u64,
    /// Those of them that the vCPU that executes would have had in a cache for itself.
    pub data_cache_refills: u64,
    /// Lines that were missing and came from another node's memory.
    pub remote_misses: u64,
    /// Cycles that data-cache misses added.
    pub data_cache_cycles: u64,
}
