//! Where a guest's memory is: the map from guest pages to host frames, and access through it.
//!
//! The map lies in host frames itself: one 8-byte entry a page, the frame's address with bit 0 set,
//! or 0 while the page has no frame. A page gets its frame at the first touch; until then it reads
//! as zeros. Handlers look entries up through the meter; devices, which are no program of the
//! pCPU, through [`GuestPages`].
//!
//! A page can also share a frame with others of the same content ([`SHARED`]): it may be read there
//! by everybody, and whoever writes has to take it out first. The content of a page that has no frame
//! can be kept elsewhere ([`SWAPPED`]).
//!
//! The bits of an entry that an address leaves free belong to the technique, but for these and those
//! of [`GUARDED`]: while one of them is set, devices may not write the page. Pages of a technique
//! that uses all bits are never shared or swapped.

mod handlers;
#[cfg(test)]
mod tests;
mod watched;

pub use handlers::{Provided, provide, provide_for};
pub use watched::WatchedPages;

use crate::allocator::{FrameAllocator, FrameOwner};
use crate::holes::Hole;
use crate::ids::VmId;
use crate::overcommit::shared_frames::Departure;
use crate::shadow::audit::valid_entries;
use dcsim_machine::{Direction, GuestMemory, GuestMemoryError, GuestRange, Unavailable};
use dcsim_memory::{Memory, PAGE_BYTES, PageId, PhysicalAddress};
use std::collections::BTreeSet;

/// Entries in a frame of the map.
const ENTRIES: u64 = PAGE_BYTES as u64 / 8;

/// The bit of an entry that tells that the page has a frame.
const PRESENT: u64 = 1;

/// The bits of an entry that hold the frame's address.
const FRAME: u64 = 0x0000_ffff_ffff_f000;

/// Bits of an entry that keep devices from writing the page: hardware relies on its content.
pub const GUARDED: u64 = 3 << 1;

/// The bit of an entry that tells that the page's frame is shared: it may only be read.
pub const SHARED: u64 = 1 << 62;

/// The entry of a page whose content is kept elsewhere.
pub const SWAPPED: u64 = 1 << 63;

/// Where a page is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Nowhere: it reads as zeros.
    Absent,
    /// In a frame of its own.
    Own(PhysicalAddress),
    /// In a frame that other pages share.
    Shared(PhysicalAddress),
    /// Outside the host's frames.
    Swapped,
}

impl Place {
    /// Where an entry says that its page is.
    pub fn of(entry: u64) -> Self {
        match PageMap::decode(entry) {
            Some(frame) if entry & SHARED != 0 => Self::Shared(frame),
            Some(frame) => Self::Own(frame),
            None if entry & SWAPPED != 0 => Self::Swapped,
            None => Self::Absent,
        }
    }

    /// The frame that holds it.
    pub fn frame(self) -> Option<PhysicalAddress> {
        match self {
            Self::Own(frame) | Self::Shared(frame) => Some(frame),
            Self::Absent | Self::Swapped => None,
        }
    }
}

/// Frames that the map of a guest with `pages` pages takes.
pub fn map_frames(pages: u64) -> u64 {
    pages.div_ceil(ENTRIES)
}

/// The map of one guest.
#[derive(Clone, Debug)]
pub struct PageMap {
    base: u64,
    pages: u64,
    tables: Vec<PhysicalAddress>,
}

impl PageMap {
    /// A map for `pages` pages from guest-physical `base` upwards, in `tables`, which hold zeros.
    pub fn new(base: u64, pages: u64, tables: Vec<PhysicalAddress>) -> Self {
        Self { base, pages, tables }
    }

    /// The number of pages that the guest has.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// The frames that hold it.
    pub fn tables(&self) -> &[PhysicalAddress] {
        &self.tables
    }

    /// The pages that have a frame, and where they are; without cost.
    pub fn resident<'a>(&'a self, memory: &'a Memory<'_>) -> impl Iterator<Item = (u64, Place)> {
        self.tables.iter().zip(0..).flat_map(move |(table, number): (_, u64)| {
            let valid = valid_entries(memory, *table);
            valid.map(move |(index, entry)| (number * ENTRIES + index as u64, Place::of(entry)))
        })
    }

    /// The guest-physical address of the first page.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The number of the page that holds a guest-physical address.
    pub fn page_of(&self, address: u64) -> Option<u64> {
        let page = address.checked_sub(self.base)? / PAGE_BYTES as u64;
        (page < self.pages).then_some(page)
    }

    /// Whether `length` bytes from `address` all lie in the guest's memory.
    pub fn contains(&self, address: u64, length: u64) -> bool {
        let bytes = self.pages * PAGE_BYTES as u64;
        address
            .checked_sub(self.base)
            .is_some_and(|offset| offset <= bytes && length <= bytes - offset)
    }

    /// Where the entry of a page is in host memory.
    pub fn slot(&self, page: u64) -> Option<PhysicalAddress> {
        let table = self.tables.get(usize::try_from(page / ENTRIES).ok()?)?;
        table.checked_add(page % ENTRIES * 8)
    }

    /// The frame that an entry names.
    pub fn decode(entry: u64) -> Option<PhysicalAddress> {
        (entry & PRESENT != 0).then_some(PhysicalAddress(entry & FRAME))
    }

    /// The entry for a frame.
    pub fn encode(frame: PhysicalAddress) -> u64 {
        frame.0 | PRESENT
    }

    /// Where a page is, looked up as a device does: without a pCPU and so without cost.
    pub fn place(&self, memory: &Memory<'_>, page: u64) -> Place {
        Place::of(self.entry(memory, page))
    }

    /// The frame of a page, looked up in the same way.
    pub fn frame(&self, memory: &Memory<'_>, page: u64) -> Option<PhysicalAddress> {
        Self::decode(self.entry(memory, page))
    }

    /// The entry of a page, looked up without cost.
    pub fn entry(&self, memory: &Memory<'_>, page: u64) -> u64 {
        self.slot(page).and_then(|slot| memory.read_u64(slot).ok()).unwrap_or(0)
    }
}

