//! The host's side of all consoles: a bounded log of what the guest wrote.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The most bytes that wait to be taken. A guest that writes more loses the oldest.
pub const CONSOLE_LIMIT_BYTES: usize = 1 << 20;

/// What the guest wrote and nobody has taken yet.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConsoleOutput {
    waiting: VecDeque<u8>,
    /// Bytes written since power-on.
    written: u64,
    /// Bytes lost because they were not taken in time.
    lost: u64,
}

impl ConsoleOutput {
    /// Appends what the guest wrote.
    pub fn write(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        self.waiting.extend(bytes);
        let excess = self.waiting.len().saturating_sub(CONSOLE_LIMIT_BYTES);
        self.waiting.drain(..excess);
        self.lost += excess as u64;
    }

    /// Takes what waits.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.waiting).into()
    }

    /// Bytes written since power-on.
    pub fn written_bytes(&self) -> u64 {
        self.written
    }

    /// Bytes lost because they were not taken in time.
    pub fn lost_bytes(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_taken_once_and_in_order() {
        let mut console = ConsoleOutput::default();
        console.write(b"one ");
        console.write(b"two");
        assert_eq!(console.take(), b"one two");
        assert!(console.take().is_empty());
    }

    #[test]
    fn a_flood_loses_its_oldest_bytes() {
        let mut console = ConsoleOutput::default();
        console.write(&vec![b'a'; CONSOLE_LIMIT_BYTES]);
        console.write(b"end");
        let taken = console.take();
        assert_eq!(taken.len(), CONSOLE_LIMIT_BYTES);
        assert!(taken.ends_with(b"aend"));
        assert_eq!((console.written_bytes(), console.lost_bytes()), (taken.len() as u64 + 3, 3));
    }
}
