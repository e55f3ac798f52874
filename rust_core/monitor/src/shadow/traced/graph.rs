//! The shadow tables of a VM with everything that is kept about them: what follows which page, and
//! which entries let the guest write where.
//!
//! Invariants:
//! * no entry lets the guest write to a page that is protected ([`TracedTables::is_protected`]);
//! * an entry that was writable and is gone, or is not writable any more, may still be in a TLB only
//!   while that is `loose` ([`Tlbs`]); no vCPU executes behind a page's becoming protected before
//!   such a TLB was emptied.

use super::super::entry::{self, DIRTY, VALID, WRITE};
use super::super::tree::TableFrames;
use super::node::{Entry, Key, Node, NodeId, Nodes, Source};
use super::records::{Record, Records};
use super::tables::TracedTables;
use super::tlbs::Tlbs;
use crate::error::HostError;
use crate::overcommit::back_map::BackMap;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;
use std::collections::{BTreeMap, BTreeSet};

/// Fields of a shadow table's record that making one fills in.
const NODE_FIELDS: u64 = 4;

/// Words of the map of entries in use that each shadow table has.
const USE_WORDS: u64 = 8;

/// What was dropped.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Dropped {
    Nothing,
    Leaf,
    /// A pointer, and with it perhaps what was below.
    Tables,
}

/// Shadow tables, traced pages and writable entries.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Nodes,
    pub(super) tables: TracedTables,
    /// The entries that let the guest write to a page.
    writable: BTreeMap<u64, Vec<(NodeId, u64)>>,
    pub(super) records: Records,
    /// The entries that lead to a frame, if anybody wants to know.
    back: Option<BackMap<(NodeId, u64)>>,
    pub(super) tlbs: Tlbs,
    /// Roots whose translated code is to be unmapped.
    lost: BTreeSet<NodeId>,
}

impl Graph {
    /// Nothing yet, for so many vCPUs.
    pub(super) fn for_vcpus(vcpus: usize) -> Self {
        Self { tlbs: Tlbs::new(vcpus), ..Self::default() }
    }

    /// The table that shows something, made if there is none.
    pub(super) fn table(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        key: Key,
    ) -> Result<NodeId, HostError> {
        meter.lookup(1);
        if let Some(found) = self.nodes.find(&key) {
            return Ok(found);
        }
        let frame = frames.take(meter)?;
        self.records.add(meter, frames, Record::Node)?;
        meter.store_state(NODE_FIELDS);
        let node = self.nodes.add(key, frame);
        if let Source::Table(page) = key.source
            && self.tables.add(page, node)
        {
            self.records.add(meter, frames, Record::Table)?;
            self.protect(meter, frames, page)?;
        }
        Ok(node)
    }

    /// Takes the guest's right to write to a page away.
    pub(super) fn protect(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        page: u64,
    ) -> Result<(), HostError> {
        meter.lookup(1);
        let writable = self.writable.remove(&page).unwrap_or_default();
        for (id, index) in &writable {
            let Some(node) = self.nodes.get_mut(*id) else { continue };
            let slot = node.slot(*index);
            node.entries.insert(*index, Entry::Leaf);
            let leaf = meter.read_pte(slot)?;
            meter.write_pte(slot, leaf & !(WRITE | DIRTY))?;
            self.records.remove(meter, frames, Record::Writable);
        }
        if !writable.is_empty() {
            self.tlbs.loosen();
        }
        if self.tlbs.tighten() {
            self.empty_tlb(meter);
        }
        Ok(())
    }

    /// Empties the pCPU's TLB.
    pub(super) fn empty_tlb(&mut self, meter: &mut Meter<'_>) {
        meter.flush_tlb_all();
        self.tlbs.emptied();
    }

    /// Follows the pointer at an entry to the table that shows `key`, after making either.
    pub(super) fn descend(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        from: NodeId,
        index: u64,
        key: Key,
    ) -> Result<NodeId, HostError> {
        let node = self.node(from)?;
        meter.read_pte(node.slot(index))?;
        if let Some(Entry::Table(child)) = node.entries.get(&index).copied()
            && self.node(child)?.key == key
        {
            return Ok(child);
        }
        if self.drop_entry(meter, frames, from, index)? == Dropped::Tables {
            self.empty_tlb(meter);
        }
        let child = self.table(meter, frames, key)?;
        self.records.add(meter, frames, Record::Link)?;
        meter.store_state(1);
        let pointer = entry::compose(self.node(child)?.frame, VALID);
        if let Some(child) = self.nodes.get_mut(child) {
            child.parents.push((from, index));
        }
        self.set(meter, from, index, pointer, Entry::Table(child))?;
        Ok(child)
    }

