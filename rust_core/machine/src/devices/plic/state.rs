//! What a snapshot keeps of the platform-level interrupt controller.

use serde::{Deserialize, Serialize};

/// The state of a [`Plic`](super::Plic). Sets of sources are bit sets: bit `n % 32` of word
/// `n / 32` is source `n`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PlicState {
    /// Priority of each source, source 0 included and always 0.
    pub priority: Vec<u8>,
    /// Sources whose line is asserted.
    pub asserted: Vec<u32>,
    /// Sources whose request the core has accepted and nobody claimed.
    pub pending: Vec<u32>,
    /// Sources that were claimed and not completed.
    pub in_service: Vec<u32>,
    /// Enabled sources of each context.
    pub enabled: Vec<Vec<u32>>,
    /// Threshold of each context.
    pub threshold: Vec<u8>,
    /// What was counted.
    pub counters: PlicCounters,
}

/// What a [`Plic`](super::Plic) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PlicCounters {
    /// Claims that returned a source.
    pub claims: u64,
    /// Claims that found nothing.
    pub empty_claims: u64,
    /// Completions that were accepted.
    pub completions: u64,
}
