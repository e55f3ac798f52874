//! Shadow tables that follow one page of the guest's each, and the links between them.
//!
//! A table is found by what it shows: the guest's page with its level, or a part of a larger page
//! of the guest's, and the view. So address spaces that share tables share their shadow, too. A
//! link goes from an entry of a table to a table one level below; a table that nothing leads to is
//! gone.

use super::super::entry;
use super::super::guest_walk::GuestLeaf;
use super::super::view::View;
use dcsim_memory::PhysicalAddress;
use std::collections::BTreeMap;

/// A shadow table.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct NodeId(pub(super) u32);

/// What the entries of a shadow table follow from.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Source {
    /// The entries of the guest's table at this address.
    Table(u64),
    /// A range of guest-physical addresses from `base`, all with the same rights: part of a larger
    /// page, or everything for a guest without translation.
    Range { base: u64, flags: u64 },
    /// Nothing of the guest's: here is translated code, or the way to it.
    Code,
}

/// What a shadow table shows.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    pub(super) source: Source,
    pub(super) level: u32,
    pub(super) view: View,
    /// The root under which alone it is used: the table is on the way to that root's translated code.
    pub(super) own: Option<NodeId>,
}

impl Key {
    /// The table that maps the translated code of a root in a view.
    pub(super) fn of_code(view: View, root: NodeId, level: u32) -> Self {
        Self { source: Source::Code, level, view, own: Some(root) }
    }
}

/// An entry in use.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    /// It points to a table.
    Table(NodeId),
    /// It maps a page, for reading and fetching only.
    Leaf,
    /// The same, or nothing; translations of the code in the page at this guest-physical address are
    /// mapped for as long as it stands.
    Code(u64),
    /// It lets the guest write to the page at this guest-physical address.
    Writable(u64),
}

/// One shadow table.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) key: Key,
    pub(super) frame: PhysicalAddress,
    /// The entries that point here.
    pub(super) parents: Vec<(NodeId, u64)>,
    /// Address spaces whose root this is.
    pub(super) roots: u32,
    /// Below it are entries of code whose translations are mapped.
    pub(super) leads_to_code: bool,
    pub(super) entries: BTreeMap<u64, Entry>,
}

impl Node {
    pub(super) fn is_orphan(&self) -> bool {
        self.roots == 0 && self.parents.is_empty()
    }

    /// Where an entry is in host memory.
    pub(super) fn slot(&self, index: u64) -> PhysicalAddress {
        PhysicalAddress(self.frame.0 + index * 8)
    }

    /// What the table behind the entry for an address shows that leads to `leaf`; it is the root's
    /// own if it is on the way to that root's translated code.
    pub(super) fn child_key(&self, address: u64, leaf: &GuestLeaf, own: Option<NodeId>) -> Key {
        let Key { level, view, .. } = self.key;
        let below = level - 1;
        let source = if level > leaf.level {
            Source::Table(leaf.tables[below as usize])
        } else {
            let within = address & (entry::span(level) - 1);
            let base = (leaf.address & !0xfff).wrapping_sub(within & !0xfff);
            Source::Range { base, flags: leaf.flags }
        };
        Key { source, level: below, view, own }
    }
}

/// All shadow tables of a VM.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    slots: Vec<Option<Node>>,
    free: Vec<NodeId>,
    index: BTreeMap<Key, NodeId>,
}

impl Nodes {
    pub(super) fn find(&self, key: &Key) -> Option<NodeId> {
        self.index.get(key).copied()
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    pub(super) fn add(&mut self, key: Key, frame: PhysicalAddress) -> NodeId {
        let entries = BTreeMap::new();
        let parents = Vec::new();
        let node = Node { key, frame, parents, roots: 0, leads_to_code: false, entries };
        let id = self.free.pop().unwrap_or(NodeId(self.slots.len() as u32));
        match self.slots.get_mut(id.0 as usize) {
            Some(slot) => *slot = Some(node),
            None => self.slots.push(Some(node)),
        }
        self.index.insert(key, id);
        id
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Option<Node> {
        let node = self.slots.get_mut(id.0 as usize)?.take()?;
        self.index.remove(&node.key);
        self.free.push(id);
        Some(node)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.index.values().filter_map(|id| Some((*id, self.get(*id)?)))
    }

    pub(super) fn count(&self) -> u64 {
        self.index.len() as u64
    }
}
