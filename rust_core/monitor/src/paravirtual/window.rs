//! The window: the upper half of address spaces, through which a guest kernel sees its memory
//! and its devices at [`abi::WINDOW`] plus their guest-physical addresses.
//!
//! Its tables are the monitor's. What is not there yet, and what never is (devices), has a leaf
//! that names [`NOWHERE`], an address without memory: touching it raises an access fault, which
//! comes to the monitor, whereas page faults are the guest's own and go straight to it.
//!
//! Until the guest has an address space of its own, the lower half shows the same: that is how it
//! executes untranslated.
//!
//! A kernel in user mode has the window in an address space of its own: those of its programs, which
//! could use it as well, are without.

use super::abi::{NAMES, WINDOW};
use super::layout::Layout;
use super::seal::Seal;
use crate::allocator::FrameOwner;
use crate::error::HostError;
use crate::guest_pages::PageMap;
use crate::shadow::audit::valid_entries;
use crate::shadow::entry::{self, EXECUTE, READ, VALID, WRITE, is_leaf};
use crate::shadow::tree::TableFrames;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress};

/// An address at which hosts have no memory, for leaves of any level.
const NOWHERE: PhysicalAddress = PhysicalAddress(0);

/// Entries of a table, and of half a root.
const ENTRIES: usize = 512;
const HALF: usize = ENTRIES / 2;

/// Bytes of the upper half of a root.
pub const UPPER_BYTES: usize = HALF * 8;

/// The rights of a page of the guest's in its window, as long as the kernel has given up none.
const OPEN: u64 = READ | WRITE | EXECUTE;

/// Frames of a window before anything is in it, beside those of its tables of level 1.
const ROOTS: u64 = 3;

/// The window of one guest.
#[derive(Clone, Debug)]
pub struct Window {
    /// The root for a guest without an address space: both halves show its memory.
    pub bare: PhysicalAddress,
    /// The root for a kernel that is in none of its address spaces, or must not be in any that it
    /// shares with programs: the upper half only.
    pub kernel: PhysicalAddress,
    /// The table of level 1 that leads to the names.
    name_table: PhysicalAddress,
    /// The tables of level 1, one for each gigabyte that has memory.
    tables: Vec<PhysicalAddress>,
    /// The first of these gigabytes.
    first_gigabyte: u64,
    /// What every leaf has beside its rights.
    leaf: u64,
    /// What the kernel has given up.
    pub seal: Option<Seal>,
    /// What the upper half of every root of the guest's holds.
    upper: Vec<u8>,
}

/// Gigabytes that a guest's memory touches.
fn gigabytes(map: &PageMap) -> std::ops::Range<u64> {
    let end = map.base() + map.pages() * PAGE_BYTES as u64;
    map.base() >> 30..end.div_ceil(1 << 30)
}

impl Window {
    /// Frames that [`Self::new`] needs beside those of the names.
    pub fn frames_for(map: &PageMap) -> u64 {
        ROOTS + gigabytes(map).count() as u64
    }

    /// A window with nothing in it, made before the guest runs. `frames` are as many as
    /// [`Self::frames_for`] says; `names` are the tables of level 0 of the names.
    pub fn new(
        memory: &mut Memory<'_>,
        layout: Layout,
        map: &PageMap,
        frames: &[PhysicalAddress],
        first_name: PhysicalAddress,
        names: &[PhysicalAddress],
    ) -> Result<Self, HostError> {
        let [bare, kernel, name_table, tables @ ..] = frames else {
            return Err(HostError::FrameNotReserved);
        };
        let nowhere = [entry::compose(NOWHERE, layout.leaf() | OPEN); ENTRIES];
        let mut upper = nowhere[..HALF].to_vec();
        for (gigabyte, table) in gigabytes(map).zip(tables) {
            write_entries(memory, *table, 0, &nowhere)?;
            upper[gigabyte as usize % HALF] = entry::compose(*table, VALID);
        }
        write_entries(memory, *bare, 0, &upper)?;
        upper[entry::index(NAMES, 2) as usize - HALF] = entry::compose(*name_table, VALID);
        let pointers: Vec<u64> = names.iter().map(|n| entry::compose(*n, VALID)).collect();
        write_entries(memory, *name_table, entry::index((first_name.0 >> 12) * 8, 1), &pointers)?;
        for root in [bare, kernel] {
            write_entries(memory, *root, HALF as u64, &upper)?;
        }
        if layout == Layout::User {
            upper.fill(0);
        }
        Ok(Self {
            bare: *bare,
            kernel: *kernel,
            name_table: *name_table,
            tables: tables.to_vec(),
            first_gigabyte: gigabytes(map).start,
            leaf: layout.leaf(),
            seal: None,
            upper: bytes(&upper),
        })
    }

