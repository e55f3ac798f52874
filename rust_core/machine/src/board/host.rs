//! The board as its owner sees it: requests, packets, consoles, power, snapshots; and what the
//! firmware does with it.

use super::{Board, BoardCounters, BoardState, map};
use crate::devices::aclint::Aclint;
use crate::devices::finisher::{PowerEvent, TestFinisher};
use crate::devices::plic::Plic;
use crate::devices::uart::Uart;
use crate::devices::virtio::balloon::BalloonDevice;
use crate::devices::virtio::block::BlockDevice;
use crate::devices::virtio::network::MAXIMUM_FRAME_BYTES;
use crate::devices::virtio::{
    Completion, DeviceRequest, IoStatus, RequestTag, Transport, VirtioDevice,
};
use crate::devices::{Persist, StateError};
use crate::disk_image::DiskImage;
use crate::guest_memory::{GuestMemory, Unavailable};

/// Requests and data from outside.
impl Board {
    /// Takes what the devices asked of their host.
    pub fn take_requests(&mut self) -> Vec<DeviceRequest> {
        std::mem::take(&mut self.requests)
    }

    /// The host's part of a request is over: data moves and the guest is told. If a page cannot be
    /// provided, nothing has happened, and the same call is to be made again.
    pub fn complete(
        &mut self,
        memory: &mut dyn GuestMemory,
        tag: RequestTag,
        status: IoStatus,
    ) -> Result<Completion, Unavailable> {
        if tag.slot() >= self.slots.len() {
            return Ok(Completion::Cancelled);
        }
        self.with_slot(memory, tag.slot(), |transport, host| {
            transport.complete(host, tag.serial(), status)
        })
    }

    /// A packet arrives at the network interface. `false` if it was dropped.
    pub fn receive_packet(
        &mut self,
        memory: &mut dyn GuestMemory,
        frame: &[u8],
    ) -> Result<bool, Unavailable> {
        if frame.len() > MAXIMUM_FRAME_BYTES {
            return Ok(false);
        }
        self.with_slot(memory, map::NETWORK_SLOT, |transport, host| transport.receive(host, frame))
    }

    /// Takes what the guest wrote to its consoles, in the order in which it wrote.
    pub fn console_output(&mut self) -> Vec<u8> {
        self.console.take()
    }

    /// Types at the console in use: the virtio console while a driver runs it, else the serial
    /// port. Returns how many bytes were accepted.
    pub fn console_input(
        &mut self,
        memory: &mut dyn GuestMemory,
        bytes: &[u8],
    ) -> Result<usize, Unavailable> {
        let slot = &mut self.slots[map::CONSOLE_SLOT];
        let in_use = slot.is_working();
        if let (true, Some(VirtioDevice::Console(console))) = (in_use, slot.device_mut()) {
            let accepted = console.accept(bytes);
            self.with_slot(memory, map::CONSOLE_SLOT, |slot, host| slot.offer(0, host))?;
            return Ok(accepted);
        }
        let accepted = self.uart.receive(bytes);
        self.update_uart_line();
        Ok(accepted)
    }

    /// Whether there are requests to take.
    pub fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Whether a device waits for memory that its host could not provide.
    pub fn needs_memory(&self) -> bool {
        self.slots.iter().any(Transport::needs_memory)
    }

    /// Lets the devices that wait for memory try again.
    pub fn retry(&mut self, memory: &mut dyn GuestMemory) -> Result<(), Unavailable> {
        for slot in 0..self.slots.len() {
            self.with_slot(memory, slot, Transport::process)?;
        }
        Ok(())
    }
}

/// Power, counters and snapshots.
impl Board {
    /// The number of harts.
    pub fn harts(&self) -> usize {
        self.harts
    }

    /// What the guest asked of the machine's power, if it did.
    pub fn power_state(&self) -> Option<PowerEvent> {
        self.finisher.event()
    }

    /// Puts all devices into their state after power-on. The disk keeps its content, the counters
    /// go on, and console output that nobody has taken stays.
    pub fn reset(&mut self) {
        self.finisher = TestFinisher::default();
        self.aclint = Aclint::new(self.harts);
        self.plic = Plic::new(2 * self.harts);
        self.uart = Uart::default();
        self.requests.clear();
        for slot in &mut self.slots {
            slot.reset();
        }
    }

    /// The disk's content, if there is a disk.
    pub fn disk(&self) -> Option<&DiskImage> {
        self.block().map(BlockDevice::disk)
    }

