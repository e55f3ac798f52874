//! A mock virtio driver: it owns a small guest memory and a slot, sets the slot's registers and
//! lays out rings as a guest would, honestly or not.

use crate::devices::console::ConsoleOutput;
use crate::devices::virtio::{
    Completion, DeviceHost, DeviceRequest, IoStatus, RequestTag, Transport, VirtioDevice,
};
use crate::guest_memory::Unavailable;
use dcsim_memory::{Frames, Memory, PageId, PageStore, PhysicalAddress};

const BASE: u64 = 0x8000_0000;
const PAGES: u64 = 512;

/// One buffer of a request.
#[derive(Copy, Clone, Debug)]
pub struct Descriptor {
    /// Guest-physical address.
    pub address: u64,
    /// Length in bytes.
    pub length: u32,
    /// Whether the device may write it.
    pub writable: bool,
}

impl Descriptor {
    /// A buffer that the device reads.
    pub fn readable(address: u64, length: u32) -> Self {
        Self { address, length, writable: false }
    }

    /// A buffer that the device writes.
    pub fn writable(address: u64, length: u32) -> Self {
        Self { address, length, writable: true }
    }
}

/// Where a queue lies in guest memory.
#[derive(Copy, Clone, Debug)]
pub struct QueueLayout {
    /// The number of descriptors.
    pub size: u16,
    /// The descriptor table.
    pub descriptors: u64,
    /// The available ring.
    pub available: u64,
    /// The used ring.
    pub used: u64,
    next_descriptor: u16,
    next_available: u16,
    next_used: u16,
}

/// A driver with its guest.
#[derive(Debug)]
pub struct VirtioDriver {
    /// The slot with the device.
    pub transport: Transport,
    /// What the device wrote to the console.
    pub console: ConsoleOutput,
    /// The queues that were set up, by number.
    pub queues: Vec<QueueLayout>,
    requests: Vec<DeviceRequest>,
    store: PageStore,
    frames: Frames,
    next_free: u64,
}

impl VirtioDriver {
    /// A driver for a device that is still untouched.
    pub fn new(device: VirtioDevice) -> Self {
        Self::with_slot(Transport::new(0, Some(device)))
    }

    /// A driver for a slot.
    pub fn with_slot(transport: Transport) -> Self {
        Self {
            transport,
            console: ConsoleOutput::default(),
            queues: Vec::new(),
            requests: Vec::new(),
            store: PageStore::new(4096 * (PAGES + 8)),
            frames: Frames::new(PhysicalAddress(BASE), PAGES),
            next_free: BASE,
        }
    }

    /// A driver that negotiated all features and set up all queues with `size` descriptors.
    pub fn ready(device: VirtioDevice, size: u16) -> Self {
        let queues = device.behaviour().queue_count();
        let features = device.behaviour().features() | 1 << 32;
        let mut driver = Self::new(device);
        assert!(driver.negotiate(features), "features refused");
        for queue in 0..queues {
            driver.set_up_queue(queue as u32, size);
        }
        driver.write(0x70, 0xf);
        driver
    }

    /// Reads a register.
    pub fn read(&self, offset: u64) -> u32 {
        self.transport.load(offset, 4).unwrap() as u32
    }

    /// Writes a register.
    pub fn write(&mut self, offset: u64, value: u32) {
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let mut host = DeviceHost {
            memory: &mut memory,
            console: &mut self.console,
            requests: &mut self.requests,
        };
        self.transport.store(offset, 4, u64::from(value), &mut host).unwrap();
    }

    /// Goes through the status register up to `FEATURES_OK`. Whether the device accepted.
    pub fn negotiate(&mut self, features: u64) -> bool {
        self.write(0x70, 0);
        self.write(0x70, 1);
        self.write(0x70, 3);
        for word in [0, 1] {
            self.write(0x24, word);
            self.write(0x20, (features >> (32 * word)) as u32);
        }
        self.write(0x70, 0xb);
        self.read(0x70) & 8 != 0
    }

    /// Allocates a queue and makes it ready.
    pub fn set_up_queue(&mut self, queue: u32, size: u16) {
        let layout = QueueLayout {
            size,
            descriptors: self.allocate(16 * usize::from(size)),
            available: self.allocate(6 + 2 * usize::from(size)),
            used: self.allocate(6 + 8 * usize::from(size)),
            next_descriptor: 0,
            next_available: 0,
            next_used: 0,
        };
        self.write(0x30, queue);
        self.write(0x38, u32::from(size));
        for (register, address) in
            [(0x80, layout.descriptors), (0x90, layout.available), (0xa0, layout.used)]
        {
            self.write(register, address as u32);
            self.write(register + 4, (address >> 32) as u32);
        }
        self.write(0x44, 1);
        self.queues.truncate(queue as usize);
        self.queues.push(layout);
    }

    /// Guest memory of this many bytes, zeroed and aligned to 16 bytes.
    pub fn allocate(&mut self, bytes: usize) -> u64 {
        let address = self.next_free;
        self.next_free += (bytes as u64).next_multiple_of(16);
        assert!(self.next_free <= BASE + PAGES * 4096, "the mock guest is out of memory");
        address
    }

