//! Hardware on which nothing is for free.

use dcsim_hart::Timing;

/// Costs that differ from each other, and none of which is zero: one that is left out, or taken for
/// another, shows in a count of cycles.
#[must_use]
pub fn telling_costs() -> Timing {
    let mut timing = Timing::uniform();
    timing.trap_cycles = 30;
    timing.return_cycles = 15;
    timing.world_switch_cycles = 70;
    timing.world_return_cycles = 55;
    timing.walk_reference_cycles = 8;
    timing.device_access_cycles = 40;
    timing.misaligned_cycles = 3;
    timing.ipi_cycles = 2000;
    timing
}
