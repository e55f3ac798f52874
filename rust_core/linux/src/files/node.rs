//! Files, directories, links and devices.

use super::NodeId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Devices that every tree has below `/dev`.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Device {
    /// Takes everything and gives nothing.
    Null,
    /// Gives zeros.
    Zero,
    /// Takes nothing, as a full disk does.
    Full,
    /// Gives random bytes.
    Random,
}

impl Device {
    /// All of them with their names, and their numbers on Linux.
    pub const ALL: [(Self, &'static str, (u32, u32)); 5] = [
        (Self::Null, "null", (1, 3)),
        (Self::Zero, "zero", (1, 5)),
        (Self::Full, "full", (1, 7)),
        (Self::Random, "random", (1, 8)),
        (Self::Random, "urandom", (1, 9)),
    ];
}

/// What a file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// What the folder's file holds, of this size, not read yet.
    Unread(u64),
    /// This.
    Bytes(Vec<u8>),
}

impl Content {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Unread(size) => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A file.
    File(Content),
    /// A directory: its entries by name.
    Directory(BTreeMap<Vec<u8>, NodeId>),
    /// A symbolic link to this path.
    Link(Vec<u8>),
    /// A device that is offered.
    Device(Device),
    /// A device, socket or pipe of the folder, which nobody may open.
    Special,
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Names that it has; a directory's count as Linux counts them.
    pub links: u32,
    /// Open files, and mappings, that refer to it.
    pub users: u32,
    /// The directory that holds it, for directories.
    pub parent: NodeId,
    /// Where it is in the folder, if it comes from there.
    pub origin: Option<PathBuf>,
    /// Whether the entries of the folder have been taken over.
    pub is_listed: bool,
    /// When it was last changed, in nanoseconds of simulated time.
    pub changed_ns: u64,
}

impl Node {
    /// A node that is not in the folder, with one name.
    pub fn new(kind: Kind, mode: u32, parent: NodeId, now_ns: u64) -> Self {
        let links = if matches!(kind, Kind::Directory(_)) { 2 } else { 1 };
        Self {
            kind,
            mode,
            links,
            users: 0,
            parent,
            origin: None,
            is_listed: true,
            changed_ns: now_ns,
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory(_))
    }

    /// Its size in bytes, as `stat` tells it.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(content) => content.size(),
            Kind::Link(target) => target.len() as u64,
            Kind::Directory(_) => 4096,
            Kind::Device(_) | Kind::Special => 0,
        }
    }
}
