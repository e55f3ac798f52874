//! The device in a slot.

use super::Behaviour;
use super::balloon::{BalloonDevice, BalloonState};
use super::block::{BlockDevice, BlockState};
use super::console::{VirtioConsole, VirtioConsoleState};
use super::entropy::{EntropyDevice, EntropyState};
use super::network::{NetworkDevice, NetworkState};
use crate::devices::{Persist, StateError};
use serde::{Deserialize, Serialize};

/// A device of some kind.
#[derive(Debug)]
pub enum VirtioDevice {
    /// A disk.
    Block(BlockDevice),
    /// A network interface.
    Network(NetworkDevice),
    /// A console.
    Console(VirtioConsole),
    /// A source of random bytes.
    Entropy(EntropyDevice),
    /// A balloon.
    Balloon(BalloonDevice),
}

/// The state of a [`VirtioDevice`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DeviceState {
    /// A disk.
    Block(BlockState),
    /// A network interface.
    Network(NetworkState),
    /// A console.
    Console(VirtioConsoleState),
    /// A source of random bytes.
    Entropy(EntropyState),
    /// A balloon.
    Balloon(BalloonState),
}

impl VirtioDevice {
    /// What the device does.
    pub fn behaviour(&self) -> &dyn Behaviour {
        match self {
            Self::Block(device) => device,
            Self::Network(device) => device,
            Self::Console(device) => device,
            Self::Entropy(device) => device,
            Self::Balloon(device) => device,
        }
    }

    /// What the device does, to make it do it.
    pub fn behaviour_mut(&mut self) -> &mut dyn Behaviour {
        match self {
            Self::Block(device) => device,
            Self::Network(device) => device,
            Self::Console(device) => device,
            Self::Entropy(device) => device,
            Self::Balloon(device) => device,
        }
    }
}

impl Persist for VirtioDevice {
    type State = DeviceState;

    fn save(&self) -> DeviceState {
        match self {
            Self::Block(device) => DeviceState::Block(device.save()),
            Self::Network(device) => DeviceState::Network(device.save()),
            Self::Console(device) => DeviceState::Console(device.save()),
            Self::Entropy(device) => DeviceState::Entropy(device.save()),
            Self::Balloon(device) => DeviceState::Balloon(device.save()),
        }
    }

    fn restore(&mut self, state: &DeviceState) -> Result<(), StateError> {
        match (self, state) {
            (Self::Block(device), DeviceState::Block(state)) => device.restore(state),
            (Self::Network(device), DeviceState::Network(state)) => device.restore(state),
            (Self::Console(device), DeviceState::Console(state)) => device.restore(state),
            (Self::Entropy(device), DeviceState::Entropy(state)) => device.restore(state),
            (Self::Balloon(device), DeviceState::Balloon(state)) => device.restore(state),
            _ => Err(StateError::new("another kind of device in a slot")),
        }
    }
}
