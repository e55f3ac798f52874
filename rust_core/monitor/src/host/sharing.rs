//! Sharing pages by content: looking at pages, finding others like them, merging them.

use super::Host;
use crate::allocator::FrameAllocator;
use crate::assumed;
use crate::config::{PagingKind, TechniqueKind, VmConfig};
use crate::error::HostError;
use crate::guest_pages::{PageMap, Place, SHARED};
use crate::ids::VmId;
use crate::overcommit::content::{hash, is_hash_of_zeros, is_same};
use crate::overcommit::index::{Finding, GuestPage, Index};
use crate::overcommit::shared_frames::Departure;
use crate::vm::Vm;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PageStore, PhysicalAddress};
use std::collections::BTreeMap;

/// The path of host software that looking at pages is booked under.
pub const PATH: &str = "page_sharing";

/// Which pages to look at, and how.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Scan {
    /// The first page of the guest's memory.
    pub first_page: u64,
    /// How many, absent ones among them.
    pub pages: u64,
    /// How others of the same content are found.
    pub finding: Finding,
    /// The most pages that one frame may have.
    pub most_sharers: u64,
}

/// What looking at pages came to.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct ScanReport {
    /// Pages that were hashed.
    pub scanned: u64,
    /// Of these, those that were put into the frame of another: each freed one.
    pub shared: u64,
    /// Of these, those of zeros.
    pub zero: u64,
    /// Of the scanned, those that are remembered until another like them comes.
    pub hints: u64,
    /// Remembered pages that had changed since.
    pub broken_hints: u64,
    /// Where the next scan goes on; 0 behind the last page.
    pub next_page: u64,
}

/// What is shared on a host.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Sharing {
    /// Frames that pages share.
    pub frames: u64,
    /// The pages in them.
    pub pages: u64,
    /// Of these, pages of zeros.
    pub zero_pages: u64,
    /// Pages that are remembered.
    pub hints: u64,
}

impl Sharing {
    /// Frames that would be needed if nothing was shared, and are not.
    pub fn reclaimed(&self) -> u64 {
        self.pages - self.frames
    }
}

impl Host {
    /// Looks at pages of a VM, and puts those into one frame whose content is the same. The pCPU
    /// does the work, on account of the vCPU that it holds, under [`PATH`].
    pub fn scan_pages(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        vm: VmId,
        scan: &Scan,
    ) -> Result<ScanReport, HostError> {
        check_reclaimable(&self.vm(vm)?.config)?;
        self.collect_dirty();
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut scanner = Scanner {
            meter: Meter::new(&mut processor.hart, memory),
            allocator: &mut self.allocator,
            index: &mut self.index,
            vms: &self.vms,
            scan,
            freed: Vec::new(),
            report: ScanReport::default(),
        };
        scanner.look(vm)?;
        let (report, freed) = (scanner.report, scanner.freed);
        for frame in freed {
            self.frames.empty(store, frame);
        }
        self.settle_departures(store, pcpu)?;
        self.book_path(pcpu, PATH)?;
        self.notice_lines(store, vm)?;
        Ok(report)
    }

    /// Looks at one page. Tells whether it shares a frame now.
    pub(super) fn share_one(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        (vm, page): GuestPage,
        finding: Finding,
    ) -> Result<bool, HostError> {
        let scan = Scan { first_page: page, pages: 1, finding, most_sharers: u64::MAX };
        Ok(self.scan_pages(store, pcpu, vm, &scan)?.shared > 0)
    }

    /// A pass over all pages of all VMs has ended ([`Finding::Unstable`]).
    pub fn end_scan_pass(&mut self) {
        self.index.end_pass();
    }

    /// What is shared.
    pub fn sharing(&self, store: &PageStore) -> Sharing {
        let shared = self.allocator.shared();
        let is_zero = |frame| {
            let page = self.frames.page_id(frame);
            page.is_some_and(|page| store.page(page).iter().all(|byte| *byte == 0))
        };
        let zeros = shared.iter().filter(|(frame, _)| is_zero(*frame));
        Sharing {
            frames: shared.frame_count(),
            pages: shared.page_count(),
            zero_pages: zeros.map(|(_, pages)| pages).sum(),
            hints: self.index.page_count(),
        }
    }

    /// Pages of guests whose content some other page has as well, absent ones left out, and how many
    /// different contents these have: counted from the bytes of all pages, and from nothing that a
    /// scan has left.
    pub fn count_identical_pages(&mut self, store: &mut PageStore) -> (u64, u64) {
        let mut pages: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for machine in self.vms.values() {
            let Some(map) = machine.technique.page_map() else { continue };
            let memory = Memory { store, frames: &mut self.frames };
            for page in 0..map.pages() {
                let content = map.frame(&memory, page).and_then(|f| memory.frames.page_id(f));
                if let Some(content) = content {
                    *pages.entry(memory.store.page(content).to_vec()).or_default() += 1;
                }
            }
        }
        let identical = pages.values().filter(|count| **count > 1);
        (identical.clone().sum(), identical.count() as u64)
    }
}

/// Refuses for guests whose pages cannot be taken away.
pub(super) fn check_reclaimable(config: &VmConfig) -> Result<(), HostError> {
    let reason = match config.paging {
        PagingKind::None if config.technique == TechniqueKind::Process => return Ok(()),
        PagingKind::None => "the guest owns its machine: there is no monitor below it",
        PagingKind::Direct => {
            "the guest's own tables hold machine addresses, so a page of its can neither be moved to \
             another frame nor taken away without the guest's part in it"
        }
        _ if config.large_pages => {
            "its pages lie in runs of frames, which large pages map as a whole"
        }
        PagingKind::ShadowTlb | PagingKind::ShadowTraced | PagingKind::Nested => return Ok(()),
    };
    let name = &config.name;
    Err(HostError::Refused(format!("pages of `{name}` cannot be shared or swapped: {reason}")))
}

