//! The memory that instructions are executed over: a few pages at the same virtual addresses in
//! every state, in frames that differ from place to place.
//!
//! Supervisor architecture, "Sv39". The page tables themselves are not mapped: a program sees
//! where its frames are only if an instruction tells it.

use dcsim_hart::csr::fields::satp;
use dcsim_memory::{Memory, MemoryError, PAGE_BYTES, PhysicalAddress};

/// First address of memory.
pub(super) const RAM: PhysicalAddress = PhysicalAddress(0x8000_0000);
/// Frames of memory.
pub(super) const FRAMES: u64 = 64;

const PAGE: u64 = PAGE_BYTES as u64;
/// The page that holds the instruction.
pub(super) const CODE: u64 = 0x4001_0000;
/// Pages that loads and stores find.
pub(super) const DATA: u64 = 0x4002_0000;
/// Bytes of them.
pub(super) const DATA_BYTES: usize = 2 * PAGE_BYTES;
/// A page whose translation in the TLB is no longer that of the tables.
pub(super) const STALE: u64 = 0x4003_0000;

/// What the frame holds that the stale translation leads to.
const OLD: u64 = 0x01d;
/// What the frame holds that the tables lead to.
const NEW: u64 = 0x2e3;

/// Page-table entry: valid.
const VALID: u64 = 1;
/// Valid, readable, writable, executable, accessed and dirty.
const LEAF: u64 = 0xcf;
/// For user mode.
const USER: u64 = 1 << 4;

/// Bits of an address that one table resolves, and those below the last table.
const LEVEL_BITS: u32 = 9;
const PAGE_BITS: u32 = 12;

/// Which frames hold what, by number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    tables: [u64; 3],
    code: u64,
    data: [u64; 2],
    old: u64,
    new: u64,
}

impl Place {
    /// One place.
    pub(super) const HERE: Self = Self { tables: [1, 2, 3], code: 4, data: [5, 7], old: 8, new: 9 };
    /// A place that shares no frame with it and has none in the same order.
    pub(super) const ELSEWHERE: Self =
        Self { tables: [40, 37, 61], code: 29, data: [50, 26], old: 45, new: 17 };

    /// The `satp` of the place for an address space.
    pub(super) fn satp(&self, asid: u64) -> u64 {
        satp::SV39 << 60 | asid << 44 | address(self.tables[0]).0 >> PAGE_BITS
    }

    /// The frames that a program sees, by virtual address.
    pub(super) fn visible(&self) -> [PhysicalAddress; 3] {
        [address(self.data[0]), address(self.data[1]), address(self.code)]
    }

    /// Where a byte of the data pages is.
    pub(super) fn data_address(&self, offset: u64) -> PhysicalAddress {
        let frame = self.data[usize::from(offset >= PAGE)];
        PhysicalAddress(address(frame).0 + offset % PAGE)
    }

    /// Fills the page tables, for one mode.
    pub(super) fn map(&self, memory: &mut Memory<'_>, for_user: bool) -> Result<(), MemoryError> {
        let [root, middle, leaf] = self.tables;
        memory.write_u64(entry(root, CODE, 2), pointer(middle))?;
        memory.write_u64(entry(middle, CODE, 1), pointer(leaf))?;
        let pages = [(CODE, self.code), (DATA, self.data[0]), (DATA + PAGE, self.data[1])];
        for (va, frame) in pages {
            memory.write_u64(self.leaf(va), leaf_entry(frame, for_user))?;
        }
        memory.write_u64(address(self.old), OLD)?;
        memory.write_u64(address(self.new), NEW)
    }

    /// Has the tables lead the stale page to its old frame, or to its new one.
    pub(super) fn map_stale(
        &self,
        memory: &mut Memory<'_>,
        for_user: bool,
        is_old: bool,
    ) -> Result<(), MemoryError> {
        let frame = if is_old { self.old } else { self.new };
        memory.write_u64(self.leaf(STALE), leaf_entry(frame, for_user))
    }

    fn leaf(&self, va: u64) -> PhysicalAddress {
        entry(self.tables[2], va, 0)
    }
}

/// Whether what was read from the stale page came through the stale translation.
pub(super) const fn is_stale(value: u64) -> bool {
    value == OLD
}

const fn address(frame: u64) -> PhysicalAddress {
    PhysicalAddress(RAM.0 + frame * PAGE)
}

/// The address of the entry for `va` in a table.
const fn entry(table: u64, va: u64, level: u32) -> PhysicalAddress {
    let index = va >> (PAGE_BITS + LEVEL_BITS * level) & ((1 << LEVEL_BITS) - 1);
    PhysicalAddress(address(table).0 + 8 * index)
}

const fn pointer(table: u64) -> u64 {
    address(table).0 >> PAGE_BITS << 10 | VALID
}

const fn leaf_entry(frame: u64, for_user: bool) -> u64 {
    let user = if for_user { USER } else { 0 };
    address(frame).0 >> PAGE_BITS << 10 | LEAF | user
}
