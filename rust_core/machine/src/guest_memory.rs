//! Memory as devices reach it: by guest-physical address, with a reservation step.
//!
//! A device of a bare machine writes to that machine's frames; the same device in a VM's virtual
//! board writes through the monitor's map of guest pages. Both stand behind [`GuestMemory`]. A
//! device that moves data first reserves every range that it will touch: afterwards none of the
//! accesses can fail, so that a completion happens whole or not at all.

use dcsim_memory::{Memory, MemoryError, PAGE_BYTES, PhysicalAddress};

/// Why guest memory could not be accessed.
#[derive(Copy, Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GuestMemoryError {
    /// The guest has no memory there: its own fault.
    #[error("the guest has no memory at {address:#x} for {length} bytes")]
    Invalid {
        /// First guest-physical address of the access.
        address: u64,
        /// Length of the access in bytes.
        length: u64,
    },
    /// The host cannot provide the page now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The host cannot provide a page of the guest now: a frame is missing or the page is swapped
/// out. Nothing was changed; the same operation is to be tried again later.
#[derive(Copy, Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the host cannot provide the page of {address:#x} now")]
pub struct Unavailable {
    /// A guest-physical address in the page.
    pub address: u64,
}

/// What a device will do with a range.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The device reads the range.
    Read,
    /// The device writes the range.
    Write,
}

/// A range of guest-physical addresses that a device is about to access.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct GuestRange {
    /// The first address.
    pub address: u64,
    /// The length in bytes.
    pub length: u64,
    /// What the device will do.
    pub direction: Direction,
}

/// A guest's memory as its devices see it.
pub trait GuestMemory {
    /// Fills `buffer` from `address` upwards; may cross pages.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), GuestMemoryError>;

    /// Writes `bytes` from `address` upwards; may cross pages; all of it or nothing.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), GuestMemoryError>;

    /// Frees what holds the page of `address`, which reads as zeros from now on. Tells whether anything
    /// was freed: not if nothing held it, nor where memory cannot be given back, whose content stays.
    fn give_up(&mut self, _address: u64) -> bool {
        false
    }

    /// Makes sure that accesses to all `ranges` succeed until the guest or its host does
    /// something else, or refuses with no change that the guest could see.
    fn reserve(&mut self, ranges: &[GuestRange]) -> Result<(), GuestMemoryError>;
}

impl GuestMemory for Memory<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), GuestMemoryError> {
        self.device_read(PhysicalAddress(address), buffer).map_err(|e| from_memory(address, e))
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), GuestMemoryError> {
        self.device_write(PhysicalAddress(address), bytes).map_err(|e| from_memory(address, e))
    }

    fn reserve(&mut self, ranges: &[GuestRange]) -> Result<(), GuestMemoryError> {
        for range in ranges {
            if !self.frames.contains(PhysicalAddress(range.address), range.length) {
                let GuestRange { address, length, .. } = *range;
                return Err(GuestMemoryError::Invalid { address, length });
            }
        }
        for range in ranges.iter().filter(|range| range.direction == Direction::Write) {
            make_writable(self, range)?;
        }
        Ok(())
    }
}

/// Gives the frames of a range pages of their own, so that writes need nothing from the store.
fn make_writable(memory: &mut Memory<'_>, range: &GuestRange) -> Result<(), GuestMemoryError> {
    let mut address = range.address;
    let end = range.address + range.length;
    while address < end {
        memory.writable_offset(PhysicalAddress(address)).map_err(|e| from_memory(address, e))?;
        address = (address / PAGE_BYTES as u64 + 1) * PAGE_BYTES as u64;
    }
    Ok(())
}

fn from_memory(address: u64, error: MemoryError) -> GuestMemoryError {
    match error {
        MemoryError::OutOfRange { address, length } => {
            GuestMemoryError::Invalid { address: address.0, length }
        }
        MemoryError::StoreFull(_) => Unavailable { address }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_memory::{Frames, PageStore};

    const BASE: u64 = 0x8000_0000;

    #[test]
    fn a_reservation_makes_later_writes_succeed_in_a_full_store() {
        // Room for the zero page and two more.
        let mut store = PageStore::new(3 * 4096);
        let mut frames = Frames::new(PhysicalAddress(BASE), 4);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        let range = |page: u64, direction| GuestRange {
            address: BASE + page * 4096,
            length: 16,
            direction,
        };
        let two =
            [range(0, Direction::Write), range(1, Direction::Write), range(2, Direction::Read)];
        GuestMemory::reserve(&mut memory, &two).unwrap();
        GuestMemory::write(&mut memory, BASE + 4096, &[1]).unwrap();
        let refused = GuestMemory::reserve(&mut memory, &[range(2, Direction::Write)]);
        assert_eq!(refused, Err(Unavailable { address: BASE + 2 * 4096 }.into()));
    }

    #[test]
    fn a_range_outside_memory_is_the_guests_fault() {
        let mut store = PageStore::new(1 << 20);
        let mut frames = Frames::new(PhysicalAddress(BASE), 1);
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        for (address, length) in [(BASE + 4095, 2), (0, 1), (u64::MAX, 1)] {
            let range = GuestRange { address, length, direction: Direction::Write };
            assert_eq!(
                GuestMemory::reserve(&mut memory, &[range]),
                Err(GuestMemoryError::Invalid { address, length })
            );
        }
    }
}
