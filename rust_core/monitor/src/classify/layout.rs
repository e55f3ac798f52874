//! The memory that instructions are executed over: a few pages at the same virtual addresses in
//! every state, in frames that differ from place to place.
//!
//! Supervisor architecture, "Sv39"; hypervisor extension, "Two-Stage Address Translation". The page
//! tables themselves are not mapped: a program sees where its frames are only if an instruction
//! tells it. A guest's tables name guest-physical addresses, which are the same in every place.

use dcsim_hart::csr::fields::satp;
use dcsim_memory::{Memory, MemoryError, PAGE_BYTES, PhysicalAddress};

/// First address of memory.
pub(super) const RAM: PhysicalAddress = PhysicalAddress(0x8000_0000);
/// Frames of memory.
pub(super) const FRAMES: u64 = 64;
/// First guest-physical address of a guest's memory.
const GUEST_RAM: PhysicalAddress = PhysicalAddress(0x4000_0000);

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
/// For user mode; the second stage takes every access for one of user mode.
const USER: u64 = 1 << 4;

/// Bits of an address that one table resolves, and those below the last table.
const LEVEL_BITS: u32 = 9;
const PAGE_BITS: u32 = 12;

/// Which frames hold what, by number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// Page tables of the program, the root first.
    tables: [u64; 3],
    code: u64,
    data: [u64; 2],
    /// Page tables of HS mode while a guest executes.
    host: [u64; 3],
    old: u64,
    new: u64,
    /// Page tables of the second stage; the root is four frames, naturally aligned.
    second: [u64; 3],
}

/// What page tables call the frames: the address of frame 0, and the number of each.
struct Names {
    base: PhysicalAddress,
    place: Place,
}

impl Place {
    /// One place.
    pub(super) const HERE: Self = Self {
        tables: [1, 2, 3],
        code: 4,
        data: [5, 7],
        host: [10, 11, 16],
        old: 8,
        new: 9,
        second: [12, 18, 19],
    };
    /// A place that shares no frame with it and has none in the same order.
    pub(super) const ELSEWHERE: Self = Self {
        tables: [40, 37, 61],
        code: 29,
        data: [50, 26],
        host: [54, 33, 52],
        old: 45,
        new: 17,
        second: [20, 31, 30],
    };

    /// The `satp` of a program, in this address space.
    pub(super) fn satp(&self, asid: u64) -> u64 {
        root(RAM, self.tables, asid)
    }

    /// The `satp` of HS mode while a guest executes.
    pub(super) fn host_satp(&self, asid: u64) -> u64 {
        root(RAM, self.host, asid)
    }

    /// The `satp` of a guest's program.
    pub(super) fn guest_satp(asid: u64) -> u64 {
        root(GUEST_RAM, Self::HERE.tables, asid)
    }

    /// The `hgatp` of a guest.
    pub(super) fn hgatp(&self) -> u64 {
        root(RAM, self.second, 0)
    }

    /// The frames that a program sees, by virtual address.
    pub(super) fn visible(&self) -> [PhysicalAddress; 3] {
        [frame(RAM, self.data[0]), frame(RAM, self.data[1]), frame(RAM, self.code)]
    }

    /// Where a byte of the data pages is.
    pub(super) fn data_address(&self, offset: u64) -> PhysicalAddress {
        let number = self.data[usize::from(offset >= PAGE)];
        PhysicalAddress(frame(RAM, number).0 + offset % PAGE)
    }

    /// Fills the page tables of a program outside guests.
    pub(super) fn map(&self, memory: &mut Memory<'_>, for_user: bool) -> Result<(), MemoryError> {
        let names = Names { base: RAM, place: *self };
        self.map_program(memory, &names, for_user)?;
        self.fill_stale(memory)
    }