    /// Puts a leaf in its place. Tells whether there was one.
    pub(super) fn set_leaf(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        (node, index): (NodeId, u64),
        leaf: u64,
        page: u64,
    ) -> Result<bool, HostError> {
        let entry = self.node(node)?.entries.get(&index).copied();
        if entry == Some(Entry::Code(page)) && leaf & WRITE == 0 {
            // What was translated is there still.
            meter.load_state(1);
            self.set(meter, node, index, leaf, Entry::Code(page))?;
            return Ok(true);
        }
        let before = self.drop_entry(meter, frames, node, index)?;
        let kind = if leaf & WRITE != 0 {
            self.records.add(meter, frames, Record::Writable)?;
            meter.store_state(1);
            self.writable.entry(page).or_default().push((node, index));
            Entry::Writable(page)
        } else {
            Entry::Leaf
        };
        self.set(meter, node, index, leaf, kind)?;
        Ok(before != Dropped::Nothing)
    }

    fn set(
        &mut self,
        meter: &mut Meter<'_>,
        node: NodeId,
        index: u64,
        value: u64,
        kind: Entry,
    ) -> Result<(), HostError> {
        let place = (node, index);
        let node = self.nodes.get_mut(node).ok_or(HostError::FrameNotReserved)?;
        node.entries.insert(index, kind);
        meter.store_state(1);
        if let Some(back) = &mut self.back
            && !matches!(kind, Entry::Table(_))
        {
            meter.store_state(1);
            back.note(place, entry::address(value));
        }
        Ok(meter.write_pte(node.slot(index), value)?)
    }

    /// Begins to keep the entries that lead to each frame: goes through all of them once.
    fn keep_back_map(&mut self, meter: &mut Meter<'_>) -> Result<(), HostError> {
        if self.back.is_some() {
            return Ok(());
        }
        let mut back = BackMap::default();
        for (id, node) in self.nodes.iter() {
            let leaves = node.entries.iter().filter(|(_, kind)| !matches!(kind, Entry::Table(_)));
            for (index, _) in leaves {
                let leaf = meter.read_pte(node.slot(*index))?;
                if leaf & VALID != 0 {
                    meter.store_state(1);
                    back.note((id, *index), entry::address(leaf));
                }
            }
        }
        self.back = Some(back);
        Ok(())
    }

    /// Drops all leaves that lead to a frame. The TLB may hold them still.
    pub(super) fn unmap_frame(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        frame: PhysicalAddress,
    ) -> Result<(), HostError> {
        self.keep_back_map(meter)?;
        meter.lookup(1);
        let places = self.back.as_ref().map(|back| back.places(frame)).unwrap_or_default();
        for (id, index) in &places {
            if let Some(Entry::Code(_)) = self.node(*id)?.entries.get(index) {
                // What was translated stands for as long as the guest's tables do.
                let slot = self.node(*id)?.slot(*index);
                meter.write_pte(slot, 0)?;
                self.forget_place(meter, (*id, *index));
            } else {
                self.drop_entry(meter, frames, *id, *index)?;
            }
        }
        Ok(())
    }

    fn forget_place(&mut self, meter: &mut Meter<'_>, place: (NodeId, u64)) {
        if let Some(back) = &mut self.back {
            meter.store_state(1);
            back.forget(place);
        }
    }

    /// Drops an entry, and what nothing leads to any more.
    pub(super) fn drop_entry(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        from: NodeId,
        index: u64,
    ) -> Result<Dropped, HostError> {
        meter.load_state(1);
        let Some(node) = self.nodes.get_mut(from) else { return Ok(Dropped::Nothing) };
        let Some(dropped) = node.entries.remove(&index) else { return Ok(Dropped::Nothing) };
        meter.store_state(1);
        meter.write_pte(node.slot(index), 0)?;
        let dropped = self.forget(meter, frames, (from, index), dropped);
        self.drop_lost_code(meter, frames)?;
        Ok(dropped)
    }

