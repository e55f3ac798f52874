//! From a virtual address to a physical one, through the modelled TLB.
//!
//! A hit counts only if the entry permits the access. An entry that does not (a right is missing,
//! or a store meets an entry without the dirty bit) leaves the TLB and the access is a miss: the
//! walk then decides. So a page fault is always the result of a walk, and never of a stale entry.

use super::Access;
use super::modelled_tlb::{ModelledTlb, TlbEntry};
use super::regime::Regime;
use super::walk::{WalkFault, levels};
use crate::bus::Ports;
use crate::csr::fields::satp;
use crate::hart::Hart;
use crate::trap::{Abort, Exception, Trap};

impl Access {
    /// The page fault of this access.
    pub(crate) fn page_fault(self, va: u64) -> Trap {
        let cause = match self {
            Self::Fetch => Exception::InstructionPageFault,
            Self::Load => Exception::LoadPageFault,
            Self::Store => Exception::StorePageFault,
        };
        Trap::new(cause, va)
    }

    /// The guest-page fault of this access: the second stage did not map the guest-physical
    /// `address`, which was the access's own or, with a pseudoinstruction, that of a table.
    pub(crate) fn guest_page_fault(self, va: u64, address: u64, instruction: u64) -> Trap {
        let cause = match self {
            Self::Fetch => Exception::InstructionGuestPageFault,
            Self::Load => Exception::LoadGuestPageFault,
            Self::Store => Exception::StoreGuestPageFault,
        };
        let (guest_value, guest_instruction) = (address >> 2, instruction);
        Trap { guest_value, guest_instruction, ..Trap::new(cause, va) }
    }

    /// The access fault of this access.
    pub(crate) fn access_fault(self, va: u64) -> Trap {
        let cause = match self {
            Self::Fetch => Exception::InstructionAccessFault,
            Self::Load => Exception::LoadAccessFault,
            Self::Store => Exception::StoreAccessFault,
        };
        Trap::new(cause, va)
    }

    /// The exception of an access that must be aligned and is not.
    pub(crate) fn misaligned(self, va: u64) -> Trap {
        let cause = match self {
            Self::Fetch => Exception::InstructionMisaligned,
            Self::Load => Exception::LoadMisaligned,
            Self::Store => Exception::StoreMisaligned,
        };
        Trap::new(cause, va)
    }
}

impl Hart {
    /// The physical address of `va` for this access.
    pub(crate) fn translate(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        access: Access,
    ) -> Result<u64, Abort> {
        let regime = self.regime(access);
        if regime.is_bare() {
            return Ok(va);
        }
        let mode = regime.first_mode();
        if mode != satp::BARE && !is_canonical(va, mode) {
            return Err(access.page_fault(va).into());
        }
        match self.modelled_hit(va, access, &regime) {
            Some(physical) => Ok(physical),
            None => self.translate_by_walk(ports, va, access, &regime),
        }
    }

    fn modelled_tlb(&mut self, access: Access) -> &mut ModelledTlb {
        match access {
            Access::Fetch => &mut self.mmu.itlb,
            Access::Load | Access::Store => &mut self.mmu.dtlb,
        }
    }

    /// The answer of the modelled TLB; an entry that does not permit the access leaves it.
    fn modelled_hit(&mut self, va: u64, access: Access, regime: &Regime) -> Option<u64> {
        let space = regime.space();
        let tlb = self.modelled_tlb(access);
        let entry = tlb.lookup(va, space)?;
        if entry.answers(access, regime) {
            return Some(entry.physical(va));
        }
        if let Some(gone) = tlb.remove(va, space) {
            self.end_soft_entries_of(&gone, access);
        }
        None
    }

    fn translate_by_walk(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        access: Access,
        regime: &Regime,
    ) -> Result<u64, Abort> {
        let entry = self.walk(ports, va, access, regime).map_err(|fault| match fault {
            WalkFault::Page => access.page_fault(va).into(),
            WalkFault::Guest { address, instruction } => {
                access.guest_page_fault(va, address, instruction).into()
            }
            WalkFault::Access => access.access_fault(va).into(),
            WalkFault::StoreFull => Abort::StoreFull,
        })?;
        self.enter(entry, access);
        Ok(entry.physical(va))
    }

    /// Enters a translation and ends the software entries that are no longer what a look-up in
    /// the modelled TLB would give: those of the entry that left, and those of the same addresses
    /// under an older entry (an overlapping size, or another address space below a global page).
    fn enter(&mut self, entry: TlbEntry, access: Access) {
        let leaving = self.modelled_tlb(access).insert(entry);
        self.end_soft_entries_of(&entry, access);
        if let Some(gone) = leaving {
            self.end_soft_entries_of(&gone, access);
        }
    }

    fn end_soft_entries_of(&mut self, entry: &TlbEntry, access: Access) {
        match access {
            Access::Fetch => self.mmu.end_fetch_entries(entry),
            Access::Load | Access::Store => self.mmu.end_data_entries(entry),
        }
    }
}

/// Whether the bits above the translated ones are copies of the highest translated one.
fn is_canonical(va: u64, mode: u64) -> bool {
    let unused = 64 - (12 + 9 * levels(mode));
    ((va << unused) as i64 >> unused) as u64 == va
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses_extend_their_top_bit() {
        for (mode, top) in [(satp::SV39, 38), (satp::SV48, 47)] {
            assert!(is_canonical((1 << top) - 1, mode));
            assert!(!is_canonical(1 << top, mode));
            assert!(is_canonical(u64::MAX << top, mode));
            assert!(!is_canonical(u64::MAX << (top + 1), mode));
        }
    }
}
