//! What a snapshot keeps of a transport.

use super::super::DeviceState;
use super::super::queue::QueueState;
use serde::{Deserialize, Serialize};

/// The state of a [`Transport`](super::Transport) and of its device.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TransportState {
    /// Device status register.
    pub status: u32,
    /// Features that the driver accepted.
    pub driver_features: u64,
    /// Which word of the device features is shown.
    pub device_features_select: u32,
    /// Which word of the driver features is written.
    pub driver_features_select: u32,
    /// Which queue the queue registers mean.
    pub queue_select: u32,
    /// Reasons for the interrupt.
    pub interrupt_status: u32,
    /// How often the device has changed its configuration space.
    pub config_generation: u32,
    /// Queues that were notified and could not be processed yet, one bit each.
    pub notified: u32,
    /// What was counted.
    pub counters: TransportCounters,
    /// The queues.
    pub queues: Vec<QueueState>,
    /// The device, if the slot has one.
    pub device: Option<DeviceState>,
}

/// What a [`Transport`](super::Transport) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TransportCounters {
    /// Doorbells.
    pub notifications: u64,
    /// Used-buffer notifications to the driver.
    pub interrupts: u64,
    /// Times that the driver broke the rules and the device asked for a reset.
    pub failures: u64,
}

impl TransportCounters {
    /// Adds what another transport counted.
    pub fn add(&mut self, other: Self) {
        self.notifications += other.notifications;
        self.interrupts += other.interrupts;
        self.failures += other.failures;
    }
}
