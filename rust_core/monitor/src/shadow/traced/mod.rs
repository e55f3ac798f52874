//! Shadow tables that are kept in step with the guest's own: the guest's tables are traced.
//!
//! From the moment a walk uses a page of the guest's as a table, no shadow entry lets the guest
//! write to it. A store to it faults, the monitor carries it out and drops the shadow entries that
//! came from the entry that was overwritten. They are not filled again at once: most changes (a
//! fork that takes away rights, tables being built, pages being unmapped) are not followed by an
//! access before the next change, and dropping needs no frame. A fence of the guest's then has
//! only TLB entries to end, and shadow tables outlive changes of `satp`.
//!
//! What is written without the monitor seeing each store makes the page *open*
//! ([`tables::TracedTables`]): what came from it is dropped at the guest's next fence. Until then
//! it is like a TLB that still holds it, which the architecture allows. A page that no shadow table
//! follows is an ordinary one again.
//!
//! The tables are shared by all vCPUs of the VM; identifiers are each vCPU's own. What the TLBs of
//! others may still hold is their own fences' affair, but for what would go past the traces.
//!
//! * [`tables`]: traced pages; [`code`]: translated code, which is mapped beside the guest's pages;
//! * `node`: shadow tables and their links; `graph`: all of it together, with the entries that let
//!   the guest write; `tlbs`: what TLBs may still hold; `records`: the frames that this takes; `space`: address
//!   spaces; `audit`: a look from outside.

mod audit;
mod code;
mod graph;
mod node;
mod records;
mod space;
pub mod tables;
mod tlbs;

use super::entry::{self, DIRTY, READ, VALID, WRITE};
use super::guest_walk::{GuestLeaf, levels};
use super::spaces::{BARE_LEVELS, FenceScope, Mapping, Root, flush, key};
use super::tree::{Removed, TableFrames};
use super::view::View;
use crate::assumed;
use crate::error::HostError;
use crate::overcommit::shared_frames::Departure;
use dcsim_hart::csr::fields::satp;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};
use graph::{Dropped, Graph};
use node::{Key, NodeId, Source};
use records::Records;
use space::{Space, SpaceRoot};
use tables::{TracedTables, page_address};

/// The traced shadow of one VM.
#[derive(Debug, Default)]
pub struct Traced {
    graph: Graph,
    spaces: Vec<Space>,
    uses: u64,
    /// Where translated code is mapped, if there is any.
    code: Option<u64>,
}

/// Address spaces.
impl Traced {
    /// Frames that [`Self::enter`] may take: a root, and records.
    pub const ENTRY_FRAMES: u64 = 1 + Records::FILL_FRAMES;

    /// Frames that a fill may take: a root that was dropped meanwhile, tables, records, the page
    /// itself, and a table of the guest's that is marked. Carrying out a store takes at most two
    /// pages, and two tables.
    pub const FILL_FRAMES: u64 = 1 + 3 + Records::FILL_FRAMES + 2;

    /// Empty tables for so many vCPUs.
    pub fn for_vcpus(vcpus: usize) -> Self {
        Self { graph: Graph::for_vcpus(vcpus), ..Self::default() }
    }

    /// Everything that follows is about this vCPU.
    pub fn seat(&mut self, vcpu: usize) {
        self.graph.tlbs.seat(vcpu);
    }

    /// The vCPU leaves its pCPU.
    pub fn leave(&mut self) {
        self.graph.tlbs.leave();
    }

    /// The vCPUs that have to empty their TLBs before they execute anything; they are told then.
    pub fn take_called(&mut self) -> Vec<usize> {
        self.graph.tlbs.take_called()
    }

    /// Whether there is a root for a view. A look ahead of the simulator: it costs nothing.
    pub fn has_tree(&self, translation: u64, view: View) -> bool {
        let wanted = key(translation);
        let space = self.spaces.iter().find(|space| space.translation == wanted);
        space.is_some_and(|space| space.roots[view as usize].is_some())
    }