/// One look at pages.
struct Scanner<'a> {
    meter: Meter<'a>,
    allocator: &'a mut FrameAllocator,
    index: &'a mut Index,
    vms: &'a BTreeMap<VmId, Vm>,
    scan: &'a Scan,
    freed: Vec<PhysicalAddress>,
    report: ScanReport,
}

impl Scanner<'_> {
    fn look(&mut self, vm: VmId) -> Result<(), HostError> {
        let pages = self.map(vm).map_or(0, PageMap::pages);
        let end = pages.min(self.scan.first_page.saturating_add(self.scan.pages));
        for page in self.scan.first_page.min(end)..end {
            if let Place::Own(frame) = self.place((vm, page))? {
                self.look_at((vm, page), frame)?;
            }
        }
        self.report.next_page = if end == pages { 0 } else { end };
        Ok(())
    }

    fn map(&self, vm: VmId) -> Option<&PageMap> {
        self.vms.get(&vm)?.technique.page_map()
    }

    fn slot(&self, (vm, page): GuestPage) -> Option<PhysicalAddress> {
        self.map(vm)?.slot(page)
    }

    fn place(&mut self, page: GuestPage) -> Result<Place, HostError> {
        match self.slot(page) {
            Some(slot) => Ok(Place::of(self.meter.load(slot)?)),
            None => Ok(Place::Absent),
        }
    }

    fn look_at(&mut self, page: GuestPage, frame: PhysicalAddress) -> Result<(), HostError> {
        self.report.scanned += 1;
        let hash = hash(&mut self.meter, frame)?;
        if let Some(shared) = self.find_shared(frame, hash)? {
            return self.merge(page, frame, shared, hash);
        }
        if self.scan.finding == Finding::Unstable {
            self.meter.lookup(1);
            self.meter.store_state(1);
            if !self.index.is_unchanged(page, hash) {
                return Ok(());
            }
        }
        if let Some((other, place)) = self.find_remembered(page, frame, hash)? {
            self.index.remove(other);
            self.promote(other, place, hash)?;
            return self.merge(page, frame, place, hash);
        }
        self.meter.store_state(2);
        self.index.insert(hash, page);
        self.report.hints += 1;
        Ok(())
    }

    /// A shared frame with the content of this one, in which there is room.
    fn find_shared(
        &mut self,
        frame: PhysicalAddress,
        hash: u64,
    ) -> Result<Option<PhysicalAddress>, HostError> {
        self.meter.lookup(self.probes(self.allocator.shared().frame_count()));
        let candidates: Vec<_> = self.allocator.shared().with_hash(hash).collect();
        for shared in candidates {
            self.meter.lookup(1);
            let has_room = self.allocator.shared().sharers(shared) < self.scan.most_sharers;
            if has_room && is_same(&mut self.meter, frame, shared)? {
                return Ok(Some(shared));
            }
        }
        Ok(None)
    }

    /// Another page with the content of this one that is remembered, and its frame.
    fn find_remembered(
        &mut self,
        page: GuestPage,
        frame: PhysicalAddress,
        wanted: u64,
    ) -> Result<Option<(GuestPage, PhysicalAddress)>, HostError> {
        self.meter.lookup(self.probes(self.index.page_count()));
        let Some(other) = self.index.page(wanted).filter(|other| *other != page) else {
            return Ok(None);
        };
        if let Place::Own(place) = self.place(other)? {
            let is_fresh = match self.scan.finding {
                Finding::Hints => hash(&mut self.meter, place)? == wanted,
                Finding::Unstable => true,
            };
            if is_fresh && is_same(&mut self.meter, frame, place)? {
                return Ok(Some((other, place)));
            }
        }
        self.report.broken_hints += 1;
        self.index.remove(other);
        Ok(None)
    }

    /// Probes of a look-up among so many: one of a hash table, or the depth of a tree.
    fn probes(&self, entries: u64) -> u64 {
        match self.scan.finding {
            Finding::Hints => 1,
            Finding::Unstable => u64::from(u64::BITS - entries.leading_zeros()).max(1),
        }
    }

    /// Makes a page's frame one that others can share.
    fn promote(
        &mut self,
        (vm, page): GuestPage,
        frame: PhysicalAddress,
        hash: u64,
    ) -> Result<(), HostError> {
        self.allocator.share(frame, hash);
        self.meter.store_state(2);
        self.put((vm, page), frame, frame)
    }

    /// Puts a page into a shared frame of the same content; its own is free then.
    fn merge(
        &mut self,
        (vm, page): GuestPage,
        own: PhysicalAddress,
        shared: PhysicalAddress,
        hash: u64,
    ) -> Result<(), HostError> {
        self.index.remove((vm, page));
        self.allocator.release(own);
        self.freed.push(own);
        self.meter.assume(assumed::FREE_LIST);
        self.allocator.join(shared, vm, page);
        self.meter.store_state(1);
        self.report.shared += 1;
        self.report.zero += u64::from(is_hash_of_zeros(hash));
        self.put((vm, page), own, shared)
    }

    /// Notes in its guest's map that a page is in a shared frame.
    fn put(
        &mut self,
        (vm, page): GuestPage,
        from: PhysicalAddress,
        shared: PhysicalAddress,
    ) -> Result<(), HostError> {
        let slot = self.slot((vm, page)).ok_or(HostError::FrameNotReserved)?;
        self.meter.store(slot, PageMap::encode(shared) | SHARED)?;
        self.allocator.depart(Departure { vm, page, frame: from, keeps_content: true });
        Ok(())
    }
}
