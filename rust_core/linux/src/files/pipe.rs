//! Pipes.

use std::collections::VecDeque;

/// A pipe.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PipeId(pub u32);

/// Bytes that a pipe holds at most, as on Linux.
pub const PIPE_BYTES: usize = 65_536;

/// Bytes that are written whole or not at all: `PIPE_BUF` of POSIX, as on Linux.
pub const ATOMIC_BYTES: usize = 4096;

/// What is in a pipe, and who has an end of it.
#[derive(Debug, Default)]
pub struct Pipe {
    content: VecDeque<u8>,
    /// Open files that read from it.
    pub readers: u32,
    /// Open files that write to it.
    pub writers: u32,
}

impl Pipe {
    /// Bytes in it.
    pub fn filled(&self) -> usize {
        self.content.len()
    }

    /// Bytes that it has room for.
    pub fn room(&self) -> usize {
        PIPE_BYTES - self.content.len()
    }

    /// Whether a reader need not wait: there is something, or never will be.
    pub fn is_readable(&self) -> bool {
        self.filled() > 0 || self.writers == 0
    }

    /// Whether a writer of a few bytes need not wait: there is room, or nobody reads.
    pub fn is_writable(&self) -> bool {
        self.room() >= ATOMIC_BYTES || self.readers == 0
    }

    /// How many of `length` bytes can be written now.
    pub fn accepts(&self, length: usize) -> usize {
        if length <= ATOMIC_BYTES && length > self.room() { 0 } else { length.min(self.room()) }
    }

    /// Takes bytes out.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        self.content.drain(..length.min(self.content.len())).collect()
    }

    /// Puts bytes in; they fit.
    pub fn put(&mut self, bytes: &[u8]) {
        self.content.extend(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_writes_are_whole_and_long_ones_fill_what_there_is() {
        let mut pipe = Pipe { readers: 1, writers: 1, ..Pipe::default() };
        pipe.put(&vec![1; PIPE_BYTES - 100]);
        assert_eq!((pipe.accepts(100), pipe.accepts(101), pipe.accepts(5000)), (100, 0, 100));
        assert!(!pipe.is_writable());
        assert_eq!(pipe.take(4096).len(), 4096);
        assert!(pipe.is_writable());
    }

    #[test]
    fn an_end_that_is_closed_ends_the_wait_of_the_other() {
        let mut pipe = Pipe { readers: 1, writers: 1, ..Pipe::default() };
        assert!(!pipe.is_readable());
        pipe.writers = 0;
        assert!(pipe.is_readable());
        pipe.put(&vec![0; PIPE_BYTES]);
        pipe.readers = 0;
        assert!(pipe.is_writable());
    }
}
