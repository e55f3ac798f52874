//! The shadow page tables of a VM, of whichever kind.

use super::audit;
use super::spaces::{FenceScope, Mapping, Root, Spaces};
use super::traced::Traced;
use super::traced::tables::TracedTables;
use super::tree::{TableFrames, Tree};
use super::view::View;
use crate::allocator::{FrameAllocator, Shortage};
use crate::config::PagingKind;
use crate::error::HostError;
use crate::ids::VmId;
use crate::overcommit::shared_frames::Departure;
use crate::technique::Site;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PhysicalAddress};

/// Shadow page tables.
#[derive(Debug)]
pub enum Shadow {
    /// A TLB of the guest: filled on demand, emptied by its fences.
    Tlb(Spaces),
    /// Kept in step with the guest's tables, which are traced.
    Traced(Box<Traced>),
}

impl Default for Shadow {
    fn default() -> Self {
        Self::Tlb(Spaces::default())
    }
}

impl Shadow {
    /// Empty tables of a kind for so many vCPUs; a kind without shadow tables has none to be
    /// different in.
    pub fn new(kind: PagingKind, vcpus: usize) -> Self {
        match kind {
            PagingKind::ShadowTraced => Self::Traced(Box::new(Traced::for_vcpus(vcpus))),
            PagingKind::None | PagingKind::Direct | PagingKind::ShadowTlb | PagingKind::Nested => {
                Self::default()
            }
        }
    }

    /// Exchanges these tables, which the vCPU that acted until now used, with those in the seat of
    /// another: trees that are a TLB of the guest are each vCPU's own, traced tables are shared.
    pub fn exchange(&mut self, seated: &mut Self) {
        if let (Self::Tlb(own), Self::Tlb(seated)) = (self, seated) {
            std::mem::swap(own, seated);
        }
    }

    /// Everything that follows is about this vCPU.
    pub fn seat(&mut self, vcpu: usize) {
        if let Self::Traced(traced) = self {
            traced.seat(vcpu);
        }
    }

    /// The vCPU leaves its pCPU.
    pub fn leave(&mut self) {
        if let Self::Traced(traced) = self {
            traced.leave();
        }
    }

    /// The vCPUs that have to empty their TLBs before they execute anything, as the tables that they
    /// share have changed; they are told then.
    pub fn take_called(&mut self) -> Vec<usize> {
        match self {
            Self::Tlb(_) => Vec::new(),
            Self::Traced(traced) => traced.take_called(),
        }
    }

    /// The trees that are a TLB of the guest, if it has these.
    pub fn tlb(&mut self) -> Option<&mut Spaces> {
        match self {
            Self::Tlb(spaces) => Some(spaces),
            Self::Traced(_) => None,
        }
    }

    /// Frames that [`Self::enter`] may take.
    pub fn entry_frames(&self) -> u64 {
        match self {
            Self::Tlb(spaces) => spaces.entry_frames(),
            Self::Traced(_) => Traced::ENTRY_FRAMES,
        }
    }

    /// Frames that resolving a page fault may take.
    pub fn fill_frames(&self) -> u64 {
        match self {
            Self::Tlb(spaces) => spaces.fill_frames(),
            Self::Traced(_) => Traced::FILL_FRAMES,
        }
    }

    /// Whether there is a tree for a view. A look ahead of the simulator: it costs nothing.
    pub fn has_tree(&self, translation: u64, view: View) -> bool {
        match self {
            Self::Tlb(spaces) => spaces.has_tree(translation, view),
            Self::Traced(traced) => traced.has_tree(translation, view),
        }
    }

    /// The tree for a view, if there is one that is a view's own: traced tables are shared.
    pub fn tree(
        &mut self,
        meter: &mut Meter<'_>,
        translation: u64,
        view: View,
    ) -> Option<&mut Tree> {
        match self {
            Self::Tlb(spaces) => spaces.tree(meter, translation, view),
            Self::Traced(_) => None,
        }
    }

