//! Ending translations: SFENCE.VMA and the evictions of the modelled TLBs.
//!
//! Supervisor architecture, "Supervisor Memory-Management Fence Instruction". A fence of one
//! address costs a few looks whatever the TLBs hold; fences of everything or of an address space
//! end all software entries by giving out new context numbers.

use super::modelled_tlb::TlbEntry;
use super::{Mmu, SoftTlb};
use crate::csr::fields::status;
use crate::hart::{Hart, Privilege};
use crate::trap::Trap;

impl Mmu {
    /// Ends the software entries that loads and stores may have made from `entry`.
    pub(super) fn end_data_entries(&mut self, entry: &TlbEntry) {
        end_entries(&mut self.read, entry);
        end_entries(&mut self.write, entry);
    }

    /// Ends the software entries that fetches may have made from `entry`.
    pub(super) fn end_fetch_entries(&mut self, entry: &TlbEntry) {
        end_entries(&mut self.execute, entry);
    }

    fn fence_page(&mut self, va: u64, asid: Option<u16>) {
        let Self { itlb, dtlb, read, write, execute, .. } = self;
        dtlb.clear_page(va, asid, |entry| {
            end_entries(read, entry);
            end_entries(write, entry);
        });
        itlb.clear_page(va, asid, |entry| end_entries(execute, entry));
    }

    fn fence_asid(&mut self, asid: u16) {
        self.itlb.clear_asid(asid);
        self.dtlb.clear_asid(asid);
    }

    fn fence_all(&mut self) {
        self.itlb.clear();
        self.dtlb.clear();
    }
}

/// Ends the software entries of the addresses of `entry`.
fn end_entries(tlb: &mut SoftTlb, entry: &TlbEntry) {
    if entry.level == 0 {
        tlb.end_page(entry.base);
    } else {
        tlb.end_range(entry.base, entry.mask());
    }
}

impl Hart {
    /// SFENCE.VMA as an instruction: `va` and `asid` are the values of rs1 and rs2 where these are
    /// not `x0`. The engine ends the block.
    pub fn sfence_vma(&mut self, va: Option<u64>, asid: Option<u64>) -> Result<(), Trap> {
        let trapped = self.csrs.mstatus & status::TVM != 0;
        match self.privilege {
            Privilege::User if self.profile.drops_writes() => {}
            Privilege::User => return Err(Trap::ILLEGAL),
            Privilege::Supervisor if trapped => return Err(Trap::ILLEGAL),
            _ => self.flush_translations(va, asid.map(|asid| asid as u16)),
        }
        Ok(())
    }

    /// What SFENCE.VMA does, without its checks.
    pub fn flush_translations(&mut self, va: Option<u64>, asid: Option<u16>) {
        match (va, asid) {
            (Some(va), asid) => return self.mmu.fence_page(va, asid),
            (None, Some(asid)) => self.mmu.fence_asid(asid),
            (None, None) => self.mmu.fence_all(),
        }
        self.end_soft_entries();
    }
}
