//! Host frames: who holds each one, and which is given next.
//!
//! Everything that a VM costs its host in memory is a frame here: guest pages, shadow page tables
//! and the monitor's own tables. The lowest free frame is always given first, so that the result
//! is a function of the order of requests alone.
//!
//! Invariant: an operation asks [`FrameAllocator::reserve`] for all frames that it may need before
//! it changes anything; [`FrameAllocator::allocate`] then cannot fail. Tests make reservations
//! fail on purpose ([`FrameAllocator::fail_every`]) and expect the same results.

mod sharing;

use crate::ids::VmId;
use crate::nodes::{Homes, Numa};
use crate::overcommit::samples::Samples;
use crate::overcommit::shared_frames::{Departure, SharedFrames};
use crate::safety::Guard;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};
use std::collections::{BTreeMap, TryReserveError};
use std::sync::Arc;

/// What a frame is used for, and by which VM.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum FrameOwner {
    /// A page of a guest's memory.
    Guest {
        /// The VM.
        vm: VmId,
        /// The number of the page, counted from the start of the guest's memory.
        page: u64,
    },
    /// A shadow page table.
    Shadow {
        /// The VM.
        vm: VmId,
    },
    /// A table that the monitor keeps for a VM.
    Monitor {
        /// The VM.
        vm: VmId,
    },
    /// The same for one that the VM's guest can read.
    Shown {
        /// The VM.
        vm: VmId,
    },
    /// Code that the monitor made for a VM.
    Code {
        /// The VM.
        vm: VmId,
    },
    /// Pages of guests that are kept compressed.
    Compressed,
    /// Pages of guests that have the same content; who they are, [`SharedFrames`] knows.
    Shared,
}

impl FrameOwner {
    /// The VM, if it is one's alone.
    pub fn vm(self) -> Option<VmId> {
        match self {
            Self::Guest { vm, .. }
            | Self::Shadow { vm }
            | Self::Monitor { vm }
            | Self::Shown { vm }
            | Self::Code { vm } => Some(vm),
            Self::Shared | Self::Compressed => None,
        }
    }
}

/// Frames held by one VM, by use.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct FrameUsage {
    /// Pages of guest memory.
    pub guest: u64,
    /// Shadow page tables.
    pub shadow: u64,
    /// Tables of the monitor, and code that it made.
    pub monitor: u64,
    /// Pages of guest memory that lie in frames which other pages share: they are no frames of the
    /// VM's own, but would be if nothing was shared.
    pub shared: u64,
}

impl FrameUsage {
    /// All frames of the VM.
    pub fn total(&self) -> u64 {
        self.guest + self.shadow + self.monitor
    }

    fn slot(&mut self, owner: FrameOwner) -> Option<&mut u64> {
        match owner {
            FrameOwner::Guest { .. } => Some(&mut self.guest),
            FrameOwner::Shadow { .. } => Some(&mut self.shadow),
            FrameOwner::Monitor { .. } | FrameOwner::Shown { .. } | FrameOwner::Code { .. } => {
                Some(&mut self.monitor)
            }
            FrameOwner::Shared | FrameOwner::Compressed => None,
        }
    }
}

/// Why a reservation was refused. Nothing was changed.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Shortage {
    /// There are fewer free frames than asked for: something has to be given back first.
    Frames {
        /// The number of frames asked for.
        wanted: u64,
    },
    /// A test made this attempt fail; the next one is as good as new.
    Injected,
}

/// The frames of one host.
#[derive(Debug)]
pub struct FrameAllocator {
    base: PhysicalAddress,
    owners: Vec<Option<FrameOwner>>,
    /// One bit a frame: free.
    free: Vec<u64>,
    free_count: u64,
    /// No word before this one has a free bit.
    first_word: usize,
    usage: BTreeMap<VmId, FrameUsage>,
    shared: SharedFrames,
    departures: Vec<Departure>,
    /// Pages that devices took out of frames that they shared, which nobody has paid for yet.
    device_breaks: BTreeMap<VmId, u64>,
    /// Pages that were given back since the dirty log was last collected.
    emptied: Vec<(VmId, u64)>,
    samples: Samples,
    /// Free frames that are not for everybody.
    kept_back: u64,
    /// Fewer free frames than this are to be reported.
    watermark: u64,
    injection: Option<Injection>,
    guard: Option<Arc<Guard>>,
    homes: Option<Homes>,
}

