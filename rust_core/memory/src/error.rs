//! What can go wrong in an access to physical memory.

use crate::{PhysicalAddress, StoreFull};
use std::{error, fmt};

/// Why an access to physical memory did not happen. Nothing was changed.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum MemoryError {
    /// No frame has these addresses.
    OutOfRange {
        /// First byte of the access.
        address: PhysicalAddress,
        /// Length of the access in bytes.
        length: u64,
    },
    /// The page store has reached its limit.
    StoreFull(StoreFull),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { address, length } => {
                write!(formatter, "no memory at {address} for {length} bytes")
            }
            Self::StoreFull(full) => full.fmt(formatter),
        }
    }
}

impl error::Error for MemoryError {}

impl From<StoreFull> for MemoryError {
    fn from(full: StoreFull) -> Self {
        Self::StoreFull(full)
    }
}
