//! One shadow tree: the page tables that hardware walks while the guest runs in one view.
//!
//! All leaves are 4 KiB pages. Where the guest has a larger page, the pointer to the tables of its
//! fragments is marked, so that a fence of any address in the page can end them all.

use super::asid::Asid;
use super::entry::{self, PART_OF_LARGE_PAGE, VALID};
use crate::allocator::{FrameAllocator, FrameOwner};
use crate::assumed;
use crate::error::HostError;
use crate::ids::VmId;
use crate::overcommit::back_map::BackMap;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

/// Entries of a table.
const TABLE_ENTRIES: u64 = 512;

/// Where the frames of tables come from.
#[derive(Debug)]
pub struct TableFrames<'a> {
    /// The host's frames.
    pub allocator: &'a mut FrameAllocator,
    /// For whom.
    pub vm: VmId,
}

impl TableFrames<'_> {
    /// Takes a frame that was reserved before, and clears it.
    pub(crate) fn take(&mut self, meter: &mut Meter<'_>) -> Result<PhysicalAddress, HostError> {
        let owner = FrameOwner::Shadow { vm: self.vm };
        let frame = self.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
        meter.clear_page(frame)?;
        Ok(frame)
    }

    /// Takes the frame of a table back.
    pub(crate) fn give_back(&mut self, meter: &mut Meter<'_>, frame: PhysicalAddress) {
        meter.assume(assumed::FREE_LIST);
        self.allocator.release(frame);
    }
}

/// A table below the root.
#[derive(Copy, Clone, Debug)]
struct Table {
    frame: PhysicalAddress,
    /// The first address that it translates.
    base: u64,
    /// The level of the entry that points to it.
    level: u32,
}

/// What a fence has to remove from the TLB.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Removed {
    /// Nothing.
    Nothing,
    /// One page.
    Page,
    /// Many pages.
    Range,
}

/// A shadow tree.
#[derive(Debug)]
pub struct Tree {
    root: PhysicalAddress,
    levels: u32,
    tables: Vec<Table>,
    /// The addresses that lead to a frame, if anybody wants to know.
    back: Option<BackMap<u64>>,
    /// The identifier under which TLBs hold the tree's translations.
    pub asid: Option<Asid>,
}

impl Tree {
    /// Frames that a new tree takes.
    pub const NEW_FRAMES: u64 = 1;

    /// The most frames that [`Self::map`] takes.
    pub const MAP_FRAMES: u64 = 3;

    /// An empty tree. Needs [`Self::NEW_FRAMES`] reserved frames.
    pub fn new(
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        levels: u32,
    ) -> Result<Self, HostError> {
        let root = frames.take(meter)?;
        Ok(Self { root, levels, tables: Vec::new(), back: None, asid: None })
    }

    /// The root table.
    pub fn root(&self) -> PhysicalAddress {
        self.root
    }

    /// Levels of tables: 3 or 4.
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// Frames that the tree holds.
    pub fn frame_count(&self) -> u64 {
        1 + self.tables.len() as u64
    }

    /// These frames.
    pub fn frames(&self) -> impl Iterator<Item = PhysicalAddress> {
        std::iter::once(self.root).chain(self.tables.iter().map(|table| table.frame))
    }

