//! The vCPU of a deprivileged guest.

use crate::cpu_state::CpuState;
use crate::guest_pages::PageMap;
use crate::reason::ExitReason;
use crate::shadow::Shadow;
use crate::supervisor::Supervisor;
use dcsim_machine::firmware::{FirmwareConfig, StartPoint};

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
    /// The supervisor mode that the guest believes to have.
    pub guest: Supervisor,
    /// Where the guest goes on; valid outside [`Phase::Guest`].
    pub pc: u64,
    /// What comes next.
    pub phase: Phase,
    /// Why the guest last left; the entry that follows is part of that exit's cost.
    pub reason: ExitReason,
    /// Where the guest's pages are.
    pub map: PageMap,
    /// Its shadow page tables.
    pub spaces: Shadow,
    /// What the pCPU holds.
    pub installed: Installed,
    /// Accessed and dirty bits are set by the walk, as the firmware of a bare machine chooses.
    pub updates_marks: bool,
    /// Integer and floating-point registers while the vCPU is on no pCPU.
    pub resting: CpuState,
    /// Where the guest goes on when its wait ends, if a call suspended it without its state.
    pub resume: Option<StartPoint>,
    /// The pCPU whose TLB may hold what the trees say.
    pub last_pcpu: Option<usize>,
}

impl TrapAndEmulate {
    /// A vCPU with these registers, its guest's pages at `map`, shadow tables that are empty, on a
    /// machine whose firmware would be set up like this.
    pub fn new(state: CpuState, map: PageMap, shadow: Shadow, firmware: FirmwareConfig) -> Self {
        Self {
            guest: state.supervisor.clone(),
            pc: state.pc,
            phase: if state.waiting { Phase::Wait } else { Phase::Enter },
            reason: ExitReason::VcpuLoad,
            map,
            spaces: shadow,
            installed: Installed::default(),
            updates_marks: firmware.updates_dirty_bits,
            resume: state.resume,
            resting: state,
            last_pcpu: None,
        }
    }
}
