//! What a snapshot keeps of a board, and what a board counts.

use crate::devices::aclint::AclintState;
use crate::devices::console::ConsoleOutput;
use crate::devices::finisher::FinisherState;
use crate::devices::plic::{PlicCounters, PlicState};
use crate::devices::uart::{UartCounters, UartState};
use crate::devices::virtio::balloon::BalloonCounters;
use crate::devices::virtio::block::BlockCounters;
use crate::devices::virtio::console::VirtioConsoleCounters;
use crate::devices::virtio::entropy::EntropyCounters;
use crate::devices::virtio::network::NetworkCounters;
use crate::devices::virtio::transport::TransportCounters;
use crate::devices::virtio::{DeviceRequest, TransportState};
use crate::disk_image::DiskImage;
use serde::{Deserialize, Serialize};

/// The state of all devices.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct BoardState {
    /// The test finisher.
    pub finisher: FinisherState,
    /// The core-local interruptor.
    pub aclint: AclintState,
    /// The interrupt controller.
    pub plic: PlicState,
    /// The serial port.
    pub uart: UartState,
    /// The virtio slots with their devices.
    pub slots: Vec<TransportState>,
    /// Console output that nobody has taken.
    pub console: ConsoleOutput,
    /// Requests that nobody has taken.
    pub requests: Vec<DeviceRequest>,
    /// The content of the disk, shared with the board that was saved. It is no part of the
    /// encoded bytes: a disk moves, or is shared, on its own.
    #[serde(skip)]
    pub disk: Option<DiskImage>,
}

impl BoardState {
    /// The state as bytes, the same for the same state: what a migration would send beside the
    /// memory, and what a digest covers.
    pub fn encode(&self) -> Vec<u8> {
        // A structure of numbers, vectors and maps with number keys always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The state from its bytes, without a disk.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// What all devices counted since power-on.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct BoardCounters {
    /// The interrupt controller.
    pub plic: PlicCounters,
    /// The serial port.
    pub uart: UartCounters,
    /// The block device.
    pub block: BlockCounters,
    /// The network device.
    pub network: NetworkCounters,
    /// The console device.
    pub console: VirtioConsoleCounters,
    /// The entropy device.
    pub entropy: EntropyCounters,
    /// The balloon.
    pub balloon: BalloonCounters,
    /// The sum over all virtio slots.
    pub virtio: TransportCounters,
}
