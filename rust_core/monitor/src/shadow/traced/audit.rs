//! A look from outside at traced tables: whether they are what is recorded of them, and let nobody
//! write unseen. For tests; it costs the guest nothing.

use super::super::audit;
use super::super::entry::{self, WRITE};
use super::Traced;
use super::node::Entry;
use crate::allocator::{FrameAllocator, FrameOwner};
use dcsim_machine::board::map::MEMORY_BASE;
use dcsim_memory::{Memory, PAGE_BYTES};

impl Traced {
    /// Checks that no entry lets the guest write to a protected page, and that the records are
    /// those of the tables; says what is wrong.
    pub fn audit(&self, memory: &Memory<'_>, owners: &FrameAllocator) -> Result<(), String> {
        for (id, node) in self.graph.nodes.iter() {
            let found: Vec<_> = audit::valid_entries(memory, node.frame).collect();
            let is_set = |(index, entry): (&u64, &Entry)| {
                !matches!(entry, Entry::Code(_)) || found.iter().any(|(at, _)| *at as u64 == *index)
            };
            let recorded = node.entries.iter().filter(|entry| is_set(*entry)).count();
            if found.len() != recorded {
                return Err(format!("{id:?} has {recorded} entries: {found:x?}"));
            }
            for (index, value) in found {
                let recorded = node.entries.get(&(index as u64)).copied();
                self.audit_entry(owners, value, recorded)
                    .map_err(|what| format!("{id:?}, entry {index}, {value:#x}: {what}"))?;
            }
        }
        Ok(())
    }

    fn audit_entry(
        &self,
        owners: &FrameAllocator,
        value: u64,
        recorded: Option<Entry>,
    ) -> Result<(), &'static str> {
        match recorded {
            Some(Entry::Leaf | Entry::Code(_)) if value & WRITE == 0 => Ok(()),
            Some(Entry::Table(child)) => match self.graph.frame(child) {
                Ok(frame) if frame == entry::address(value) => Ok(()),
                _ => Err("it points to another table than is recorded"),
            },
            Some(Entry::Writable(page)) if value & WRITE != 0 => {
                if self.graph.tables.is_protected(page) {
                    return Err("it lets the guest write to a traced page");
                }
                let number = page.wrapping_sub(MEMORY_BASE) / PAGE_BYTES as u64;
                match owners.owner_of(entry::address(value)) {
                    Some(FrameOwner::Guest { page, .. }) if page == number => Ok(()),
                    _ => Err("it lets the guest write to another page than is recorded"),
                }
            }
            _ => Err("it is not what is recorded"),
        }
    }
}
