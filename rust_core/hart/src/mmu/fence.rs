//! Ending translations: SFENCE.VMA and the evictions of the modelled TLBs.
//!
//! Supervisor architecture, "Supervisor Memory-Management Fence Instruction". A fence of one
//! address costs a few looks whatever the TLBs hold; fences of everything or of an address space
//! end all software entries by giving out new context numbers.

use super::Mmu;
use super::modelled_tlb::TlbEntry;
use crate::csr::fields::status;
use crate::hart::{Hart, Privilege};
use crate::trap::Trap;

impl Mmu {
    /// Ends the software entries that loads and stores may have made from `entry`.
    pub(super) fn end_data_entries(&mut self, entry: &TlbEntry) {
        if entry.level == 0 {
            self.read.end_page(entry.base);
            self.write.end_page(entry.base);
        } else {
            self.read.end_range(entry.base, entry.mask());
            self.write.end_range(entry.base, entry.mask());
        }
    }

    /// Ends the software entries that fetches may have made from `entry`.
    pub(super) fn end_fetch_entries(&mut self, entry: &TlbEntry) {
        if entry.level == 0 {
            self.execute.end_page(entry.base);
        } else {
            self.execute.end_range(entry.base, entry.mask());
        }
    }

    fn fence_page(&mut self, va: u64, asid: Option<u16>) {
        let mut ended = Vec::new();
        self.dtlb.clear_page(va, asid, |entry| ended.push(*entry));
        ended.drain(..).for_each(|entry| self.end_data_entries(&entry));
        self.itlb.clear_page(va, asid, |entry| ended.push(*entry));
        ended.drain(..).for_each(|entry| self.end_fetch_entries(&entry));
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

impl Hart {
    /// SFENCE.VMA as an instruction: `va` and `asid` are the values of rs1 and rs2 where these are
    /// not `x0`. The engine ends the block.
    pub fn sfence_vma(&mut self, va: Option<u64>, asid: Option<u64>) -> Result<(), Trap> {
        let trapped = self.csrs.mstatus & status::TVM != 0;
        match self.privilege {
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
