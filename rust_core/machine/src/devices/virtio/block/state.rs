//! What a snapshot keeps of the block device. The disk's content is kept beside it, see
//! [`BoardState`](crate::board::BoardState).

use super::super::queue::Buffers;
use super::request::Operation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a [`BlockDevice`](super::BlockDevice).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlockState {
    /// The number of the next request. It never goes back, so a late completion of a request from
    /// before a reset meets no other.
    pub next_serial: u64,
    /// Requests that the host is working on.
    pub in_flight: BTreeMap<u64, InFlight>,
    /// What was counted.
    pub counters: BlockCounters,
}

/// A request that the host is working on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InFlight {
    /// The first descriptor of its chain.
    pub head: u16,
    /// What is to be done.
    pub operation: Operation,
    /// Where the data is or goes.
    pub data: Buffers,
    /// The guest-physical address of the status byte.
    pub status_address: u64,
}

/// What a [`BlockDevice`](super::BlockDevice) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlockCounters {
    /// Completed reads.
    pub reads: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Completed writes.
    pub writes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Completed flushes.
    pub flushes: u64,
    /// Completed discards and zero writes.
    pub discards: u64,
    /// Requests that ended with an error.
    pub errors: u64,
}
