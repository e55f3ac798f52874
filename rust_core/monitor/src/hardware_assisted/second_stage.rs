//! The tables that translate guest-physical to host-physical addresses.
//!
//! Hypervisor extension, "Two-Stage Address Translation": Sv39x4, whose root table is four times as
//! large as another and aligned to its size. Every leaf allows everything, as the guest may do what
//! it likes with its own pages, and has its accessed and dirty bits set, so that no walk writes.

use crate::allocator::{FrameAllocator, FrameOwner};
use crate::error::HostError;
use crate::guest_pages::Provided;
use crate::holes::Hole;
use crate::ids::VmId;
use crate::shadow::audit;
use crate::shadow::entry::{self, ACCESSED, DIRTY, EXECUTE, READ, USER, VALID, WRITE};
use crate::shadow::tree::TableFrames;
use dcsim_machine::Meter;
use dcsim_memory::{Frames, Memory, PAGE_BYTES, PageId, PageStore, PhysicalAddress};

/// Frames of the root table.
pub const ROOT_FRAMES: u64 = 4;

/// The most frames that mapping a page takes: two tables and the page itself.
pub const FILL_FRAMES: u64 = 3;

/// The level of the root table.
const ROOT_LEVEL: u32 = 2;

/// The second stage treats every access as one of user mode.
const LEAF: u64 = VALID | READ | WRITE | EXECUTE | USER | ACCESSED | DIRTY;

/// The second stage of one VM.
#[derive(Debug)]
pub struct SecondStage {
    root: PhysicalAddress,
    tables: Vec<PhysicalAddress>,
    /// The level of its leaves: 1 for large pages, whose frames lie in runs.
    leaf_level: u32,
}

impl SecondStage {
    /// A second stage that maps nothing, if there is room for its root.
    pub fn new(
        store: &mut PageStore,
        frames: &mut Frames,
        allocator: &mut FrameAllocator,
        vm: VmId,
    ) -> Option<Self> {
        let root = allocator.allocate_run(ROOT_FRAMES, |_| FrameOwner::Shadow { vm })?;
        for number in 0..ROOT_FRAMES {
            let frame = PhysicalAddress(root.0 + number * PAGE_BYTES as u64);
            // It may have been a table of another guest.
            frames.replace(store, frame, PageId::ZERO);
        }
        Some(Self { root, tables: Vec::new(), leaf_level: 0 })
    }

    /// The same with leaves of 2 MiB, if the guest's frames lie in runs.
    pub fn with_large_pages(self, large: bool) -> Self {
        Self { leaf_level: u32::from(large), ..self }
    }

    /// The root table.
    pub fn root(&self) -> PhysicalAddress {
        self.root
    }

    /// Maps the page of guest-physical `address` to its frame, to be read only while others share it.
    /// Needs [`FILL_FRAMES`] reserved frames, of which one is meant for the page. An entry that was
    /// not valid is in no TLB; what leads elsewhere the page has left, which ends it.
    pub fn map(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
        Provided { frame, writable, .. }: Provided,
    ) -> Result<(), HostError> {
        let mut table = self.root;
        for level in (self.leaf_level + 1..=ROOT_LEVEL).rev() {
            let slot = slot(table, address, level);
            let present = meter.read_pte(slot)?;
            table = if present & VALID == 0 {
                let below = frames.take(meter)?;
                self.tables.push(below);
                meter.write_pte(slot, entry::compose(below, VALID))?;
                below
            } else {
                entry::address(present)
            };
        }
        let base = PhysicalAddress(frame.0 & !(entry::span(self.leaf_level) - 1));
        let slot = slot(table, address, self.leaf_level);
        let is_open = writable || Hole::SharedWrite.is_open();
        let leaf = if is_open { LEAF } else { LEAF & !(WRITE | DIRTY) };
        Ok(meter.write_pte(slot, entry::compose(base, leaf))?)
    }

    /// Removes the entry of the page of guest-physical `address` if it leads to `frame`. TLBs may
    /// hold it still.
    pub fn unmap(
        &mut self,
        meter: &mut Meter<'_>,
        address: u64,
        frame: PhysicalAddress,
    ) -> Result<(), HostError> {
        let mut table = self.root;
        for level in (self.leaf_level + 1..=ROOT_LEVEL).rev() {
            let present = meter.read_pte(slot(table, address, level))?;
            if present & VALID == 0 {
                return Ok(());
            }
            table = entry::address(present);
        }
        let slot = slot(table, address, self.leaf_level);
        let present = meter.read_pte(slot)?;
        if present & VALID != 0 && entry::address(present) == frame {
            meter.write_pte(slot, 0)?;
        }
        Ok(())
    }

    /// Compares what is mapped with who holds the host's frames; says what is wrong.
    pub fn audit(
        &self,
        memory: &Memory<'_>,
        owners: &FrameAllocator,
        vm: VmId,
    ) -> Result<(), String> {
        self.table_roots()
            .into_iter()
            .try_for_each(|(part, level)| audit::check_tree(memory, owners, vm, part, level))
    }

    /// The frames of the root table, with its level.
    pub fn table_roots(&self) -> Vec<(PhysicalAddress, u32)> {
        let part = |number| PhysicalAddress(self.root.0 + number * PAGE_BYTES as u64);
        (0..ROOT_FRAMES).map(|number| (part(number), ROOT_LEVEL)).collect()
    }

    /// The frames of all tables.
    pub fn frames(&self) -> Vec<PhysicalAddress> {
        let roots = self.table_roots().into_iter().map(|(part, _)| part);
        roots.chain(self.tables.iter().copied()).collect()
    }

    /// Gives up all tables below the root, for a guest on no pCPU.
    pub fn clear(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        for table in std::mem::take(&mut self.tables) {
            frames.give_back(meter, table);
        }
        for number in 0..ROOT_FRAMES {
            // The root is the VM's own memory: clearing it cannot fail for want of it.
            let _ = meter.clear_page(PhysicalAddress(self.root.0 + number * PAGE_BYTES as u64));
        }
    }
}

/// Where the entry for an address is in a table of this level. Addresses of the root have two more
/// bits, which lead into its other three frames.
fn slot(table: PhysicalAddress, address: u64, level: u32) -> PhysicalAddress {
    let index = if level == ROOT_LEVEL {
        address >> (12 + 9 * ROOT_LEVEL) & 0x7ff
    } else {
        entry::index(address, level)
    };
    PhysicalAddress(table.0 + index * 8)
}
