//! Large pages under direct paging: one entry of level 1 that maps 2 MiB of the guest's memory.
//!
//! The hardware takes such an entry for 512 adjacent frames. So the guest's pages must lie in frames
//! that are adjacent and begin on a boundary of that size, as they do where the VM is backed with
//! large pages; and each of the 512 counts the entry as it would one of its own.

use super::tables::{DENIED, Refusal, Tables};
use crate::guest_pages::PageMap;
use crate::shadow::entry::span;
use dcsim_machine::firmware::sbi::SbiError;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// The level of an entry that maps a large page.
pub const LEVEL: u32 = 1;

/// Pages in one.
pub const PAGES: u64 = 512;

/// The frames are not a large page of the host's.
const SCATTERED: Refusal = Refusal::Guest(SbiError::Failed);

impl Tables<'_, '_> {
    /// The large page that begins with page `first` is going to be mapped.
    pub(super) fn acquire_large(
        &mut self,
        first: u64,
        writable: bool,
    ) -> Result<PhysicalAddress, Refusal> {
        let (_, record) = self.record(first)?;
        let start = PageMap::decode(record.0).ok_or(SCATTERED)?;
        let aligned = [start.0, self.address_of(first)].iter().all(|a| a % span(LEVEL) == 0);
        if !aligned || first + PAGES > self.map.pages() {
            return Err(SCATTERED);
        }
        for number in 0..PAGES {
            let frame = PhysicalAddress(start.0 + number * PAGE_BYTES as u64);
            self.check_part(first + number, frame, writable)?;
        }
        for page in first..first + PAGES {
            self.acquire_page(page, writable)?;
        }
        Ok(start)
    }

    /// Refuses a large page for the sake of one of its parts, before anything is counted.
    fn check_part(
        &mut self,
        page: u64,
        frame: PhysicalAddress,
        writable: bool,
    ) -> Result<(), Refusal> {
        let (_, record) = self.record(page)?;
        if PageMap::decode(record.0) != Some(frame) {
            return Err(SCATTERED);
        }
        let countable = record.level().is_none() && record.counted_up().is_some();
        if writable && !countable { Err(DENIED) } else { Ok(()) }
    }

    /// A large page that one could write is not mapped any more.
    pub(super) fn release_large(&mut self, first: u64) -> Result<(), Refusal> {
        (first..first + PAGES).try_for_each(|page| self.release_page(page))
    }
}