/// Failures made on purpose.
#[derive(Copy, Clone, Debug)]
pub struct Injection {
    every: u64,
    attempts: u64,
    last_failed: bool,
}

impl FrameAllocator {
    /// All `count` frames from `base` upwards, free.
    pub fn new(base: PhysicalAddress, count: u64) -> Self {
        let length = usize::try_from(count).unwrap_or(usize::MAX);
        let mut free = vec![u64::MAX; length.div_ceil(64)];
        end_at(&mut free, length);
        Self {
            base,
            owners: vec![None; length],
            free,
            free_count: count,
            first_word: 0,
            usage: BTreeMap::new(),
            shared: SharedFrames::default(),
            departures: Vec::new(),
            device_breaks: BTreeMap::new(),
            emptied: Vec::new(),
            samples: Samples::default(),
            kept_back: 0,
            watermark: 0,
            injection: None,
            guard: None,
            homes: None,
        }
    }

    /// The same, for a number of frames that may be more than the process can have tables for.
    pub fn try_new(base: PhysicalAddress, count: u64) -> Result<Self, TryReserveError> {
        let length = usize::try_from(count).unwrap_or(usize::MAX);
        let mut frames = Self::new(base, 0);
        frames.owners.try_reserve_exact(length)?;
        frames.free.try_reserve_exact(length.div_ceil(64))?;
        frames.owners.resize(length, None);
        frames.free.resize(length.div_ceil(64), u64::MAX);
        end_at(&mut frames.free, length);
        frames.free_count = count;
        Ok(frames)
    }

    /// Tells a guard of every frame that changes hands.
    pub fn watch(&mut self, guard: Arc<Guard>) {
        self.guard = Some(guard);
    }

    /// The guard, if there is one.
    pub fn guard(&self) -> Option<&Arc<Guard>> {
        self.guard.as_ref()
    }

    /// Divides the frames among nodes: a VM is given those of its home first.
    pub fn divide(&mut self, numa: Numa) {
        self.homes = Some(Homes::new(numa, self.count()));
    }

    /// Gives a VM a home, or deals its pages to all nodes.
    pub fn settle(&mut self, vm: VmId, node: Option<usize>) {
        if let Some(homes) = &mut self.homes {
            homes.settle(vm, node);
        }
    }

    /// The number of free frames.
    pub fn free_count(&self) -> u64 {
        self.free_count
    }

    /// The number of frames that the host has.
    pub fn count(&self) -> u64 {
        self.owners.len() as u64
    }

    /// Frames held by a VM.
    pub fn usage(&self, vm: VmId) -> FrameUsage {
        self.usage.get(&vm).copied().unwrap_or_default()
    }

    /// Who holds frame `number`, counted from the host's first.
    pub fn owner(&self, number: u64) -> Option<FrameOwner> {
        self.owners.get(usize::try_from(number).ok()?).copied().flatten()
    }

    /// Who holds the frame that begins at an address.
    pub fn owner_of(&self, address: PhysicalAddress) -> Option<FrameOwner> {
        self.owners[self.index_of(address)?]
    }

    /// Makes every `every`-th reservation fail once; 0 ends that.
    pub fn fail_every(&mut self, every: u64) {
        self.injection =
            (every > 0).then_some(Injection { every, attempts: 0, last_failed: false });
    }

    /// Stops failures until they are resumed: for operations that no test may make fail.
    pub fn suspend_failures(&mut self) -> Option<Injection> {
        self.injection.take()
    }

    /// Resumes failures where they were suspended.
    pub fn resume_failures(&mut self, injection: Option<Injection>) {
        self.injection = injection;
    }

