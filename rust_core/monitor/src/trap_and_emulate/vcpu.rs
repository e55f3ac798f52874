//! The vCPU of a deprivileged guest.

use crate::cpu_state::CpuState;
use crate::guest_pages::PageMap;
use crate::life::Life;
use crate::seats::Seats;
use crate::shadow::Shadow;
use crate::shadow::view::View;
use crate::technique::Site;
use dcsim_machine::firmware::FirmwareConfig;

pub use crate::technique::Phase;

/// Registers of the pCPU that the monitor sets for the guest, as it last wrote them: writing one
/// again with the same value is left out.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Installed {
    /// `satp`.
    pub translation: Option<u64>,
    /// `stimecmp`.
    pub timer: Option<u64>,
    /// `scounteren`.
    pub counters: Option<u64>,
}

/// A vCPU whose guest kernel runs in user mode.
#[derive(Debug)]
pub struct TrapAndEmulate {
    /// Where it is in its life.
    pub life: Life,
    /// Where the guest's pages are.
    pub map: PageMap,
    /// Its shadow page tables.
    pub spaces: Shadow,
    /// What the pCPU holds.
    pub installed: Installed,
    /// Accessed and dirty bits are set by the walk, as the firmware of a bare machine chooses.
    pub updates_marks: bool,
    /// The pCPU whose TLB may hold what the trees say.
    pub last_pcpu: Option<usize>,
    /// The other vCPUs.
    pub seats: Seats<Seat>,
}

/// What is a vCPU's own while another one acts. Shadow tables that are a TLB of the guest are, as
/// TLBs are.
#[derive(Debug)]
pub struct Seat {
    life: Life,
    pub(super) spaces: Shadow,
    installed: Installed,
    last_pcpu: Option<usize>,
}

impl Seat {
    fn new(number: usize, state: CpuState) -> Self {
        Self {
            life: Life::new(state).numbered(number),
            spaces: Shadow::default(),
            installed: Installed::default(),
            last_pcpu: None,
        }
    }
}

impl TrapAndEmulate {
    /// A vCPU with these registers, its guest's pages at `map`, shadow tables that are empty, on a
    /// machine whose firmware would be set up like this.
    pub fn new(state: CpuState, map: PageMap, shadow: Shadow, firmware: FirmwareConfig) -> Self {
        Self {
            life: Life::new(state),
            map,
            spaces: shadow,
            installed: Installed::default(),
            updates_marks: firmware.updates_dirty_bits,
            last_pcpu: None,
            seats: Seats::default(),
        }
    }

    /// The same with other vCPUs, which have these registers.
    pub fn with_others(mut self, others: Vec<CpuState>) -> Self {
        self.seats = Seats::beside_first(others, |(number, state)| Seat::new(number, state));
        self
    }

    /// Lets another vCPU act.
    pub(crate) fn let_act(&mut self, vcpu: usize) {
        let mut seats = std::mem::take(&mut self.seats);
        seats.let_act(vcpu, |seat| {
            std::mem::swap(&mut self.life, &mut seat.life);
            self.spaces.exchange(&mut seat.spaces);
            std::mem::swap(&mut self.installed, &mut seat.installed);
            std::mem::swap(&mut self.last_pcpu, &mut seat.last_pcpu);
        });
        self.seats = seats;
        self.spaces.seat(vcpu);
    }

    /// Makes sure that `count` frames can be taken. `false`: not now; nothing that the guest could
    /// see was changed.
    pub(crate) fn reserve(&mut self, site: &mut Site<'_>, count: u64) -> bool {
        let in_use = (self.life.guest.translation, View::of(&self.life.guest));
        self.spaces.reserve(site, count, in_use)
    }
}
