//! The memory-mapped transport: the registers and the interrupt line of one slot.

mod device;
mod registers;
mod state;
#[cfg(test)]
mod tests;

pub use device::Transport;
pub use registers::{FEATURE_VERSION_1, QUEUE_NOTIFY, STATUS_NEEDS_RESET};
pub use state::{TransportCounters, TransportState};
