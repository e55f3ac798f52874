//! Seeing every access that is made by physical address.
//!
//! An instrument for tests: whoever is told of the accesses can compare them with what should be.
//! Software TLBs reach the bytes of a page without an address, so whoever keeps one leaves it empty
//! while there is a witness ([`crate::Frames::is_watched`]).

use crate::PhysicalAddress;
use std::fmt::Debug;

/// What an access is made for.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Use {
    /// Reading data.
    Read,
    /// Writing data.
    Write,
    /// Executing.
    Execute,
    /// A hart's reading of a page table.
    Walk,
    /// A hart's setting of accessed and dirty bits in a page table.
    Mark,
    /// A device's reading.
    DeviceRead,
    /// A device's writing.
    DeviceWrite,
}

impl Use {
    /// All of them, in order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Write,
        Self::Execute,
        Self::Walk,
        Self::Mark,
        Self::DeviceRead,
        Self::DeviceWrite,
    ];
}

/// Who is told of accesses.
pub trait Witness: Debug + Send + Sync {
    /// Bytes of the frame that holds an address are about to be accessed.
    fn saw(&self, purpose: Use, address: PhysicalAddress);
}
