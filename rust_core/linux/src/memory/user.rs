//! A program's memory as a call reads and writes it.
//!
//! A call that changes anything else first *prepares* what it will write: afterwards the writes
//! cannot fail.

use super::page_base;
use super::spaces::{Contents, MemoryFault, Spaces};
use crate::errno::{Errno, Stop};
use crate::hardware::{Access, Hardware, PageNumber, SpaceId, Work};

/// The longest string that a call takes.
const LONGEST_STRING: usize = 4096;

/// The memory of the program that calls.
pub struct User<'a> {
    /// Its pages.
    pub spaces: &'a mut Spaces,
    /// What files hold.
    pub contents: &'a dyn Contents,
    /// The machine below.
    pub hardware: &'a mut dyn Hardware,
    /// Whose.
    pub space: SpaceId,
}

impl std::fmt::Debug for User<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("User").field("space", &self.space).finish_non_exhaustive()
    }
}

impl User<'_> {
    /// Fills `buffer` from the program's memory.
    pub fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Stop> {
        let mut done = 0;
        while done < buffer.len() {
            let at = address.checked_add(done as u64).ok_or(Errno::BadAddress)?;
            let page = self.page(at, Access::Read)?;
            let (offset, length) = piece(at, buffer.len() - done);
            self.hardware.account(Work::Loads(length.div_ceil(8) as u64));
            self.hardware.read(page, offset, &mut buffer[done..done + length]);
            done += length;
        }
        Ok(())
    }

    /// Reads a little-endian number of `N` bytes.
    pub fn read_array<const N: usize>(&mut self, address: u64) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads 32 bits.
    pub fn read_u32(&mut self, address: u64) -> Result<u32, Stop> {
        self.read_array(address).map(u32::from_le_bytes)
    }

    /// Reads 64 bits.
    pub fn read_u64(&mut self, address: u64) -> Result<u64, Stop> {
        self.read_array(address).map(u64::from_le_bytes)
    }

    /// Reads bytes up to a zero, which is left out.
    pub fn read_string(&mut self, address: u64) -> Result<Vec<u8>, Stop> {
        let mut found = Vec::new();
        while found.len() < LONGEST_STRING {
            let at = address.checked_add(found.len() as u64).ok_or(Errno::BadAddress)?;
            let (_, length) = piece(at, LONGEST_STRING - found.len());
            let mut part = vec![0; length];
            self.read(at, &mut part)?;
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                found.extend_from_slice(&part[..end]);
                return Ok(found);
            }
            found.append(&mut part);
        }
        Err(Errno::NameTooLong.into())
    }

    /// Makes sure that so many bytes can be written.
    pub fn prepare(&mut self, address: u64, length: u64) -> Result<(), Stop> {
        if length == 0 {
            return Ok(());
        }
        let last = address.checked_add(length - 1).ok_or(Errno::BadAddress)?;
        let mut at = address;
        while at <= last {
            self.page(at, Access::Write)?;
            at = page_base(at) + super::PAGE_BYTES;
        }
        Ok(())
    }

    /// Writes to the program's memory.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Stop> {
        let mut done = 0;
        while done < bytes.len() {
            let at = address.checked_add(done as u64).ok_or(Errno::BadAddress)?;
            let page = self.page(at, Access::Write)?;
            let (offset, length) = piece(at, bytes.len() - done);
            self.hardware.account(Work::Stores(length.div_ceil(8) as u64));
            self.hardware.write(page, offset, &bytes[done..done + length]);
            done += length;
        }
        Ok(())
    }

    fn page(&mut self, address: u64, access: Access) -> Result<PageNumber, Stop> {
        let found = self.spaces.fault(self.hardware, self.contents, self.space, address, access);
        found.map(|(page, _)| page).map_err(|fault| match fault {
            MemoryFault::Unmapped | MemoryFault::Forbidden => Errno::BadAddress.into(),
            MemoryFault::Exhausted => Errno::NoMemory.into(),
            MemoryFault::Unavailable(unavailable) => unavailable.into(),
        })
    }
}

/// Where in its page an address is, and how many of `length` bytes lie in it.
fn piece(address: u64, length: usize) -> (usize, usize) {
    let offset = (address - page_base(address)) as usize;
    (offset, length.min(super::PAGE_BYTES as usize - offset))
}
