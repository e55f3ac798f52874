//! The page tables of a process-level machine: one tree for each address space.
//!
//! They are filled when the program faults and emptied when its mappings change, as an operating
//! system's are; the system-call interface holds what they are made from.

use crate::allocator::FrameAllocator;
use crate::error::HostError;
use crate::ids::VmId;
use crate::shadow::audit;
use crate::shadow::entry::{self, ACCESSED, DIRTY, EXECUTE, READ, USER, VALID, WRITE};
use crate::shadow::spaces::flush;
use crate::shadow::tree::{TableFrames, Tree};
use dcsim_linux::{Rights, SpaceId};
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Levels of the tables: a program's addresses lie below 256 GiB.
pub(super) const LEVELS: u32 = 3;

/// Pages up to which a range is taken out one by one; the tree of a longer one begins anew.
const FEW_PAGES: u64 = 64;

/// The trees.
#[derive(Debug, Default)]
pub(super) struct Trees {
    by_space: BTreeMap<SpaceId, Tree>,
}

impl Trees {
    /// Frames that [`Self::enter`] and [`Self::map`] take at most.
    pub(super) const MOST_FRAMES: u64 = Tree::NEW_FRAMES + Tree::MAP_FRAMES;

    /// The tree of a space, made if there is none. Needs [`Self::MOST_FRAMES`] reserved frames.
    pub(super) fn enter(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        space: SpaceId,
    ) -> Result<&mut Tree, HostError> {
        match self.by_space.entry(space) {
            Entry::Occupied(tree) => Ok(tree.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Tree::new(meter, frames, LEVELS)?)),
        }
    }

    /// Maps a page. Needs [`Self::MOST_FRAMES`] reserved frames.
    pub(super) fn map(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        space: SpaceId,
        address: u64,
        target: (PhysicalAddress, Rights),
    ) -> Result<(), HostError> {
        let base = address & !(PAGE_BYTES as u64 - 1);
        let leaf = entry::compose(target.0, flags_of(target.1));
        let tree = self.enter(meter, frames, space)?;
        if tree.map(meter, frames, base, leaf, 0)? {
            flush(meter, tree.asid, crate::shadow::tree::Removed::Page, base);
        }
        Ok(())
    }

    /// Removes what is mapped in a range of pages.
    pub(super) fn forget(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        space: SpaceId,
        address: u64,
        pages: u64,
    ) -> Result<(), HostError> {
        if pages > FEW_PAGES {
            self.drop_space(meter, frames, space);
            return Ok(());
        }
        let Some(tree) = self.by_space.get_mut(&space) else { return Ok(()) };
        for page in 0..pages {
            let at = address + page * PAGE_BYTES as u64;
            let removed = tree.unmap(meter, frames, at)?;
            flush(meter, tree.asid, removed, at);
        }
        Ok(())
    }

    /// Gives the tree of a space up. Its identifier is not used again: no TLB has to be emptied.
    pub(super) fn drop_space(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        space: SpaceId,
    ) {
        if let Some(tree) = self.by_space.remove(&space) {
            tree.free(meter, frames);
        }
    }

    /// Gives all trees up.
    pub(super) fn clear(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        for (_, tree) in std::mem::take(&mut self.by_space) {
            tree.free(meter, frames);
        }
    }

    /// Lets each tree take a new identifier at its next use.
    pub(super) fn forget_asids(&mut self) {
        self.by_space.values_mut().for_each(|tree| tree.asid = None);
    }

    /// The frames of all trees.
    pub(super) fn frames(&self) -> Vec<PhysicalAddress> {
        self.by_space.values().flat_map(Tree::frames).collect()
    }

    /// Compares what is mapped with who holds the host's frames; says what is wrong.
    pub(super) fn audit(
        &self,
        memory: &Memory<'_>,
        owners: &FrameAllocator,
        vm: VmId,
    ) -> Result<(), String> {
        let mut roots = self.by_space.values().map(Tree::root);
        roots.try_for_each(|root| audit::check_tree(memory, owners, vm, root, LEVELS - 1))
    }
}

fn flags_of(rights: Rights) -> u64 {
    let bit = |allowed, bit| if allowed { bit } else { 0 };
    VALID
        | USER
        | ACCESSED
        | DIRTY
        | bit(rights.read, READ)
        | bit(rights.write, WRITE)
        | bit(rights.execute, EXECUTE)
}
