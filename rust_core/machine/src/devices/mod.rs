//! The devices of the board, each in a folder of its own.
//!
//! A folder holds `device.rs` (registers and behaviour), `state.rs` (the plain data that a
//! snapshot keeps; all that the device knows) and, where the device has them, `counters`. Devices
//! know nothing of each other, of harts or of time: the board passes them what they need. Guests
//! are hostile: no register value makes a device panic, loop without bound or grow without bound.

pub mod aclint;
pub mod console;
pub mod finisher;
pub mod plic;
pub mod uart;
pub mod virtio;

/// An access to a register that does not exist, or in a width that it does not have. The hart
/// takes an access fault.
#[derive(Copy, Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no such register, or not in this width")]
pub struct AccessFault;

/// A device whose whole state can be taken out as plain data and put back.
pub trait Persist {
    /// The plain data.
    type State;

    /// A copy of the state.
    fn save(&self) -> Self::State;

    /// Becomes the device that was saved. Refuses a state that no device of this shape can have.
    fn restore(&mut self, state: &Self::State) -> Result<(), StateError>;
}

/// A saved state that does not fit the device it is restored into.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the saved state does not fit: {reason}")]
pub struct StateError {
    /// What does not fit.
    pub reason: String,
}

impl StateError {
    /// A refusal with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    /// Refuses unless `holds`.
    pub(crate) fn unless(holds: bool, reason: &str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(reason)) }
    }
}