    /// Fills the page tables of a guest's program, of the guest, and of HS mode.
    pub(super) fn map_guest(
        &self,
        memory: &mut Memory<'_>,
        for_user: bool,
    ) -> Result<(), MemoryError> {
        let names = Names { base: GUEST_RAM, place: Self::HERE };
        self.map_program(memory, &names, for_user)?;
        connect(memory, (self.second, self.second), RAM, GUEST_RAM.0)?;
        for (here, there) in Self::HERE.guest_frames().into_iter().zip(self.guest_frames()) {
            let slot = entry(self.second[2], frame(GUEST_RAM, here).0, 0);
            memory.write_u64(slot, leaf_entry(frame(RAM, there), true))?;
        }
        connect(memory, (self.host, self.host), RAM, STALE)?;
        self.fill_stale(memory)
    }

    /// Has the tables of a program outside guests, or those of HS mode beside a guest, lead the
    /// stale page to its old frame, or to its new one.
    pub(super) fn map_stale(
        &self,
        memory: &mut Memory<'_>,
        (in_guest, for_user): (bool, bool),
        is_old: bool,
    ) -> Result<(), MemoryError> {
        let number = if is_old { self.old } else { self.new };
        let table = if in_guest { self.host[2] } else { self.tables[2] };
        let for_user = for_user && !in_guest;
        memory.write_u64(entry(table, STALE, 0), leaf_entry(frame(RAM, number), for_user))
    }

    fn map_program(
        &self,
        memory: &mut Memory<'_>,
        Names { base, place }: &Names,
        for_user: bool,
    ) -> Result<(), MemoryError> {
        connect(memory, (self.tables, place.tables), *base, CODE)?;
        let pages = [(CODE, place.code), (DATA, place.data[0]), (DATA + PAGE, place.data[1])];
        for (va, number) in pages {
            let leaf = leaf_entry(frame(*base, number), for_user);
            memory.write_u64(entry(self.tables[2], va, 0), leaf)?;
        }
        Ok(())
    }

    fn fill_stale(&self, memory: &mut Memory<'_>) -> Result<(), MemoryError> {
        memory.write_u64(frame(RAM, self.old), OLD)?;
        memory.write_u64(frame(RAM, self.new), NEW)
    }

    /// The frames of a guest's memory.
    fn guest_frames(&self) -> [u64; 6] {
        let ([root, middle, leaf], [first, second]) = (self.tables, self.data);
        [root, middle, leaf, self.code, first, second]
    }
}

/// Whether what was read from the stale page came through the stale translation.
pub(super) const fn is_stale(value: u64) -> bool {
    value == OLD
}

const fn frame(base: PhysicalAddress, number: u64) -> PhysicalAddress {
    PhysicalAddress(base.0 + number * PAGE)
}

/// A register that has a page table as its root.
fn root(base: PhysicalAddress, tables: [u64; 3], space: u64) -> u64 {
    satp::SV39 << 60 | space << 44 | frame(base, tables[0]).0 >> PAGE_BITS
}

/// The entry for `va` in a table.
const fn entry(table: u64, va: u64, level: u32) -> PhysicalAddress {
    let index = va >> (PAGE_BITS + LEVEL_BITS * level) & ((1 << LEVEL_BITS) - 1);
    PhysicalAddress(frame(RAM, table).0 + 8 * index)
}

/// Has the root of page tables lead to the last one for the addresses around `va`. The tables are
/// given as they are numbered in memory, and as they are called.
fn connect(
    memory: &mut Memory<'_>,
    (tables, called): ([u64; 3], [u64; 3]),
    base: PhysicalAddress,
    va: u64,
) -> Result<(), MemoryError> {
    memory.write_u64(entry(tables[0], va, 2), pointer(frame(base, called[1])))?;
    memory.write_u64(entry(tables[1], va, 1), pointer(frame(base, called[2])))
}

const fn pointer(table: PhysicalAddress) -> u64 {
    table.0 >> PAGE_BITS << 10 | VALID
}

const fn leaf_entry(page: PhysicalAddress, for_user: bool) -> u64 {
    let user = if for_user { USER } else { 0 };
    page.0 >> PAGE_BITS << 10 | LEAF | user
}
