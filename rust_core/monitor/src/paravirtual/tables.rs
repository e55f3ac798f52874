//! Direct paging: hardware walks the guest's own tables, and every change of them is checked here.
//!
//! Invariants, which `tests/host/paravirtual.rs` checks from outside:
//!
//! * an entry of a table leads to a page of the guest's own, and holds the host address of its
//!   frame;
//! * a page is a table of one level, or mapped writable, or neither: never both;
//! * before a page becomes a table, no TLB lets anybody write it any more;
//! * before anybody can write a page that was a table, no cache of a walk knows it any more.
//!
//! The guest speaks of guest-physical addresses; they become host addresses when an entry is
//! written, and guest-physical ones again when its table is no table any more.

use super::abi::KEEP_DIRTY;
use super::fences::Fences;
use super::large;
use super::names::Names;
use super::record::Record;
use super::window::{UPPER_BYTES, Window};
use crate::error::HostError;
use crate::guest_pages::{PageMap, provide};
use crate::holes::Hole;
use crate::shadow::entry::{self, DIRTY, VALID, WRITE};
use crate::shadow::tree::TableFrames;
use dcsim_machine::Meter;
use dcsim_machine::firmware::sbi::SbiError;
use dcsim_memory::{MemoryError, PAGE_BYTES, PhysicalAddress};

/// The level of a root.
pub const ROOT: u32 = 2;

/// Entries of a table.
const ENTRIES: u64 = 512;

/// Why an operation was not carried out. Nothing was changed.
#[derive(Debug)]
pub enum Refusal {
    /// The guest must not do this.
    Guest(SbiError),
    /// The host failed.
    Host(HostError),
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<MemoryError> for Refusal {
    fn from(error: MemoryError) -> Self {
        Self::Host(error.into())
    }
}

/// The guest must not do this.
pub const DENIED: Refusal = Refusal::Guest(SbiError::Denied);
const INVALID: Refusal = Refusal::Guest(SbiError::InvalidAddress);

/// What a page that becomes a table holds.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// Nothing that counts: it is cleared.
    Nothing,
    /// Entries with guest-physical addresses.
    Entries,
}

/// The page tables of a guest, for the time of one operation.
pub struct Tables<'a, 'm> {
    /// The handler's access to memory.
    pub meter: &'a mut Meter<'m>,
    /// Where frames come from.
    pub frames: TableFrames<'a>,
    /// The guest's pages, with their records.
    pub map: &'a PageMap,
    /// What the guest calls frames.
    pub names: &'a mut Names,
    /// How the guest sees its memory.
    pub window: &'a Window,
    /// Which of the times between two flushes of the whole TLB this is.
    pub epoch: &'a mut u8,
    /// A hart of the guest has no address space of its own yet, or may have none.
    pub untranslated: bool,
    /// What other harts have to fence.
    pub fences: &'a mut Fences,
}

/// Entries.
impl Tables<'_, '_> {
    /// Writes an entry of a table.
    pub fn set(&mut self, place: u64, value: u64, content: Content) -> Result<(), Refusal> {
        let keeps_dirty = value & KEEP_DIRTY != 0 && content == Content::Entries;
        let value = if keeps_dirty { value & !KEEP_DIRTY } else { value };
        let page = self.map.page_of(place).ok_or(INVALID)?;
        let (_, record) = self.record(page)?;
        let level = record.level().ok_or(DENIED)?;
        let index = place % PAGE_BYTES as u64 / 8;
        if level == ROOT && index >= ENTRIES / 2 {
            return Err(DENIED);
        }
        let frame = PageMap::decode(record.0).ok_or(INVALID)?;
        let entry = PhysicalAddress(frame.0 + index * 8);
        let mut new = self.acquire(value, level, content)?;
        let old = self.meter.read_pte(entry)?;
        if keeps_dirty {
            new = new & !DIRTY | old & DIRTY;
        }
        self.meter.write_pte(entry, new)?;
        self.release(old, level)?;
        if level > 0 && old & VALID != 0 && !entry::is_leaf(old) {
            self.flush_all();
        }
        Ok(())
    }

