//! What a snapshot keeps of the balloon.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a [`BalloonDevice`](super::BalloonDevice).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct BalloonState {
    /// How many pages the host wants the balloon to hold.
    pub target_pages: u32,
    /// How many the driver says it holds.
    pub actual_pages: u32,
    /// The driver's latest statistics, by tag.
    pub statistics: BTreeMap<u16, u64>,
    /// The first descriptor of the statistics buffer that the device holds until the host asks.
    pub statistics_buffer: Option<u16>,
    /// The number of the next request. It never goes back, so a late completion of a request from
    /// before a reset meets no other.
    pub next_serial: u64,
    /// Requests that the host is working on.
    pub in_flight: BTreeMap<u64, InFlight>,
    /// What was counted.
    pub counters: BalloonCounters,
}

/// A request that the host is working on.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InFlight {
    /// Its queue.
    pub queue: usize,
    /// The first descriptor of its chain.
    pub head: u16,
}

/// What a [`BalloonDevice`](super::BalloonDevice) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct BalloonCounters {
    /// Pages that the driver put into the balloon.
    pub inflated_pages: u64,
    /// Pages that it took out.
    pub deflated_pages: u64,
    /// Free pages that it reported.
    pub reported_pages: u64,
    /// Page numbers that were refused: the guest has no memory there.
    pub refused_pages: u64,
    /// Statistics received.
    pub statistics_updates: u64,
}
