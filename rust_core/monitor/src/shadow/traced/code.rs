//! Translated code in traced tables.
//!
//! Code that a monitor has made from a guest's is mapped at addresses which the guest does not use.
//! It may be executed in a space only while the guest's own tables map the original there. So the
//! tables that map it, and those on the way to them, belong to one root each; the entries on the way
//! to the originals are known, and a store to one of them that the guest's tables see unmaps all
//! translated code under the roots above it. What is valid still is mapped again when it is executed.

use super::super::entry::{self, ACCESSED, EXECUTE, USER, VALID};
use super::node::{Entry, Key, NodeId, Source};
use super::records::Records;
use super::tables::page_address;
use super::{Traced, flush};
use crate::error::HostError;
use crate::shadow::spaces::Mapping;
use crate::shadow::tree::{Removed, TableFrames};
use crate::shadow::view::View;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;
use std::collections::BTreeSet;

impl Traced {
    /// Frames that mapping code may take, with its originals in two pages: a root, tables, records.
    pub const CODE_FRAMES: u64 = 1 + 2 * 3 + 3 + Records::FILL_FRAMES;

    /// Says where translated code is going to be mapped, in the span of one table; none is mapped.
    pub fn place_code(&mut self, base: u64) {
        self.code = Some(base);
    }

    /// Whether the entry for an address at a level is also the one for translated code.
    pub(super) fn is_beside_code(&self, address: u64, level: u32) -> bool {
        self.code.is_some_and(|code| entry::index(code, level) == entry::index(address, level))
    }

    /// Translations of the code at an address are going to be mapped in its space, for as long as
    /// the guest's tables say what they say now. Needs half of [`Self::CODE_FRAMES`].
    pub fn watch_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        mapping: &Mapping<'_>,
    ) -> Result<(), HostError> {
        let Mapping { translation, view, address, leaf, .. } = *mapping;
        self.enter(meter, frames, translation, view)?;
        let path = self.follow(meter, frames, (translation, view), address, leaf)?;
        for node in &path[1..] {
            if let Some(node) = self.graph.nodes.get_mut(*node) {
                node.leads_to_code = true;
            }
        }
        let last = path.last().copied().ok_or(HostError::FrameNotReserved)?;
        let (index, page) = (entry::index(address, 0), page_address(leaf.address));
        match self.graph.node(last)?.entries.get(&index).copied() {
            Some(Entry::Code(known)) if known == page => return Ok(()),
            None | Some(Entry::Leaf) => {}
            Some(_) => {
                self.graph.drop_entry(meter, frames, last, index)?;
                self.graph.empty_tlb(meter);
            }
        }
        meter.store_state(1);
        if let Some(node) = self.graph.nodes.get_mut(last) {
            node.entries.insert(index, Entry::Code(page));
        }
        Ok(())
    }

    /// Maps a page of translated code in a space, for execution only.
    pub fn map_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        (translation, view): (u64, View),
        (address, frame): (u64, PhysicalAddress),
    ) -> Result<(), HostError> {
        let asid = *self.enter(meter, frames, translation, view)?.asid;
        let root = self.root_node(translation, view)?;
        let mut node = root;
        for level in (1..=self.graph.node(root)?.key.level).rev() {
            let key = self.key_towards_code(root, node, address, level)?;
            node = self.graph.descend(meter, frames, node, entry::index(address, level), key)?;
        }
        let leaf = entry::compose(frame, VALID | USER | EXECUTE | ACCESSED);
        let place = (node, entry::index(address, 0));
        if self.graph.set_leaf(meter, frames, place, leaf, 0)? {
            flush(meter, asid, Removed::Page, address);
        }
        Ok(())
    }

    /// The table that is next on the way to a root's code: the guest's own if it has one there and
    /// that is not the last.
    fn key_towards_code(
        &self,
        root: NodeId,
        node: NodeId,
        address: u64,
        level: u32,
    ) -> Result<Key, HostError> {
        let node = self.graph.node(node)?;
        let code = Key::of_code(node.key.view, root, level - 1);
        let Some(Entry::Table(child)) = node.entries.get(&entry::index(address, level)) else {
            return Ok(code);
        };
        let known = self.graph.node(*child)?.key;
        let is_way = known.own == Some(root) && matches!(known.source, Source::Table(_));
        Ok(if level > 1 && is_way { known } else { code })
    }

    /// Unmaps a page of translated code everywhere.
    pub fn unmap_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        address: u64,
    ) -> Result<(), HostError> {
        let mut unmapped = BTreeSet::new();
        for root in self.all_roots() {
            let Some(code) = self.graph.code_of(root) else { continue };
            let index = entry::index(address, 0);
            if self.graph.drop_entry(meter, frames, code, index)? != super::Dropped::Nothing {
                unmapped.insert(root);
            }
        }
        meter.lookup(self.spaces.len() as u64);
        let acting = self.graph.tlbs.acting();
        for root in self.spaces.iter().flat_map(|space| space.roots.iter().flatten()) {
            if unmapped.contains(&root.node) {
                flush(meter, root.asid(acting), Removed::Page, address);
            }
        }
        Ok(())
    }

    /// Unmaps all translated code everywhere.
    pub fn drop_code(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
    ) -> Result<(), HostError> {
        for root in self.all_roots() {
            if let Some(code) = self.graph.code_of(root) {
                self.graph.drop_table(meter, frames, code)?;
                self.graph.empty_tlb(meter);
            }
        }
        Ok(())
    }

    fn all_roots(&self) -> BTreeSet<NodeId> {
        let roots = self.spaces.iter().flat_map(|space| space.roots.iter().flatten());
        roots.map(|root| root.node).collect()
    }

    /// Takes the guest's right to write to a page away.
    pub fn protect(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        page: u64,
    ) -> Result<(), HostError> {
        self.graph.protect(meter, frames, page)
    }

    /// Drops everything.
    pub fn clear(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        while self.free_oldest(meter, frames, &[]) {}
    }
}
