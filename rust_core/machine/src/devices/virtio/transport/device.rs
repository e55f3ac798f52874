//! Behaviour of the memory-mapped transport.
//!
//! The driver's way through the status register (section 3.1): ACKNOWLEDGE, DRIVER, features,
//! `FEATURES_OK` (which sticks only if the features are acceptable), queues, `DRIVER_OK`. From then
//! on doorbells are heard. When the driver breaks the rules of a queue, the device sets
//! `NEEDS_RESET`, announces it as a configuration change, forgets its requests and touches nothing
//! until it is reset.

use super::super::queue::{MAXIMUM_SIZE, Queue, QueueError};
use super::super::{Behaviour, Completion, DeviceHost, IoStatus, VirtioDevice, Work};
use super::registers as reg;
use super::{TransportCounters, TransportState};
use crate::devices::console::ConsoleOutput;
use crate::devices::{AccessFault, Persist, StateError};
use crate::guest_memory::Unavailable;

/// One slot of the board: registers, queues, and a device if the slot has one.
#[derive(Debug)]
pub struct Transport {
    slot: usize,
    /// Everything but the queues and the device, which keep their own state.
    state: TransportState,
    queues: Vec<Queue>,
    device: Option<VirtioDevice>,
}

impl Transport {
    /// A slot with this number.
    pub fn new(slot: usize, device: Option<VirtioDevice>) -> Self {
        let count = device.as_ref().map_or(0, |device| device.behaviour().queue_count());
        let queues = (0..count).map(|_| Queue::default()).collect();
        Self { slot, state: TransportState::default(), queues, device }
    }

    /// The device, if the slot has one.
    pub fn device(&self) -> Option<&VirtioDevice> {
        self.device.as_ref()
    }

    /// The device, if the slot has one.
    pub fn device_mut(&mut self) -> Option<&mut VirtioDevice> {
        self.device.as_mut()
    }

    /// What was counted.
    pub fn counters(&self) -> TransportCounters {
        self.state.counters
    }

    /// Whether the interrupt line is asserted.
    pub fn interrupt(&self) -> bool {
        self.state.interrupt_status != 0
    }

    /// Whether a notified queue waits for memory.
    pub fn needs_memory(&self) -> bool {
        self.state.notified != 0
    }

    /// Reads a register.
    pub fn load(&self, offset: u64, bytes: usize) -> Result<u64, AccessFault> {
        if offset >= reg::CONFIG {
            return Ok(self.load_config(offset - reg::CONFIG, bytes));
        }
        if bytes != 4 || !offset.is_multiple_of(4) {
            return Err(AccessFault);
        }
        Ok(u64::from(self.load_register(offset)))
    }

    /// Writes a register. A doorbell makes the device work.
    pub fn store(
        &mut self,
        offset: u64,
        bytes: usize,
        value: u64,
        host: &mut DeviceHost<'_>,
    ) -> Result<(), AccessFault> {
        if offset >= reg::CONFIG {
            self.store_config(offset - reg::CONFIG, &value.to_le_bytes()[..bytes], host.console);
            return Ok(());
        }
        if bytes != 4 || !offset.is_multiple_of(4) {
            return Err(AccessFault);
        }
        if offset == reg::QUEUE_NOTIFY {
            self.notify(value as u32, host);
        } else {
            self.store_register(offset, value as u32);
        }
        Ok(())
    }

    /// Processes the queues that were notified.
    pub fn process(&mut self, host: &mut DeviceHost<'_>) -> Result<(), Unavailable> {
        while self.state.notified != 0 {
            let queue = self.state.notified.trailing_zeros();
            self.work(host, |device, work| device.process(work, queue as usize))?;
            self.state.notified &= !(1 << queue);
        }
        Ok(())
    }

    /// Has a queue processed as if the driver had rung for it: the host has something for it.
    pub fn offer(&mut self, queue: usize, host: &mut DeviceHost<'_>) -> Result<(), Unavailable> {
        if queue < self.queues.len() && self.is_working() {
            self.state.notified |= 1 << queue;
        }
        self.process(host)
    }

    /// A packet arrives. `false` if it was dropped.
    pub fn receive(
        &mut self,
        host: &mut DeviceHost<'_>,
        frame: &[u8],
    ) -> Result<bool, Unavailable> {
        if let Some(taken) = self.work(host, |device, work| device.receive(work, frame))? {
            return Ok(taken);
        }
        if let Some(VirtioDevice::Network(network)) = &mut self.device {
            network.count_drop();
        }
        Ok(false)
    }

    /// Asks the driver for fresh statistics. `false` if it cannot be asked.
    pub fn ask_statistics(&mut self, host: &mut DeviceHost<'_>) -> Result<bool, Unavailable> {
        let asked = self.work(host, |device, work| device.ask_statistics(work))?;
        Ok(asked.unwrap_or(false))
    }

