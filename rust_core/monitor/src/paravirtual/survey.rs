//! How many frames an operation may take: a look ahead of the simulator, which costs nothing.
//!
//! Frames are reserved before anything is changed, so the answer may be too high and never too low.

use super::abi::Operation;
use super::names::Names;
use super::record::Record;
use super::tables::{ROOT, guest_entries};
use crate::guest_pages::PageMap;
use crate::shadow::entry::{self, VALID};
use dcsim_memory::{Memory, PhysicalAddress};
use std::collections::BTreeSet;

/// A look at a guest's memory.
pub struct Survey<'a> {
    memory: &'a Memory<'a>,
    map: &'a PageMap,
    /// Pages that will need a frame.
    unprovided: BTreeSet<u64>,
    /// Pages whose frame will need a name.
    unnamed: BTreeSet<u64>,
    /// Tables that were looked at.
    seen: BTreeSet<(u64, u32)>,
}

impl<'a> Survey<'a> {
    /// A look that has found nothing yet.
    pub fn new(memory: &'a Memory<'a>, map: &'a PageMap) -> Self {
        let (unprovided, unnamed, seen) = Default::default();
        Self { memory, map, unprovided, unnamed, seen }
    }

    /// Frames that everything found may take.
    pub fn frames(&self, names: &Names) -> u64 {
        self.unprovided.len() as u64 + names.missing().min(self.unnamed.len() as u64)
    }

    /// Looks at operations. What a new entry points to may be a table of either level by then.
    pub fn look_at_operations(&mut self, operations: &[Operation]) {
        for operation in operations {
            match *operation {
                Operation::Set { value, .. } => {
                    self.look_at_entry(value, 1);
                    self.look_at_entry(value, 2);
                }
                Operation::Link { value, .. } => self.look_at_page(entry::address(value).0),
                Operation::NewRoot(root) => self.look_at_page(root),
                Operation::Pin(root) => self.look_at_tree(root),
                _ => {}
            }
        }
    }

    /// Looks at a page that is to become a root, and all that it leads to.
    pub fn look_at_tree(&mut self, root: u64) {
        self.look_at_page(root);
        self.look_at_table(root, ROOT);
    }

    /// Looks at a page that is going to be needed.
    pub fn look_at_page(&mut self, address: u64) {
        let Some(page) = self.map.page_of(address) else { return };
        let record = Record(self.map.entry(self.memory, page));
        if PageMap::decode(record.0).is_none() {
            self.unprovided.insert(page);
        }
        if !record.is_named() {
            self.unnamed.insert(page);
        }
    }

    fn look_at_entry(&mut self, value: u64, level: u32) {
        if value & VALID != 0 {
            let target = entry::address(value).0;
            // That the first page of a large one has its name is enough: all are in one frame.
            self.look_at_page(target);
            if level > 0 && !entry::is_leaf(value) {
                self.look_at_table(target, level - 1);
            }
        }
    }

    /// A page that is a table already has all that it needs.
    fn look_at_table(&mut self, address: u64, level: u32) {
        let Some(page) = self.map.page_of(address) else { return };
        let record = Record(self.map.entry(self.memory, page));
        if record.level().is_some() || !self.seen.insert((page, level)) {
            return;
        }
        for index in 0..guest_entries(level) {
            let value = self.read((address & !0xfff) + index * 8).unwrap_or(0);
            self.look_at_entry(value, level);
        }
    }

    /// Eight bytes of the guest's memory; a page without a frame holds zeros.
    pub fn read(&self, address: u64) -> Option<u64> {
        let frame = self.map.frame(self.memory, self.map.page_of(address)?);
        let Some(frame) = frame else { return Some(0) };
        self.memory.read_u64(PhysicalAddress(frame.0 + address % 4096)).ok()
    }
}
