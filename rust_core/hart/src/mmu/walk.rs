//! The page-table walk.
//!
//! Supervisor architecture, "Virtual Address Translation Process". The walk reads the tables as
//! supervisor accesses that physical memory protection checks. Each entry read counts as one
//! reference, also in a walk that ends in a fault. Accessed and dirty bits are set by the walk
//! (Svadu) or raise a page fault (Svade), as `menvcfg.ADUE` says; setting them is part of the
//! reference.

use super::Access;
use super::access::read_slab;
use super::modelled_tlb::page_mask;
use super::pte::{Accessor, Pte};
use crate::bus::{Ports, Width};
use crate::csr::fields::{environment, satp};
use crate::hart::{Hart, Privilege};
use dcsim_memory::{MemoryError, PhysicalAddress};

/// What a walk found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// The leaf entry, global also if a table above it was.
    pub(crate) pte: Pte,
    /// Its level.
    pub(crate) level: usize,
}

/// Why a walk found nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WalkFault {
    /// The tables do not map the address for this access.
    Page,
    /// A table is not where the hart can reach it.
    Access,
    /// The page store has no room for a table page that is to be marked. Nothing was changed.
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

/// One walk under way.
struct Walk<'a, 'b> {
    hart: &'a Hart,
    ports: &'a mut Ports<'b>,
    va: u64,
    access: Access,
    references: u64,
}

impl Hart {
    /// Walks the tables for `va` and charges the references.
    pub(crate) fn walk(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        access: Access,
        accessor: Accessor,
    ) -> Result<Leaf, WalkFault> {
        let mut walk = Walk { hart: self, ports, va, access, references: 0 };
        let found = walk.run(accessor);
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

/// Levels of tables in the current translation mode.
pub(crate) fn levels(mode: u64) -> usize {
    if mode == satp::SV48 { 4 } else { 3 }
}

impl Walk<'_, '_> {
    fn run(&mut self, accessor: Accessor) -> Result<Leaf, WalkFault> {
        let satp = self.hart.csrs.satp;
        let mut table = satp::root(satp);
        let mut global = false;
        for level in (0..levels(satp::mode(satp))).rev() {
            let address = table + (self.va >> (12 + 9 * level) & 0x1ff) * 8;
            let pte = self.read(address)?;
            if !pte.is_valid() {
                return Err(WalkFault::Page);
            }
            global |= pte.is_global();
            if pte.is_leaf() {
                let pte = self.accept(pte, address, level, accessor)?;
                return Ok(Leaf { pte: if global { pte.made_global() } else { pte }, level });
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
        let page = self.ports.memory.readable_offset(address).ok_or(WalkFault::Access)?;
        let offset = page + address.page_offset();
        Ok(Pte(read_slab(self.ports.memory.store.bytes(), offset, Width::Double)))
    }

    /// Checks a leaf and sets its accessed and dirty bits.
    fn accept(
        &mut self,
        pte: Pte,
        address: u64,
        level: usize,
        accessor: Accessor,
    ) -> Result<Pte, WalkFault> {
        let misaligned = (pte.ppn() << 12) & !page_mask(level) != 0;
        if !pte.permits(self.access, accessor) || misaligned {
            return Err(WalkFault::Page);
        }
        if pte.is_marked_for(self.access) {
            return Ok(pte);
        }
        if self.hart.csrs.menvcfg & environment::ADUE == 0 {
            return Err(WalkFault::Page);
        }
        self.mark(pte, address)
    }

    fn mark(&mut self, pte: Pte, address: u64) -> Result<Pte, WalkFault> {
        if !self.hart.csrs.pmp.allows(address, 8, Access::Store, Privilege::Supervisor) {
            return Err(WalkFault::Access);
        }
        let marked = pte.marked_for(self.access);
        self.ports.memory.write_u64(PhysicalAddress(address), marked.0)?;
        Ok(marked)
    }
}