    /// The host's part of a request is over: data moves and the driver is told.
    pub fn complete(
        &mut self,
        host: &mut DeviceHost<'_>,
        serial: u64,
        status: IoStatus,
    ) -> Result<Completion, Unavailable> {
        let done = self.work(host, |device, work| device.complete(work, serial, status))?;
        Ok(done.unwrap_or(Completion::Cancelled))
    }

    /// Lets the device of this slot do something with its queues. `None` if the device cannot
    /// work, or broke off because the driver broke the rules.
    pub fn work<T>(
        &mut self,
        host: &mut DeviceHost<'_>,
        act: impl FnOnce(&mut dyn Behaviour, &mut Work<'_, '_>) -> Result<T, QueueError>,
    ) -> Result<Option<T>, Unavailable> {
        if !self.is_working() {
            return Ok(None);
        }
        let Some(device) = &mut self.device else { return Ok(None) };
        let mut work =
            Work { host, queues: &mut self.queues, slot: self.slot, notify_driver: false };
        let outcome = act(device.behaviour_mut(), &mut work);
        if work.notify_driver {
            self.state.interrupt_status |= reg::INTERRUPT_USED;
            self.state.counters.interrupts += 1;
        }
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(QueueError::Unavailable(unavailable)) => Err(unavailable),
            Err(QueueError::Malformed(_)) => {
                self.fail();
                Ok(None)
            }
        }
    }

    /// Whether a driver runs the device, and has not broken the rules.
    pub fn is_working(&self) -> bool {
        let relevant = reg::STATUS_DRIVER_OK | reg::STATUS_NEEDS_RESET;
        self.state.status & relevant == reg::STATUS_DRIVER_OK
    }

    /// The driver broke the rules: stop until it resets the device. Requests that the host is
    /// working on can be handed back no more, so nothing has to wait for them.
    fn fail(&mut self) {
        self.state.status |= reg::STATUS_NEEDS_RESET;
        self.state.counters.failures += 1;
        self.state.notified = 0;
        if self.state.status & reg::STATUS_DRIVER_OK != 0 {
            self.state.interrupt_status |= reg::INTERRUPT_CONFIG;
        }
        if let Some(device) = &mut self.device {
            device.behaviour_mut().reset();
        }
    }

    /// The device has changed its configuration space: a driver that runs it is told.
    pub fn announce_config(&mut self) {
        self.state.config_generation = self.state.config_generation.wrapping_add(1);
        if self.is_working() {
            self.state.interrupt_status |= reg::INTERRUPT_CONFIG;
        }
    }

    fn notify(&mut self, queue: u32, host: &mut DeviceHost<'_>) {
        self.state.counters.notifications += 1;
        // A queue that waits for memory stays notified, and the board tells its owner.
        let _ = self.offer(queue as usize, host);
    }

    fn device_features(&self) -> u64 {
        let own = self.device.as_ref().map_or(0, |device| device.behaviour().features());
        own | reg::FEATURE_VERSION_1
    }

    fn load_register(&self, offset: u64) -> u32 {
        let device_id = self.device.as_ref().map_or(0, |device| device.behaviour().device_id());
        match offset {
            reg::MAGIC_VALUE => reg::MAGIC,
            reg::VERSION => reg::MODERN,
            reg::DEVICE_ID => device_id,
            reg::VENDOR_ID => reg::VENDOR,
            _ if self.device.is_none() => 0,
            reg::DEVICE_FEATURES => word(self.device_features(), self.state.device_features_select),
            reg::QUEUE_SIZE_MAX => self.selected_queue().map_or(0, |_| u32::from(MAXIMUM_SIZE)),
            reg::QUEUE_READY => {
                self.selected_queue().map_or(0, |queue| u32::from(queue.state.ready))
            }
            reg::INTERRUPT_STATUS => self.state.interrupt_status,
            reg::STATUS => self.state.status,
            offset if reg::SHARED_MEMORY.contains(&offset) => u32::MAX,
            reg::CONFIG_GENERATION => self.state.config_generation,
            // The other registers are for writing only.
            _ => 0,
        }
    }

    fn store_register(&mut self, offset: u64, value: u32) {
        if self.device.is_none() {
            return;
        }
        let state = &mut self.state;
        match offset {
            reg::DEVICE_FEATURES_SELECT => state.device_features_select = value,
            reg::DRIVER_FEATURES_SELECT => state.driver_features_select = value,
            reg::DRIVER_FEATURES => self.accept_features(value),
            reg::QUEUE_SELECT => state.queue_select = value,
            reg::INTERRUPT_ACKNOWLEDGE => state.interrupt_status &= !value,
            reg::STATUS => self.write_status(value),
            _ => self.store_queue_register(offset, value),
        }
    }

    fn accept_features(&mut self, value: u32) {
        let state = &mut self.state;
        if state.status & reg::STATUS_FEATURES_OK != 0 || state.driver_features_select > 1 {
            return;
        }
        let shift = 32 * state.driver_features_select;
        let kept = state.driver_features & !(u64::from(u32::MAX) << shift);
        state.driver_features = kept | u64::from(value) << shift;
    }

    fn write_status(&mut self, value: u32) {
        if value == 0 {
            self.reset();
            return;
        }
        let acceptable = self.state.driver_features & !self.device_features() == 0
            && self.state.driver_features & reg::FEATURE_VERSION_1 != 0;
        let newly_ok = value & !self.state.status & reg::STATUS_FEATURES_OK != 0;
        let refused = if newly_ok && !acceptable { reg::STATUS_FEATURES_OK } else { 0 };
        // The driver sets bits; only a reset clears them, and only the device sets NEEDS_RESET.
        self.state.status |= value & 0xff & !refused & !reg::STATUS_NEEDS_RESET;
    }

    /// Back to the state after power-on. Counters, and the device's serial numbers, go on.
    pub fn reset(&mut self) {
        let TransportState { config_generation, counters, .. } = self.state;
        self.state = TransportState { config_generation, counters, ..TransportState::default() };
        for queue in &mut self.queues {
            *queue = Queue::default();
        }
        if let Some(device) = &mut self.device {
            device.behaviour_mut().reset();
        }
    }

    fn selected_queue(&self) -> Option<&Queue> {
        self.queues.get(self.state.queue_select as usize)
    }

    fn store_queue_register(&mut self, offset: u64, value: u32) {
        let Some(queue) = self.queues.get_mut(self.state.queue_select as usize) else { return };
        if offset == reg::QUEUE_READY {
            self.write_queue_ready(value);
            return;
        }
        if queue.state.ready {
            return;
        }
        let state = &mut queue.state;
        let high = !offset.is_multiple_of(8);
        match offset & !7 {
            // A size that does not fit becomes one that is refused when the queue is made ready.
            reg::QUEUE_SIZE => state.size = u16::try_from(value).unwrap_or(0),
            reg::QUEUE_DESCRIPTOR => set_half(&mut state.descriptor_area, high, value),
            reg::QUEUE_DRIVER => set_half(&mut state.driver_area, high, value),
            reg::QUEUE_DEVICE => set_half(&mut state.device_area, high, value),
            _ => {}
        }
    }

    fn write_queue_ready(&mut self, value: u32) {
        let Some(queue) = self.queues.get_mut(self.state.queue_select as usize) else { return };
        if value & 1 == 0 {
            *queue = Queue::default();
        } else if !queue.state.ready && queue.make_ready().is_err() {
            self.fail();
        }
    }

    fn load_config(&self, offset: u64, bytes: usize) -> u64 {
        let Some(device) = &self.device else { return 0 };
        let config = device.behaviour().config();
        let mut value = [0; 8];
        for (index, byte) in value.iter_mut().take(bytes).enumerate() {
            *byte = config.get(offset as usize + index).copied().unwrap_or(0);
        }
        u64::from_le_bytes(value)
    }

    fn store_config(&mut self, offset: u64, bytes: &[u8], console: &mut ConsoleOutput) {
        if let Some(device) = &mut self.device {
            device.behaviour_mut().write_config(offset, bytes, console);
        }
    }
}

/// A 32-bit word of a 64-bit set; words past the second are empty.
fn word(set: u64, index: u32) -> u32 {
    set.checked_shr(index.saturating_mul(32)).unwrap_or(0) as u32
}

fn set_half(register: &mut u64, high: bool, value: u32) {
    let shift = if high { 32 } else { 0 };
    *register = *register & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
}

impl Persist for Transport {
    type State = TransportState;

    fn save(&self) -> TransportState {
        TransportState {
            queues: self.queues.iter().map(|queue| queue.state.clone()).collect(),
            device: self.device.as_ref().map(Persist::save),
            ..self.state.clone()
        }
    }

    fn restore(&mut self, state: &TransportState) -> Result<(), StateError> {
        let fits = state.queues.len() == self.queues.len()
            && state.notified >> self.queues.len() == 0
            && state.device.is_some() == self.device.is_some();
        StateError::unless(fits, "another kind of device in a slot")?;
        if let (Some(device), Some(saved)) = (&mut self.device, &state.device) {
            device.restore(saved)?;
        }
        for (queue, saved) in self.queues.iter_mut().zip(&state.queues) {
            queue.restore(saved)?;
        }
        self.state = TransportState { queues: Vec::new(), device: None, ..state.clone() };
        Ok(())
    }
}
