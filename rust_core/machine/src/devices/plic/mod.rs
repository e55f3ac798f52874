//! The platform-level interrupt controller.

mod device;
#[cfg(test)]
mod model_test;
mod state;

pub use device::{Plic, SOURCES};
pub use state::{PlicCounters, PlicState};
