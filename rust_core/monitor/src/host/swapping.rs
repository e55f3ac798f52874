//! Taking a guest's pages out of the host's frames, and bringing them back.

use super::Host;
use super::sharing::check_reclaimable;
use crate::error::HostError;
use crate::guest_pages::{PageMap, Place, SWAPPED};
use crate::ids::VmId;
use crate::overcommit::compressed::{Pool, compress, expand};
use crate::overcommit::index::{Finding, GuestPage};
use crate::overcommit::shared_frames::Departure;
use crate::overcommit::swap::{Kept, Tier};
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PAGE_BYTES, PageId, PageStore, PhysicalAddress};

/// The path of host software that taking a page out is booked under.
const OUT: &str = "swap_out";

/// The same for bringing one back.
const IN: &str = "swap_in";

/// What taking a page out came to.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum SwapOut {
    /// It shares a frame now: it need not go.
    Shared,
    /// Its frame is free.
    Swapped,
    /// It has no frame of its own, or is not worth its place in the tier.
    Refused,
}

impl SwapOut {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Swapped => "swapped",
            Self::Refused => "refused",
        }
    }
}

/// Pages kept compressed.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Compression {
    /// The pages.
    pub pages: u64,
    /// The frames that they take.
    pub frames: u64,
    /// The bytes of these that are used.
    pub bytes: u64,
}

impl Host {
    /// Takes a page out of its frame, which is free then; if there is another page of the same
    /// content and `shares_first` says so, it goes into that one's frame instead. The pCPU does the
    /// work. What the way to a disk takes is the caller's.
    pub fn swap_out(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        (vm, page): (VmId, u64),
        tier: Tier,
        shares_first: Option<Finding>,
    ) -> Result<SwapOut, HostError> {
        check_reclaimable(&self.vm(vm)?.config)?;
        if let Some(finding) = shares_first
            && self.share_one(store, pcpu, (vm, page), finding)?
        {
            return Ok(SwapOut::Shared);
        }
        self.collect_dirty();
        let out = self.take_out(store, pcpu, (vm, page), tier)?;
        self.settle_departures(store, pcpu)?;
        self.book_path(pcpu, OUT)?;
        self.notice_lines(store, vm)?;
        Ok(if out { SwapOut::Swapped } else { SwapOut::Refused })
    }

    /// Tells whether the page was put aside.
    fn take_out(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        page: GuestPage,
        tier: Tier,
    ) -> Result<bool, HostError> {
        let (slot, place) = self.find_page(store, page)?;
        let frame = match place {
            Place::Own(frame) => frame,
            Place::Shared(frame) if self.allocator.adopt(frame, page.0, page.1) => {
                let mut memory = Memory { store, frames: &mut self.frames };
                memory.write_u64(slot, PageMap::encode(frame))?;
                frame
            }
            _ => return Ok(false),
        };
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut meter = Meter::new(&mut processor.hart, memory);
        meter.load(slot)?;
        let compressed = match tier {
            Tier::Outside => None,
            Tier::Compressed => compress(&mut meter, frame)?,
        };
        if tier == Tier::Compressed && compressed.is_none() {
            return Ok(false);
        }
        meter.store(slot, SWAPPED)?;
        meter.store_state(2);
        self.allocator.release(frame);
        let in_pool = match compressed {
            Some(bytes) => {
                let slot = self.swap.pool.put(&mut meter, &mut self.allocator, &bytes)?;
                Some(Kept::Compressed(slot.ok_or(HostError::FrameNotReserved)?))
            }
            None => None,
        };
        let kept = match in_pool {
            Some(kept) => kept,
            None => Kept::Outside(self.frames.share(store, frame).unwrap_or(PageId::ZERO)),
        };
        self.put_aside(store, page, frame, kept);
        Ok(true)
    }

    /// Notes where the content of a page is that has just lost its frame.
    fn put_aside(
        &mut self,
        store: &mut PageStore,
        (vm, page): GuestPage,
        frame: PhysicalAddress,
        kept: Kept,
    ) {
        // It may have become one with compressed pages.
        if self.allocator.owner_of(frame).is_none() {
            self.frames.empty(store, frame);
        }
        self.swap.insert((vm, page), kept);
        self.index.remove((vm, page));
        self.allocator.depart(Departure { vm, page, frame, keeps_content: false });
    }

