//! The board as harts see it: registers by address, and interrupt lines.

use super::{BoardConfig, map};
use crate::devices::AccessFault;
use crate::devices::aclint::Aclint;
use crate::devices::console::ConsoleOutput;
use crate::devices::finisher::TestFinisher;
use crate::devices::plic::Plic;
use crate::devices::uart::Uart;
use crate::devices::virtio::balloon::BalloonDevice;
use crate::devices::virtio::block::BlockDevice;
use crate::devices::virtio::console::VirtioConsole;
use crate::devices::virtio::entropy::EntropyDevice;
use crate::devices::virtio::network::NetworkDevice;
use crate::devices::virtio::{DeviceHost, DeviceRequest, Transport, VirtioDevice};
use crate::guest_memory::GuestMemory;
use dcsim_hart::{Bus, BusError, Clock, InterruptLines, Signal, Width};
use dcsim_memory::Memory;

/// All devices of a machine.
#[derive(Debug)]
pub struct Board {
    pub(super) harts: usize,
    /// Only converts cycles to `time`; the harts have the clocks that run.
    pub(super) clock: Clock,
    pub(super) finisher: TestFinisher,
    pub(super) aclint: Aclint,
    pub(super) plic: Plic,
    pub(super) uart: Uart,
    pub(super) slots: Vec<Transport>,
    pub(super) console: ConsoleOutput,
    pub(super) requests: Vec<DeviceRequest>,
}

/// What an address means.
enum Place {
    Finisher(u64),
    Aclint(u64),
    Plic(u64),
    Uart(u64),
    Slot(usize, u64),
}

impl Board {
    /// A board after power-on.
    pub fn new(config: &BoardConfig) -> Self {
        Self {
            harts: config.harts,
            clock: Clock::new(config.hz, config.timebase_hz),
            finisher: TestFinisher::default(),
            aclint: Aclint::new(config.harts),
            plic: Plic::new(2 * config.harts),
            uart: Uart::default(),
            slots: slots(config),
            console: ConsoleOutput::default(),
            requests: Vec::new(),
        }
    }

    /// Reads a register at cycle `now_cycles`.
    pub fn load(&mut self, address: u64, width: Width, now_cycles: u64) -> Result<u64, BusError> {
        let bytes = width.bytes() as usize;
        let value = match place(address, width).ok_or(BusError)? {
            Place::Finisher(_) => Ok(self.finisher.load()),
            Place::Aclint(offset) => self.aclint.load(offset, bytes, self.time_at(now_cycles)),
            Place::Plic(offset) => self.plic.load(offset, bytes),
            Place::Uart(offset) => self.load_uart(offset, bytes),
            Place::Slot(slot, offset) => self.slots[slot].load(offset, bytes),
        };
        value.map_err(|AccessFault| BusError)
    }

    /// Writes a register.
    pub fn store(
        &mut self,
        memory: &mut dyn GuestMemory,
        address: u64,
        width: Width,
        value: u64,
    ) -> Result<Signal, BusError> {
        let bytes = width.bytes() as usize;
        let done = match place(address, width).ok_or(BusError)? {
            Place::Finisher(offset) => {
                self.finisher.store(offset, value);
                Ok(())
            }
            Place::Aclint(offset) => self.aclint.store(offset, bytes, value),
            Place::Plic(offset) => self.plic.store(offset, bytes, value),
            Place::Uart(offset) => self.store_uart(offset, bytes, value),
            Place::Slot(slot, offset) => self.store_slot(memory, slot, offset, bytes, value),
        };
        done.map_err(|AccessFault| BusError)?;
        Ok(if self.wants_attention() { Signal::Stop } else { Signal::Interrupts })
    }

    /// Whether the board's owner has something to do: requests, a change of power, or a device
    /// that waits for memory.
    pub fn wants_attention(&self) -> bool {
        self.has_requests() || self.finisher.event().is_some() || self.needs_memory()
    }

    /// The interrupt inputs of a hart.
    pub fn lines(&self, hart: usize) -> InterruptLines {
        InterruptLines {
            machine_external: self.plic.notifies(2 * hart),
            supervisor_external: self.plic.notifies(2 * hart + 1),
            machine_software: self.aclint.software_interrupt(hart),
            machine_timer_compare: self.aclint.compare(hart),
        }
    }