    /// Whether the last reservation failed only because a test wanted it to.
    pub fn last_failure_was_injected(&self) -> bool {
        self.injection.is_some_and(|injection| injection.last_failed)
    }

    /// An allocator for another number of frames, all of them free.
    #[must_use]
    pub fn resized(&self, count: u64) -> Self {
        if let Some(guard) = &self.guard {
            guard.restart(self.base, count);
        }
        let guard = self.guard.clone();
        Self { injection: self.injection, guard, ..Self::new(self.base, count) }
    }

    /// Refuses unless `count` frames are free. A reservation of nothing always succeeds.
    pub fn reserve(&mut self, count: u64) -> Result<(), Shortage> {
        if count > 0 && self.injected_failure() {
            return Err(Shortage::Injected);
        }
        self.check(count)
    }

    /// Like [`Self::reserve`], without failures on purpose.
    pub fn check(&self, count: u64) -> Result<(), Shortage> {
        if self.available() < count { Err(Shortage::Frames { wanted: count }) } else { Ok(()) }
    }

    /// The same for those who may take what is kept back, too.
    pub fn check_all(&self, count: u64) -> Result<(), Shortage> {
        if self.free_count < count { Err(Shortage::Frames { wanted: count }) } else { Ok(()) }
    }

    /// Free frames that anybody may take.
    pub fn available(&self) -> u64 {
        self.free_count.saturating_sub(self.kept_back)
    }

    /// Keeps free frames back from reservations: they are for those who do not reserve.
    pub fn keep_back(&mut self, frames: u64) {
        self.kept_back = frames;
    }

    /// Sets below which number of free frames memory is scarce; 0: it never is.
    pub fn set_watermark(&mut self, frames: u64) {
        self.watermark = frames;
    }

    /// Whether there are fewer free frames than the watermark.
    pub fn is_scarce(&self) -> bool {
        self.free_count < self.watermark
    }

    /// Gives the lowest free frame to `owner`, or `None` if there is no free frame. On a machine with
    /// nodes, it is the lowest from the start of the owner's node on, if there is one.
    pub fn allocate(&mut self, owner: FrameOwner) -> Option<PhysicalAddress> {
        if let Some(index) = self.free_at_home(owner) {
            return Some(self.give(index, owner));
        }
        let word = (self.first_word..self.free.len()).find(|word| self.free[*word] != 0)?;
        let bit = self.free[word].trailing_zeros() as usize;
        self.first_word = word;
        Some(self.give(word * 64 + bit, owner))
    }

    fn free_at_home(&self, owner: FrameOwner) -> Option<usize> {
        let first = usize::try_from(self.homes.as_ref()?.first_frame(owner)).ok()?;
        let bits = |word: usize| {
            let before = if word == first / 64 { (1 << (first % 64)) - 1 } else { 0 };
            self.free[word] & !before
        };
        let word = (first / 64..self.free.len()).find(|word| bits(*word) != 0)?;
        Some(word * 64 + bits(word).trailing_zeros() as usize)
    }

    /// Gives `count` frames in a row, the first of them aligned to `count`, a power of two; `owner`
    /// tells whose each is. The lowest such run is given, or none if there is none.
    pub fn allocate_run(
        &mut self,
        count: u64,
        owner: impl Fn(u64) -> FrameOwner,
    ) -> Option<PhysicalAddress> {
        let length = usize::try_from(count).ok()?;
        let first_frame = usize::try_from(self.base.0 / PAGE_BYTES as u64).ok()?;
        let offset = first_frame.next_multiple_of(length) - first_frame;
        let is_free = |index: usize| self.free[index / 64] >> (index % 64) & 1 != 0;
        let starts = (offset..self.owners.len().saturating_sub(length - 1)).step_by(length);
        let mut runs = starts.filter(|start| (*start..start + length).all(is_free));
        let home = self.homes.as_ref().map_or(0, |homes| homes.first_frame(owner(0)));
        let home = usize::try_from(home).ok()?;
        let start = runs.clone().find(|start| *start >= home).or_else(|| runs.next())?;
        for index in start..start + length {
            self.give(index, owner((index - start) as u64));
        }
        Some(self.address_of(start))
    }

