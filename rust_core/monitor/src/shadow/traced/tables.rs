//! Which pages of a guest hold tables that shadow entries came from.
//!
//! Such a page is *traced*: no shadow entry lets the guest write to it, so that each of its stores
//! there reaches the monitor. A traced page can be *open*: it is written without a look at it (by
//! devices, by instructions that are not worth emulating, by floods of stores), and what came from
//! it may be out of date until the guest's next fence, which ends it.

use super::node::NodeId;
use crate::assumed;
use std::collections::{BTreeMap, BTreeSet};

/// A traced page.
#[derive(Debug, Default)]
struct Table {
    /// The shadow tables that follow it: one for each level and view in which it is used.
    nodes: Vec<NodeId>,
    /// Traced stores since a walk last used it.
    writes: u64,
}

/// The traced pages of a guest, by guest-physical address.
#[derive(Debug, Default)]
pub struct TracedTables {
    tables: BTreeMap<u64, Table>,
    open: BTreeSet<u64>,
}

/// The address of the page that holds a guest-physical address.
pub fn page_address(address: u64) -> u64 {
    address & !0xfff
}

impl TracedTables {
    /// Whether the guest must not write to the page unseen.
    pub fn is_protected(&self, page: u64) -> bool {
        self.tables.contains_key(&page) && !self.open.contains(&page)
    }

    /// The page at an address was written, or will be, without a look at what was written.
    pub fn open(&mut self, address: u64) {
        let page = page_address(address);
        if self.tables.contains_key(&page) {
            self.open.insert(page);
        }
    }

    /// The pages that are open; they stay so until nothing comes from them any more.
    pub(super) fn open_pages(&self) -> Vec<u64> {
        self.open.iter().copied().collect()
    }

    /// A shadow table follows the page now. Tells whether it is the first.
    pub(super) fn add(&mut self, page: u64, node: NodeId) -> bool {
        let table = self.tables.entry(page).or_default();
        table.nodes.push(node);
        table.nodes.len() == 1
    }

    /// A shadow table follows the page no longer. Tells whether it was the last.
    pub(super) fn remove(&mut self, page: u64, node: NodeId) -> bool {
        let Some(table) = self.tables.get_mut(&page) else { return false };
        table.nodes.retain(|known| *known != node);
        let last = table.nodes.is_empty();
        if last {
            self.tables.remove(&page);
            self.open.remove(&page);
        }
        last
    }

    /// The shadow tables that follow a page.
    pub(super) fn nodes(&self, page: u64) -> Vec<NodeId> {
        self.tables.get(&page).map(|table| table.nodes.clone()).unwrap_or_default()
    }

    /// A walk used the page.
    pub(super) fn walked(&mut self, page: u64) {
        if let Some(table) = self.tables.get_mut(&page) {
            table.writes = 0;
        }
    }

    /// The guest stored to the page. Too many stores without a walk open it: either it is a table
    /// no more, or one that is being filled.
    pub(super) fn stored(&mut self, page: u64) {
        let Some(table) = self.tables.get_mut(&page) else { return };
        table.writes += 1;
        if table.writes >= assumed::FLOODED_WRITES.value {
            self.open.insert(page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_traced_as_long_as_a_table_follows_it() {
        let mut tables = TracedTables::default();
        assert!(tables.add(0x1000, NodeId(1)));
        assert!(!tables.add(0x1000, NodeId(2)));
        assert!(tables.is_protected(0x1000));
        assert!(!tables.remove(0x1000, NodeId(1)));
        assert!(tables.remove(0x1000, NodeId(2)));
        assert!(!tables.is_protected(0x1000));
    }

    #[test]
    fn stores_without_walks_open_a_page() {
        let mut tables = TracedTables::default();
        tables.add(0x1000, NodeId(1));
        for _ in 1..assumed::FLOODED_WRITES.value {
            tables.stored(0x1000);
        }
        tables.walked(0x1000);
        tables.stored(0x1000);
        assert!(tables.is_protected(0x1000));
        for _ in 1..assumed::FLOODED_WRITES.value {
            tables.stored(0x1000);
        }
        assert!(!tables.is_protected(0x1000));
        assert_eq!(tables.open_pages(), [0x1000]);
    }

    #[test]
    fn what_is_no_table_is_not_opened() {
        let mut tables = TracedTables::default();
        tables.open(0x1234);
        tables.add(0x1000, NodeId(1));
        assert!(tables.is_protected(0x1000));
        tables.open(0x1fff);
        assert!(!tables.is_protected(0x1000));
    }
}
