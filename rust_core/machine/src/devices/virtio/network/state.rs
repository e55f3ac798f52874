//! What a snapshot keeps of the network device.

use serde::{Deserialize, Serialize};

/// The state of a [`NetworkDevice`](super::NetworkDevice): packets are never kept in it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NetworkState {
    /// What was counted.
    pub counters: NetworkCounters,
}

/// What a [`NetworkDevice`](super::NetworkDevice) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NetworkCounters {
    /// Packets that the guest sent.
    pub sent_packets: u64,
    /// Bytes of those packets.
    pub sent_bytes: u64,
    /// Packets that the guest received.
    pub received_packets: u64,
    /// Bytes of those packets.
    pub received_bytes: u64,
    /// Packets for which the guest had no buffer, or none that was large enough.
    pub dropped_packets: u64,
    /// Packets of the guest that were longer than a frame can be.
    pub oversized_packets: u64,
}