    /// Gives a frame that is free to somebody.
    fn give(&mut self, index: usize, owner: FrameOwner) -> PhysicalAddress {
        self.free[index / 64] &= !(1 << (index % 64));
        self.free_count -= 1;
        self.owners[index] = Some(owner);
        self.count_for(owner, 1);
        let address = self.address_of(index);
        if let Some(guard) = &self.guard {
            guard.given(address, owner);
        }
        address
    }

    fn address_of(&self, index: usize) -> PhysicalAddress {
        PhysicalAddress(self.base.0 + (index * PAGE_BYTES) as u64)
    }

    /// Takes a frame back. A free frame, or one outside the host, stays as it is.
    pub fn release(&mut self, address: PhysicalAddress) {
        let Some(index) = self.index_of(address) else { return };
        let Some(owner) = self.owners[index].take() else { return };
        self.free[index / 64] |= 1 << (index % 64);
        self.first_word = self.first_word.min(index / 64);
        self.free_count += 1;
        self.count_for(owner, -1);
        if let Some(guard) = &self.guard {
            guard.taken_back(self.address_of(index));
        }
    }

    fn count_for(&mut self, owner: FrameOwner, change: i64) {
        let Some(vm) = owner.vm() else { return };
        if let Some(count) = self.usage.entry(vm).or_default().slot(owner) {
            *count = count.wrapping_add_signed(change);
        }
    }

    /// Takes all frames of a VM back, and its part of those that it shares.
    pub fn release_vm(&mut self, vm: VmId) {
        self.departures.retain(|departure| departure.vm != vm);
        self.device_breaks.remove(&vm);
        self.emptied.retain(|(of, _)| *of != vm);
        self.samples.forget_vm(vm);
        for (frame, page) in self.shared.pages_of(vm) {
            self.leave(frame, vm, page);
        }
        for index in 0..self.owners.len() {
            if self.owners[index].is_some_and(|owner| owner.vm() == Some(vm)) {
                self.release(self.address_of(index));
            }
        }
        self.usage.remove(&vm);
        self.settle(vm, None);
    }

    /// Where all frames begin, in order.
    pub fn addresses(&self) -> impl Iterator<Item = PhysicalAddress> + use<> {
        let base = self.base.0;
        (0..self.owners.len()).map(move |index| PhysicalAddress(base + (index * PAGE_BYTES) as u64))
    }

    pub(crate) fn index_of(&self, address: PhysicalAddress) -> Option<usize> {
        let index = usize::try_from(address.offset_from(self.base)? / PAGE_BYTES as u64).ok()?;
        (index < self.owners.len()).then_some(index)
    }

    fn injected_failure(&mut self) -> bool {
        let Some(injection) = &mut self.injection else { return false };
        injection.attempts += 1;
        injection.last_failed = injection.attempts % injection.every == 0;
        injection.last_failed
    }
}

