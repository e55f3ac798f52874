//! Memory management: translation, its caches, and the slow path of every access.
//!
//! Three layers, each a cache of the next:
//!
//! 1. `soft_tlb`: the simulator's fast path. Never changes a result.
//! 2. `modelled_tlb`: the TLBs that the simulated hart has. Their misses cost cycles.
//! 3. `walk`: the page tables in memory.
//!
//! Supervisor architecture, "Sv39", "Sv48" and "Virtual Address Translation Process".

mod access;
mod atomic;
mod context;
mod fence;
mod fetch;
mod modelled_tlb;
mod pte;
mod reservation;
mod soft_tlb;
mod translate;
mod walk;

pub(crate) use context::Context;
pub use fetch::FetchedPage;
pub use reservation::Reservation;
pub(crate) use soft_tlb::SoftTlb;

use crate::bus::Ports;
use crate::csr::fields::{satp, status};
use crate::hart::{Hart, Privilege};
use crate::timing::Timing;
use context::{ContextKey, Contexts};
use modelled_tlb::ModelledTlb;

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
    /// The contexts of loads and stores and of fetches at each privilege, while MPRV is off and
    /// nothing else that they depend on changes.
    by_privilege: [Option<(Context, Context)>; 4],
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
            by_privilege: [None; 4],
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
            self.by_privilege = [None; 4];
        }
        (self.contexts.number(data), self.contexts.number(fetch))
    }
}

impl Hart {
    /// Gives the current contexts their numbers. To be called after every change of `satp`, and of
    /// MPRV, MPP, SUM and MXR in `mstatus`.
    pub(crate) fn refresh_contexts(&mut self) {
        self.mmu.by_privilege = [None; 4];
        self.select_contexts();
    }

    /// The same after a change of privilege alone.
    pub(crate) fn select_contexts(&mut self) {
        let privilege = self.privilege as usize;
        let plain = self.csrs.mstatus & status::MPRV == 0;
        let contexts = match self.mmu.by_privilege[privilege] {
            Some(known) if plain => known,
            _ => self.number_contexts(),
        };
        if plain {
            self.mmu.by_privilege[privilege] = Some(contexts);
        }
        (self.mmu.data_context, self.mmu.fetch_context) = contexts;
    }

    fn number_contexts(&mut self) -> (Context, Context) {
        let data = self.context_key(self.data_privilege(), true);
        let fetch = self.context_key(self.privilege, false);
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

    /// The privilege that loads and stores are checked for.
    pub(crate) fn data_privilege(&self) -> Privilege {
        if self.csrs.mstatus & status::MPRV != 0 {
            status::previous_machine_privilege(self.csrs.mstatus)
        } else {
            self.privilege
        }
    }

    fn context_key(&self, privilege: Privilege, data: bool) -> ContextKey {
        let mode = self.translation_mode(privilege);
        let translated = mode != satp::BARE;
        let has = |bit| data && translated && self.csrs.mstatus & bit != 0;
        ContextKey {
            mode: mode as u8,
            asid: if translated { satp::asid(self.csrs.satp) } else { 0 },
            privilege,
            sum: privilege == Privilege::Supervisor && has(status::SUM),
            mxr: has(status::MXR),
        }
    }

    /// `satp.MODE` where it applies: machine mode is never translated.
    pub(crate) fn translation_mode(&self, privilege: Privilege) -> u64 {
        match privilege {
            Privilege::Machine => satp::BARE,
            _ => satp::mode(self.csrs.satp),
        }
    }
}
