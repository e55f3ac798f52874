//! The memory map, as QEMU's `virt` machine has it.
//!
//! ```text
//! 0x0010_0000  test finisher                 0x1000
//! 0x0200_0000  core-local interruptor        0x1_0000
//! 0x0c00_0000  interrupt controller          0x60_0000
//! 0x1000_0000  serial port                   0x100      interrupt 10
//! 0x1000_1000  virtio slots 0 to 7           0x1000     interrupts 1 to 8
//! 0x8000_0000  memory
//! ```

use crate::devices::virtio::transport::QUEUE_NOTIFY;

/// An address range.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Region {
    /// The first address.
    pub base: u64,
    /// The length in bytes.
    pub bytes: u64,
}

impl Region {
    /// The offset of an access that lies in the region whole.
    pub fn offset_of(self, address: u64, bytes: u64) -> Option<u64> {
        let offset = address.checked_sub(self.base)?;
        (offset < self.bytes && bytes <= self.bytes - offset).then_some(offset)
    }
}

/// The test finisher.
pub const FINISHER: Region = Region { base: 0x0010_0000, bytes: 0x1000 };
/// The core-local interruptor.
pub const ACLINT: Region = Region { base: 0x0200_0000, bytes: 0x1_0000 };
/// The platform-level interrupt controller.
pub const PLIC: Region = Region { base: 0x0c00_0000, bytes: 0x60_0000 };
/// The serial port.
pub const UART: Region = Region { base: 0x1000_0000, bytes: 0x100 };
/// The interrupt of the serial port.
pub const UART_INTERRUPT: usize = 10;
/// The input clock of the serial port.
pub const UART_HZ: u32 = 3_686_400;
/// All virtio slots.
pub const VIRTIO: Region = Region { base: 0x1000_1000, bytes: VIRTIO_SLOT_BYTES * 8 };
/// Bytes of one virtio slot.
pub const VIRTIO_SLOT_BYTES: u64 = 0x1000;
/// The number of virtio slots.
pub const VIRTIO_SLOTS: usize = 8;
/// The first address of memory.
pub const MEMORY_BASE: u64 = 0x8000_0000;
/// Where a kernel is entered: the first 2 MiB belong to the firmware.
pub const KERNEL_BASE: u64 = 0x8020_0000;

/// The slot of the block device.
pub const BLOCK_SLOT: usize = 0;
/// The slot of the network device.
pub const NETWORK_SLOT: usize = 1;
/// The slot of the console device.
pub const CONSOLE_SLOT: usize = 2;
/// The slot of the entropy device.
pub const ENTROPY_SLOT: usize = 3;
/// The slot of the balloon.
pub const BALLOON_SLOT: usize = 4;

/// Whether an address is that of a virtio device's doorbell.
pub fn is_doorbell(address: u64) -> bool {
    VIRTIO.offset_of(address, 1).is_some_and(|offset| offset % VIRTIO_SLOT_BYTES == QUEUE_NOTIFY)
}

/// The registers of a slot.
pub fn virtio_slot(slot: usize) -> Region {
    Region { base: VIRTIO.base + slot as u64 * VIRTIO_SLOT_BYTES, bytes: VIRTIO_SLOT_BYTES }
}

/// The interrupt of a slot.
pub fn virtio_interrupt(slot: usize) -> usize {
    slot + 1
}
