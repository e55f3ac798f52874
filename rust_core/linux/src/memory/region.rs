//! A range of addresses that is mapped alike.

use crate::files::NodeId;
use crate::hardware::Rights;

/// Memory that several address spaces share.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ObjectId(pub u32);

/// What a page of a region holds before it is written.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// Zeros.
    Zeros,
    /// A file, from this offset at the start of the region; zeros behind its end.
    File {
        /// Which.
        node: NodeId,
        /// Of the region's first byte.
        offset: u64,
        /// Of the first byte that is not shown: zeros from there on.
        end: u64,
    },
    /// Shared memory, from this offset.
    Shared {
        /// Which.
        object: ObjectId,
        /// Of the region's first byte.
        offset: u64,
    },
}

impl Source {
    /// The same for a region that begins `bytes` later.
    #[must_use]
    pub fn advanced(self, bytes: u64) -> Self {
        match self {
            Self::Zeros => Self::Zeros,
            Self::File { node, offset, end } => Self::File { node, offset: offset + bytes, end },
            Self::Shared { object, offset } => Self::Shared { object, offset: offset + bytes },
        }
    }
}

/// A region; where it begins is its key in its address space.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Region {
    /// The first address behind it.
    pub end: u64,
    /// What the program may do there.
    pub rights: Rights,
    /// What its pages hold at first.
    pub source: Source,
}
