//! What a snapshot keeps of the entropy device.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// The state of an [`EntropyDevice`](super::EntropyDevice).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntropyState {
    /// The position in the stream.
    pub stream: Random,
    /// What was counted.
    pub counters: EntropyCounters,
}

/// What an [`EntropyDevice`](super::EntropyDevice) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntropyCounters {
    /// Requests served.
    pub requests: u64,
    /// Bytes handed out.
    pub bytes: u64,
}