    /// Puts a leaf in its place; `guest_level` is the level of the guest's own leaf. Needs
    /// [`Self::MAP_FRAMES`] reserved frames. Tells whether there was a leaf before.
    pub fn map(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
        leaf: u64,
        guest_level: u32,
    ) -> Result<bool, HostError> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let slot = slot(table, address, level);
            let mark = if level == guest_level { PART_OF_LARGE_PAGE } else { 0 };
            table = self.descend(meter, frames, slot, Place { address, level, mark })?;
        }
        let slot = slot(table, address, 0);
        let before = meter.read_pte(slot)?;
        meter.write_pte(slot, leaf)?;
        self.note(meter, address, leaf);
        Ok(before & VALID != 0)
    }

    /// Follows a pointer, after making the table it points to and its mark.
    fn descend(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        slot: PhysicalAddress,
        place: Place,
    ) -> Result<PhysicalAddress, HostError> {
        let present = meter.read_pte(slot)?;
        if present & VALID == 0 {
            let frame = frames.take(meter)?;
            let base = place.address & !(entry::span(place.level) - 1);
            self.tables.push(Table { frame, base, level: place.level });
            meter.write_pte(slot, entry::compose(frame, VALID | place.mark))?;
            return Ok(frame);
        }
        if present | place.mark != present {
            meter.write_pte(slot, present | place.mark)?;
        }
        Ok(entry::address(present))
    }

    /// Removes the leaf of an address; with it the whole of the guest's larger page, if the
    /// address is in one.
    pub fn unmap(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
    ) -> Result<Removed, HostError> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let slot = slot(table, address, level);
            let present = meter.read_pte(slot)?;
            if present & VALID == 0 {
                return Ok(Removed::Nothing);
            }
            if present & PART_OF_LARGE_PAGE != 0 {
                meter.write_pte(slot, 0)?;
                self.free_below(meter, frames, address, level);
                return Ok(Removed::Range);
            }
            table = entry::address(present);
        }
        let slot = slot(table, address, 0);
        if meter.read_pte(slot)? & VALID == 0 {
            return Ok(Removed::Nothing);
        }
        meter.write_pte(slot, 0)?;
        self.note(meter, address, 0);
        Ok(Removed::Page)
    }

    /// The leaf of an address is this now.
    fn note(&mut self, meter: &mut Meter<'_>, address: u64, leaf: u64) {
        let Some(back) = &mut self.back else { return };
        meter.store_state(1);
        let address = address & !(entry::span(0) - 1);
        if leaf & VALID == 0 {
            back.forget(address);
        } else {
            back.note(address, entry::address(leaf));
        }
    }

    /// Begins to keep the addresses that lead to each frame: goes through all leaves once.
    pub fn keep_back_map(&mut self, meter: &mut Meter<'_>) -> Result<(), HostError> {
        if self.back.is_some() {
            return Ok(());
        }
        let mut back = BackMap::default();
        for table in self.tables.iter().filter(|table| table.level == 1) {
            for index in 0..TABLE_ENTRIES {
                let leaf = meter.read_pte(PhysicalAddress(table.frame.0 + index * 8))?;
                if leaf & VALID != 0 {
                    meter.store_state(1);
                    back.note(table.base + index * entry::span(0), entry::address(leaf));
                }
            }
        }
        self.back = Some(back);
        Ok(())
    }

    /// Removes all leaves that lead to a frame. Returns their addresses.
    pub fn unmap_frame(
        &mut self,
        meter: &mut Meter<'_>,
        frame: PhysicalAddress,
    ) -> Result<Vec<u64>, HostError> {
        self.keep_back_map(meter)?;
        meter.lookup(1);
        let addresses = self.back.as_ref().map(|back| back.places(frame)).unwrap_or_default();
        for address in &addresses {
            let mut table = self.root;
            for level in (1..self.levels).rev() {
                table = entry::address(meter.read_pte(slot(table, *address, level))?);
            }
            meter.write_pte(slot(table, *address, 0), 0)?;
            self.note(meter, *address, 0);
        }
        Ok(addresses)
    }

    /// Frees the tables below the entry of `level` for `address`.
    fn free_below(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
        level: u32,
    ) {
        let span = entry::span(level);
        let base = address & !(span - 1);
        meter.lookup(self.tables.len() as u64);
        if let Some(back) = &mut self.back {
            back.forget_all(|address| address.wrapping_sub(base) < span);
        }
        self.tables.retain(|table| {
            let below = table.level <= level && table.base.wrapping_sub(base) < span;
            if below {
                frames.give_back(meter, table.frame);
            }
            !below
        });
    }

    /// Gives all frames back.
    pub fn free(self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        for table in &self.tables {
            frames.give_back(meter, table.frame);
        }
        frames.give_back(meter, self.root);
    }

    /// Follows the tables as hardware does and returns the leaf of an address, or 0.
    pub fn leaf(&self, meter: &mut Meter<'_>, address: u64) -> Result<u64, HostError> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let present = meter.read_pte(slot(table, address, level))?;
            if present & VALID == 0 {
                return Ok(0);
            }
            table = entry::address(present);
        }
        Ok(meter.read_pte(slot(table, address, 0))?)
    }
}

/// Where in the tree a pointer is made, and with which mark.
#[derive(Copy, Clone)]
struct Place {
    address: u64,
    level: u32,
    mark: u64,
}

fn slot(table: PhysicalAddress, address: u64, level: u32) -> PhysicalAddress {
    PhysicalAddress(table.0 + entry::index(address, level) * 8)
}
