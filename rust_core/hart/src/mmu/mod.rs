//! Memory management: translation, its caches, and the slow path of every access.
//!
//! Three layers, each a cache of the next:
//!
//! 1. `soft_tlb`: the simulator's fast path. Never changes a result.
//! 2. `modelled_tlb`: the TLBs that the simulated hart has. Their misses cost cycles.
//! 3. `walk`: the page tables in memory.
//!
//! Supervisor architecture, "Sv39", "Sv48" and "Virtual Address Translation Process"; hypervisor
//! extension, "Two-Stage Address Translation".

mod access;
mod atomic;
mod context;
mod fence;
mod fetch;
mod guest;
mod modelled_tlb;
mod pte;
mod regime;
mod reservation;
mod soft_tlb;
mod space;
mod translate;
mod walk;

pub(crate) use context::Context;
pub use fetch::FetchedPage;
pub use regime::Right;
pub use reservation::Reservation;
pub(crate) use soft_tlb::SoftTlb;

use crate::bus::Ports;
use crate::csr::fields::status;
use crate::hart::Hart;
use crate::mode::Mode;
use crate::timing::Timing;
use context::{ContextKey, Contexts};
use modelled_tlb::ModelledTlb;
use regime::GuestAccess;

/// What an access does with its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Executes them.
    Fetch,
    /// Reads them.
    Load,
    /// Writes them, or reads and writes them.
    Store,
}

/// The memory-management state of a hart that is not architectural.
#[derive(Clone, Debug)]
pub(crate) struct Mmu {
    pub(crate) read: SoftTlb,
    pub(crate) write: SoftTlb,
    pub(crate) execute: SoftTlb,
    /// The context of loads and stores now.
    pub(crate) data_context: Context,
    /// The context of fetches now.
    pub(crate) fetch_context: Context,
    contexts: Contexts,
    /// The contexts of loads and stores and of fetches in each mode, while MPRV is off and nothing
    /// else that they depend on changes.
    by_mode: [Option<(Context, Context)>; Mode::COUNT],
    /// The access to a guest's memory that HS mode is making.
    guest_access: Option<GuestAccess>,
    itlb: ModelledTlb,
    dtlb: ModelledTlb,
    /// The frames' generation that the software TLBs were filled under.
    generation: u64,
}

impl Mmu {
    /// Empty TLBs of the profile's sizes.
    pub(crate) fn new(timing: &Timing) -> Self {
        Self {
            read: SoftTlb::new(),
            write: SoftTlb::new(),
            execute: SoftTlb::new(),
            data_context: Context::default(),
            fetch_context: Context::default(),
            contexts: Contexts::new(),
            by_mode: [None; Mode::COUNT],
            guest_access: None,
            itlb: ModelledTlb::new(timing.itlb),
            dtlb: ModelledTlb::new(timing.dtlb),
            generation: 0,
        }
    }

    fn numbers(&mut self, data: ContextKey, fetch: ContextKey) -> (Context, Context) {
        if self.contexts.is_nearly_used_up() {
            self.read.clear();
            self.write.clear();
            self.execute.clear();
            self.contexts = Contexts::new();
            self.by_mode = [None; Mode::COUNT];
        }
        (self.contexts.number(data), self.contexts.number(fetch))
    }
}

impl Hart {
    /// Gives the current contexts their numbers. To be called after every change of `satp`, `vsatp`
    /// and `hgatp`, of MPRV, MPP, MPV, SUM and MXR in `mstatus`, and of SUM and MXR in `vsstatus`.
    pub(crate) fn refresh_contexts(&mut self) {
        self.mmu.by_mode = [None; Mode::COUNT];
        self.select_contexts();
    }

    /// The same after a change of the mode alone.
    #[inline]
    pub(crate) fn select_contexts(&mut self) {
        let mode = self.mode().index();
        let plain = self.csrs.mstatus & status::MPRV == 0 && self.mmu.guest_access.is_none();
        let contexts = match self.mmu.by_mode[mode] {
            Some(known) if plain => known,
            _ => self.number_contexts(),
        };
        if plain {
            self.mmu.by_mode[mode] = Some(contexts);
        }
        (self.mmu.data_context, self.mmu.fetch_context) = contexts;
    }

    fn number_contexts(&mut self) -> (Context, Context) {
        let data = self.regime(Access::Load).key();
        let fetch = self.regime(Access::Fetch).key();
        self.mmu.numbers(data, fetch)
    }

    /// Ends every software-TLB entry.
    pub(crate) fn end_soft_entries(&mut self) {
        self.mmu.contexts.retire_all();
        self.refresh_contexts();
    }

    /// Ends every software-TLB entry if a page of memory is no longer where it was.
    pub(crate) fn sync_generation(&mut self, ports: &Ports<'_>) {
        let generation = ports.memory.frames.generation();
        if generation != self.mmu.generation {
            self.mmu.generation = generation;
            self.end_soft_entries();
        }
    }
}
