//! Where a guest kernel runs: in a mode of its own, or in the mode of its programs.

use crate::shadow::entry::{ACCESSED, DIRTY, USER, VALID};
use dcsim_hart::{IsaProfile, Privilege};

/// One of the two. The pCPU decides, and the guest is told.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Layout {
    /// In supervisor mode. What belongs to the guest alone goes past the monitor.
    #[default]
    Supervisor,
    /// In user mode, like its programs, where a kernel in supervisor mode could not be held: every
    /// trap comes to the monitor. The window is there only while the kernel runs.
    User,
}

/// A leaf that is valid and that hardware need not mark.
const LEAF: u64 = VALID | ACCESSED | DIRTY;
/// A leaf that is the same in all address spaces.
const GLOBAL: u64 = 1 << 5;

impl Layout {
    /// The layout on pCPUs of a kind.
    pub fn on(isa: IsaProfile) -> Self {
        if isa.can_trap_supervisor() { Self::Supervisor } else { Self::User }
    }

    /// The mode of the hart's that the guest's programs or its kernel run in.
    pub fn mode(self, guest: Privilege) -> Privilege {
        match self {
            Self::Supervisor => guest,
            Self::User => Privilege::User,
        }
    }

    /// What every leaf of the window's has beside its rights. One that user mode reaches must not
    /// be found in the address spaces of programs.
    pub fn leaf(self) -> u64 {
        match self {
            Self::Supervisor => LEAF | GLOBAL,
            Self::User => LEAF | USER,
        }
    }
}
