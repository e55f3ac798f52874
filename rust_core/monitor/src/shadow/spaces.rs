//! The shadow trees of a VM: one address space for each value of `satp` that the guest used lately,
//! one tree in it for each view.
//!
//! Together they behave as a TLB of the guest: they are filled on demand, they may keep what the
//! guest's tables no longer say, and a fence ends it. The guest's own page tables are never
//! watched; the architecture makes changes visible only after a fence.

use super::asid::{Asid, AsidAllocator};
use super::entry;
use super::guest_walk::{GuestLeaf, levels};
use super::tree::{Removed, TableFrames, Tree};
use super::view::View;
use crate::assumed;
use crate::error::HostError;
use crate::holes::Hole;
use dcsim_hart::csr::fields::satp;
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};
use std::collections::BTreeSet;

/// Levels of the tree for a guest without translation: its memory lies below 256 GiB.
pub(super) const BARE_LEVELS: u32 = 3;

/// The root of a shadow tree.
#[derive(Debug)]
pub struct Root<'a> {
    /// The root table.
    pub table: PhysicalAddress,
    /// Levels of tables: 3 or 4.
    pub levels: u32,
    /// The identifier under which TLBs hold the tree's translations.
    pub asid: &'a mut Option<Asid>,
}

/// A translation to be put into a shadow tree.
#[derive(Copy, Clone, Debug)]
pub struct Mapping<'a> {
    /// The guest's `satp`.
    pub translation: u64,
    /// The view.
    pub view: View,
    /// The address.
    pub address: u64,
    /// Where the guest's tables say that it leads.
    pub leaf: &'a GuestLeaf,
    /// The frame that it leads to.
    pub frame: PhysicalAddress,
    /// The frame may be written.
    pub writable: bool,
}

impl Mapping<'_> {
    /// Of these flags of an entry, those that the frame allows.
    pub(super) fn allowed(&self, flags: u64) -> u64 {
        let is_open = self.writable || Hole::SharedWrite.is_open();
        if is_open { flags } else { flags & !(entry::WRITE | entry::DIRTY) }
    }
}

/// What a fence of the guest's names.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct FenceScope {
    /// One address, or all.
    pub address: Option<u64>,
    /// One address space, or all.
    pub asid: Option<u16>,
}

impl FenceScope {
    /// What an SFENCE.VMA with these operands names.
    pub fn read(meter: &mut Meter<'_>, address: Register, asid: Register) -> Self {
        let mut operand =
            |register| (register != Register::R0).then(|| meter.read_register(register));
        Self { address: operand(address), asid: operand(asid).map(|value| value as u16) }
    }
}

#[derive(Debug)]
struct Space {
    translation: u64,
    last_use: u64,
    trees: [Option<Tree>; View::COUNT],
}

impl Space {
    fn is_bare(&self) -> bool {
        satp::mode(self.translation) == satp::BARE
    }

    fn is_in(&self, scope: FenceScope) -> bool {
        let asid = satp::asid(self.translation);
        !self.is_bare() && scope.asid.is_none_or(|wanted| wanted == asid)
    }

    fn frame_count(&self) -> u64 {
        self.trees.iter().flatten().map(Tree::frame_count).sum()
    }

    fn free(self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        for tree in self.trees.into_iter().flatten() {
            tree.free(meter, frames);
        }
    }
}

/// The address spaces of one VM.
#[derive(Debug, Default)]
pub struct Spaces {
    list: Vec<Space>,
    uses: u64,
    /// Pages of the guest that a tree may map with the right to write, for who asks for that.
    writable: BTreeSet<u64>,
}

/// All values of `satp` without translation mean the same.
pub(super) fn key(translation: u64) -> u64 {
    if satp::mode(translation) == satp::BARE { 0 } else { translation }
}

impl Spaces {
    /// The tree for a view, if there is one.
    pub fn tree(
        &mut self,
        meter: &mut Meter<'_>,
        translation: u64,
        view: View,
    ) -> Option<&mut Tree> {
        let index = self.find(meter, translation)?;
        self.list[index].trees[view as usize].as_mut()
    }

    /// Frames that [`Self::enter`] may take.
    pub fn entry_frames(&self) -> u64 {
        Tree::NEW_FRAMES
    }

    /// Frames that a fill may take: a root that was reclaimed meanwhile, tables, the page itself, and
    /// a table of the guest's that is marked.
    pub fn fill_frames(&self) -> u64 {
        Tree::NEW_FRAMES + Tree::MAP_FRAMES + 2
    }

