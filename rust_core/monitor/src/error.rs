//! What a host can refuse, and what must never happen.

use crate::ids::{VcpuId, VmId};
use crate::ledger::LedgerMismatch;
use dcsim_memory::{MemoryError, StoreFull};

/// Why a host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The caller's request makes no sense in the host's present state.
    #[error("{0}")]
    Refused(String),
    /// There is no such VM on this host.
    #[error("{0} is not on this host")]
    NoSuchVm(VmId),
    /// The VM has no such vCPU.
    #[error("there is no {0}")]
    NoSuchVcpu(VcpuId),
    /// There is no such pCPU.
    #[error("the host has no pCPU {0}")]
    NoSuchPcpu(usize),
    /// The guest image cannot be loaded.
    #[error("{0}")]
    Image(String),
    /// A saved state cannot be restored.
    #[error("the saved state cannot be restored: {0}")]
    State(String),
    /// Too few free frames for something that cannot wait.
    #[error("the host has too little memory: {wanted} more frames are needed and {free} are free")]
    Memory {
        /// Frames that are needed.
        wanted: u64,
        /// Frames that are free.
        free: u64,
    },
    /// The simulator's own page store is full.
    #[error(transparent)]
    StoreFull(#[from] StoreFull),
    /// Cycles do not add up.
    #[error(transparent)]
    Ledger(#[from] LedgerMismatch),
    /// A handler took a frame that it had not reserved: a bug in this crate.
    #[error("a handler took a frame that it had not reserved")]
    FrameNotReserved,
    /// Something needs a page of a guest that is swapped out. Nothing was changed that the guest
    /// could see; it is tried again when the page is there.
    #[error("page {page} of the guest is swapped out")]
    Swapped {
        /// The number of the page.
        page: u64,
    },
    /// A guest can reach a frame that is not its own: a bug in this crate.
    #[error("a guest can reach a frame that is not its own: {0}")]
    ForeignFrame(String),
    /// A frame was lost, or is used twice: a bug in this crate.
    #[error("the host's frames do not add up: {0}")]
    Frames(String),
    /// A handler reached outside the host's memory: a bug in this crate.
    #[error("a handler reached outside the host's memory: {0}")]
    OutsideMemory(MemoryError),
}

impl From<MemoryError> for HostError {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::StoreFull(full) => Self::StoreFull(full),
            MemoryError::OutOfRange { .. } => Self::OutsideMemory(error),
        }
    }
}
