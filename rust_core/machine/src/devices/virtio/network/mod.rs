//! The network device (Virtio 1.2, section 5.1).

mod device;
mod state;
#[cfg(test)]
mod tests;

pub use device::{MAXIMUM_FRAME_BYTES, NetworkDevice};
pub use state::{NetworkCounters, NetworkState};
