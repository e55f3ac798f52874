//! A split virtqueue: the descriptor table, the available ring and the used ring.
//!
//! ```text
//! available ring (driver writes)        used ring (device writes)
//!   +0  flags   bit 0: no interrupt       +0  flags
//!   +2  idx                               +2  idx
//!   +4  ring[size] of u16 heads           +4  ring[size] of { id: u32, len: u32 }
//! ```

use super::chain::DESCRIPTOR_BYTES;
use super::{Chain, QueueError};
use crate::devices::StateError;
use crate::guest_memory::{Direction, GuestMemory, GuestRange};
use serde::{Deserialize, Serialize};

/// The most descriptors that any queue of this machine has.
pub const MAXIMUM_SIZE: u16 = 256;

const FLAG_NO_INTERRUPT: u16 = 1;
const RING_OFFSET: u64 = 4;
const INDEX_OFFSET: u64 = 2;
const USED_ELEMENT_BYTES: u64 = 8;

/// The state of a [`Queue`], as the registers set it and as it moved on since.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct QueueState {
    /// The number of descriptors.
    pub size: u16,
    /// Whether the device may use the queue.
    pub ready: bool,
    /// Guest-physical address of the descriptor table.
    pub descriptor_area: u64,
    /// Guest-physical address of the available ring.
    pub driver_area: u64,
    /// Guest-physical address of the used ring.
    pub device_area: u64,
    /// Where the device will look next in the available ring; runs freely.
    pub next_available: u16,
    /// Where the device will put its next used element; runs freely.
    pub next_used: u16,
}

/// The device's side of a split virtqueue.
#[derive(Debug, Default)]
pub struct Queue {
    /// Addresses, size and positions.
    pub state: QueueState,
}

impl Queue {
    /// Checks what the driver set up and begins to use the queue.
    pub fn make_ready(&mut self) -> Result<(), QueueError> {
        let state = &mut self.state;
        if !state.size.is_power_of_two() || state.size > MAXIMUM_SIZE {
            return Err(QueueError::Malformed("a queue size that was not offered"));
        }
        let aligned = state.descriptor_area.is_multiple_of(DESCRIPTOR_BYTES)
            && state.driver_area.is_multiple_of(2)
            && state.device_area.is_multiple_of(4);
        if !aligned {
            return Err(QueueError::Malformed("a misaligned queue"));
        }
        state.next_available = 0;
        state.next_used = 0;
        state.ready = true;
        Ok(())
    }

    /// The next request, without taking it. Nothing while the queue is not ready.
    pub fn peek(&self, memory: &dyn GuestMemory) -> Result<Option<Chain>, QueueError> {
        let state = &self.state;
        if !state.ready {
            return Ok(None);
        }
        let index = read_u16(memory, state.driver_area, INDEX_OFFSET)?;
        let waiting = index.wrapping_sub(state.next_available);
        if waiting == 0 {
            return Ok(None);
        }
        if waiting > state.size {
            return Err(QueueError::Malformed("more requests than descriptors"));
        }
        let slot = u64::from(state.next_available % state.size);
        let head = read_u16(memory, state.driver_area, RING_OFFSET + 2 * slot)?;
        Chain::read(memory, state.descriptor_area, state.size, head).map(Some)
    }

    /// Takes the request that [`Queue::peek`] showed.
    pub fn advance(&mut self) {
        self.state.next_available = self.state.next_available.wrapping_add(1);
    }

    /// The ranges that [`Queue::push_used`] and [`Queue::wants_interrupt`] will touch.
    pub fn completion_ranges(&self) -> Result<[GuestRange; 3], QueueError> {
        let range = |address, length, direction| GuestRange { address, length, direction };
        let used_index = offset(self.state.device_area, INDEX_OFFSET)?;
        Ok([
            range(self.used_element()?, USED_ELEMENT_BYTES, Direction::Write),
            range(used_index, 2, Direction::Write),
            range(self.state.driver_area, 2, Direction::Read),
        ])
    }

    /// Hands a request back to the driver, `written` bytes of its buffers having been written.
    pub fn push_used(
        &mut self,
        memory: &mut dyn GuestMemory,
        head: u16,
        written: u32,
    ) -> Result<(), QueueError> {
        let mut element = [0; USED_ELEMENT_BYTES as usize];
        element[..4].copy_from_slice(&u32::from(head).to_le_bytes());
        element[4..].copy_from_slice(&written.to_le_bytes());
        memory.write(self.used_element()?, &element)?;
        let next = self.state.next_used.wrapping_add(1);
        memory.write(offset(self.state.device_area, INDEX_OFFSET)?, &next.to_le_bytes())?;
        self.state.next_used = next;
        Ok(())
    }

    /// Whether the driver wants to hear of used requests.
    pub fn wants_interrupt(&self, memory: &dyn GuestMemory) -> Result<bool, QueueError> {
        Ok(read_u16(memory, self.state.driver_area, 0)? & FLAG_NO_INTERRUPT == 0)
    }

    /// Refuses positions and sizes that no queue can have.
    pub fn restore(&mut self, state: &QueueState) -> Result<(), StateError> {
        let fits = !state.ready || (state.size.is_power_of_two() && state.size <= MAXIMUM_SIZE);
        StateError::unless(fits, "a queue size that was never offered")?;
        self.state = state.clone();
        Ok(())
    }

    fn used_element(&self) -> Result<u64, QueueError> {
        let slot = u64::from(self.state.next_used % self.state.size.max(1));
        offset(self.state.device_area, RING_OFFSET + USED_ELEMENT_BYTES * slot)
    }
}

fn offset(base: u64, offset: u64) -> Result<u64, QueueError> {
    base.checked_add(offset)
        .ok_or(QueueError::Malformed("a ring past the end of the address space"))
}

fn read_u16(memory: &dyn GuestMemory, base: u64, distance: u64) -> Result<u16, QueueError> {
    let mut bytes = [0; 2];
    memory.read(offset(base, distance)?, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}
