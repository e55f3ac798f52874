//! A look from outside at what a guest reaches: its roots and its window, walked as hardware does.
//!
//! It asks the owners' table of the host's frames, of which the code that checks the guest's calls
//! knows nothing, and finds out for itself what is a table. For tests; it costs the guest nothing.

use super::Paravirtual;
use super::abi::WINDOW;
use super::large;
use super::layout::Layout;
use super::record::Record;
use super::tables::{ROOT, guest_entries};
use crate::allocator::{FrameAllocator, FrameOwner};
use crate::guest_pages::PageMap;
use crate::ids::VmId;
use crate::shadow::entry::{self, EXECUTE, USER, VALID, WRITE};
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress};
use std::collections::{BTreeMap, BTreeSet};

/// What was found so far.
struct Audit<'a> {
    memory: &'a Memory<'a>,
    owners: &'a FrameAllocator,
    vm: VmId,
    /// The guest's tables, with their levels.
    tables: BTreeMap<u64, u32>,
    /// Frames that the guest may write.
    writable: BTreeSet<u64>,
    /// What the mode of the guest's kernel sets in leaves of its window.
    mode_bit: u64,
    /// The guest's kernel has given up writing code.
    sealed: bool,
}

/// Checks everything that a guest reaches; says what is wrong.
pub fn check(
    guest: &Paravirtual,
    memory: &Memory<'_>,
    owners: &FrameAllocator,
    vm: VmId,
) -> Result<(), String> {
    let (tables, writable) = Default::default();
    let mode_bit = guest.agreement.layout.leaf() & USER;
    let sealed = guest.agreement.seal.is_some();
    let mut audit = Audit { memory, owners, vm, tables, writable, mode_bit, sealed };
    for root in &guest.agreement.roots {
        let page = guest.map.page_of(*root).ok_or("a root is outside the guest")?;
        let frame = guest.map.frame(memory, page).ok_or("a root has no frame")?;
        audit.walk(frame, ROOT, 0..guest_entries(ROOT))?;
        audit.compare_window(frame, guest)?;
    }
    for root in [guest.window.bare, guest.window.kernel] {
        audit.walk_window(root, ROOT, 256)?;
    }
    audit.compare_records(&guest.map)
}

impl Audit<'_> {
    /// A table of the guest's.
    fn walk(
        &mut self,
        table: PhysicalAddress,
        level: u32,
        entries: std::ops::Range<u64>,
    ) -> Result<(), String> {
        if let Some(found) = self.tables.insert(table.0, level) {
            let same = found == level;
            return same.then_some(()).ok_or(format!("{table:?} is of levels {found} and {level}"));
        }
        self.expect_own(table)?;
        for index in entries {
            let value = self.entry(table, index)?;
            let frame = entry::address(value);
            match (value & VALID != 0, entry::is_leaf(value), level) {
                (false, ..) => {}
                (true, true, 0) => self.leaf(value)?,
                (true, true, large::LEVEL) => self.large_leaf(value)?,
                (true, false, 1..) => self.walk(frame, level - 1, 0..512)?,
                _ => return Err(format!("entry {index} of {table:?} is none of level {level}")),
            }
        }
        Ok(())
    }

    /// A table of the monitor's: its leaves lead nowhere, to the guest's pages, or to names.
    fn walk_window(
        &mut self,
        table: PhysicalAddress,
        level: u32,
        first: u64,
    ) -> Result<(), String> {
        self.expect_monitors(table)?;
        for index in first..512 {
            let value = self.entry(table, index)?;
            let frame = entry::address(value);
            if value & VALID == 0 || (entry::is_leaf(value) && frame.0 == 0) {
                continue;
            }
            if entry::is_leaf(value) && value & USER != self.mode_bit {
                return Err(format!("the window's {value:#x} is of another mode"));
            }
            let changeable_code = WRITE | EXECUTE;
            if entry::is_leaf(value) && self.sealed && value & changeable_code == changeable_code {
                return Err(format!("the window's {value:#x} lets code be written"));
            }
            if !entry::is_leaf(value) {
                let below = level.checked_sub(1).ok_or("the window has a table too many")?;
                self.walk_window(frame, below, 0)?;
            } else if self.expect_own(frame).is_ok() {
                self.leaf(value)?;
            } else {
                self.expect_shown(frame)?;
                if value & WRITE != 0 {
                    return Err(format!("the guest may write the monitor's {frame:?}"));
                }
            }
        }
        Ok(())
    }

    fn large_leaf(&mut self, value: u64) -> Result<(), String> {
        let start = entry::address(value).0;
        if !start.is_multiple_of(entry::span(large::LEVEL)) {
            return Err(format!("the large page {value:#x} is not aligned"));
        }
        (start..)
            .step_by(PAGE_BYTES)
            .take(large::PAGES as usize)
            .try_for_each(|frame| self.leaf(entry::compose(PhysicalAddress(frame), value & 0x3ff)))
    }

    fn leaf(&mut self, value: u64) -> Result<(), String> {
        let frame = entry::address(value);
        self.expect_own(frame)?;
        if value & WRITE != 0 {
            self.writable.insert(frame.0);
        }
        Ok(())
    }

    fn expect_own(&self, frame: PhysicalAddress) -> Result<(), String> {
        match self.owners.owner_of(frame) {
            Some(FrameOwner::Guest { vm, .. }) if vm == self.vm => Ok(()),
            other => Err(format!("{} reaches the frame {frame:?}, which is {other:?}", self.vm)),
        }
    }

    fn expect_monitors(&self, frame: PhysicalAddress) -> Result<(), String> {
        match self.owners.owner_of(frame) {
            Some(FrameOwner::Monitor { vm } | FrameOwner::Shadow { vm }) if vm == self.vm => Ok(()),
            other => Err(format!("the window needs {frame:?}, which is {other:?}")),
        }
    }

    fn expect_shown(&self, frame: PhysicalAddress) -> Result<(), String> {
        match self.owners.owner_of(frame) {
            Some(FrameOwner::Shown { vm }) if vm == self.vm => Ok(()),
            other => Err(format!("{} sees the frame {frame:?}, which is {other:?}", self.vm)),
        }
    }

    /// The upper half of a root is the window, or nothing where a program would reach it.
    fn compare_window(&self, root: PhysicalAddress, guest: &Paravirtual) -> Result<(), String> {
        let first = entry::index(WINDOW, ROOT);
        let expected = |index| match guest.agreement.layout {
            Layout::Supervisor => self.entry(guest.window.kernel, index),
            Layout::User => Ok(0),
        };
        let differs = |index: &u64| self.entry(root, *index) != expected(*index);
        match (first..512).find(differs) {
            None => Ok(()),
            Some(index) => Err(format!("entry {index} of the root {root:?} is not the window's")),
        }
    }

    /// No table is writable, and all are known as what they are.
    fn compare_records(&self, map: &PageMap) -> Result<(), String> {
        if let Some(table) = self.tables.keys().find(|table| self.writable.contains(table)) {
            return Err(format!("the guest may write the table {table:#x}"));
        }
        for page in 0..map.pages() {
            let record = Record(map.entry(self.memory, page));
            let frame = PageMap::decode(record.0);
            let found = frame.and_then(|frame| self.tables.get(&frame.0));
            if record.level().as_ref() != found {
                return Err(format!("page {page} is {record:x?}, but its level is {found:?}"));
            }
        }
        Ok(())
    }

    fn entry(&self, table: PhysicalAddress, index: u64) -> Result<u64, String> {
        let place = PhysicalAddress(table.0 + index * 8);
        self.memory.read_u64(place).map_err(|error| error.to_string())
    }
}
