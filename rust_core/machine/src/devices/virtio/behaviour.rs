//! What every kind of virtio device does, and what it works with.

use super::queue::{Chain, Queue, QueueError};
use super::{Completion, DeviceRequest, IoStatus, RequestTag};
use crate::devices::console::ConsoleOutput;
use crate::guest_memory::{GuestMemory, GuestRange};

/// What lies around a device: the guest's memory, and where its effects go.
pub struct DeviceHost<'a> {
    /// The guest's memory.
    pub memory: &'a mut dyn GuestMemory,
    /// Where console output goes.
    pub console: &'a mut ConsoleOutput,
    /// Where requests to the host go.
    pub requests: &'a mut Vec<DeviceRequest>,
}

impl std::fmt::Debug for DeviceHost<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DeviceHost")
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

/// A device's queues and surroundings while it works.
#[derive(Debug)]
pub struct Work<'a, 'b> {
    pub(super) host: &'a mut DeviceHost<'b>,
    pub(super) queues: &'a mut [Queue],
    pub(super) slot: usize,
    /// A request was handed back and the driver wants to hear of it.
    pub(super) notify_driver: bool,
}

impl Work<'_, '_> {
    /// The guest's memory.
    pub fn memory(&mut self) -> &mut dyn GuestMemory {
        self.host.memory
    }

    /// Where console output goes.
    pub fn console(&mut self) -> &mut ConsoleOutput {
        self.host.console
    }

    /// Asks the host for something.
    pub fn request(&mut self, request: DeviceRequest) {
        self.host.requests.push(request);
    }

    /// The tag of the device's request with this serial number.
    pub fn tag(&self, serial: u64) -> RequestTag {
        RequestTag::new(self.slot, serial)
    }

    /// The most requests that one doorbell may find in a queue.
    pub fn queue_size(&self, queue: usize) -> u16 {
        self.queues[queue].state.size
    }

    /// The next request of a queue, without taking it.
    pub fn peek(&self, queue: usize) -> Result<Option<Chain>, QueueError> {
        self.queues[queue].peek(self.host.memory)
    }

    /// Takes the request that [`Work::peek`] showed.
    pub fn advance(&mut self, queue: usize) {
        self.queues[queue].advance();
    }

    /// Reserves `ranges` and what handing back a request of `queue` needs.
    pub fn reserve(
        &mut self,
        queue: usize,
        ranges: impl Iterator<Item = GuestRange>,
    ) -> Result<(), QueueError> {
        let mut all: Vec<GuestRange> = ranges.collect();
        all.extend(self.queues[queue].completion_ranges()?);
        Ok(self.host.memory.reserve(&all)?)
    }

    /// Hands a request back to the driver.
    pub fn hand_back(&mut self, queue: usize, head: u16, written: u32) -> Result<(), QueueError> {
        self.queues[queue].push_used(self.host.memory, head, written)?;
        self.notify_driver |= self.queues[queue].wants_interrupt(self.host.memory)?;
        Ok(())
    }
}

/// A kind of virtio device.
pub trait Behaviour: std::fmt::Debug {
    /// The device type (Virtio 1.2, section 5).
    fn device_id(&self) -> u32;

    /// The number of queues.
    fn queue_count(&self) -> usize;

    /// The feature bits of this kind of device.
    fn features(&self) -> u64;

    /// The configuration space.
    fn config(&self) -> Vec<u8>;

    /// The driver wrote `bytes` to the configuration space. Most devices have nothing writable.
    fn write_config(&mut self, _offset: u64, _bytes: &[u8], _console: &mut ConsoleOutput) {}

    /// Forgets all requests.
    fn reset(&mut self);

    /// There may be new requests in `queue`.
    fn process(&mut self, work: &mut Work<'_, '_>, queue: usize) -> Result<(), QueueError>;

    /// A packet arrives. `false` if it was dropped, as by every device that is no interface.
    fn receive(&mut self, _work: &mut Work<'_, '_>, _frame: &[u8]) -> Result<bool, QueueError> {
        Ok(false)
    }

    /// The host wants fresh statistics. `false` if the driver has offered no buffer for them, as with
    /// every device that has none.
    fn ask_statistics(&mut self, _work: &mut Work<'_, '_>) -> Result<bool, QueueError> {
        Ok(false)
    }

    /// The host's part of the request `serial` is over. Devices without requests know none.
    fn complete(
        &mut self,
        _work: &mut Work<'_, '_>,
        _serial: u64,
        _status: IoStatus,
    ) -> Result<Completion, QueueError> {
        Ok(Completion::Cancelled)
    }
}
