//! What host software does beside the monitor's own handler when a guest exits.
//!
//! A monitor that is the host's kernel needs nothing more. One that is a guest of another kernel has
//! to give the processor back to it, and an exit that a process has to serve crosses to that process
//! and back. Which exits take which path is for the model of the hypervisor to say; it is executed
//! here, behind each handler, and booked under the name of the exit's reason.

use crate::reason::ExitReason;
use dcsim_machine::{Meter, Primitive};

/// Steps of host software: primitives, and how often each.
pub type Steps = Vec<(Primitive, u64)>;

/// Executes host software.
pub fn execute(meter: &mut Meter<'_>, steps: &[(Primitive, u64)]) {
    for (primitive, count) in steps {
        match primitive {
            Primitive::TlbFlush => (0..*count).for_each(|_| meter.flush_tlb_all()),
            _ => meter.charge(*primitive, *count),
        }
    }
}

/// The path of each reason to exit.
#[derive(Clone, Debug)]
pub struct ExitPaths {
    steps: [Steps; ExitReason::COUNT],
    names: [String; ExitReason::COUNT],
}

impl Default for ExitPaths {
    fn default() -> Self {
        Self {
            steps: std::array::from_fn(|_| Steps::new()),
            names: ExitReason::ALL.map(|reason| format!("exit_{}", reason.name())),
        }
    }
}

impl ExitPaths {
    /// From now on these steps follow the handler of each exit for this reason.
    pub fn set(&mut self, reason: ExitReason, steps: Steps) {
        self.steps[reason as usize] = steps;
    }

    /// The name and the steps of the path of exits for this reason; `None` if there are no steps.
    pub fn of(&self, reason: ExitReason) -> Option<(&str, &[(Primitive, u64)])> {
        let steps = &self.steps[reason as usize];
        (!steps.is_empty()).then(|| (self.names[reason as usize].as_str(), steps.as_slice()))
    }
}