/// Clears the bits behind the first `length` ones, all in the last word.
fn end_at(bits: &mut [u64], length: usize) {
    if let (Some(last), used @ 1..) = (bits.last_mut(), length % 64) {
        *last = (1 << used) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: PhysicalAddress = PhysicalAddress(0x8000_0000);
    const OWNER: FrameOwner = FrameOwner::Shadow { vm: VmId(1) };

    #[test]
    fn the_lowest_free_frame_is_given_first() {
        let mut frames = FrameAllocator::new(BASE, 130);
        let all: Vec<_> = (0..130).map(|_| frames.allocate(OWNER).unwrap().0).collect();
        assert_eq!(all, (0..130).map(|n| BASE.0 + n * 4096).collect::<Vec<_>>());
        assert_eq!(frames.allocate(OWNER), None);
        frames.release(PhysicalAddress(all[100]));
        frames.release(PhysicalAddress(all[3]));
        assert_eq!(frames.allocate(OWNER).unwrap().0, all[3]);
        assert_eq!(frames.allocate(OWNER).unwrap().0, all[100]);
    }

    #[test]
    fn an_allocator_that_is_too_large_is_refused() {
        assert!(FrameAllocator::try_new(BASE, u64::MAX / 4096).is_err());
        for count in [64, 65] {
            let mut frames = FrameAllocator::try_new(BASE, count).unwrap();
            let given = std::iter::from_fn(|| frames.allocate(OWNER)).count() as u64;
            assert_eq!((given, frames.free_count(), frames.count()), (count, 0, count));
        }
    }

    #[test]
    fn a_vm_is_given_frames_of_its_home_first() {
        let mut frames = FrameAllocator::new(BASE, 200);
        frames.divide(Numa { nodes: 2 });
        frames.settle(VmId(1), Some(1));
        let number = |frame: PhysicalAddress| (frame.0 - BASE.0) / 4096;
        let mut next = || number(frames.allocate(OWNER).unwrap());
        let home: Vec<_> = (0..100).map(|_| next()).collect();
        assert_eq!(home, (100..200).collect::<Vec<_>>());
        assert_eq!((next(), next()), (0, 1), "then those of other nodes");
        frames.release_vm(VmId(1));
        assert_eq!(number(frames.allocate(OWNER).unwrap()), 0, "its home is forgotten with it");
    }

    #[test]
    fn runs_come_from_home_too() {
        let mut frames = FrameAllocator::new(BASE, 2048);
        frames.divide(Numa { nodes: 2 });
        frames.settle(VmId(1), Some(1));
        let run = |frames: &mut FrameAllocator| frames.allocate_run(512, |_| OWNER).unwrap().0;
        let starts: Vec<_> = (0..4).map(|_| (run(&mut frames) - BASE.0) / 4096).collect();
        assert_eq!(starts, [1024, 1536, 0, 512]);
    }

    #[test]
    fn frames_are_counted_by_use() {
        let mut frames = FrameAllocator::new(BASE, 8);
        frames.allocate(OWNER);
        frames.allocate(FrameOwner::Guest { vm: VmId(1), page: 7 });
        frames.allocate(FrameOwner::Monitor { vm: VmId(2) });
        assert_eq!(
            frames.usage(VmId(1)),
            FrameUsage { guest: 1, shadow: 1, ..FrameUsage::default() }
        );
        assert_eq!(frames.usage(VmId(2)).total(), 1);
        assert_eq!(frames.owner(1), Some(FrameOwner::Guest { vm: VmId(1), page: 7 }));
        frames.release_vm(VmId(1));
        assert_eq!(frames.free_count(), 7);
        assert_eq!(frames.usage(VmId(1)).total(), 0);
    }

    #[test]
    fn a_reservation_is_refused_when_frames_are_short() {
        let mut frames = FrameAllocator::new(BASE, 2);
        assert_eq!(frames.reserve(2), Ok(()));
        assert_eq!(frames.reserve(3), Err(Shortage::Frames { wanted: 3 }));
        frames.allocate(OWNER);
        assert_eq!(frames.reserve(2), Err(Shortage::Frames { wanted: 2 }));
    }

    #[test]
    fn every_nth_reservation_can_be_made_to_fail() {
        let mut frames = FrameAllocator::new(BASE, 2);
        frames.fail_every(3);
        let results: Vec<_> = (0..6).map(|_| frames.reserve(1).is_ok()).collect();
        assert_eq!(results, [true, true, false, true, true, false]);
        frames.fail_every(0);
        assert!((0..6).all(|_| frames.reserve(1).is_ok()));
    }

    #[test]
    fn releasing_twice_or_outside_changes_nothing() {
        let mut frames = FrameAllocator::new(BASE, 2);
        let frame = frames.allocate(OWNER).unwrap();
        frames.release(frame);
        frames.release(frame);
        frames.release(PhysicalAddress(0));
        assert_eq!(frames.free_count(), 2);
    }
}