    /// The root of a view, made if there is none; its space counts as used.
    pub fn enter(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        translation: u64,
        view: View,
    ) -> Result<Root<'_>, HostError> {
        let found = match self.find(meter, translation) {
            Some(found) => found,
            None => self.add(meter, frames, translation),
        };
        self.move_to_front(meter, found);
        self.uses += 1;
        self.spaces[0].last_use = self.uses;
        let levels = levels(translation).unwrap_or(BARE_LEVELS);
        if self.spaces[0].roots[view as usize].is_none() {
            let node = self.graph.table(meter, frames, root_key(translation, levels, view))?;
            if let Some(node) = self.graph.nodes.get_mut(node) {
                node.roots += 1;
            }
            self.spaces[0].roots[view as usize] = Some(SpaceRoot::new(node));
        }
        self.graph.tlbs.walk_from(translation, view);
        let root = self.spaces[0].roots[view as usize].as_mut();
        let root = root.ok_or(HostError::FrameNotReserved)?;
        let table = self.graph.frame(root.node)?;
        Ok(Root { table, levels, asid: root.asid_mut(self.graph.tlbs.acting()) })
    }

    /// Lets the next search find a space at once.
    fn move_to_front(&mut self, meter: &mut Meter<'_>, space: usize) {
        if space > 0 {
            meter.store_state(2);
            self.spaces.swap(0, space);
        }
    }

    fn find(&self, meter: &mut Meter<'_>, translation: u64) -> Option<usize> {
        let wanted = key(translation);
        let found = self.spaces.iter().position(|space| space.translation == wanted);
        meter.lookup(found.map_or(self.spaces.len(), |index| index + 1) as u64);
        found
    }

    fn add(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        translation: u64,
    ) -> usize {
        if self.spaces.len() as u64 >= assumed::ADDRESS_SPACES.value {
            let kept = self.spaces_of_others();
            self.free_oldest(meter, frames, &kept);
        }
        let roots = [const { None }; View::COUNT];
        self.spaces.push(Space { translation: key(translation), last_use: 0, roots });
        self.spaces.len() - 1
    }

    /// The spaces that other vCPUs on pCPUs are in.
    fn spaces_of_others(&self) -> Vec<u64> {
        self.graph.tlbs.roots_of_others().into_iter().map(|(translation, _)| translation).collect()
    }

    /// Frees the space used longest ago, but for some. Tells whether there was another.
    fn free_oldest(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        kept: &[u64],
    ) -> bool {
        meter.lookup(self.spaces.len() as u64);
        let others =
            (0..self.spaces.len()).filter(|space| !kept.contains(&self.spaces[*space].translation));
        let Some(oldest) = others.min_by_key(|space| self.spaces[*space].last_use) else {
            return false;
        };
        let space = self.spaces.remove(oldest);
        for (view, root) in space.roots.into_iter().enumerate() {
            let Some(root) = root else { continue };
            self.graph.tlbs.lose_root(space.translation, view);
            self.free_root(meter, frames, root.node);
        }
        true
    }

    /// A space has this root no longer. Its identifier is not used again, so the TLB needs no
    /// flush.
    fn free_root(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, node: NodeId) {
        if let Some(node) = self.graph.nodes.get_mut(node) {
            node.roots -= 1;
        }
        self.graph.free_orphan(meter, frames, node);
    }

    /// Frees roots until `wanted` frames are free: whole spaces, those used longest ago first, then
    /// other views of the spaces in use. The trees in use, if there are any, stay.
    pub fn reclaim(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        wanted: u64,
        in_use: Option<(u64, View)>,
    ) {
        let own = in_use.map(|(translation, view)| (key(translation), view));
        let used: Vec<_> = own.into_iter().chain(self.graph.tlbs.roots_of_others()).collect();
        let kept: Vec<_> = used.iter().map(|(translation, _)| *translation).collect();
        while frames.allocator.available() < wanted && self.free_oldest(meter, frames, &kept) {}
        let is_used = |translation: u64, view: usize| {
            used.iter().any(|(space, used)| (*space, *used as usize) == (translation, view))
        };
        let mut unused = Vec::new();
        for space in self.spaces.iter_mut().filter(|space| kept.contains(&space.translation)) {
            let translation = space.translation;
            let roots = space.roots.iter_mut().enumerate();
            let others = roots.filter(|(view, _)| !is_used(translation, *view));
            unused.extend(others.filter_map(|(_, root)| root.take()));
        }
        for root in unused {
            self.free_root(meter, frames, root.node);
        }
    }

    /// Lets every root take a new identifier at the vCPU's next use.
    pub fn forget_asids(&mut self) {
        let acting = self.graph.tlbs.acting();
        for root in self.spaces.iter_mut().flat_map(|space| space.roots.iter_mut().flatten()) {
            *root.asid_mut(acting) = None;
        }
    }

    /// Frames that tables and records hold.
    pub fn frame_count(&self) -> u64 {
        self.graph.nodes.count() + self.graph.records.frame_count()
    }

    /// These frames, for a look from outside.
    pub fn frames(&self) -> impl Iterator<Item = PhysicalAddress> {
        self.graph.nodes.iter().map(|(_, node)| node.frame).chain(self.graph.records.frames())
    }

    /// The root tables, for a look from outside.
    pub fn roots(&self) -> Vec<(PhysicalAddress, u32)> {
        let roots = self.spaces.iter().flat_map(|space| space.roots.iter().flatten());
        let nodes = roots.filter_map(|root| self.graph.nodes.get(root.node));
        nodes.map(|node| (node.frame, node.key.level + 1)).collect()
    }
}