    /// The root of a view, made if there is none. Needs [`Self::entry_frames`] reserved frames if
    /// [`Self::has_tree`] finds none.
    pub fn enter(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        translation: u64,
        view: View,
    ) -> Result<Root<'_>, HostError> {
        match self {
            Self::Tlb(spaces) => spaces.enter(meter, frames, translation, view),
            Self::Traced(traced) => traced.enter(meter, frames, translation, view),
        }
    }

    /// Puts a translation into the tree of its view. Needs [`Self::fill_frames`] reserved frames.
    pub fn map(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        mapping: &Mapping<'_>,
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => spaces.map(meter, frames, mapping),
            Self::Traced(traced) => traced.map(meter, frames, mapping),
        }
    }

    /// The leaf of an address in a view, as hardware finds it; 0 if there is none.
    pub fn leaf(
        &mut self,
        meter: &mut Meter<'_>,
        translation: u64,
        view: View,
        address: u64,
    ) -> Result<u64, HostError> {
        match self {
            Self::Tlb(spaces) => spaces.leaf(meter, translation, view, address),
            Self::Traced(traced) => traced.leaf(meter, translation, view, address),
        }
    }

    /// Does what the guest's SFENCE.VMA asks for.
    pub fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => spaces.fence(meter, frames, scope),
            Self::Traced(traced) => traced.fence(meter, frames, scope),
        }
    }

    /// Makes sure that `count` frames can be taken, and frees tables for that if it has to, but for
    /// the tree in use. `false`: not now; nothing that the guest could see was changed.
    pub fn reserve(&mut self, site: &mut Site<'_>, count: u64, in_use: (u64, View)) -> bool {
        match site.allocator.reserve(count) {
            Ok(()) => true,
            Err(Shortage::Injected) => false,
            Err(Shortage::Frames { wanted }) => {
                let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
                let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
                self.reclaim(&mut meter, &mut frames, wanted, Some(in_use));
                site.allocator.check(count).is_ok()
            }
        }
    }

    /// Frees tables until `wanted` frames are free, but for the tree in use, if there is one.
    pub fn reclaim(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        wanted: u64,
        in_use: Option<(u64, View)>,
    ) {
        match self {
            Self::Tlb(spaces) => spaces.reclaim(meter, frames, wanted, in_use),
            Self::Traced(traced) => traced.reclaim(meter, frames, wanted, in_use),
        }
    }

    /// Removes all that leads to frames in which pages of the guest's were.
    pub fn unmap_departed(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        departures: &[Departure],
    ) -> Result<(), HostError> {
        match self {
            Self::Tlb(spaces) => departures
                .iter()
                .try_for_each(|departure| spaces.unmap_frame(meter, departure.frame)),
            Self::Traced(traced) => traced.unmap_departed(meter, frames, departures),
        }
    }

    /// Frames that the tables, and what is recorded about them, hold.
    pub fn frame_count(&self) -> u64 {
        match self {
            Self::Tlb(spaces) => spaces.frame_count(),
            Self::Traced(traced) => traced.frame_count(),
        }
    }

    /// Lets every tree take a new identifier at its next use.
    pub fn forget_asids(&mut self) {
        match self {
            Self::Tlb(spaces) => spaces.forget_asids(),
            Self::Traced(traced) => traced.forget_asids(),
        }
    }

    /// The guest's traced pages, if there are such: whoever writes to the guest's memory without
    /// the guest's own instructions has to open them ([`TracedTables::open`]).
    pub fn traced_tables(&mut self) -> Option<&mut TracedTables> {
        match self {
            Self::Tlb(_) => None,
            Self::Traced(traced) => Some(traced.tables()),
        }
    }

    /// The root tables, with their levels.
    pub fn table_roots(&self) -> Vec<(PhysicalAddress, u32)> {
        let roots = match self {
            Self::Tlb(spaces) => spaces.roots(),
            Self::Traced(traced) => traced.roots(),
        };
        roots.into_iter().map(|(root, levels)| (root, levels - 1)).collect()
    }

    /// The frames of all tables, and of the records about them.
    pub fn frames(&self) -> Vec<PhysicalAddress> {
        match self {
            Self::Tlb(spaces) => spaces.frames().collect(),
            Self::Traced(traced) => traced.frames().collect(),
        }
    }

    /// Compares every table with who holds the frames that it names; says what is wrong.
    pub fn audit(
        &self,
        memory: &Memory<'_>,
        owners: &FrameAllocator,
        vm: VmId,
    ) -> Result<(), String> {
        self.table_roots()
            .into_iter()
            .try_for_each(|(root, level)| audit::check_tree(memory, owners, vm, root, level))?;
        match self {
            Self::Tlb(_) => Ok(()),
            Self::Traced(traced) => traced.audit(memory, owners),
        }
    }
}
