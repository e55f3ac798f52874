//! A physical machine: board, devices, firmware, loaders.

pub mod board;
pub mod device_tree;
pub mod devices;
mod disk_image;
mod guest_memory;
pub mod loader;
pub mod random;
#[cfg(any(test, feature = "test-utils"))]
#[allow(clippy::unwrap_used, clippy::missing_panics_doc)]
pub mod test_utils;

pub use disk_image::{BLOCK_BYTES, DiskError, DiskImage, SECTOR_BYTES};
pub use guest_memory::{Direction, GuestMemory, GuestMemoryError, GuestRange, Unavailable};