/// Translations.
impl Traced {
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

    /// The same with flags that the caller chose, but for the right to write a protected page.
    pub fn map_as(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        mapping: &Mapping<'_>,
        mut flags: u64,
    ) -> Result<(), HostError> {
        let Mapping { translation, view, address, leaf, frame, .. } = *mapping;
        flags = mapping.allowed(flags);
        let asid = *self.enter(meter, frames, translation, view)?.asid;
        let path = self.follow(meter, frames, (translation, view), address, leaf)?;
        let node = path.last().copied().ok_or(HostError::FrameNotReserved)?;
        let page = page_address(leaf.address);
        meter.lookup(1);
        if self.graph.tables.is_protected(page) {
            flags &= !(WRITE | DIRTY);
        }
        let place = (node, entry::index(address, 0));
        let shadow = entry::compose(frame, flags);
        if self.graph.set_leaf(meter, frames, place, shadow, page)? {
            flush(meter, asid, Removed::Page, address & !(PAGE_BYTES as u64 - 1));
        }
        Ok(())
    }

    /// The tables from the root to the one that holds the leaf of an address, made where there are
    /// none.
    fn follow(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        (translation, view): (u64, View),
        address: u64,
        leaf: &GuestLeaf,
    ) -> Result<Vec<NodeId>, HostError> {
        let root = self.root_node(translation, view)?;
        let (mut node, mut path) = (root, vec![root]);
        let mut own = self.code.map(|_| root);
        for level in (1..=self.graph.node(root)?.key.level).rev() {
            self.note_walk(node)?;
            own = own.filter(|_| self.is_beside_code(address, level));
            let key = self.graph.node(node)?.child_key(address, leaf, own);
            node = self.graph.descend(meter, frames, node, entry::index(address, level), key)?;
            path.push(node);
        }
        self.note_walk(node)?;
        Ok(path)
    }

    fn note_walk(&mut self, node: NodeId) -> Result<(), HostError> {
        if let Source::Table(page) = self.graph.node(node)?.key.source {
            self.graph.tables.walked(page);
        }
        Ok(())
    }

    fn root_node(&self, translation: u64, view: View) -> Result<NodeId, HostError> {
        let wanted = key(translation);
        let space = self.spaces.iter().find(|space| space.translation == wanted);
        let root = space.and_then(|space| space.roots[view as usize].as_ref());
        root.map(|root| root.node).ok_or(HostError::FrameNotReserved)
    }

    /// The leaf of an address in a view, as hardware finds it; 0 if there is none.
    pub fn leaf(
        &mut self,
        meter: &mut Meter<'_>,
        translation: u64,
        view: View,
        address: u64,
    ) -> Result<u64, HostError> {
        self.find(meter, translation);
        let Ok(root) = self.root_node(translation, view) else { return Ok(0) };
        let mut table = self.graph.frame(root)?;
        let levels = levels(translation).unwrap_or(BARE_LEVELS);
        for level in (0..levels).rev() {
            let slot = PhysicalAddress(table.0 + entry::index(address, level) * 8);
            let present = meter.read_pte(slot)?;
            if level == 0 || present & VALID == 0 {
                return Ok(if present & VALID == 0 { 0 } else { present });
            }
            table = entry::address(present);
        }
        Ok(0)
    }
}

