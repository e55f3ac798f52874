//! What a snapshot keeps of the console device.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The state of a [`VirtioConsole`](super::VirtioConsole).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct VirtioConsoleState {
    /// Bytes from the host that found no buffer yet.
    pub backlog: VecDeque<u8>,
    /// What was counted.
    pub counters: VirtioConsoleCounters,
}

/// What a [`VirtioConsole`](super::VirtioConsole) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct VirtioConsoleCounters {
    /// Bytes that the guest sent.
    pub sent_bytes: u64,
    /// Bytes that the guest received.
    pub received_bytes: u64,
}
