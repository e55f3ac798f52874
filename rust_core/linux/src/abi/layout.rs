//! Structures as programs for RV64 find them in memory: those of `asm-generic`.

use crate::files::NodeId;
use crate::signal::{Info, Origin, SignalSet};

/// Writes a structure field by field.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Appends 16 bits.
    #[must_use]
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Appends 32 bits.
    #[must_use]
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Appends 64 bits.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Appends bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// Appends zeros up to this length.
    #[must_use]
    pub fn pad_to(mut self, length: usize) -> Self {
        self.0.resize(length, 0);
        self
    }

    /// What was written.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// What `stat` tells of a file.
#[derive(Copy, Clone, Debug)]
pub struct Status {
    /// Which file.
    pub node: NodeId,
    /// Type and permissions.
    pub mode: u32,
    /// Names.
    pub links: u32,
    /// Numbers of a device.
    pub device: (u32, u32),
    /// Size in bytes.
    pub size: u64,
    /// When it was last changed, since 1970.
    pub changed_ns: u64,
}

/// The device number of the only file system.
const FILE_SYSTEM: u64 = 1;
/// Bytes of a block of [`Status`].
const BLOCK_BYTES: u64 = 512;
/// Bytes that are best read at once.
const BEST_BYTES: u32 = 4096;
const NS: u64 = 1_000_000_000;

impl Status {
    /// `struct stat`, 128 bytes.
    pub fn stat(&self) -> Vec<u8> {
        let (major, minor) = self.device;
        let time = |writer: Writer| writer.u64(self.changed_ns / NS).u64(self.changed_ns % NS);
        let head = Writer::default()
            .u64(FILE_SYSTEM)
            .u64(self.inode())
            .u32(self.mode)
            .u32(self.links)
            .u32(0)
            .u32(0)
            .u64(u64::from(major << 8 | minor))
            .u64(0)
            .u64(self.size)
            .u32(BEST_BYTES)
            .u32(0)
            .u64(self.size.div_ceil(BLOCK_BYTES));
        time(time(time(head))).pad_to(128).done()
    }

    /// `struct statx`, 256 bytes, with everything that `stat` tells.
    pub fn statx(&self) -> Vec<u8> {
        const BASIC: u32 = 0x7ff;
        let (major, minor) = self.device;
        let time = |writer: Writer| {
            writer.u64(self.changed_ns / NS).u32((self.changed_ns % NS) as u32).u32(0)
        };
        let head = Writer::default()
            .u32(BASIC)
            .u32(BEST_BYTES)
            .u64(0)
            .u32(self.links)
            .u32(0)
            .u32(0)
            .u16(self.mode as u16)
            .u16(0)
            .u64(self.inode())
            .u64(self.size)
            .u64(self.size.div_ceil(BLOCK_BYTES))
            .u64(0);
        time(time(time(time(head))))
            .u32(major)
            .u32(minor)
            .u32(0)
            .u32(FILE_SYSTEM as u32)
            .pad_to(256)
            .done()
    }

    /// Inode numbers begin with 1.
    fn inode(&self) -> u64 {
        u64::from(self.node.0) + 1
    }
}

/// An entry of a directory, for `getdents64`: its length is a multiple of 8.
pub fn directory_entry(node: NodeId, next: u64, kind: u8, name: &[u8]) -> Vec<u8> {
    const HEAD: usize = 19;
    let length = (HEAD + name.len() + 1).next_multiple_of(8);
    Writer::default()
        .u64(u64::from(node.0) + 1)
        .u64(next)
        .u16(length as u16)
        .bytes(&[kind])
        .bytes(name)
        .pad_to(length)
        .done()
}

/// `struct timespec`.
pub fn timespec(ns: u64) -> Vec<u8> {
    Writer::default().u64(ns / NS).u64(ns % NS).done()
}

/// `struct timeval`.
pub fn timeval(ns: u64) -> Vec<u8> {
    Writer::default().u64(ns / NS).u64(ns % NS / 1000).done()
}

/// `siginfo_t`, 128 bytes.
pub fn signal_info(signal: u32, info: &Info) -> Vec<u8> {
    let head = Writer::default().u32(signal).u32(0).u32(info.code as u32).u32(0);
    let body = match info.origin {
        Origin::Process(id) => head.u32(id).u32(0).u32(info.status as u32),
        Origin::Address(address) => head.u64(address),
    };
    body.pad_to(128).done()
}

/// A signal set as 8 bytes.
pub fn signal_set(set: SignalSet) -> [u8; 8] {
    set.0.to_le_bytes()
}
