//! The vCPU of a guest whose kernel knows its monitor.

use super::Offer;
use super::agreement::Agreement;
use super::fences::Fences;
use super::layout::Layout;
use super::names::Names;
use super::tables::Tables;
use super::window::Window;
use crate::cpu_state::CpuState;
use crate::guest_pages::PageMap;
use crate::life::Life;
use crate::seats::Seats;
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_hart::csr::fields::satp;
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::Meter;

/// A vCPU whose guest kernel calls its monitor.
#[derive(Debug)]
pub struct Paravirtual {
    /// Where it is in its life. In `guest`: `translation` is the guest's: its root by guest-physical
    /// address, 0 while it is in none. The other registers are in the hart while the vCPU is on a
    /// pCPU, and here only as far as a handler read them. A kernel in user mode has no others but
    /// these: `privilege` tells whether it runs or a program, `vector` where it takes traps.
    pub life: Life,
    /// Where the guest's pages are, and what they are used for.
    pub map: PageMap,
    /// How the guest sees its memory.
    pub window: Window,
    /// What the guest calls frames.
    pub names: Names,
    /// What was agreed on; the shared page in it, and whether there was a switch, are each hart's
    /// own.
    pub agreement: Agreement,
    /// Roots that a saved guest brought and that are not checked yet.
    pub arriving: Vec<u64>,
    /// Counts the times that the whole TLB was emptied, modulo 256.
    pub epoch: u8,
    /// `satp` of the pCPU, if it is known.
    pub installed: Option<u64>,
    /// Accessed and dirty bits are set by the hart, as the firmware of a bare machine chooses.
    pub updates_marks: bool,
    /// The time at which the vCPU lost its pCPU though it did not wait.
    pub stopped_at: Option<u64>,
    /// Ticks that the guest has not been told of for which the vCPU had no pCPU.
    pub stolen: u64,
    /// An interrupt from another hart was on its way when the guest was saved.
    pub owed_interrupt: bool,
    /// What other harts have to fence.
    pub fences: Fences,
    /// The other vCPUs.
    pub seats: Seats<Seat>,
}

/// What is a vCPU's own while another one acts.
#[derive(Debug)]
pub struct Seat {
    life: Life,
    translated: bool,
    shared: Option<u64>,
    installed: Option<u64>,
    stopped_at: Option<u64>,
    stolen: u64,
    owed_interrupt: bool,
}

impl Seat {
    fn new(number: usize, state: CpuState) -> Self {
        let agreement = state.agreement.clone().unwrap_or_default();
        Self {
            translated: agreement.translated,
            shared: agreement.shared,
            installed: None,
            stopped_at: None,
            stolen: 0,
            owed_interrupt: state.supervisor.software_pending,
            life: Life::new(state).numbered(number),
        }
    }

    /// Whose it is, and the shared page.
    pub(super) fn page(&self) -> (usize, Option<u64>) {
        (self.life.number, self.shared)
    }
}

impl Paravirtual {
    /// A vCPU with these registers, its guest's pages at `map`, on a host that has this for it.
    pub fn new(
        state: CpuState,
        map: PageMap,
        mut window: Window,
        names: Names,
        offer: &Offer,
    ) -> Self {
        let mut agreement = Agreement {
            layout: Layout::on(offer.isa),
            large_pages: offer.large_pages,
            ..state.agreement.clone().unwrap_or_default()
        };
        window.seal.clone_from(&agreement.seal);
        Self {
            life: Life::new(state),
            map,
            window,
            names,
            arriving: std::mem::take(&mut agreement.roots).into_iter().collect(),
            agreement,
            epoch: 1,
            installed: None,
            updates_marks: offer.firmware.updates_dirty_bits,
            stopped_at: None,
            stolen: 0,
            owed_interrupt: false,
            fences: Fences::default(),
            seats: Seats::default(),
        }
    }

    /// The same with other vCPUs, which have these registers.
    pub fn with_others(mut self, others: Vec<CpuState>) -> Self {
        self.owed_interrupt = !others.is_empty() && self.life.guest.software_pending;
        self.seats = Seats::beside_first(others, |(number, state)| Seat::new(number, state));
        self
    }

    /// Lets another vCPU act.
    pub(super) fn let_act(&mut self, vcpu: usize) {
        let mut seats = std::mem::take(&mut self.seats);
        seats.let_act(vcpu, |seat| {
            std::mem::swap(&mut self.life, &mut seat.life);
            std::mem::swap(&mut self.agreement.translated, &mut seat.translated);
            std::mem::swap(&mut self.agreement.shared, &mut seat.shared);
            std::mem::swap(&mut self.installed, &mut seat.installed);
            std::mem::swap(&mut self.stopped_at, &mut seat.stopped_at);
            std::mem::swap(&mut self.stolen, &mut seat.stolen);
            std::mem::swap(&mut self.owed_interrupt, &mut seat.owed_interrupt);
        });
        self.seats = seats;
    }

    /// The shared pages of all harts.
    pub(super) fn shared_pages(&self) -> Vec<u64> {
        let others = self.seats.resting().filter_map(|seat| seat.shared);
        self.agreement.shared.into_iter().chain(others).collect()
    }

    /// Whether a hart is in an address space.
    pub(super) fn is_in_use(&self, root: u64) -> bool {
        let others = self.seats.resting().filter_map(|seat| root_of(&seat.life));
        self.root().into_iter().chain(others).any(|used| used == root)
    }

    /// The guest's page tables, and the meter of the pCPU that works on them.
    pub(super) fn with_tables<T>(
        &mut self,
        site: &mut Site<'_>,
        act: impl FnOnce(&mut Tables<'_, '_>) -> T,
    ) -> T {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        act(&mut Tables {
            meter: &mut meter,
            frames: TableFrames { allocator: site.allocator, vm: site.vm },
            map: &self.map,
            names: &mut self.names,
            window: &self.window,
            epoch: &mut self.epoch,
            untranslated: !self.agreement.translated || self.seats.are_several(),
            fences: &mut self.fences,
        })
    }

    /// Whether the guest's kernel runs in the mode of its programs.
    pub(super) fn in_user_mode(&self) -> bool {
        self.agreement.layout == Layout::User
    }

    /// Whether it is the guest's kernel that trapped, rather than a program.
    pub(super) fn is_from_kernel(&self, record: &TrapRecord) -> bool {
        let from = if self.in_user_mode() { self.life.guest.privilege } else { record.from };
        from == Privilege::Supervisor
    }

    /// The guest-physical address of the root that the guest is in.
    pub(super) fn root(&self) -> Option<u64> {
        root_of(&self.life)
    }
}

fn root_of(life: &Life) -> Option<u64> {
    (life.guest.translation != 0).then(|| satp::root(life.guest.translation))
}
