//! The vCPU of a guest that the hypervisor extension runs.

use super::paging::Paging;
use super::shadowed::PAGE_FAULTS;
use crate::cpu_state::CpuState;
use crate::guest_pages::PageMap;
use crate::life::Life;
use crate::seats::Seats;
use crate::shadow::asid::Asid;
use crate::supervisor::csr;
use dcsim_hart::csr::fields::{counter, environment, hypervisor_status, interrupt, status};
use dcsim_hart::{Exception, Hart, Privilege};
use dcsim_machine::firmware::FirmwareConfig;

/// Numbers of the registers by which HS mode controls a guest, and of those of VS mode.
pub mod register {
    /// `vsstatus`.
    pub const VSSTATUS: u16 = 0x200;
    /// `vsie`.
    pub const VSIE: u16 = 0x204;
    /// `vstvec`.
    pub const VSTVEC: u16 = 0x205;
    /// `vsscratch`.
    pub const VSSCRATCH: u16 = 0x240;
    /// `vsepc`.
    pub const VSEPC: u16 = 0x241;
    /// `vscause`.
    pub const VSCAUSE: u16 = 0x242;
    /// `vstval`.
    pub const VSTVAL: u16 = 0x243;
    /// `vstimecmp`.
    pub const VSTIMECMP: u16 = 0x24d;
    /// `vsatp`.
    pub const VSATP: u16 = 0x280;
    /// `hstatus`.
    pub const HSTATUS: u16 = 0x600;
    /// `hedeleg`.
    pub const HEDELEG: u16 = 0x602;
    /// `hideleg`.
    pub const HIDELEG: u16 = 0x603;
    /// `hcounteren`.
    pub const HCOUNTEREN: u16 = 0x606;
    /// `henvcfg`.
    pub const HENVCFG: u16 = 0x60a;
    /// `htval`.
    pub const HTVAL: u16 = 0x643;
    /// `hvip`.
    pub const HVIP: u16 = 0x645;
    /// `htinst`.
    pub const HTINST: u16 = 0x64a;
    /// `hgatp`.
    pub const HGATP: u16 = 0x680;
}

/// What the guest's kernel handles without the monitor, whose tables have no part in it.
const GUEST_EXCEPTIONS: [Exception; 9] = [
    Exception::InstructionMisaligned,
    Exception::InstructionAccessFault,
    Exception::IllegalInstruction,
    Exception::Breakpoint,
    Exception::LoadMisaligned,
    Exception::LoadAccessFault,
    Exception::StoreMisaligned,
    Exception::StoreAccessFault,
    Exception::EcallFromUser,
];

/// Registers of the pCPU that the monitor sets for the guest, as they are known to be: writing one
/// again with the same value is left out.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Installed {
    /// `hgatp`, or `vsatp` where that is the monitor's.
    pub root: Option<u64>,
    /// `hstatus`.
    pub hypervisor: Option<u64>,
    /// `sstatus`.
    pub status: Option<u64>,
    /// `sepc`.
    pub pc: Option<u64>,
    /// The external interrupt in `hvip`.
    pub external: Option<bool>,
}

/// A vCPU whose guest runs in VS and VU mode.
#[derive(Debug)]
pub struct HardwareAssisted {
    /// Where it is in its life. In `guest`: Its privilege is true outside [`Phase::Guest`], and with shadow
    /// tables its `translation` always; the rest is in the hart while the vCPU is on a pCPU, and
    /// here only as far as a handler read it.
    pub life: Life,
    /// Where the guest's pages are.
    pub map: PageMap,
    /// The monitor's tables.
    pub paging: Paging,
    /// The identifier of the guest's translations (VMID), if it has one.
    pub identifier: Option<Asid>,
    /// What the pCPU holds.
    pub installed: Installed,
    /// Accessed and dirty bits are set by the walk, as the firmware of a bare machine chooses.
    pub updates_marks: bool,
    /// The pCPU whose TLB may hold what the tables say.
    pub last_pcpu: Option<usize>,
    /// The other vCPUs.
    pub seats: Seats<Seat>,
}

