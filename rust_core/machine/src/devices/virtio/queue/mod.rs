//! Split virtqueues (Virtio 1.2, section 2.7), the device's side.
//!
//! The driver is hostile: every index, length, address and flag is checked where it is read, a
//! chain is at most as long as its queue, and all loops are bounded by the size of the queue even
//! if the device's own writes change the queue under it.

mod buffers;
mod chain;
mod split;

pub use buffers::{Buffers, Segment};
pub use chain::Chain;
pub use split::{MAXIMUM_SIZE, Queue, QueueState};

use crate::guest_memory::{GuestMemoryError, Unavailable};

/// Why a queue cannot go on.
#[derive(Copy, Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QueueError {
    /// The driver broke the rules: the device needs a reset.
    #[error("the driver broke the rules of the queue: {0}")]
    Malformed(&'static str),
    /// The host cannot provide a page now: nothing was changed, try again later.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<GuestMemoryError> for QueueError {
    fn from(error: GuestMemoryError) -> Self {
        match error {
            GuestMemoryError::Invalid { .. } => Self::Malformed("an address outside memory"),
            GuestMemoryError::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}
