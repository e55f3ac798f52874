//! The views of an address space that a deprivileged guest needs.
//!
//! Physically the guest is always in user mode, so what distinguishes user mode, supervisor mode
//! and supervisor mode with SUM has to lie in separate shadow trees. MXR is left to the hardware's
//! own MXR, but for one case: a user page that only may be executed is readable under SUM and MXR,
//! yet must not be executable. That pair of settings has a view of its own.

use super::entry::{ACCESSED, DIRTY, EXECUTE, READ, USER, VALID, WRITE};
use crate::supervisor::Supervisor;
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{satp, status};

/// One way to see an address space.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum View {
    /// Guest-physical addresses: the guest has no translation.
    Bare,
    /// The guest's user mode.
    User,
    /// The guest's supervisor mode.
    Supervisor,
    /// The same with SUM.
    SupervisorUser,
    /// The same with SUM and MXR.
    SupervisorUserExecutable,
    /// The address space as it is, for a guest that has both modes of the hart: the hart itself
    /// checks who may access what.
    Both,
    /// Guest-physical addresses for the supervisor mode of such a guest, which must not find user
    /// pages; its user mode has [`Self::Bare`].
    BareSupervisor,
    /// Guest-physical addresses for the user mode of a guest whose supervisor mode has
    /// [`Self::Bare`]: what a monitor maps for one of them is not for the other.
    BareUser,
}

impl View {
    /// The number of views.
    pub const COUNT: usize = 8;

    /// The view that the guest's state calls for.
    pub fn of(guest: &Supervisor) -> Self {
        if satp::mode(guest.translation) == satp::BARE {
            let is_user = guest.privilege == Privilege::User;
            return if is_user { Self::BareUser } else { Self::Bare };
        }
        let sum = guest.status & status::SUM != 0;
        let mxr = guest.status & status::MXR != 0;
        match (guest.privilege, sum, mxr) {
            (Privilege::User, _, _) => Self::User,
            (_, false, _) => Self::Supervisor,
            (_, true, false) => Self::SupervisorUser,
            (_, true, true) => Self::SupervisorUserExecutable,
        }
    }

    /// The view that the state of a guest calls for that has both modes of the hart.
    pub fn of_resident(guest: &Supervisor) -> Self {
        match (satp::mode(guest.translation), guest.privilege) {
            (satp::BARE, Privilege::User) => Self::Bare,
            (satp::BARE, _) => Self::BareSupervisor,
            _ => Self::Both,
        }
    }

    /// What the view allows on a page with these flags of the guest's: READ, WRITE and EXECUTE.
    fn rights(self, flags: u64) -> u64 {
        let all = flags & (READ | WRITE | EXECUTE);
        let user_page = flags & USER != 0;
        match (self, user_page) {
            (Self::Bare | Self::BareUser | Self::Both | Self::BareSupervisor, _)
            | (Self::User, true)
            | (Self::Supervisor | Self::SupervisorUser | Self::SupervisorUserExecutable, false) => {
                all
            }
            (Self::User, false) | (Self::Supervisor, true) => 0,
            (Self::SupervisorUser, true) => all & !EXECUTE,
            (Self::SupervisorUserExecutable, true) => {
                let readable = if all & EXECUTE != 0 { READ } else { 0 };
                all & !EXECUTE | readable
            }
        }
    }

    /// The flags of the shadow leaf for a page with these flags of the guest's, or `None` if the
    /// view allows nothing. A page that the guest has not marked dirty stays read-only.
    pub fn leaf_flags(self, flags: u64) -> Option<u64> {
        let mut rights = self.rights(flags);
        if flags & DIRTY == 0 {
            rights &= !WRITE;
        }
        let dirty = if rights & WRITE != 0 { DIRTY } else { 0 };
        let user = match self {
            Self::Both => flags & USER,
            Self::BareSupervisor => 0,
            _ => USER,
        };
        (rights != 0).then_some(VALID | user | ACCESSED | rights | dirty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = READ | WRITE | EXECUTE;

    fn rights(view: View, flags: u64) -> u64 {
        view.leaf_flags(flags).unwrap_or(0) & ALL
    }

    #[test]
    fn each_view_sees_what_its_mode_may_access() {
        let user = ALL | USER | DIRTY;
        let kernel = ALL | DIRTY;
        assert_eq!(rights(View::User, user), ALL);
        assert_eq!(rights(View::User, kernel), 0);
        assert_eq!(rights(View::Supervisor, user), 0);
        assert_eq!(rights(View::Supervisor, kernel), ALL);
        assert_eq!(rights(View::SupervisorUser, user), READ | WRITE);
        assert_eq!(rights(View::SupervisorUser, kernel), ALL);
        assert_eq!(rights(View::SupervisorUserExecutable, EXECUTE | USER), READ);
        assert_eq!(rights(View::SupervisorUser, EXECUTE | USER), 0);
        assert_eq!(rights(View::Bare, kernel), ALL);
    }

    #[test]
    fn a_clean_page_is_read_only_and_a_leaf_never_needs_an_update() {
        let clean = View::User.leaf_flags(READ | WRITE | USER | ACCESSED).unwrap();
        assert_eq!(clean, VALID | READ | USER | ACCESSED);
        let dirty = View::User.leaf_flags(READ | WRITE | USER | ACCESSED | DIRTY).unwrap();
        assert_eq!(dirty, VALID | READ | WRITE | USER | ACCESSED | DIRTY);
    }

    #[test]
    fn a_guest_with_both_modes_keeps_the_difference_between_their_pages() {
        let user = READ | WRITE | USER | ACCESSED | DIRTY;
        assert_eq!(View::Both.leaf_flags(user), Some(VALID | user));
        let kernel = user & !USER;
        assert_eq!(View::Both.leaf_flags(kernel), Some(VALID | kernel));
        assert_eq!(View::BareSupervisor.leaf_flags(kernel), Some(VALID | kernel));
        assert_eq!(View::Bare.leaf_flags(kernel), Some(VALID | user));
        let mut guest = Supervisor::default();
        assert_eq!(View::of_resident(&guest), View::BareSupervisor);
        guest.privilege = Privilege::User;
        assert_eq!(View::of_resident(&guest), View::Bare);
        guest.translation = satp::SV48 << 60;
        assert_eq!(View::of_resident(&guest), View::Both);
    }

    #[test]
    fn the_view_follows_mode_sum_and_mxr() {
        let mut guest = Supervisor::default();
        assert_eq!(View::of(&guest), View::Bare);
        guest.translation = satp::SV39 << 60;
        assert_eq!(View::of(&guest), View::Supervisor);
        guest.status = status::MXR;
        assert_eq!(View::of(&guest), View::Supervisor);
        guest.status = status::SUM;
        assert_eq!(View::of(&guest), View::SupervisorUser);
        guest.status = status::SUM | status::MXR;
        assert_eq!(View::of(&guest), View::SupervisorUserExecutable);
        guest.privilege = Privilege::User;
        assert_eq!(View::of(&guest), View::User);
        guest.translation = 0;
        assert_eq!(View::of(&guest), View::BareUser);
    }
}