    /// Forgets what an entry that is no more led to.
    fn forget(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        place: (NodeId, u64),
        dropped: Entry,
    ) -> Dropped {
        if !matches!(dropped, Entry::Table(_)) {
            self.forget_place(meter, place);
        }
        match dropped {
            Entry::Leaf => Dropped::Leaf,
            Entry::Code(_) => {
                self.lose_code(meter, place.0);
                Dropped::Leaf
            }
            Entry::Writable(page) => {
                self.forget_writable(meter, frames, place, page);
                Dropped::Leaf
            }
            Entry::Table(child) => {
                self.records.remove(meter, frames, Record::Link);
                meter.store_state(1);
                self.tlbs.fall_behind();
                if self.nodes.get(child).is_some_and(|child| child.leads_to_code) {
                    self.lose_code(meter, place.0);
                }
                if let Some(child) = self.nodes.get_mut(child) {
                    child.parents.retain(|parent| *parent != place);
                }
                self.free_orphan(meter, frames, child);
                Dropped::Tables
            }
        }
    }

    fn forget_writable(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        place: (NodeId, u64),
        page: u64,
    ) {
        self.records.remove(meter, frames, Record::Writable);
        self.tlbs.loosen();
        let Some(entries) = self.writable.get_mut(&page) else { return };
        let position = entries.iter().position(|known| *known == place);
        meter.lookup(position.map_or(entries.len(), |index| index + 1) as u64);
        entries.retain(|known| *known != place);
        if entries.is_empty() {
            self.writable.remove(&page);
        }
    }

    /// Frees a table that nothing leads to, and what only it led to.
    pub(super) fn free_orphan(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        id: NodeId,
    ) {
        if !self.nodes.get(id).is_some_and(Node::is_orphan) {
            return;
        }
        let Some(node) = self.nodes.remove(id) else { return };
        meter.load_state(USE_WORDS);
        for (index, entry) in node.entries {
            self.forget(meter, frames, (id, index), entry);
        }
        if let Source::Table(page) = node.key.source
            && self.tables.remove(page, id)
        {
            self.records.remove(meter, frames, Record::Table);
        }
        self.records.remove(meter, frames, Record::Node);
        frames.give_back(meter, node.frame);
    }

    /// Takes a table out of all that leads to it, and frees it. No root may lead to it any more.
    pub(super) fn drop_table(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        id: NodeId,
    ) -> Result<(), HostError> {
        let parents = self.nodes.get(id).map(|node| node.parents.clone()).unwrap_or_default();
        for (parent, index) in parents {
            self.drop_entry(meter, frames, parent, index)?;
        }
        self.free_orphan(meter, frames, id);
        Ok(())
    }

    /// An entry of a table is gone that was on the way to translated code's originals: the code of
    /// every root above it is to be unmapped.
    fn lose_code(&mut self, meter: &mut Meter<'_>, from: NodeId) {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(id) = open.pop() {
            let Some(node) = self.nodes.get(id).filter(|_| seen.insert(id)) else { continue };
            if node.roots > 0 {
                self.lost.insert(id);
            }
            open.extend(node.parents.iter().map(|(parent, _)| *parent));
        }
        meter.lookup(seen.len() as u64);
    }

    /// Unmaps what [`Self::lose_code`] found.
    fn drop_lost_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
    ) -> Result<(), HostError> {
        while let Some(root) = self.lost.pop_first() {
            if let Some(code) = self.code_of(root) {
                self.drop_table(meter, frames, code)?;
                self.empty_tlb(meter);
            }
        }
        Ok(())
    }

    /// The table that maps the translated code of a root.
    pub(super) fn code_of(&self, root: NodeId) -> Option<NodeId> {
        let view = self.nodes.get(root)?.key.view;
        self.nodes.find(&Key::of_code(view, root, 0))
    }

    pub(super) fn node(&self, id: NodeId) -> Result<&Node, HostError> {
        self.nodes.get(id).ok_or(HostError::FrameNotReserved)
    }

    /// The frame of a table.
    pub(super) fn frame(&self, id: NodeId) -> Result<PhysicalAddress, HostError> {
        self.node(id).map(|node| node.frame)
    }
}
