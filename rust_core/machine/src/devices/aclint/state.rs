//! What a snapshot keeps of the core-local interruptor.

use serde::{Deserialize, Serialize};

/// The state of an [`Aclint`](super::Aclint), one entry a hart.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct AclintState {
    /// The software interrupt bits.
    pub software: Vec<bool>,
    /// The timer comparators, in timer ticks.
    pub compare: Vec<u64>,
}