    /// What all devices counted.
    pub fn counters(&self) -> BoardCounters {
        let mut counters = BoardCounters {
            plic: self.plic.counters(),
            uart: self.uart.counters(),
            ..BoardCounters::default()
        };
        for slot in &self.slots {
            match slot.device() {
                Some(VirtioDevice::Block(device)) => counters.block = device.counters(),
                Some(VirtioDevice::Network(device)) => counters.network = device.counters(),
                Some(VirtioDevice::Console(device)) => counters.console = device.counters(),
                Some(VirtioDevice::Entropy(device)) => counters.entropy = device.counters(),
                Some(VirtioDevice::Balloon(device)) => counters.balloon = device.counters(),
                None => {}
            }
            counters.virtio.add(slot.counters());
        }
        counters
    }

    /// The number of requests that the host is working on.
    pub fn in_flight(&self) -> usize {
        let balloon = self.balloon().map_or(0, BalloonDevice::in_flight);
        self.block().map_or(0, BlockDevice::in_flight) + balloon
    }

    fn block(&self) -> Option<&BlockDevice> {
        match self.slots[map::BLOCK_SLOT].device() {
            Some(VirtioDevice::Block(block)) => Some(block),
            _ => None,
        }
    }
}

/// The balloon.
impl Board {
    /// The balloon, if there is one.
    pub fn balloon(&self) -> Option<&BalloonDevice> {
        match self.slots[map::BALLOON_SLOT].device() {
            Some(VirtioDevice::Balloon(balloon)) => Some(balloon),
            _ => None,
        }
    }

    /// Sets how many pages the balloon shall hold, and tells the driver if that is new.
    pub fn set_balloon_target(&mut self, pages: u32) {
        let slot = &mut self.slots[map::BALLOON_SLOT];
        if let Some(VirtioDevice::Balloon(balloon)) = slot.device_mut()
            && balloon.set_target(pages)
        {
            slot.announce_config();
            let raised = slot.interrupt();
            self.plic.set_line(map::virtio_interrupt(map::BALLOON_SLOT), raised);
        }
    }

    /// Asks the balloon's driver for fresh statistics. `false` if nobody can be asked.
    pub fn ask_balloon_statistics(
        &mut self,
        memory: &mut dyn GuestMemory,
    ) -> Result<bool, Unavailable> {
        self.with_slot(memory, map::BALLOON_SLOT, Transport::ask_statistics)
    }
}

/// What firmware does with a board beside accessing its registers.
impl Board {
    /// Writes to the debug console.
    pub fn write_console(&mut self, bytes: &[u8]) {
        self.console.write(bytes);
    }

    /// Reads a byte that was typed at the serial port.
    pub fn read_console(&mut self) -> Option<u8> {
        let byte = self.uart.take_received();
        self.update_uart_line();
        byte
    }

    /// Asks for a change of power.
    pub fn request_power(&mut self, event: PowerEvent) {
        self.finisher.request(event);
    }
}

impl Persist for Board {
    type State = BoardState;

    fn save(&self) -> BoardState {
        BoardState {
            finisher: self.finisher.save(),
            aclint: self.aclint.save(),
            plic: self.plic.save(),
            uart: self.uart.save(),
            slots: self.slots.iter().map(Persist::save).collect(),
            console: self.console.clone(),
            requests: self.requests.clone(),
            disk: self.disk().cloned(),
        }
    }

    /// A state that is refused leaves the board as it was.
    fn restore(&mut self, state: &BoardState) -> Result<(), StateError> {
        let before = self.save();
        let restored = self.try_restore(state);
        if restored.is_err() {
            // The board's own state fits it.
            let _ = self.try_restore(&before);
        }
        restored
    }
}

impl Board {
    fn try_restore(&mut self, state: &BoardState) -> Result<(), StateError> {
        StateError::unless(state.slots.len() == self.slots.len(), "another number of slots")?;
        if let (Some(VirtioDevice::Block(block)), Some(disk)) =
            (self.slots[map::BLOCK_SLOT].device_mut(), &state.disk)
        {
            block.replace_disk(disk.clone())?;
        }
        self.finisher.restore(&state.finisher)?;
        self.aclint.restore(&state.aclint)?;
        self.plic.restore(&state.plic)?;
        self.uart.restore(&state.uart)?;
        for (slot, saved) in self.slots.iter_mut().zip(&state.slots) {
            slot.restore(saved)?;
        }
        self.console = state.console.clone();
        self.requests.clone_from(&state.requests);
        Ok(())
    }
}
