//! The block device (Virtio 1.2, section 5.2).

mod config;
mod device;
mod request;
mod state;
#[cfg(test)]
mod tests;

pub use device::BlockDevice;
pub use state::{BlockCounters, BlockState, InFlight};