/// A guest's memory as its devices and its loader reach it.
#[derive(Debug)]
pub struct GuestPages<'a> {
    /// The host's memory.
    pub memory: Memory<'a>,
    /// The host's frames.
    pub allocator: &'a mut FrameAllocator,
    /// Where the pages are.
    pub map: &'a PageMap,
    /// Whose they are.
    pub vm: VmId,
}

impl GuestPages<'_> {
    /// Gives a page a frame of its own if it has none. Fails without any change.
    pub fn provide(&mut self, page: u64) -> Result<PhysicalAddress, Unavailable> {
        let unavailable = self.unavailable(page);
        match self.place(page) {
            Place::Own(frame) => Ok(frame),
            Place::Swapped => Err(unavailable),
            Place::Shared(frame) => self.unshare(page, frame),
            Place::Absent => {
                let slot = self.map.slot(page).ok_or(unavailable)?;
                self.memory.reserve(slot, 8).map_err(|_| unavailable)?;
                let frame = self.allocate(page)?;
                // It may have been a shadow table of another guest.
                self.memory.frames.replace(self.memory.store, frame, PageId::ZERO);
                self.memory.write_u64(slot, PageMap::encode(frame)).map_err(|_| unavailable)?;
                Ok(frame)
            }
        }
    }

    /// Gives a page back, whatever it holds: it has no frame then and reads as zeros. Tells whether
    /// it had one of its own. A page that is swapped out stays so.
    pub fn give_back(&mut self, page: u64) -> Result<bool, Unavailable> {
        let Some((place, frame)) = self.empty(page)? else { return Ok(false) };
        self.allocator.depart(departure(self.vm, page, frame));
        Ok(matches!(place, Place::Own(_)))
    }

    /// The same for a page to which no translation leads any more; tells where it was.
    pub fn empty(&mut self, page: u64) -> Result<Option<(Place, PhysicalAddress)>, Unavailable> {
        let unavailable = self.unavailable(page);
        let slot = self.map.slot(page).ok_or(unavailable)?;
        let place = self.place(page);
        let Some(frame) = place.frame() else { return Ok(None) };
        self.memory.write_u64(slot, 0).map_err(|_| unavailable)?;
        match place {
            Place::Shared(_) => self.allocator.leave(frame, self.vm, page),
            _ => self.allocator.release(frame),
        }
        if self.allocator.owner_of(frame).is_none() {
            self.memory.frames.empty(self.memory.store, frame);
        }
        self.allocator.note_emptied(self.vm, page);
        Ok(Some((place, frame)))
    }

    fn allocate(&mut self, page: u64) -> Result<PhysicalAddress, Unavailable> {
        let owner = FrameOwner::Guest { vm: self.vm, page };
        self.allocator.allocate(owner).ok_or(self.unavailable(page))
    }

    /// Takes a page out of the frame that it shares.
    fn unshare(
        &mut self,
        page: u64,
        shared: PhysicalAddress,
    ) -> Result<PhysicalAddress, Unavailable> {
        let unavailable = self.unavailable(page);
        let slot = self.map.slot(page).ok_or(unavailable)?;
        self.memory.reserve(slot, 8).map_err(|_| unavailable)?;
        let frame = if self.allocator.adopt(shared, self.vm, page) {
            shared
        } else {
            let frame = self.allocate(page)?;
            let content = self.memory.frames.share(self.memory.store, shared);
            let content = content.unwrap_or(PageId::ZERO);
            self.memory.frames.replace(self.memory.store, frame, content);
            self.allocator.leave(shared, self.vm, page);
            frame
        };
        self.allocator.depart(departure(self.vm, page, shared));
        self.allocator.count_device_break(self.vm);
        self.memory.write_u64(slot, PageMap::encode(frame)).map_err(|_| unavailable)?;
        Ok(frame)
    }

    fn unavailable(&self, page: u64) -> Unavailable {
        Unavailable { address: self.map.base + page * PAGE_BYTES as u64 }
    }

    fn place(&self, page: u64) -> Place {
        if page < self.map.pages() {
            return self.map.place(&self.memory, page);
        }
        let reached = Hole::DeviceBounds.frame(self.map.base + page * PAGE_BYTES as u64);
        reached.map_or(Place::Absent, Place::Own)
    }

    fn check(&self, address: u64, length: u64) -> Result<(), GuestMemoryError> {
        if self.map.contains(address, length) || Hole::DeviceBounds.frame(address).is_some() {
            return Ok(());
        }
        Err(GuestMemoryError::Invalid { address, length })
    }

    /// Pages of the ranges that a device is going to read or write, each once.
    fn pages(&self, ranges: &[GuestRange], direction: Direction) -> BTreeSet<u64> {
        ranges
            .iter()
            .filter(|range| range.direction == direction && range.length > 0)
            .flat_map(|range| {
                let first = (range.address - self.map.base) / PAGE_BYTES as u64;
                let last = (range.address + (range.length - 1) - self.map.base) / PAGE_BYTES as u64;
                first..=last
            })
            .collect()
    }
}

