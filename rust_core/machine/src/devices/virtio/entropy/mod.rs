//! The entropy device (Virtio 1.2, section 5.4).

mod device;
mod state;
#[cfg(test)]
mod tests;

pub use device::EntropyDevice;
pub use state::{EntropyCounters, EntropyState};