    /// The frames of all its tables.
    pub fn frames(&self, memory: &Memory<'_>) -> impl Iterator<Item = PhysicalAddress> {
        let below = self.tables.iter().flat_map(|table| {
            let pointers = valid_entries(memory, *table).filter(|(_, entry)| !is_leaf(*entry));
            std::iter::once(*table).chain(pointers.map(|(_, entry)| entry::address(entry)))
        });
        [self.bare, self.kernel, self.name_table].into_iter().chain(below)
    }

    /// Puts the window into a root of the guest's; where the kernel is in user mode, nothing.
    pub fn open_in(&self, meter: &mut Meter<'_>, root: PhysicalAddress) -> Result<(), HostError> {
        Ok(meter.write_bytes(PhysicalAddress(root.0 + UPPER_BYTES as u64), &self.upper)?)
    }

    /// Shows a page of the guest's. May take a frame.
    pub fn fill(
        &self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
        frame: PhysicalAddress,
        guarded: bool,
    ) -> Result<(), HostError> {
        let slot = self.large_slot(address)?;
        let mut pointer = meter.read_pte(slot)?;
        if entry::is_leaf(pointer) {
            let owner = FrameOwner::Shadow { vm: frames.vm };
            let table = frames.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
            let nowhere = entry::compose(NOWHERE, self.leaf | OPEN);
            meter.write_bytes(table, &bytes(&[nowhere; ENTRIES]))?;
            pointer = entry::compose(table, VALID);
            meter.write_pte(slot, pointer)?;
        }
        let leaf = self.leaf_for(address, frame, guarded);
        Ok(meter.write_pte(slot_in(pointer, address), leaf)?)
    }

    /// Lets the guest write a page, or not, if it sees the page at all. `untranslated`: the lower
    /// half shows it too.
    pub fn guard(
        &self,
        meter: &mut Meter<'_>,
        address: u64,
        guarded: bool,
        untranslated: bool,
    ) -> Result<(), HostError> {
        let pointer = meter.read_pte(self.large_slot(address)?)?;
        if entry::is_leaf(pointer) {
            return Ok(());
        }
        let slot = slot_in(pointer, address);
        let leaf = meter.read_pte(slot)?;
        let frame = entry::address(leaf);
        if frame != NOWHERE {
            meter.write_pte(slot, self.leaf_for(address, frame, guarded))?;
            meter.flush_tlb_address(WINDOW + address);
            if untranslated {
                meter.flush_tlb_address(address);
            }
        }
        Ok(())
    }

    /// Takes away what the kernel gives up, from all that it sees already. The caller flushes.
    pub fn close(&mut self, meter: &mut Meter<'_>, seal: Seal) -> Result<(), HostError> {
        self.seal = Some(seal);
        for (gigabyte, table) in (self.first_gigabyte..).zip(&self.tables) {
            for large in 0..ENTRIES as u64 {
                let pointer = meter.read_pte(PhysicalAddress(table.0 + large * 8))?;
                if !entry::is_leaf(pointer) {
                    self.close_table(meter, gigabyte << 30 | large << 21, pointer)?;
                }
            }
        }
        Ok(())
    }

    fn close_table(
        &self,
        meter: &mut Meter<'_>,
        start: u64,
        pointer: u64,
    ) -> Result<(), HostError> {
        for address in (start..).step_by(PAGE_BYTES).take(ENTRIES) {
            let slot = slot_in(pointer, address);
            let leaf = meter.read_pte(slot)?;
            let frame = entry::address(leaf);
            if frame != NOWHERE {
                let guarded = leaf & WRITE == 0;
                meter.write_pte(slot, self.leaf_for(address, frame, guarded))?;
            }
        }
        Ok(())
    }

    /// The entry that shows the page at a guest-physical address. One that is guarded is not to be
    /// written.
    fn leaf_for(&self, address: u64, frame: PhysicalAddress, guarded: bool) -> u64 {
        let rights = self.seal.as_ref().map_or(OPEN, |seal| seal.rights(address));
        entry::compose(frame, self.leaf | if guarded { rights & !WRITE } else { rights })
    }

    /// Where the entry of level 1 for a guest-physical address is.
    fn large_slot(&self, address: u64) -> Result<PhysicalAddress, HostError> {
        let number = (address >> 30).wrapping_sub(self.first_gigabyte);
        let table = usize::try_from(number).ok().and_then(|number| self.tables.get(number));
        let table = table.ok_or(HostError::FrameNotReserved)?;
        Ok(PhysicalAddress(table.0 + entry::index(address, 1) * 8))
    }
}

fn slot_in(pointer: u64, address: u64) -> PhysicalAddress {
    PhysicalAddress(entry::address(pointer).0 + entry::index(address, 0) * 8)
}

fn bytes(entries: &[u64]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
}

fn write_entries(
    memory: &mut Memory<'_>,
    table: PhysicalAddress,
    first: u64,
    entries: &[u64],
) -> Result<(), HostError> {
    Ok(memory.write(PhysicalAddress(table.0 + first * 8), &bytes(entries))?)
}
