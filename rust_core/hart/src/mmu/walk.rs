//! The page-table walk, of one stage or of two.
//!
//! Supervisor architecture, "Virtual Address Translation Process"; hypervisor extension, "Two-Stage
//! Address Translation". The walk reads the tables as supervisor accesses that physical memory
//! protection checks. In a guest each address of a table is a guest-physical one, and finding it
//! is a walk of the second stage. Each entry read counts as one reference, also in a walk that ends
//! in a fault.
//!
//! Accessed and dirty bits are set by the walk (Svadu) or raise a fault (Svade), as `menvcfg.ADUE`
//! says, and `henvcfg.ADUE` for a guest's own tables; setting them is part of the reference. Those
//! of a stage are set when its walk has succeeded, so that a stage that fails changes nothing.

use super::Access;
use super::access::{read_slab, write_slab};
use super::modelled_tlb::{TlbEntry, page_mask};
use super::pte::{Accessor, Pte};
use super::regime::Regime;
use crate::bus::{Ports, Width};
use crate::csr::fields::satp;
use crate::hart::{Hart, Privilege};
use dcsim_memory::{MemoryError, PhysicalAddress};

/// The pseudoinstruction for a read of a guest's page table, in `htinst`.
const READ_OF_TABLE: u64 = 0x3000;

/// The pseudoinstruction for a write.
const WRITE_OF_TABLE: u64 = 0x3020;

/// Bits of a guest-physical address that its root table translates beyond those of other tables.
const WIDER_ROOT: usize = 2;

/// Why a walk found nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WalkFault {
    /// The tables do not map the address for this access.
    Page,
    /// The second stage does not map a guest-physical address: with the pseudoinstruction if the
    /// access to it was one to the guest's tables.
    Guest { address: u64, instruction: u64 },
    /// A table is not where the hart can reach it.
    Access,
    /// The page store has no room for a table page that is to be marked. At most the first stage
    /// has been marked, and the same walk can be made again.
    StoreFull,
}

impl From<MemoryError> for WalkFault {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::OutOfRange { .. } => Self::Access,
            MemoryError::StoreFull(_) => Self::StoreFull,
        }
    }
}

/// A leaf entry that permits the access.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    pte: Pte,
    level: usize,
    /// Where the entry is.
    address: u64,
}

impl Leaf {
    /// The address that `address` is mapped to.
    fn translate(&self, address: u64) -> u64 {
        self.pte.ppn() << 12 | address & !page_mask(self.level)
    }

    /// The entry, if it permits the access, its accessed and dirty bits aside.
    fn accept(&self, access: Access, accessor: Accessor) -> Result<Pte, WalkFault> {
        let misaligned = (self.pte.ppn() << 12) & !page_mask(self.level) != 0;
        let is_good = self.pte.permits(access, accessor) && !misaligned;
        is_good.then_some(self.pte).ok_or(WalkFault::Page)
    }
}

/// One walk under way.
struct Walk<'a, 'b> {
    hart: &'a Hart,
    ports: &'a mut Ports<'b>,
    va: u64,
    access: Access,
    regime: &'a Regime,
    references: u64,
    /// Entries to be marked, and their marks.
    marks: Vec<(u64, Pte)>,
}

impl Hart {
    /// Walks the tables for `va` and charges the references.
    pub(crate) fn walk(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        access: Access,
        regime: &Regime,
    ) -> Result<TlbEntry, WalkFault> {
        let (hart, marks) = (&*self, Vec::new());
        let mut walk = Walk { hart, ports, va, access, regime, references: 0, marks };
        let found = walk.run();
        let references = walk.references;
        if !matches!(found, Err(WalkFault::StoreFull)) {
            self.charge_walk(access, references);
        }
        found
    }

    fn charge_walk(&mut self, access: Access, references: u64) {
        let cycles = references * self.timing.walk_reference_cycles;
        self.clock.cycles += cycles;
        self.counters.walk_cycles += cycles;
        self.counters.walk_references += references;
        match access {
            Access::Fetch => self.counters.itlb_misses += 1,
            Access::Load | Access::Store => self.counters.dtlb_misses += 1,
        }
    }
}

/// Levels of tables in a translation mode.
pub(crate) fn levels(mode: u64) -> usize {
    if mode == satp::SV48 { 4 } else { 3 }
}

impl Walk<'_, '_> {
    fn run(&mut self) -> Result<TlbEntry, WalkFault> {
        let first = match self.regime.first_mode() {
            satp::BARE => None,
            mode => Some(self.first_stage(mode)?),
        };
        // The first stage is over, whatever the second says of the page that it has led to.
        self.apply_marks()?;
        let address = first.map_or(self.va, |leaf| leaf.translate(self.va));
        let second = match self.regime.second_mode() {
            satp::BARE => None,
            mode => {
                let accessor = self.regime.guest_accessor;
                let found = self.second_stage(mode, address, self.access, accessor);
                Some(found.map_err(|fault| fault.of_guest(address, 0))?)
            }
        };
        self.apply_marks()?;
        Ok(self.compose(first, second))
    }

    /// The translation by both stages: of the smaller page, with the rights of each.
    fn compose(&self, first: Option<Leaf>, second: Option<Leaf>) -> TlbEntry {
        let address = first.map_or(self.va, |leaf| leaf.translate(self.va));
        let physical = second.map_or(address, |leaf| leaf.translate(address));
        let levels = [first, second].into_iter().flatten().map(|leaf| leaf.level);
        let level = levels.min().unwrap_or(0);
        TlbEntry {
            base: self.va & page_mask(level),
            space: self.regime.space(),
            level,
            fence_level: first.map_or(level, |leaf| leaf.level),
            pte: first
                .map_or(Pte(0), |leaf| leaf.pte)
                .with_page((physical & page_mask(level)) >> 12),
            second: second.map(|leaf| leaf.pte),
        }
    }