/// Keeping in step.
impl Traced {
    /// The traced pages, for those who write to the guest's memory.
    pub fn tables(&mut self) -> &mut TracedTables {
        &mut self.graph.tables
    }

    /// Whether a store of the guest's to a page has to be carried out by the monitor.
    pub fn is_protected(&self, meter: &mut Meter<'_>, page: u64) -> bool {
        meter.lookup(1);
        self.graph.tables.is_protected(page)
    }

    /// Removes all that leads to frames in which pages of the guest's were.
    pub fn unmap_departed(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        departures: &[Departure],
    ) -> Result<(), HostError> {
        for departure in departures {
            self.graph.unmap_frame(meter, frames, departure.frame)?;
        }
        // An entry can be part of several address spaces, and at several addresses of one: even where
        // it leads elsewhere by now, the TLB may hold it as it was.
        self.graph.empty_tlb(meter);
        Ok(())
    }

    /// The monitor wrote `length` bytes for the guest within one page: what came from there is
    /// dropped.
    pub fn stored(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
        length: u64,
    ) -> Result<(), HostError> {
        let page = page_address(address);
        meter.lookup(1);
        let (first, last) = ((address - page) / 8, (address + (length - 1) - page) / 8);
        let mut tables_dropped = false;
        for node in self.graph.tables.nodes(page) {
            for index in first..=last {
                let dropped = self.graph.drop_entry(meter, frames, node, index)?;
                tables_dropped |= dropped == Dropped::Tables;
            }
        }
        if tables_dropped {
            // A fence of one address would not reach all that was below.
            self.graph.empty_tlb(meter);
        }
        meter.store_state(1);
        self.graph.tables.stored(page);
        Ok(())
    }

    /// Does what the guest's SFENCE.VMA asks for.
    pub fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError> {
        meter.lookup(1);
        let whole = self.drop_open(meter, frames)? || self.graph.tlbs.is_behind();
        let acting = self.graph.tlbs.acting();
        match scope {
            _ if whole => self.graph.empty_tlb(meter),
            FenceScope { address: None, asid: None } => self.graph.empty_tlb(meter),
            FenceScope { address: Some(address), asid: None } => meter.flush_tlb_address(address),
            FenceScope { address, asid } => {
                let removed = if address.is_some() { Removed::Page } else { Removed::Range };
                meter.lookup(self.spaces.len() as u64);
                let spaces = self.spaces.iter().filter(|space| space.is_in(asid));
                for root in spaces.flat_map(|space| space.roots.iter().flatten()) {
                    flush(meter, root.asid(acting), removed, address.unwrap_or(0));
                }
            }
        }
        Ok(())
    }

    /// Drops all that came from open pages. Tells whether there were any.
    fn drop_open(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
    ) -> Result<bool, HostError> {
        let open = self.graph.tables.open_pages();
        meter.lookup(open.len() as u64);
        for page in &open {
            for node in self.graph.tables.nodes(*page) {
                self.drop_roots(meter, node);
                self.graph.drop_table(meter, frames, node)?;
            }
        }
        Ok(!open.is_empty())
    }

    /// No space has this table as its root any more.
    fn drop_roots(&mut self, meter: &mut Meter<'_>, id: NodeId) {
        let Some(node) = self.graph.nodes.get_mut(id).filter(|node| node.roots > 0) else { return };
        node.roots = 0;
        meter.lookup(self.spaces.len() as u64);
        for space in &mut self.spaces {
            for (view, slot) in space.roots.iter_mut().enumerate() {
                if slot.take_if(|root| root.node == id).is_some() {
                    self.graph.tlbs.lose_root(space.translation, view);
                }
            }
        }
    }
}

/// What the root table of a view shows.
fn root_key(translation: u64, levels: u32, view: View) -> Key {
    let source = if satp::mode(translation) == satp::BARE {
        Source::Range { base: 0, flags: READ | WRITE | entry::EXECUTE | entry::ACCESSED | DIRTY }
    } else {
        Source::Table(satp::root(translation))
    };
    Key { source, level: levels - 1, view, own: None }
}
