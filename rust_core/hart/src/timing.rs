//! What each thing a hart does costs, in cycles. Every figure comes from the hardware profile.

use crate::isa::InstructionClass;

/// The size of a modelled TLB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TlbShape {
    /// Entries in all.
    pub entries: usize,
    /// Entries in a set; `entries` of them make the TLB fully associative.
    pub ways: usize,
}

/// The size of the modelled data cache and what a miss costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DataCacheShape {
    /// Capacity in bytes.
    pub bytes: usize,
    /// Bytes in a line, a power of two.
    pub line_bytes: usize,
    /// Lines in a set.
    pub ways: usize,
    /// Cycles that a miss adds to the access.
    pub miss_cycles: u64,
}

/// The costs of one kind of hart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timing {
    /// Cycles per second.
    pub hz: u64,
    /// Ticks of the `time` counter per second.
    pub timebase_hz: u64,
    /// Cycles of an instruction, by its class.
    pub class_cycles: [u32; InstructionClass::COUNT],
    /// Hardware latency of trap entry.
    pub trap_cycles: u64,
    /// Hardware latency of a return from a trap.
    pub return_cycles: u64,
    /// Hardware latency of a trap that leaves a guest of the hypervisor extension, in place of
    /// `trap_cycles`.
    pub world_switch_cycles: u64,
    /// Hardware latency of a return into such a guest, in place of `return_cycles`.
    pub world_return_cycles: u64,
    /// Cycles of each page-table entry that a walk reads.
    pub walk_reference_cycles: u64,
    /// The instruction TLB.
    pub itlb: TlbShape,
    /// The data TLB.
    pub dtlb: TlbShape,
    /// Cycles that an access to a device adds.
    pub device_access_cycles: u64,
    /// Cycles that a misaligned access adds.
    pub misaligned_cycles: u64,
    /// The data cache; `None` switches the model off.
    pub data_cache: Option<DataCacheShape>,
    /// What a data-cache miss costs beside that when the line lies in another node's memory.
    pub remote_cycles: u64,
    /// Latency of an interrupt from one hart to another.
    pub ipi_cycles: u64,
}

impl Timing {
    /// One cycle for every instruction and nothing for anything else, at 1 GHz with a 10 MHz
    /// timebase: the timing of tests and of runs that ask about function only.
    pub fn uniform() -> Self {
        Self {
            hz: 1_000_000_000,
            timebase_hz: 10_000_000,
            class_cycles: [1; InstructionClass::COUNT],
            trap_cycles: 0,
            return_cycles: 0,
            world_switch_cycles: 0,
            world_return_cycles: 0,
            walk_reference_cycles: 0,
            itlb: TlbShape { entries: 32, ways: 32 },
            dtlb: TlbShape { entries: 32, ways: 32 },
            device_access_cycles: 0,
            misaligned_cycles: 0,
            data_cache: None,
            remote_cycles: 0,
            ipi_cycles: 1,
        }
    }
}