    /// Guest memory with this content.
    pub fn allocate_with(&mut self, content: &[u8]) -> u64 {
        let address = self.allocate(content.len());
        self.put(address, content);
        address
    }

    /// Reads guest memory.
    pub fn get(&mut self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.memory().read(PhysicalAddress(address), &mut bytes).unwrap();
        bytes
    }

    /// Writes guest memory.
    pub fn put(&mut self, address: u64, bytes: &[u8]) {
        self.memory().write(PhysicalAddress(address), bytes).unwrap();
    }

    /// The guest's memory.
    pub fn memory(&mut self) -> Memory<'_> {
        Memory { store: &mut self.store, frames: &mut self.frames }
    }

    /// Takes every page that the store still has. Returns them.
    pub fn fill_store(&mut self) -> Vec<PageId> {
        std::iter::from_fn(|| self.store.insert(&[1; 4096]).ok()).collect()
    }

    /// Gives pages back to the store.
    pub fn release(&mut self, pages: Vec<PageId>) {
        for page in pages {
            self.store.release(page);
        }
    }

    /// The first address behind the guest's memory.
    pub fn memory_end(&self) -> u64 {
        BASE + PAGES * 4096
    }

    /// Lays out a chain and makes it available, without a doorbell. Returns its head.
    pub fn offer(&mut self, queue: usize, chain: &[Descriptor]) -> u16 {
        let layout = self.queues[queue];
        let head = layout.next_descriptor;
        for (index, descriptor) in chain.iter().enumerate() {
            let last = index + 1 == chain.len();
            let place = (head + index as u16) % layout.size;
            let flags = u16::from(!last) | u16::from(descriptor.writable) << 1;
            self.put_descriptor(queue, place, *descriptor, flags, (place + 1) % layout.size);
        }
        self.queues[queue].next_descriptor = (head + chain.len() as u16) % layout.size;
        self.publish(queue, head);
        head
    }

    /// Writes one descriptor as it is told to.
    pub fn put_descriptor(
        &mut self,
        queue: usize,
        place: u16,
        descriptor: Descriptor,
        flags: u16,
        next: u16,
    ) {
        let mut raw = Vec::new();
        raw.extend(descriptor.address.to_le_bytes());
        raw.extend(descriptor.length.to_le_bytes());
        raw.extend(flags.to_le_bytes());
        raw.extend(next.to_le_bytes());
        let table = self.queues[queue].descriptors;
        self.put(table + 16 * u64::from(place), &raw);
    }

    /// Puts a head into the available ring.
    pub fn publish(&mut self, queue: usize, head: u16) {
        let layout = self.queues[queue];
        let slot = u64::from(layout.next_available % layout.size);
        self.put(layout.available + 4 + 2 * slot, &head.to_le_bytes());
        self.set_available_index(queue, layout.next_available.wrapping_add(1));
    }

    /// Writes the index of the available ring.
    pub fn set_available_index(&mut self, queue: usize, index: u16) {
        self.queues[queue].next_available = index;
        self.put(self.queues[queue].available + 2, &index.to_le_bytes());
    }

    /// Rings the doorbell.
    pub fn notify(&mut self, queue: usize) {
        self.write(0x50, queue as u32);
    }

    /// Offers a chain and rings the doorbell.
    pub fn send(&mut self, queue: usize, chain: &[Descriptor]) -> u16 {
        let head = self.offer(queue, chain);
        self.notify(queue);
        head
    }

    /// The next used element, if the device has handed one back: head and written length.
    pub fn take_used(&mut self, queue: usize) -> Option<(u16, u32)> {
        let layout = self.queues[queue];
        let index = u16::from_le_bytes(self.get(layout.used + 2, 2).try_into().unwrap());
        if index == layout.next_used {
            return None;
        }
        let slot = u64::from(layout.next_used % layout.size);
        let element = self.get(layout.used + 4 + 8 * slot, 8);
        self.queues[queue].next_used = layout.next_used.wrapping_add(1);
        let head = u32::from_le_bytes(element[..4].try_into().unwrap());
        Some((head as u16, u32::from_le_bytes(element[4..].try_into().unwrap())))
    }

    /// Takes what the device asked of its host.
    pub fn take_requests(&mut self) -> Vec<DeviceRequest> {
        std::mem::take(&mut self.requests)
    }

    /// Completes a request as the host.
    pub fn complete(
        &mut self,
        tag: RequestTag,
        status: IoStatus,
    ) -> Result<Completion, Unavailable> {
        self.with_host(|transport, host| transport.complete(host, tag.serial(), status))
    }

    /// Does something with the slot and what lies around it.
    pub fn with_host<T>(
        &mut self,
        act: impl FnOnce(&mut Transport, &mut DeviceHost<'_>) -> T,
    ) -> T {
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let mut host = DeviceHost {
            memory: &mut memory,
            console: &mut self.console,
            requests: &mut self.requests,
        };
        act(&mut self.transport, &mut host)
    }

    /// Whether the device has asked for a reset.
    pub fn needs_reset(&self) -> bool {
        self.read(0x70) & 0x40 != 0
    }

    /// Reads and acknowledges the interrupt status.
    pub fn acknowledge(&mut self) -> u32 {
        let status = self.read(0x60);
        self.write(0x64, status);
        status
    }
}
