//! A guest's memory as its devices reach it, where what they write may be page tables.

use super::GuestPages;
use crate::shadow::traced::tables::TracedTables;
use dcsim_machine::{GuestMemory, GuestMemoryError, GuestRange};
use dcsim_memory::PAGE_BYTES;

/// A guest's memory as its devices reach it, where writes to the guest's page tables are noted.
#[derive(Debug)]
pub struct WatchedPages<'a> {
    /// The memory.
    pub pages: GuestPages<'a>,
    /// The pages that are traced, if any can be.
    pub tables: Option<&'a mut TracedTables>,
}

impl GuestMemory for WatchedPages<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), GuestMemoryError> {
        self.pages.read(address, buffer)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), GuestMemoryError> {
        self.pages.write(address, bytes)?;
        if let Some(tables) = &mut self.tables {
            let end = address + bytes.len() as u64;
            (address..end).step_by(PAGE_BYTES).chain(end.checked_sub(1)).for_each(|part| {
                tables.open(part);
            });
        }
        Ok(())
    }

    fn give_up(&mut self, address: u64) -> bool {
        let given = self.pages.give_up(address);
        if let Some(tables) = self.tables.as_mut().filter(|_| given) {
            tables.open(address);
        }
        given
    }

    fn reserve(&mut self, ranges: &[GuestRange]) -> Result<(), GuestMemoryError> {
        self.pages.reserve(ranges)
    }
}
