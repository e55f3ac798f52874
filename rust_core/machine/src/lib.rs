//! A physical machine: harts, memory, board, devices, firmware, and the loading of kernels.
//!
//! [`Board`] holds the devices at QEMU's `virt` addresses; it serves as a machine's physical board
//! and as a VM's virtual one. [`Machine`] composes a board with harts, memory and firmware into a
//! bare machine. [`Meter`] is how firmware and monitors reach a hart, and what makes their work
//! cost what it does.

pub mod assumed;
pub mod board;
pub mod device_tree;
pub mod devices;
mod disk_image;
pub mod firmware;
mod guest_memory;
pub mod loader;
mod machine;
pub mod meter;
pub mod random;
#[cfg(any(test, feature = "test-utils"))]
#[allow(clippy::unwrap_used, clippy::missing_panics_doc)]
pub mod test_utils;

pub use board::{Board, BoardConfig, BoardState};
pub use devices::finisher::PowerEvent;
pub use devices::virtio::{BalloonOperation, Completion, DeviceRequest, IoStatus, RequestTag};
pub use devices::{Persist, StateError};
pub use disk_image::{BLOCK_BYTES, DiskError, DiskImage, SECTOR_BYTES};
pub use guest_memory::{Direction, GuestMemory, GuestMemoryError, GuestRange, Unavailable};
pub use machine::{BootError, Machine, MachineConfig, MachineState, MachineStop};
pub use meter::{Assumption, Meter, Primitive};
