//! The mode of a hart: its privilege, and whether it is a guest's.
//!
//! Hypervisor extension, "Privilege Modes".

use crate::hart::Privilege;

/// A privilege mode with the virtualisation mode V.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Mode {
    /// The nominal privilege.
    pub(crate) privilege: Privilege,
    /// V: the mode is VS or VU. Never in machine mode.
    pub(crate) virtualised: bool,
}

impl Mode {
    /// HS, or S on a hart without the hypervisor extension.
    pub(crate) const HOST_SUPERVISOR: Self = Self::host(Privilege::Supervisor);

    /// The number of modes that [`Mode::index`] tells apart.
    pub(crate) const COUNT: usize = 8;

    /// A mode outside every guest.
    pub(crate) const fn host(privilege: Privilege) -> Self {
        Self { privilege, virtualised: false }
    }

    /// A mode of this privilege, in a guest if `virtualised`; machine mode never is.
    pub(crate) fn new(privilege: Privilege, virtualised: bool) -> Self {
        Self { privilege, virtualised: virtualised && privilege != Privilege::Machine }
    }

    /// A number below [`Mode::COUNT`], another for each mode.
    pub(crate) const fn index(self) -> usize {
        self.privilege as usize + 4 * self.virtualised as usize
    }
}