    /// The entry for the hardware, counted where it leads to.
    fn acquire(&mut self, value: u64, level: u32, content: Content) -> Result<u64, Refusal> {
        if value & VALID == 0 {
            return Ok(value);
        }
        let page = self.map.page_of(entry::address(value).0);
        if let (None, true, Some(frame)) = (
            page,
            entry::is_leaf(value) && level == 0,
            Hole::DirectEntry.frame(entry::address(value).0),
        ) {
            return Ok(entry::compose(frame, value & FLAGS));
        }
        let page = page.ok_or(INVALID)?;
        if !entry::is_valid(value) {
            return Err(DENIED);
        }
        let frame = match (entry::is_leaf(value), level) {
            (true, 0) => self.acquire_page(page, value & WRITE != 0)?,
            (true, large::LEVEL) => self.acquire_large(page, value & WRITE != 0)?,
            (false, 1..) => self.acquire_table(page, level - 1, content)?,
            _ => return Err(DENIED),
        };
        Ok(entry::compose(frame, value & FLAGS))
    }

    /// Gives up what an entry leads to. Returns the entry with a guest-physical address.
    fn release(&mut self, old: u64, level: u32) -> Result<u64, Refusal> {
        if old & VALID == 0 {
            return Ok(old);
        }
        let address = self.names.page(self.meter, entry::address(old))?;
        let page = self.map.page_of(address).ok_or(INVALID)?;
        match (entry::is_leaf(old), level) {
            (false, _) => self.release_table(page)?,
            _ if old & WRITE == 0 => {}
            (true, 0) => self.release_page(page)?,
            (true, _) => self.release_large(page)?,
        }
        Ok(entry::compose(PhysicalAddress(address), old & FLAGS))
    }

    /// A page is mapped writable by one entry fewer.
    pub(super) fn release_page(&mut self, page: u64) -> Result<(), Refusal> {
        let (slot, record) = self.record(page)?;
        Ok(self.meter.store(slot, record.counted_down().written_until(*self.epoch).0)?)
    }

    /// A page is going to be mapped.
    pub(super) fn acquire_page(
        &mut self,
        page: u64,
        writable: bool,
    ) -> Result<PhysicalAddress, Refusal> {
        let (slot, record) = self.provided(page)?;
        if writable {
            let counted = record.counted_up().filter(|_| record.level().is_none());
            self.meter.store(slot, counted.ok_or(DENIED)?.0)?;
        }
        PageMap::decode(record.0).ok_or(INVALID)
    }
}

/// The bits of an entry beside the address.
const FLAGS: u64 = (1 << 10) - 1;

/// Tables.
impl Tables<'_, '_> {
    /// Makes a page a root.
    pub fn pin(&mut self, address: u64, content: Content) -> Result<(), Refusal> {
        let page = self.map.page_of(address).ok_or(INVALID)?;
        let (_, record) = self.record(page)?;
        if record.level().is_some() || !address.is_multiple_of(PAGE_BYTES as u64) {
            return Err(DENIED);
        }
        let frame = self.acquire_table(page, ROOT, content)?;
        Ok(self.window.open_in(self.meter, frame)?)
    }

    /// Ends a root.
    pub fn unpin(&mut self, address: u64) -> Result<(), Refusal> {
        let page = self.map.page_of(address).ok_or(INVALID)?;
        if self.record(page)?.1.level() != Some(ROOT) {
            return Err(DENIED);
        }
        self.release_table(page)?;
        self.flush_all();
        Ok(())
    }

    /// The frame of a root.
    pub fn root_frame(&mut self, address: u64) -> Result<PhysicalAddress, Refusal> {
        let page = self.map.page_of(address).ok_or(INVALID)?;
        let (_, record) = self.record(page)?;
        let is_root = record.level() == Some(ROOT) && address.is_multiple_of(PAGE_BYTES as u64);
        PageMap::decode(record.0).filter(|_| is_root).ok_or(DENIED)
    }

    /// A page is needed as a table.
    fn acquire_table(
        &mut self,
        page: u64,
        level: u32,
        content: Content,
    ) -> Result<PhysicalAddress, Refusal> {
        let (slot, record) = self.provided(page)?;
        let frame = PageMap::decode(record.0).ok_or(INVALID)?;
        match record.level() {
            Some(found) => {
                let usable = found == level && content == Content::Entries;
                let counted = record.counted_up().filter(|_| usable).ok_or(DENIED)?;
                self.meter.store(slot, counted.0)?;
            }
            None if record.count() > 0 => return Err(DENIED),
            None => {
                self.close(page, record)?;
                self.meter.store(slot, record.as_table(level).0)?;
                self.begin_table(page, frame, level, content)?;
            }
        }
        Ok(frame)
    }