    fn first_stage(&mut self, mode: u64) -> Result<Leaf, WalkFault> {
        let mut table = self.regime.first_root();
        let mut global = false;
        for level in (0..levels(mode)).rev() {
            let entry = table + (self.va >> (12 + 9 * level) & 0x1ff) * 8;
            let (address, mapping) = self.locate_entry(entry)?;
            let pte = self.read(address)?;
            if !pte.is_valid() {
                return Err(WalkFault::Page);
            }
            global |= pte.is_global();
            if pte.is_leaf() {
                let leaf = Leaf { pte, level, address };
                let pte = leaf.accept(self.access, self.regime.accessor)?;
                let marked = self.mark_first(Leaf { pte, ..leaf }, entry, mapping)?;
                return Ok(Leaf {
                    pte: if global { marked.made_global() } else { marked },
                    ..leaf
                });
            }
            table = pte.ppn() << 12;
        }
        Err(WalkFault::Page)
    }

    /// The physical address of an entry of the first stage's tables, and in a guest the leaf that
    /// maps it.
    fn locate_entry(&mut self, entry: u64) -> Result<(u64, Option<Leaf>), WalkFault> {
        match self.regime.second_mode() {
            satp::BARE => Ok((entry, None)),
            mode => {
                let found = self.second_stage(mode, entry, Access::Load, Accessor::USER);
                let leaf = found.map_err(|fault| fault.of_guest(entry, READ_OF_TABLE))?;
                Ok((leaf.translate(entry), Some(leaf)))
            }
        }
    }

    /// Walks the second stage's tables for a guest-physical address.
    fn second_stage(
        &mut self,
        mode: u64,
        guest: u64,
        access: Access,
        accessor: Accessor,
    ) -> Result<Leaf, WalkFault> {
        let top = levels(mode) - 1;
        if guest >> (12 + 9 * (top + 1) + WIDER_ROOT) != 0 {
            return Err(WalkFault::Page);
        }
        let mut table = self.regime.second_root();
        for level in (0..=top).rev() {
            let slots = if level == top { 0x200 << WIDER_ROOT } else { 0x200 };
            let address = table + (guest >> (12 + 9 * level) & (slots - 1)) * 8;
            let pte = self.read(address)?;
            if !pte.is_valid() {
                return Err(WalkFault::Page);
            }
            if pte.is_leaf() {
                let leaf = Leaf { pte, level, address };
                let pte = leaf.accept(access, accessor)?;
                let pte = self.mark(Leaf { pte, ..leaf }, access, self.regime.marks_second)?;
                return Ok(Leaf { pte, ..leaf });
            }
            table = pte.ppn() << 12;
        }
        Err(WalkFault::Page)
    }

    fn read(&mut self, address: u64) -> Result<Pte, WalkFault> {
        self.references += 1;
        if !self.hart.csrs.pmp.allows(address, 8, Access::Load, Privilege::Supervisor) {
            return Err(WalkFault::Access);
        }
        let address = PhysicalAddress(address);
        let page = self.ports.memory.table_offset(address).ok_or(WalkFault::Access)?;
        let offset = page + address.page_offset();
        Ok(Pte(read_slab(self.ports.memory.store.bytes(), offset, Width::Double)))
    }

    /// Marks a leaf of the first stage. In a guest that is a store to guest-physical memory, which
    /// `mapping` must permit.
    fn mark_first(
        &mut self,
        leaf: Leaf,
        entry: u64,
        mapping: Option<Leaf>,
    ) -> Result<Pte, WalkFault> {
        if let Some(mapping) = mapping
            && !leaf.pte.is_marked_for(self.access)
            && self.regime.marks_first
        {
            let accepted = mapping.accept(Access::Store, Accessor::USER);
            let marked =
                accepted.and_then(|_| self.mark(mapping, Access::Store, self.regime.marks_second));
            marked.map_err(|fault| fault.of_guest(entry, WRITE_OF_TABLE))?;
        }
        self.mark(leaf, self.access, self.regime.marks_first)
    }

    /// The leaf with the accessed and dirty bits that the access needs.
    fn mark(&mut self, leaf: Leaf, access: Access, by_hardware: bool) -> Result<Pte, WalkFault> {
        if leaf.pte.is_marked_for(access) {
            return Ok(leaf.pte);
        }
        if !by_hardware {
            return Err(WalkFault::Page);
        }
        if !self.hart.csrs.pmp.allows(leaf.address, 8, Access::Store, Privilege::Supervisor) {
            return Err(WalkFault::Access);
        }
        let marked = leaf.pte.marked_for(access);
        self.marks.push((leaf.address, marked));
        Ok(marked)
    }

    /// Writes the marks so far, once there is room for all of them.
    fn apply_marks(&mut self) -> Result<(), WalkFault> {
        let memory = &mut self.ports.memory;
        for (address, _) in &self.marks {
            memory.markable_offset(PhysicalAddress(*address))?;
        }
        for (address, marked) in std::mem::take(&mut self.marks) {
            let address = PhysicalAddress(address);
            let offset = memory.markable_offset(address)? + address.page_offset();
            let slab = memory.store.bytes_mut();
            // One entry can have been met twice, and needs the marks of both.
            let before = read_slab(slab, offset, Width::Double);
            write_slab(slab, offset, Width::Double, before | marked.0);
        }
        Ok(())
    }
}

impl WalkFault {
    /// The fault of the second stage at a guest-physical address.
    fn of_guest(self, address: u64, instruction: u64) -> Self {
        match self {
            Self::Page => Self::Guest { address, instruction },
            other => other,
        }
    }
}
