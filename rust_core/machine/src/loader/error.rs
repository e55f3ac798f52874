//! What can be wrong with an image.

use crate::guest_memory::GuestMemoryError;

/// Why an image cannot be loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImageError {
    /// There are no bytes.
    #[error("the image is empty")]
    Empty,
    /// The image ends before something that it says it has.
    #[error("the image is truncated: {0}")]
    Truncated(&'static str),
    /// The image contradicts its own format.
    #[error("the image is malformed: {0}")]
    Malformed(&'static str),
    /// An ELF file for something else than 64-bit little-endian RISC-V.
    #[error("the image is for another machine: {0}")]
    WrongMachine(String),
    /// An ELF file of a type that cannot be run as it is.
    #[error("the image is no executable: ELF type {0}")]
    NotExecutable(u16),
    /// A part of the image lies outside memory.
    #[error("the image needs memory at {address:#x} for {length} bytes, and there is none")]
    OutsideMemory {
        /// The first address.
        address: u64,
        /// The length in bytes.
        length: u64,
    },
    /// Two parts of the image want the same addresses.
    #[error("two parts of the image overlap at {address:#x}")]
    Overlap {
        /// The first address of the later part.
        address: u64,
    },
    /// The entry point is in no part of the image.
    #[error("the entry point {address:#x} is outside the image")]
    EntryOutside {
        /// The entry point.
        address: u64,
    },
    /// There is no room for the device tree above the image.
    #[error("no room for a device tree of {length} bytes")]
    NoRoomForDeviceTree {
        /// The length of the tree in bytes.
        length: u64,
    },
    /// There is no room for the initial RAM disk between the image and the device tree.
    #[error("no room for an initial RAM disk of {length} bytes")]
    NoRoomForInitrd {
        /// The length of the RAM disk in bytes.
        length: u64,
    },
    /// The host cannot provide the memory.
    #[error(transparent)]
    Memory(#[from] GuestMemoryError),
}
