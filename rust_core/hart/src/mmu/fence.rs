//! Ending translations: SFENCE.VMA, HFENCE.VVMA, HFENCE.GVMA and the evictions of the modelled TLBs.
//!
//! Supervisor architecture, "Supervisor Memory-Management Fence Instruction"; hypervisor extension,
//! "Hypervisor Memory-Management Fence Instructions". Entries of guests hold translations by both
//! stages and no guest-physical address, so HFENCE.GVMA ends all entries of a guest. A fence of one
//! address costs a few looks whatever the TLBs hold; fences of everything or of an address space
//! end all software entries by giving out new context numbers.

use super::modelled_tlb::TlbEntry;
use super::space::Space;
use super::{Mmu, SoftTlb};
use crate::csr::fields::{hgatp, hypervisor_status, status};
use crate::hart::{Hart, Privilege};
use crate::trap::Trap;

/// The bits of a VMID.
const VMID: u16 = 0x3fff;

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

    fn fence_page(&mut self, va: u64, is_chosen: impl Fn(&TlbEntry) -> bool + Copy) {
        let Self { itlb, dtlb, read, write, execute, .. } = self;
        dtlb.clear_page(va, is_chosen, |entry| {
            end_entries(read, entry);
            end_entries(write, entry);
        });
        itlb.clear_page(va, is_chosen, |entry| end_entries(execute, entry));
    }

    fn fence_chosen(&mut self, is_chosen: impl Fn(&TlbEntry) -> bool + Copy) {
        self.itlb.clear_chosen(is_chosen);
        self.dtlb.clear_chosen(is_chosen);
    }

    /// Ends every translation of the machine that an address space belongs to.
    fn fence_machine(&mut self, space: Space) {
        for tlb in [&mut self.itlb, &mut self.dtlb] {
            if space.is_guest() || tlb.has_guests() {
                tlb.clear_chosen(|entry| entry.space.is_of_same_machine(space));
            } else {
                tlb.clear();
            }
        }
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
        let is_user = self.privilege == Privilege::User;
        if is_user && self.profile.drops_writes() {
            return Ok(());
        }
        self.check_supervisor(status::TVM, hypervisor_status::VTVM)?;
        self.flush_translations(va, asid.map(|asid| asid as u16));
        Ok(())
    }

    /// HFENCE.VVMA as an instruction, with the same operands.
    pub fn hfence_vvma(&mut self, va: Option<u64>, asid: Option<u64>) -> Result<(), Trap> {
        self.check_guest_fence(0)?;
        self.flush_guest_translations(va, asid.map(|asid| asid as u16));
        Ok(())
    }

    /// HFENCE.GVMA as an instruction: `vmid` is the value of rs2 where that is not `x0`. The
    /// address in rs1 is not looked at.
    pub fn hfence_gvma(&mut self, vmid: Option<u64>) -> Result<(), Trap> {
        self.check_guest_fence(status::TVM)?;
        self.flush_second_stage(vmid.map(|vmid| vmid as u16 & VMID));
        Ok(())
    }

    fn check_guest_fence(&self, host_trap: u64) -> Result<(), Trap> {
        match (self.has_hypervisor(), self.virtualised) {
            (false, _) => Err(Trap::ILLEGAL),
            (true, true) => Err(Trap::VIRTUAL),
            (true, false) => self.check_supervisor(host_trap, 0),
        }
    }

    /// What SFENCE.VMA does, without its checks: in a guest, for the guest.
    pub fn flush_translations(&mut self, va: Option<u64>, asid: Option<u16>) {
        let space = if self.virtualised { self.guest_space() } else { Space::host(0) };
        self.flush_machine(space, va, asid);
    }

    /// What HFENCE.VVMA does, without its checks: for the guest that `hgatp` names.
    pub fn flush_guest_translations(&mut self, va: Option<u64>, asid: Option<u16>) {
        self.flush_machine(self.guest_space(), va, asid);
    }

    /// What HFENCE.GVMA does, without its checks: ends the translations of one guest, or of all.
    pub fn flush_second_stage(&mut self, vmid: Option<u16>) {
        self.mmu.fence_chosen(|entry| {
            let of_guest = |vmid| entry.space.is_of_same_machine(Space::guest(vmid, 0));
            entry.space.is_guest() && vmid.is_none_or(of_guest)
        });
        self.end_soft_entries();
    }

    /// An address space of the guest that `hgatp` names.
    fn guest_space(&self) -> Space {
        Space::guest(hgatp::vmid(self.csrs.hgatp), 0)
    }

    /// Ends translations of the machine that `machine` belongs to.
    fn flush_machine(&mut self, machine: Space, va: Option<u64>, asid: Option<u16>) {
        let is_chosen = |entry: &TlbEntry| {
            let has_asid = |asid| entry.space.has_asid(asid) && !entry.pte.is_global();
            entry.space.is_of_same_machine(machine) && asid.is_none_or(has_asid)
        };
        match (va, asid) {
            (Some(va), _) => return self.mmu.fence_page(va, is_chosen),
            (None, Some(_)) => self.mmu.fence_chosen(is_chosen),
            (None, None) => self.mmu.fence_machine(machine),
        }
        self.end_soft_entries();
    }
}
