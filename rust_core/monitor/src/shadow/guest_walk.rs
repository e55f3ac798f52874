//! The walk of a guest's page tables in software, as hardware would do it for the guest.
//!
//! Privileged architecture, "Virtual Address Translation Process". Every entry that the walk reads
//! or marks goes through the meter; a table in a page that has no frame yet reads as zeros.

use super::entry::{
    ACCESSED, DIRTY, EXECUTE, READ, USER, WRITE, address, index, is_canonical, is_leaf, is_valid,
    span,
};
use super::tree::TableFrames;
use crate::error::HostError;
use crate::guest_pages::{PageMap, Place, provide_for};
use crate::supervisor::Supervisor;
use dcsim_hart::csr::fields::{satp, status};
use dcsim_hart::{Exception, Privilege};
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

/// What the guest wants to do with an address.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// Execute it.
    Fetch,
    /// Read it.
    Load,
    /// Write it.
    Store,
}

impl Access {
    /// The page fault of such an access.
    pub fn page_fault(self) -> Exception {
        match self {
            Self::Fetch => Exception::InstructionPageFault,
            Self::Load => Exception::LoadPageFault,
            Self::Store => Exception::StorePageFault,
        }
    }

    /// The access whose page fault has this cause.
    pub fn of_page_fault(cause: u64) -> Option<Self> {
        let all = [Self::Fetch, Self::Load, Self::Store];
        all.into_iter().find(|access| access.page_fault().code() == cause)
    }
}

/// Why the guest cannot do it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum GuestFault {
    /// Its tables do not map the address for this access.
    Page,
    /// One of its tables is not in its memory.
    Access,
}

/// Where an address leads.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct GuestLeaf {
    /// The guest-physical address of the byte.
    pub address: u64,
    /// The flags of the leaf entry, as they are after the walk.
    pub flags: u64,
    /// The level of the leaf entry: 0 for a 4 KiB page. Without translation it is above all
    /// levels.
    pub level: u32,
    /// The tables that led there, by the level of their entries.
    pub tables: [u64; LEVELS],
}

/// The most levels of tables.
const LEVELS: usize = 4;

/// How the walk deals with accessed and dirty bits, and whose tables it reads.
#[derive(Copy, Clone, Debug)]
pub struct GuestWalker<'a> {
    /// The guest's memory.
    pub map: &'a PageMap,
    /// Accessed and dirty bits are set by the walk (Svadu); otherwise it faults (Svade).
    pub updates_marks: bool,
}

impl GuestWalker<'_> {
    /// Translates an address of the guest for an access in its present state. Setting a mark may take
    /// a reserved frame: a table can share its frame with other pages.
    pub fn walk(
        &self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        guest: &Supervisor,
        target: u64,
        access: Access,
    ) -> Result<Result<GuestLeaf, GuestFault>, HostError> {
        let Some(levels) = levels(guest.translation) else {
            return Ok(Ok(untranslated(target)));
        };
        if !is_canonical(target, levels) {
            return Ok(Err(GuestFault::Page));
        }
        let mut tables = [0; LEVELS];
        let mut table = PhysicalAddress(satp::root(guest.translation));
        for level in (0..levels).rev() {
            tables[level as usize] = table.0;
            let Some(slot) = self.slot(meter, table, index(target, level))? else {
                return Ok(Err(GuestFault::Access));
            };
            let entry = slot.read(meter)?;
            if !is_valid(entry) {
                return Ok(Err(GuestFault::Page));
            }
            if is_leaf(entry) {
                let leaf = Leaf { slot, entry, level, target, access, tables };
                return self.accept(meter, frames, guest, &leaf);
            }
            table = address(entry);
        }
        Ok(Err(GuestFault::Page))
    }

    /// Finds where an entry of a guest's table is in host memory. `None`: outside the guest's.
    fn slot(
        &self,
        meter: &mut Meter<'_>,
        table: PhysicalAddress,
        index: u64,
    ) -> Result<Option<Slot>, HostError> {
        let Some(page) = self.map.page_of(table.0) else { return Ok(None) };
        let Some(entry) = self.map.slot(page) else { return Ok(None) };
        let place = Place::of(meter.load(entry)?);
        if place == Place::Swapped {
            return Err(HostError::Swapped { page });
        }
        Ok(Some(Slot { page, index, place }))
    }

    fn accept(
        &self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        guest: &Supervisor,
        leaf: &Leaf,
    ) -> Result<Result<GuestLeaf, GuestFault>, HostError> {
        let base = address(leaf.entry).0;
        let misaligned = base & (span(leaf.level) - 1) != 0;
        if misaligned || !permits(guest, leaf.entry, leaf.access) {
            return Ok(Err(GuestFault::Page));
        }
        let marks = if leaf.access == Access::Store { ACCESSED | DIRTY } else { ACCESSED };
        let marked = leaf.entry | marks;
        if marked != leaf.entry {
            if !self.updates_marks {
                return Ok(Err(GuestFault::Page));
            }
            leaf.slot.write(meter, frames, self.map, marked)?;
        }
        let within = leaf.target & (span(leaf.level) - 1);
        let (flags, level, tables) = (marked & 0xff, leaf.level, leaf.tables);
        Ok(Ok(GuestLeaf { address: base | within, flags, level, tables }))
    }
}

/// A leaf entry that a walk has come to.
struct Leaf {
    slot: Slot,
    entry: u64,
    level: u32,
    target: u64,
    access: Access,
    tables: [u64; LEVELS],
}

/// Where an entry of a guest's table is.
#[derive(Copy, Clone, Debug)]
struct Slot {
    page: u64,
    index: u64,
    place: Place,
}

impl Slot {
    fn read(self, meter: &mut Meter<'_>) -> Result<u64, HostError> {
        match self.place.frame() {
            Some(frame) => Ok(meter.read_pte(self.within(frame))?),
            None => Ok(0),
        }
    }

    fn write(
        self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        map: &PageMap,
        entry: u64,
    ) -> Result<(), HostError> {
        let frame = match self.place {
            Place::Absent | Place::Swapped => return Ok(()),
            Place::Own(frame) => frame,
            Place::Shared(_) => provide_for(meter, frames, map, self.page, true)?.frame,
        };
        Ok(meter.write_pte(self.within(frame), entry)?)
    }

    fn within(self, frame: PhysicalAddress) -> PhysicalAddress {
        PhysicalAddress(frame.0 + self.index * 8)
    }
}

/// Levels of tables under a value of `satp`; `None` without translation.
pub fn levels(translation: u64) -> Option<u32> {
    match satp::mode(translation) {
        satp::SV39 => Some(3),
        satp::SV48 => Some(4),
        _ => None,
    }
}

fn untranslated(target: u64) -> GuestLeaf {
    let flags = READ | WRITE | EXECUTE | ACCESSED | DIRTY;
    GuestLeaf { address: target, flags, level: LEVELS as u32, tables: [0; LEVELS] }
}

/// Whether a leaf's rights and the guest's privilege allow an access.
fn permits(guest: &Supervisor, entry: u64, access: Access) -> bool {
    let right = match access {
        Access::Fetch => EXECUTE,
        Access::Load if guest.status & status::MXR != 0 => READ | EXECUTE,
        Access::Load => READ,
        Access::Store => WRITE,
    };
    let user_page = entry & USER != 0;
    let privileged = match guest.privilege {
        Privilege::User => user_page,
        _ => !user_page || (guest.status & status::SUM != 0 && access != Access::Fetch),
    };
    entry & right != 0 && privileged
}