    /// From now on nobody but the monitor writes a page.
    fn close(&mut self, page: u64, record: Record) -> Result<(), Refusal> {
        if record.may_be_cached(*self.epoch) {
            self.flush_all();
        }
        self.guard(page, true)
    }

    fn guard(&mut self, page: u64, guarded: bool) -> Result<(), Refusal> {
        let address = self.address_of(page);
        self.fences.add_shown(address, self.untranslated);
        Ok(self.window.guard(self.meter, address, guarded, self.untranslated)?)
    }

    /// Ends all cached translations, and with them an epoch.
    pub fn flush_all(&mut self) {
        self.meter.flush_tlb_all();
        self.fences.add_all();
        *self.epoch = self.epoch.wrapping_add(1);
    }

    fn begin_table(
        &mut self,
        page: u64,
        frame: PhysicalAddress,
        level: u32,
        content: Content,
    ) -> Result<(), Refusal> {
        if content == Content::Nothing {
            return Ok(self.meter.clear_page(frame)?);
        }
        for index in 0..guest_entries(level) {
            let place = PhysicalAddress(frame.0 + index * 8);
            let value = self.meter.read_pte(place)?;
            if value & VALID == 0 {
                continue;
            }
            match self.acquire(value, level, content) {
                Ok(new) => self.meter.write_pte(place, new)?,
                Err(refusal) => {
                    self.end_entries(frame, level, index)?;
                    self.end_table(page)?;
                    return Err(refusal);
                }
            }
        }
        Ok(())
    }

    /// One entry or call fewer needs a table.
    fn release_table(&mut self, page: u64) -> Result<(), Refusal> {
        let (slot, record) = self.record(page)?;
        if record.count() > 1 {
            return Ok(self.meter.store(slot, record.counted_down().0)?);
        }
        let (Some(level), Some(frame)) = (record.level(), PageMap::decode(record.0)) else {
            return Err(INVALID);
        };
        self.end_entries(frame, level, guest_entries(level))?;
        if level == ROOT {
            let upper = PhysicalAddress(frame.0 + UPPER_BYTES as u64);
            self.meter.write_bytes(upper, &[0; UPPER_BYTES])?;
        }
        self.end_table(page)
    }

    fn end_entries(&mut self, frame: PhysicalAddress, level: u32, end: u64) -> Result<(), Refusal> {
        for index in 0..end {
            let place = PhysicalAddress(frame.0 + index * 8);
            let old = self.meter.read_pte(place)?;
            if old & VALID != 0 {
                let value = self.release(old, level)?;
                self.meter.write_pte(place, value)?;
            }
        }
        Ok(())
    }

    fn end_table(&mut self, page: u64) -> Result<(), Refusal> {
        let (slot, record) = self.record(page)?;
        self.meter.store(slot, record.as_plain().0)?;
        self.guard(page, false)
    }
}

/// Entries of a table that are the guest's: the upper half of a root is the window.
pub fn guest_entries(level: u32) -> u64 {
    if level == ROOT { ENTRIES / 2 } else { ENTRIES }
}

/// Records.
impl Tables<'_, '_> {
    pub(super) fn address_of(&self, page: u64) -> u64 {
        self.map.base() + page * PAGE_BYTES as u64
    }

    pub(super) fn record(&mut self, page: u64) -> Result<(PhysicalAddress, Record), Refusal> {
        let slot = self.map.slot(page).ok_or(HostError::FrameNotReserved)?;
        Ok((slot, Record(self.meter.load(slot)?)))
    }

    /// The record of a page that has a frame, and a frame that has a name. Takes both if need be.
    fn provided(&mut self, page: u64) -> Result<(PhysicalAddress, Record), Refusal> {
        let (slot, mut record) = self.record(page)?;
        if record.is_named() {
            return Ok((slot, record));
        }
        let frame = provide(self.meter, &mut self.frames, self.map, page)?;
        let address = self.address_of(page);
        self.names.note(self.meter, &mut self.frames, frame, address)?;
        record = Record(record.0 | PageMap::encode(frame)).named();
        self.meter.store(slot, record.0)?;
        Ok((slot, record))
    }

    /// Keeps a page from ever becoming a table, as if an entry mapped it writable.
    pub fn hold(&mut self, address: u64) -> Result<PhysicalAddress, Refusal> {
        let page = self.map.page_of(address).ok_or(INVALID)?;
        self.acquire_page(page, true)
    }
}
