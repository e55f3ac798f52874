//! The memory balloon (Virtio 1.2, section 5.5, "Traditional Memory Balloon Device").

mod device;
mod state;
#[cfg(test)]
mod tests;

pub use device::BalloonDevice;
pub use state::{BalloonCounters, BalloonState, InFlight};
