//! A physical machine: board, devices, firmware, loaders.

pub mod board;
pub mod device_tree;
pub mod devices;
mod disk_image;
mod guest_memory;
pub mod loader;
pub mod meter;
pub mod random;
#[cfg(any(test, feature = "test-utils"))]
#[allow(clippy::unwrap_used, clippy::missing_panics_doc)]
pub mod test_utils;

pub use board::{Board, BoardConfig, BoardState};
pub use devices::finisher::PowerEvent;
pub use devices::virtio::{Completion, DeviceRequest, IoStatus, RequestTag};
pub use devices::{Persist, StateError};
pub use disk_image::{BLOCK_BYTES, DiskError, DiskImage, SECTOR_BYTES};
pub use guest_memory::{Direction, GuestMemory, GuestMemoryError, GuestRange, Unavailable};
pub use meter::{Meter, Primitive};
