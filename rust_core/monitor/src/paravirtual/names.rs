//! What guests call host frames: the table through which a guest reads its own page tables back.
//!
//! The entries of a guest's tables hold host addresses. For each frame that they name, this table
//! has the guest-physical address of the page in it; the guest sees the table, read-only, at
//! [`abi::NAMES`](super::abi::NAMES). It is one guest's own and sparse: a page of it exists once
//! it has something to say.

use super::layout::Layout;
use crate::allocator::FrameOwner;
use crate::error::HostError;
use crate::shadow::audit::valid_entries;
use crate::shadow::entry::{self, READ, VALID};
use crate::shadow::tree::TableFrames;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PhysicalAddress};

/// Bytes that one table of level 0 maps.
const TABLE_SPAN: u64 = 1 << 21;

/// The table.
#[derive(Clone, Debug)]
pub struct Names {
    /// The tables of level 0 that map it, in order, for as many frames as the host has.
    tables: Vec<PhysicalAddress>,
    /// The offset of the first of them.
    start: u64,
    /// What every leaf has beside its rights.
    leaf: u64,
    /// Pages that it does not have yet.
    missing: u64,
}

/// Where the name of a frame is, counted from the first.
fn offset(frame: PhysicalAddress) -> u64 {
    (frame.0 >> 12) * 8
}

impl Names {
    /// Tables of level 0 for `frames` frames from `base` upwards.
    pub fn tables_for(base: PhysicalAddress, frames: u64) -> u64 {
        (offset(base) % TABLE_SPAN + frames * 8).div_ceil(TABLE_SPAN)
    }

    /// An empty table for `frames` frames from `base` upwards.
    pub fn new(
        layout: Layout,
        base: PhysicalAddress,
        frames: u64,
        tables: Vec<PhysicalAddress>,
    ) -> Self {
        let start = offset(base) & !(TABLE_SPAN - 1);
        let missing = (frames * 8).div_ceil(4096) + 1;
        Self { tables, start, leaf: layout.leaf(), missing }
    }

    /// Frames that it may still take.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Notes which page is in a frame. May take a frame.
    pub fn note(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        frame: PhysicalAddress,
        page: u64,
    ) -> Result<(), HostError> {
        let slot = self.slot(frame)?;
        let mut leaf = meter.read_pte(slot)?;
        if leaf & VALID == 0 {
            let owner = FrameOwner::Shown { vm: frames.vm };
            let made = frames.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
            meter.clear_page(made)?;
            leaf = entry::compose(made, self.leaf | READ);
            meter.write_pte(slot, leaf)?;
            self.missing = self.missing.saturating_sub(1);
        }
        Ok(meter.store(name_in(leaf, frame), page)?)
    }

    /// The guest-physical address of the page in a frame that was noted.
    pub fn page(&self, meter: &mut Meter<'_>, frame: PhysicalAddress) -> Result<u64, HostError> {
        let leaf = meter.read_pte(self.slot(frame)?)?;
        Ok(meter.load(name_in(leaf, frame))?)
    }

    /// The same without cost, for what is no program of the pCPU.
    pub fn look_up(&self, memory: &Memory<'_>, frame: PhysicalAddress) -> Option<u64> {
        let leaf = memory.read_u64(self.slot(frame).ok()?).ok()?;
        memory.read_u64(name_in(leaf, frame)).ok()
    }

    /// The frames of the table and of those that map it, but for the one above them.
    pub fn frames(&self, memory: &Memory<'_>) -> impl Iterator<Item = PhysicalAddress> {
        self.tables.iter().flat_map(|table| {
            let pages = valid_entries(memory, *table).map(|(_, leaf)| entry::address(leaf));
            std::iter::once(*table).chain(pages)
        })
    }

    fn slot(&self, frame: PhysicalAddress) -> Result<PhysicalAddress, HostError> {
        let within = offset(frame).wrapping_sub(self.start);
        let table = usize::try_from(within / TABLE_SPAN).ok().and_then(|i| self.tables.get(i));
        let table = table.ok_or(HostError::FrameNotReserved)?;
        Ok(PhysicalAddress(table.0 + within % TABLE_SPAN / 4096 * 8))
    }
}

fn name_in(leaf: u64, frame: PhysicalAddress) -> PhysicalAddress {
    PhysicalAddress(entry::address(leaf).0 + offset(frame) % 4096)
}