    /// Brings a page back. `false`: there is no frame for it. The pCPU does the work; without one,
    /// that which has a vCPU of the VM, or the first.
    pub fn swap_in(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        page: u64,
        pcpu: Option<usize>,
    ) -> Result<bool, HostError> {
        let own = self.vm(vm)?.on_pcpu().map_or(0, |(_, pcpu)| pcpu);
        let pcpu = pcpu.unwrap_or(own);
        let Some(kept) = self.swap.get((vm, page)) else {
            return Err(HostError::Refused(format!("page {page} of {vm} is not swapped out")));
        };
        self.collect_dirty();
        let owner = crate::allocator::FrameOwner::Guest { vm, page };
        let Some(frame) = self.allocator.allocate(owner) else { return Ok(false) };
        let (slot, _) = self.find_page(store, (vm, page))?;
        self.put_back(store, pcpu, frame, kept)?;
        self.swap.remove((vm, page));
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut meter = Meter::new(&mut processor.hart, memory);
        meter.lookup(1);
        meter.store_state(1);
        meter.store(slot, PageMap::encode(frame))?;
        self.book_path(pcpu, IN)?;
        Ok(true)
    }

    /// Puts what was kept of a page into a frame, in which nothing counts as written.
    fn put_back(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        frame: PhysicalAddress,
        kept: Kept,
    ) -> Result<(), HostError> {
        let content = match kept {
            Kept::Outside(page) => page,
            Kept::Compressed(slot) => {
                let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
                let memory = Memory { store, frames: &mut self.frames };
                let mut meter = Meter::new(&mut processor.hart, memory);
                let content = Pool::read(&mut meter, slot)?;
                meter.write_bytes(frame, &content)?;
                let page = self.frames.share(store, frame).unwrap_or(PageId::ZERO);
                if self.swap.pool.remove(&mut self.allocator, slot) {
                    self.frames.empty(store, slot.frame);
                }
                page
            }
        };
        self.frames.fill(store, frame, content);
        Ok(())
    }

    /// Pages of a VM that are swapped out, compressed ones among them.
    pub fn swapped_pages(&self, vm: VmId) -> Result<u64, HostError> {
        self.vm(vm)?;
        Ok(self.swap.pages_of(vm).count() as u64)
    }

    /// Pages kept compressed.
    pub fn compression(&self) -> Compression {
        Compression {
            pages: self.swap.compressed_count(),
            frames: self.swap.pool.frame_count(),
            bytes: self.swap.pool.used_bytes(),
        }
    }

    /// A reference to the content of a page that is swapped out; zeros are the zero page.
    pub(super) fn swapped_content(
        &mut self,
        store: &mut PageStore,
        page: GuestPage,
    ) -> Result<PageId, HostError> {
        Ok(match self.swap.get(page) {
            None => PageId::ZERO,
            Some(Kept::Outside(page)) if store.page(page) == store.page(PageId::ZERO) => {
                PageId::ZERO
            }
            Some(Kept::Outside(page)) => store.retain(page),
            Some(Kept::Compressed(slot)) => {
                let (offset, length) = slot.range();
                let frame = self.frames.page_id(slot.frame).unwrap_or(PageId::ZERO);
                let content = expand(&store.page(frame)[offset..offset + length]);
                let content: Box<[u8; PAGE_BYTES]> =
                    content.into_boxed_slice().try_into().unwrap_or(Box::new([0; PAGE_BYTES]));
                store.insert(&content)?
            }
        })
    }

    /// Forgets what is kept of a page. Tells whether anything was.
    pub(super) fn forget_swapped(&mut self, store: &mut PageStore, page: GuestPage) -> bool {
        match self.swap.remove(page) {
            None => return false,
            Some(Kept::Outside(page)) => store.release(page),
            Some(Kept::Compressed(slot)) => {
                if self.swap.pool.remove(&mut self.allocator, slot) {
                    self.frames.empty(store, slot.frame);
                }
            }
        }
        true
    }

    /// The same for all pages of a VM.
    pub(super) fn forget_all_swapped(&mut self, store: &mut PageStore, vm: VmId) {
        for page in self.swap.pages_of(vm).collect::<Vec<_>>() {
            self.forget_swapped(store, (vm, page));
        }
    }

    /// The entry of a page in its guest's map, and where it says that the page is.
    pub(super) fn find_page(
        &mut self,
        store: &mut PageStore,
        (vm, page): GuestPage,
    ) -> Result<(PhysicalAddress, Place), HostError> {
        let machine = self.vms.get(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let map = machine.technique.page_map().filter(|map| page < map.pages());
        let slot = map.and_then(|map| map.slot(page));
        let slot =
            slot.ok_or_else(|| HostError::Refused(format!("{vm} has no page {page} of its own")))?;
        let memory = Memory { store, frames: &mut self.frames };
        Ok((slot, Place::of(memory.read_u64(slot)?)))
    }
}
