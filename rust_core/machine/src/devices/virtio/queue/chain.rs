//! Descriptor chains.
//!
//! A descriptor is 16 bytes (section 2.7.5): address (8), length (4), flags (2), next (2).

use super::{Buffers, QueueError, Segment};
use crate::guest_memory::GuestMemory;

/// Bytes of a descriptor.
pub const DESCRIPTOR_BYTES: u64 = 16;

const FLAG_NEXT: u16 = 1;
const FLAG_WRITE: u16 = 2;
const FLAG_INDIRECT: u16 = 4;

/// A request as the driver laid it out: what the device may read, then what it may write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// The first descriptor, by which the driver will know the request again.
    pub head: u16,
    /// What the device may read.
    pub readable: Buffers,
    /// What the device may write.
    pub writable: Buffers,
}

struct Descriptor {
    segment: Segment,
    flags: u16,
    next: u16,
}

impl Chain {
    /// Follows the chain from `head` through a table of `size` descriptors.
    pub fn read(
        memory: &dyn GuestMemory,
        table: u64,
        size: u16,
        head: u16,
    ) -> Result<Self, QueueError> {
        let mut chain = Self { head, readable: Buffers::default(), writable: Buffers::default() };
        let mut index = head;
        for _ in 0..size {
            if index >= size {
                return Err(QueueError::Malformed("a descriptor outside the table"));
            }
            let descriptor = read_descriptor(memory, table, index)?;
            chain.append(&descriptor)?;
            if descriptor.flags & FLAG_NEXT == 0 {
                return Ok(chain);
            }
            index = descriptor.next;
        }
        Err(QueueError::Malformed("a chain longer than its queue"))
    }

    fn append(&mut self, descriptor: &Descriptor) -> Result<(), QueueError> {
        let Segment { address, length } = descriptor.segment;
        if descriptor.flags & FLAG_INDIRECT != 0 {
            return Err(QueueError::Malformed("an indirect table that was not negotiated"));
        }
        if address.checked_add(u64::from(length)).is_none() {
            return Err(QueueError::Malformed("a buffer past the end of the address space"));
        }
        if descriptor.flags & FLAG_WRITE != 0 {
            self.writable.push(descriptor.segment);
        } else if self.writable.segment_count() > 0 {
            return Err(QueueError::Malformed("a readable buffer behind a writable one"));
        } else {
            self.readable.push(descriptor.segment);
        }
        Ok(())
    }
}

fn read_descriptor(
    memory: &dyn GuestMemory,
    table: u64,
    index: u16,
) -> Result<Descriptor, QueueError> {
    let mut raw = [0; DESCRIPTOR_BYTES as usize];
    let address = table
        .checked_add(u64::from(index) * DESCRIPTOR_BYTES)
        .ok_or(QueueError::Malformed("a table past the end of the address space"))?;
    memory.read(address, &mut raw)?;
    let [a0, a1, a2, a3, a4, a5, a6, a7, l0, l1, l2, l3, f0, f1, n0, n1] = raw;
    Ok(Descriptor {
        segment: Segment {
            address: u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
        },
        flags: u16::from_le_bytes([f0, f1]),
        next: u16::from_le_bytes([n0, n1]),
    })
}
