//! What shadow tables offer a monitor that executes code made from the guest's.

use super::Shadow;
use super::entry::{ACCESSED, DIRTY, EXECUTE, READ, USER, VALID, WRITE};
use super::guest_walk::GuestLeaf;
use super::spaces::Mapping;
use super::traced::Traced;
use super::traced::tables::page_address;
use super::tree::{TableFrames, Tree};
use super::view::View;
use crate::error::HostError;
use crate::holes::Hole;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

/// A page of code that something was made from: its address, and where the guest's tables lead to.
pub type Original = (u64, GuestLeaf);

impl Shadow {
    /// Frames that [`Self::map_code`] may take, with what it says about the originals.
    pub fn code_frames(&self) -> u64 {
        match self {
            Self::Tlb(_) => Tree::NEW_FRAMES + Tree::MAP_FRAMES,
            Self::Traced(_) => Traced::CODE_FRAMES,
        }
    }

    /// Whether a store of the guest's to an address of its memory has to be carried out by the
    /// monitor.
    pub fn is_protected(&self, meter: &mut Meter<'_>, address: u64) -> bool {
        match self {
            Self::Tlb(_) => false,
            Self::Traced(traced) => traced.is_protected(meter, page_address(address)),
        }
    }

    /// Puts a translation into the tree of its view with flags that the caller chose; a page whose
    /// stores are traced cannot be written all the same. Needs [`Self::fill_frames`] reserved frames.
    pub fn map_as(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        mapping: &Mapping<'_>,
        flags: u64,
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => {
                if mapping.allowed(flags) & WRITE != 0 {
                    spaces.note_writable(meter, page_address(mapping.leaf.address));
                }
                spaces.map_as(meter, frames, mapping, flags)
            }
            Self::Traced(traced) => traced.map_as(meter, frames, mapping, flags),
        }
    }

    /// Takes the guest's right to write to a page of its memory away.
    pub fn protect(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        page: u64,
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => {
                spaces.protect(meter, frames, page);
                Ok(())
            }
            Self::Traced(traced) => traced.protect(meter, frames, page),
        }
    }

    /// Says where translated code is going to be mapped, in the span of one table; none is mapped.
    pub fn place_code(&mut self, base: u64) {
        if let Self::Traced(traced) = self {
            traced.place_code(base);
        }
    }

    /// Maps a page of translated code in a space, for execution only, where the guest's tables lead
    /// to `originals`. Needs [`Self::code_frames`] reserved frames.
    pub fn map_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        (translation, view): (u64, View),
        (address, frame): (u64, PhysicalAddress),
        originals: &[Original],
    ) -> Result<(), HostError> {
        let opened = if Hole::TranslatedRights.is_open() { READ | WRITE | DIRTY } else { 0 };
        let flags = VALID | USER | EXECUTE | ACCESSED | opened;
        let leaf = GuestLeaf { address: 0, flags, level: 0, tables: Default::default() };
        let mapping = Mapping { translation, view, address, leaf: &leaf, frame, writable: true };
        match self {
            Self::Tlb(spaces) => spaces.map_as(meter, frames, &mapping, flags),
            Self::Traced(traced) => {
                for (address, leaf) in originals {
                    let original = Mapping { address: *address, leaf, ..mapping };
                    traced.watch_code(meter, frames, &original)?;
                }
                traced.map_code(meter, frames, (translation, view), (address, frame))
            }
        }
    }

    /// Unmaps a page of translated code everywhere.
    pub fn unmap_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => spaces.remove(meter, frames, address),
            Self::Traced(traced) => traced.unmap_code(meter, frames, address),
        }
    }

    /// Unmaps all translated code everywhere.
    pub fn drop_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => {
                spaces.clear(meter, frames);
                Ok(())
            }
            Self::Traced(traced) => traced.drop_code(meter, frames),
        }
    }

    /// Whether the guest's tables are followed, so that none of its fences says anything new about
    /// what translated code was made from.
    pub fn follows_tables(&self) -> bool {
        matches!(self, Self::Traced(_))
    }

    /// Drops everything; no entry needs to be removed from a TLB.
    pub fn clear(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        match self {
            Self::Tlb(spaces) => spaces.clear(meter, frames),
            Self::Traced(traced) => traced.clear(meter, frames),
        }
    }
}
