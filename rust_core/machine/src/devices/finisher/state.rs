//! What a snapshot keeps of the test finisher.

use super::PowerEvent;
use serde::{Deserialize, Serialize};

/// The state of a [`TestFinisher`](super::TestFinisher).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct FinisherState {
    /// What the guest asked for first, if it did.
    pub event: Option<PowerEvent>,
}
