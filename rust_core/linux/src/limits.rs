//! What a process-level machine may use at most.

/// The limits.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Pages of memory, for all processes together.
    pub pages: u32,
    /// Bytes of address space that one process may map.
    pub mapped_bytes: u64,
    /// Processes and threads that exist at one time.
    pub threads: usize,
    /// Open files of one process.
    pub files: usize,
    /// Bytes that files may hold beside what the folder holds.
    pub written_bytes: u64,
}

impl Limits {
    /// Those of a machine with so much memory; the others are in proportion to it, or those that
    /// Linux sets for a user.
    pub fn for_memory(bytes: u64) -> Self {
        let pages = u32::try_from(bytes / 4096).unwrap_or(u32::MAX);
        Self {
            pages,
            mapped_bytes: bytes.saturating_mul(4).max(1 << 28),
            threads: 256,
            files: 1024,
            written_bytes: bytes,
        }
    }
}
