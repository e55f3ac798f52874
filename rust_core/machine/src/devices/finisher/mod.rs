//! The test finisher: the register by which a machine switches itself off or restarts.

mod device;
mod state;

pub use device::{PowerEvent, TestFinisher};
pub use state::FinisherState;