    /// The root of a view, made if there is none; its space counts as used. Needs
    /// [`Self::entry_frames`] reserved frames if [`Self::has_tree`] finds none.
    pub fn enter(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        translation: u64,
        view: View,
    ) -> Result<Root<'_>, HostError> {
        let tree = self.enter_tree(meter, frames, translation, view)?;
        Ok(Root { table: tree.root(), levels: tree.levels(), asid: &mut tree.asid })
    }

    /// Puts a translation into the tree of its view.
    pub fn map(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        mapping: &Mapping<'_>,
    ) -> Result<(), HostError> {
        let flags = mapping.view.leaf_flags(mapping.leaf.flags).unwrap_or(0);
        self.map_as(meter, frames, mapping, flags)
    }

    /// The same with flags that the caller chose.
    pub fn map_as(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        mapping: &Mapping<'_>,
        flags: u64,
    ) -> Result<(), HostError> {
        let Mapping { translation, view, address, leaf, frame, .. } = *mapping;
        let flags = mapping.allowed(flags);
        let target = address & !(PAGE_BYTES as u64 - 1);
        let shadow = entry::compose(frame, flags);
        let tree = self.enter_tree(meter, frames, translation, view)?;
        if tree.map(meter, frames, target, shadow, leaf.level)? {
            flush(meter, tree.asid, Removed::Page, target);
        }
        Ok(())
    }

    /// The leaf of an address in a view, as hardware finds it; 0 if there is none.
    pub fn leaf(
        &mut self,
        meter: &mut Meter<'_>,
        translation: u64,
        view: View,
        address: u64,
    ) -> Result<u64, HostError> {
        match self.tree(meter, translation, view) {
            Some(tree) => tree.leaf(meter, address),
            None => Ok(0),
        }
    }

    /// Makes the tree for a view if there is none, and marks the space as used.
    fn enter_tree(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        translation: u64,
        view: View,
    ) -> Result<&mut Tree, HostError> {
        let index = match self.find(meter, translation) {
            Some(index) => index,
            None => self.add(meter, frames, translation),
        };
        self.uses += 1;
        let space = &mut self.list[index];
        space.last_use = self.uses;
        let slot = &mut space.trees[view as usize];
        if slot.is_none() {
            let levels = levels(translation).unwrap_or(BARE_LEVELS);
            *slot = Some(Tree::new(meter, frames, levels)?);
        }
        slot.as_mut().ok_or(HostError::FrameNotReserved)
    }

    fn find(&self, meter: &mut Meter<'_>, translation: u64) -> Option<usize> {
        let wanted = key(translation);
        let found = self.list.iter().position(|space| space.translation == wanted);
        meter.lookup(found.map_or(self.list.len(), |index| index + 1) as u64);
        found
    }

    fn add(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        translation: u64,
    ) -> usize {
        if self.list.len() as u64 >= assumed::ADDRESS_SPACES.value {
            self.free_oldest(meter, frames);
        }
        let trees = [const { None }; View::COUNT];
        self.list.push(Space { translation: key(translation), last_use: 0, trees });
        self.list.len() - 1
    }

    fn free_oldest(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        let by_use = |index: &usize| self.list[*index].last_use;
        let oldest = (0..self.list.len()).min_by_key(by_use);
        meter.lookup(self.list.len() as u64);
        if let Some(index) = oldest {
            self.list.remove(index).free(meter, frames);
        }
    }

    /// Does what the guest's SFENCE.VMA asks for.
    pub fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError> {
        meter.lookup(self.list.len() as u64);
        match scope.address {
            None => self.fence_spaces(meter, frames, scope),
            Some(address) => self.fence_address(meter, frames, scope, address)?,
        }
        Ok(())
    }

    /// Drops whole spaces. Their identifiers are not used again, so the TLB needs no flush.
    fn fence_spaces(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) {
        for space in self.list.extract_if(.., |space| space.is_in(scope)) {
            space.free(meter, frames);
        }
    }

    fn fence_address(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
        address: u64,
    ) -> Result<(), HostError> {
        let spaces = self.list.iter_mut().filter(|space| space.is_in(scope));
        for tree in spaces.flat_map(|space| space.trees.iter_mut().flatten()) {
            let removed = tree.unmap(meter, frames, address)?;
            flush(meter, tree.asid, removed, address);
        }
        Ok(())
    }

    /// Removes what is mapped at an address from every tree.
    pub fn remove(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
    ) -> Result<(), HostError> {
        let trees = self.list.iter_mut().flat_map(|space| space.trees.iter_mut().flatten());
        for tree in trees {
            let removed = tree.unmap(meter, frames, address)?;
            flush(meter, tree.asid, removed, address);
        }
        Ok(())
    }

    /// Removes all that leads to a frame from every tree.
    pub fn unmap_frame(
        &mut self,
        meter: &mut Meter<'_>,
        frame: PhysicalAddress,
    ) -> Result<(), HostError> {
        let trees = self.list.iter_mut().flat_map(|space| space.trees.iter_mut().flatten());
        for tree in trees {
            for address in tree.unmap_frame(meter, frame)? {
                flush(meter, tree.asid, Removed::Page, address);
            }
        }
        Ok(())
    }

    /// Frees all trees. Nothing needs a flush, as identifiers are not used again.
    pub fn clear(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        for space in self.list.drain(..) {
            space.free(meter, frames);
        }
        self.writable.clear();
    }

    /// A tree is going to map this page of the guest with the right to write.
    pub fn note_writable(&mut self, meter: &mut Meter<'_>, page: u64) {
        meter.store_state(1);
        self.writable.insert(page);
    }

    /// Takes the right to write to a page away, if it was noted: which entries give it is not, so all
    /// trees go.
    pub fn protect(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, page: u64) {
        if self.writable.contains(&page) {
            self.clear(meter, frames);
        }
    }

    /// Frees trees until `wanted` frames are free: whole spaces, those used longest ago first, then
    /// other views of the space in use. The tree in use, if there is one, stays: an instruction
    /// always gets all its pages. Nothing needs a flush, as identifiers are not used again.
    pub fn reclaim(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        wanted: u64,
        in_use: Option<(u64, View)>,
    ) {
        let kept = in_use.map(|(translation, _)| key(translation));
        while frames.allocator.available() < wanted {
            let others =
                (0..self.list.len()).filter(|index| Some(self.list[*index].translation) != kept);
            let Some(oldest) = others.min_by_key(|index| self.list[*index].last_use) else {
                break;
            };
            meter.lookup(self.list.len() as u64);
            self.list.remove(oldest).free(meter, frames);
        }
        let space = self.list.iter_mut().find(|space| Some(space.translation) == kept);
        let views = space.into_iter().flat_map(|space| space.trees.iter_mut().enumerate());
        for (view, tree) in views {
            let used = in_use.is_some_and(|(_, used)| used as usize == view);
            if !used && frames.allocator.available() < wanted {
                tree.take().into_iter().for_each(|tree| tree.free(meter, frames));
            }
        }
    }

    /// Whether there is a tree for a view. A look ahead of the simulator: it costs nothing.
    pub fn has_tree(&self, translation: u64, view: View) -> bool {
        let wanted = key(translation);
        let space = self.list.iter().find(|space| space.translation == wanted);
        space.is_some_and(|space| space.trees[view as usize].is_some())
    }

    /// The frames of all trees, for a look from outside.
    pub fn frames(&self) -> impl Iterator<Item = PhysicalAddress> {
        self.list.iter().flat_map(|space| space.trees.iter().flatten()).flat_map(Tree::frames)
    }

    /// The root tables with their levels, for a look from outside.
    pub fn roots(&self) -> Vec<(PhysicalAddress, u32)> {
        let trees = self.list.iter().flat_map(|space| space.trees.iter().flatten());
        trees.map(|tree| (tree.root(), tree.levels())).collect()
    }

    /// Frames that all trees hold.
    pub fn frame_count(&self) -> u64 {
        self.list.iter().map(Space::frame_count).sum()
    }

    /// Lets every tree take a new identifier at its next use: for a VM that comes to a pCPU whose
    /// TLB may hold what was fenced elsewhere.
    pub fn forget_asids(&mut self) {
        for tree in self.list.iter_mut().flat_map(|space| space.trees.iter_mut().flatten()) {
            tree.asid = None;
        }
    }
}

/// The identifier of a tree, a new one if it has none that is current.
pub fn current_asid(asid: &mut Option<Asid>, asids: &mut AsidAllocator) -> Asid {
    match *asid {
        Some(asid) if asids.is_current(asid) => asid,
        _ => *asid.insert(asids.take()),
    }
}

/// Removes from the TLB what a tree no longer has.
pub fn flush(meter: &mut Meter<'_>, asid: Option<Asid>, removed: Removed, address: u64) {
    let Some(asid) = asid else { return };
    match removed {
        Removed::Nothing => {}
        Removed::Page => meter.flush_tlb_page(address, asid.number),
        Removed::Range => meter.flush_tlb_asid(asid.number),
    }
}
