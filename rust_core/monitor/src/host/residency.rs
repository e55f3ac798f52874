//! Where the pages of a VM are, giving them back, and which of them it uses.

use super::Host;
use super::sharing::check_reclaimable;
use crate::error::HostError;
use crate::guest_pages::Place;
use crate::ids::VmId;
use crate::overcommit::shared_frames::Departure;
use crate::overcommit::swap::Kept;
use crate::shadow::audit::for_each_leaf;
use crate::shadow::entry::{self, ACCESSED};
use dcsim_memory::{Memory, PageStore, PhysicalAddress};
use std::collections::BTreeSet;

/// The path of host software that taking translations of sampled pages away is booked under.
const SAMPLING: &str = "page_sampling";

impl Host {
    /// Where a page of a VM is: `absent`, `resident`, `shared`, `swapped` or `compressed`.
    pub fn page_state(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        page: u64,
    ) -> Result<&'static str, HostError> {
        let (_, place) = self.find_page(store, (vm, page))?;
        Ok(match place {
            Place::Absent => "absent",
            Place::Own(_) => "resident",
            Place::Shared(_) => "shared",
            Place::Swapped => match self.swap.get((vm, page)) {
                Some(Kept::Compressed(_)) => "compressed",
                _ => "swapped",
            },
        })
    }

    /// The pages of a VM that have a frame, shared ones among them.
    pub fn resident_pages(&mut self, store: &mut PageStore, vm: VmId) -> Result<u64, HostError> {
        Ok(self.resident(store, vm)?.len() as u64)
    }

    /// The number of the `nth` of these, counted from 0.
    pub fn resident_page(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        nth: u64,
    ) -> Result<u64, HostError> {
        let resident = self.resident(store, vm)?;
        let page = usize::try_from(nth).ok().and_then(|nth| resident.get(nth));
        let page = page.map(|(page, _)| *page);
        page.ok_or_else(|| {
            HostError::Refused(format!("{vm} has {} resident pages, not {nth}", resident.len()))
        })
    }

    fn resident(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
    ) -> Result<Vec<(u64, PhysicalAddress)>, HostError> {
        let machine = self.vms.get(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let Some(map) = machine.technique.page_map() else { return Ok(Vec::new()) };
        let memory = Memory { store, frames: &mut self.frames };
        Ok(map.resident(&memory).filter_map(|(page, at)| Some((page, at.frame()?))).collect())
    }

    /// Gives a page back, whatever it holds: it is absent then. Tells whether it was not before.
    pub fn give_back_page(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        page: u64,
    ) -> Result<bool, HostError> {
        check_reclaimable(&self.vm(vm)?.config)?;
        self.collect_dirty();
        let (slot, place) = self.find_page(store, (vm, page))?;
        match place {
            Place::Absent => return Ok(false),
            Place::Swapped => {
                self.forget_swapped(store, (vm, page));
            }
            Place::Own(frame) => {
                self.allocator.release(frame);
                self.frames.empty(store, frame);
            }
            Place::Shared(frame) => {
                self.allocator.leave(frame, vm, page);
                if self.allocator.owner_of(frame).is_none() {
                    self.frames.empty(store, frame);
                }
            }
        }
        Memory { store, frames: &mut self.frames }.write_u64(slot, 0)?;
        self.index.remove((vm, page));
        // It reads as zeros now.
        self.dirty.entry(vm).or_default().insert(page);
        if let Some(frame) = place.frame() {
            self.allocator.depart(Departure { vm, page, frame, keeps_content: false });
            let pcpu = self.vm(vm)?.on_pcpu().map_or(0, |(_, pcpu)| pcpu);
            self.settle_departures(store, pcpu)?;
            self.book_path(pcpu, "give_back")?;
            self.notice_lines(store, vm)?;
        }
        Ok(true)
    }

    /// A page of a VM holds nothing that was in it any more.
    pub(super) fn forget_content(&mut self, vm: VmId, page: u64) {
        self.index.remove((vm, page));
        self.dirty.entry(vm).or_default().insert(page);
    }

    /// Gives a page back that is swapped out, and no other.
    pub(super) fn give_back_swapped(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        page: u64,
    ) -> Result<(), HostError> {
        let (_, place) = self.find_page(store, (vm, page))?;
        if place == Place::Swapped {
            self.give_back_page(store, vm, page)?;
        }
        Ok(())
    }

    /// Keeps so many frames for bringing pages back and for VMs that arrive: others do not get them.
    pub fn set_frame_reserve(&mut self, frames: u64) {
        self.allocator.keep_back(frames);
    }

    /// Has the next vCPU that leaves fewer free frames than this exit once with
    /// [`ExitKind::Scarce`](crate::exit::ExitKind::Scarce); 0: none does.
    pub fn set_frame_watermark(&mut self, frames: u64) {
        self.allocator.set_watermark(frames);
    }

    /// Takes the translations of pages away, so that the next access to each of them is noticed, and
    /// that of pages sampled before no more. The pCPU does the work.
    pub fn sample_pages(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        pages: &[u64],
        pcpu: Option<usize>,
    ) -> Result<(), HostError> {
        check_reclaimable(&self.vm(vm)?.config)?;
        let own = self.vm(vm)?.on_pcpu().map_or(0, |(_, pcpu)| pcpu);
        let pcpu = pcpu.unwrap_or(own);
        for page in pages {
            let (_, place) = self.find_page(store, (vm, *page))?;
            if let Some(frame) = place.frame() {
                self.allocator.depart(Departure { vm, page: *page, frame, keeps_content: true });
            }
        }
        self.allocator.samples().begin(vm, pages);
        self.settle_departures(store, pcpu)?;
        self.book_path(pcpu, SAMPLING)?;
        self.notice_lines(store, vm)
    }

    /// The sampled pages of a VM that its guest accessed since.
    pub fn touched_samples(&mut self, vm: VmId) -> Result<u64, HostError> {
        self.vm(vm)?;
        Ok(self.allocator.samples().touched(vm))
    }

    /// Clears the accessed bits of all translations of a VM's pages. An instrument: it costs nothing,
    /// but for the TLB misses that follow.
    pub fn clear_accessed(&mut self, store: &mut PageStore, vm: VmId) -> Result<(), HostError> {
        check_reclaimable(&self.vm(vm)?.config)?;
        let leaves = self.leaves(store, vm)?;
        let mut memory = Memory { store, frames: &mut self.frames };
        for (slot, leaf) in leaves.into_iter().filter(|(_, leaf)| leaf & ACCESSED != 0) {
            memory.write_u64(slot, leaf & !ACCESSED)?;
        }
        let machine = self.vm_mut(vm)?;
        for vcpu in 0..machine.vcpus.len() {
            machine.technique.seat(vcpu);
            machine.technique.forget_translations();
        }
        let pcpus: Vec<_> = machine.vcpus.iter().filter_map(|vcpu| vcpu.pcpu).collect();
        for pcpu in pcpus {
            let hart = &mut self.pcpus[pcpu].hart;
            hart.flush_translations(None, None);
            hart.flush_second_stage(None);
        }
        Ok(())
    }

    /// The resident pages of a VM that some translation was used for since then.
    pub fn accessed_pages(&mut self, store: &mut PageStore, vm: VmId) -> Result<u64, HostError> {
        check_reclaimable(&self.vm(vm)?.config)?;
        let leaves = self.leaves(store, vm)?;
        let accessed = leaves.into_iter().filter(|(_, leaf)| leaf & ACCESSED != 0);
        let frames: BTreeSet<_> = accessed.map(|(_, leaf)| entry::address(leaf)).collect();
        let resident = self.resident(store, vm)?;
        Ok(resident.into_iter().filter(|(_, frame)| frames.contains(frame)).count() as u64)
    }

    /// Every leaf of the tables by which a VM's guest reaches memory, with its place.
    fn leaves(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
    ) -> Result<Vec<(PhysicalAddress, u64)>, HostError> {
        let machine = self.vms.get_mut(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut leaves = Vec::new();
        for vcpu in 0..machine.vcpus.len() {
            machine.technique.seat(vcpu);
            for (table, level) in machine.technique.table_roots() {
                for_each_leaf(&memory, table, level, &mut |slot, leaf| leaves.push((slot, leaf)));
            }
        }
        Ok(leaves)
    }
}