impl GuestMemory for GuestPages<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), GuestMemoryError> {
        self.check(address, buffer.len() as u64)?;
        let mut done = 0;
        while done < buffer.len() {
            let (page, offset, length) = piece(self.map, address, done, buffer.len());
            let part = &mut buffer[done..done + length];
            match self.place(page) {
                Place::Absent => part.fill(0),
                Place::Swapped => Err(self.unavailable(page))?,
                Place::Own(frame) | Place::Shared(frame) => self
                    .memory
                    .device_read(PhysicalAddress(frame.0 + offset), part)
                    .map_err(|_| Unavailable { address })?,
            }
            done += length;
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), GuestMemoryError> {
        let length = bytes.len() as u64;
        self.reserve(&[GuestRange { address, length, direction: Direction::Write }])?;
        let mut done = 0;
        while done < bytes.len() {
            let (page, offset, length) = piece(self.map, address, done, bytes.len());
            let frame = self.provide(page)?;
            self.memory
                .device_write(PhysicalAddress(frame.0 + offset), &bytes[done..done + length])
                .map_err(|_| Unavailable { address })?;
            done += length;
        }
        Ok(())
    }

    /// A page that hardware relies on stays, as one does whose content is elsewhere.
    fn give_up(&mut self, address: u64) -> bool {
        let Some(page) = self.map.page_of(address) else { return false };
        let Some(slot) = self.map.slot(page) else { return false };
        let entry = self.map.entry(&self.memory, page);
        let Some(frame) = PageMap::decode(entry).filter(|_| entry & GUARDED == 0) else {
            return false;
        };
        if self.memory.write_u64(slot, 0).is_err() {
            return false;
        }
        // A shared frame stays with the others that are in it, if there are any.
        if entry & SHARED != 0 && !self.allocator.adopt(frame, self.vm, page) {
            self.allocator.leave(frame, self.vm, page);
        } else {
            self.memory.frames.empty(self.memory.store, frame);
            self.allocator.release(frame);
        }
        self.allocator.depart(departure(self.vm, page, frame));
        true
    }

    fn reserve(&mut self, ranges: &[GuestRange]) -> Result<(), GuestMemoryError> {
        for range in ranges {
            self.check(range.address, range.length)?;
        }
        let pages = self.pages(ranges, Direction::Write);
        let guarded = |page: &&u64| self.map.entry(&self.memory, **page) & GUARDED != 0;
        if let Some(page) = pages.iter().find(guarded) {
            let Unavailable { address } = self.unavailable(*page);
            return Err(GuestMemoryError::Invalid { address, length: PAGE_BYTES as u64 });
        }
        let read = self.pages(ranges, Direction::Read);
        if let Some(page) = pages.union(&read).find(|page| self.place(**page) == Place::Swapped) {
            return Err(self.unavailable(*page).into());
        }
        let missing: Vec<u64> = pages
            .iter()
            .copied()
            .filter(|page| matches!(self.place(*page), Place::Absent | Place::Shared(_)))
            .collect();
        if let Some(first) = missing.first() {
            let unavailable = self.unavailable(*first);
            self.allocator.reserve(missing.len() as u64).map_err(|_| unavailable)?;
        }
        for page in pages {
            let frame = self.provide(page)?;
            self.memory.writable_offset(frame).map_err(|_| self.unavailable(page))?;
        }
        Ok(())
    }
}

fn departure(vm: VmId, page: u64, frame: PhysicalAddress) -> Departure {
    Departure { vm, page, frame, keeps_content: false }
}

/// The part of an access that starts `done` bytes in and stays within one page: the page, the
/// offset in it and the length.
fn piece(map: &PageMap, address: u64, done: usize, total: usize) -> (u64, u64, usize) {
    let offset = address - map.base + done as u64;
    let within = offset % PAGE_BYTES as u64;
    let length = (PAGE_BYTES - within as usize).min(total - done);
    (offset / PAGE_BYTES as u64, within, length)
}