/// What is a vCPU's own while another one acts. The second stage is the VM's; each vCPU has an
/// identifier for it, as one may find on a pCPU what another has left there.
#[derive(Debug)]
pub struct Seat {
    life: Life,
    identifier: Option<Asid>,
    installed: Installed,
    last_pcpu: Option<usize>,
}

impl Seat {
    fn new(number: usize, state: CpuState) -> Self {
        Self {
            life: Life::new(state).numbered(number),
            identifier: None,
            installed: Installed::default(),
            last_pcpu: None,
        }
    }
}

impl HardwareAssisted {
    /// A vCPU with these registers, its guest's pages at `map`, on a machine whose firmware would
    /// be set up like this.
    pub fn new(state: CpuState, map: PageMap, paging: Paging, firmware: FirmwareConfig) -> Self {
        Self {
            life: Life::new(state),
            map,
            paging,
            identifier: None,
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
    pub(super) fn let_act(&mut self, vcpu: usize) {
        let mut seats = std::mem::take(&mut self.seats);
        seats.let_act(vcpu, |seat| {
            std::mem::swap(&mut self.life, &mut seat.life);
            std::mem::swap(&mut self.identifier, &mut seat.identifier);
            std::mem::swap(&mut self.installed, &mut seat.installed);
            std::mem::swap(&mut self.last_pcpu, &mut seat.last_pcpu);
        });
        self.seats = seats;
        if let Some(shadow) = self.paging.shadow() {
            shadow.seat(vcpu);
        }
    }

    /// Sets up what the guest may do by itself. It counts no cycles and instructions: the hart's
    /// counters count for all guests and for the monitor.
    pub(super) fn assist(&self, hart: &mut Hart) {
        let marks = if self.updates_marks { environment::ADUE } else { 0 };
        let page_faults: &[_] = match self.paging {
            Paging::Nested(_) => &PAGE_FAULTS,
            Paging::Shadow(_) => &[],
        };
        let delegated = GUEST_EXCEPTIONS.iter().chain(page_faults);
        let settings = [
            // The fences of handlers are for the guest from now on.
            (register::HSTATUS, self.hypervisor_status()),
            (register::HEDELEG, delegated.fold(0, |set, each| set | 1 << each.code())),
            (register::HIDELEG, interrupt::VIRTUAL),
            (register::HCOUNTEREN, counter::TIME),
            (register::HENVCFG, environment::STCE | marks),
            (register::HVIP, 0),
            // No timer of another guest's stays behind.
            (csr::STIMECMP, u64::MAX),
        ];
        for (number, value) in settings {
            hart.write_csr(number, value);
        }
    }

    /// `hstatus` with which the guest is entered: its waits are the monitor's.
    pub(super) fn hypervisor_status(&self) -> u64 {
        let from_supervisor = self.life.guest.privilege == Privilege::Supervisor;
        let privilege = if from_supervisor { hypervisor_status::SPVP } else { 0 };
        hypervisor_status::SPV | hypervisor_status::VTW | self.paging.traps() | privilege
    }

    /// `sstatus` with which the guest is entered. The unit for floating point is on: whether the
    /// guest may use it is in its own `vsstatus`.
    pub(super) fn status(&self) -> u64 {
        let from_supervisor = self.life.guest.privilege == Privilege::Supervisor;
        status::FS | status::SPIE | if from_supervisor { status::SPP } else { 0 }
    }
}

/// Leaves nothing of a guest in a hart that could disturb the next one.
pub(super) fn dismiss(hart: &mut Hart) {
    hart.set_mode(Privilege::Supervisor, false);
    for (number, value) in [
        (register::VSIE, 0),
        (register::VSTIMECMP, u64::MAX),
        (register::HVIP, 0),
        (register::HGATP, 0),
        (register::VSATP, 0),
        (register::HSTATUS, 0),
    ] {
        hart.write_csr(number, value);
    }
}