    /// The value of `mtime` at a cycle.
    pub fn time_at(&self, cycles: u64) -> u64 {
        let mut clock = self.clock;
        clock.cycles = cycles;
        clock.time()
    }

    fn load_uart(&mut self, offset: u64, bytes: usize) -> Result<u64, AccessFault> {
        if bytes != 1 {
            return Err(AccessFault);
        }
        let value = self.uart.load(offset)?;
        self.update_uart_line();
        Ok(u64::from(value))
    }

    fn store_uart(&mut self, offset: u64, bytes: usize, value: u64) -> Result<(), AccessFault> {
        if bytes != 1 {
            return Err(AccessFault);
        }
        self.uart.store(offset, value as u8, &mut self.console)?;
        self.update_uart_line();
        Ok(())
    }

    fn store_slot(
        &mut self,
        memory: &mut dyn GuestMemory,
        slot: usize,
        offset: u64,
        bytes: usize,
        value: u64,
    ) -> Result<(), AccessFault> {
        self.with_slot(memory, slot, |transport, host| transport.store(offset, bytes, value, host))
    }

    /// Does something with a slot; its interrupt line follows.
    pub(super) fn with_slot<T>(
        &mut self,
        memory: &mut dyn GuestMemory,
        slot: usize,
        act: impl FnOnce(&mut Transport, &mut DeviceHost<'_>) -> T,
    ) -> T {
        let mut host =
            DeviceHost { memory, console: &mut self.console, requests: &mut self.requests };
        let result = act(&mut self.slots[slot], &mut host);
        self.plic.set_line(map::virtio_interrupt(slot), self.slots[slot].interrupt());
        result
    }

    pub(super) fn update_uart_line(&mut self) {
        self.plic.set_line(map::UART_INTERRUPT, self.uart.interrupt());
    }
}

impl Bus for Board {
    fn load(
        &mut self,
        _memory: &mut Memory<'_>,
        address: u64,
        width: Width,
        now_cycles: u64,
    ) -> Result<u64, BusError> {
        Self::load(self, address, width, now_cycles)
    }

    fn store(
        &mut self,
        memory: &mut Memory<'_>,
        address: u64,
        width: Width,
        value: u64,
        _now_cycles: u64,
    ) -> Result<Signal, BusError> {
        Self::store(self, memory, address, width, value)
    }

    fn interrupt_lines(&self, hart: usize) -> InterruptLines {
        self.lines(hart)
    }
}

fn place(address: u64, width: Width) -> Option<Place> {
    let within = |region: map::Region| region.offset_of(address, width.bytes());
    if let Some(offset) = within(map::VIRTIO) {
        let slot = (offset / map::VIRTIO_SLOT_BYTES) as usize;
        return Some(Place::Slot(slot, offset % map::VIRTIO_SLOT_BYTES));
    }
    within(map::UART)
        .map(Place::Uart)
        .or_else(|| within(map::PLIC).map(Place::Plic))
        .or_else(|| within(map::ACLINT).map(Place::Aclint))
        .or_else(|| within(map::FINISHER).map(Place::Finisher))
}

fn slots(config: &BoardConfig) -> Vec<Transport> {
    let device = |slot| match slot {
        map::BLOCK_SLOT => {
            config.disk.clone().map(|disk| VirtioDevice::Block(BlockDevice::new(disk)))
        }
        map::NETWORK_SLOT => {
            config.network.then(|| VirtioDevice::Network(NetworkDevice::new(config.mac)))
        }
        map::CONSOLE_SLOT => {
            config.console.then(|| VirtioDevice::Console(VirtioConsole::default()))
        }
        map::ENTROPY_SLOT => Some(VirtioDevice::Entropy(EntropyDevice::new(config.entropy_seed))),
        map::BALLOON_SLOT => {
            let balloon = BalloonDevice::new(config.ram_bytes, config.free_page_reporting);
            config.balloon.then_some(VirtioDevice::Balloon(balloon))
        }
        _ => None,
    };
    (0..map::VIRTIO_SLOTS).map(|slot| Transport::new(slot, device(slot))).collect()
}
