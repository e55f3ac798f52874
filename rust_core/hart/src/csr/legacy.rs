//! Accesses to supervisor registers in user mode that the legacy profiles do not have trap.
//!
//! Not from the architecture: [`IsaProfile`] says what each profile does.

use super::CsrOp;
use crate::hart::{Hart, Privilege};
use crate::profile::IsaProfile;

const SSTATUS: u16 = 0x100;
const STVEC: u16 = 0x105;
const SATP: u16 = 0x180;

/// What user mode's access to a supervisor register comes to where it does not trap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untrapped {
    /// The destination gets the register's value; nothing is written.
    Shown,
    /// Nothing at all.
    Dropped,
}

impl IsaProfile {
    /// What user mode's access to the register with this number comes to that has a destination or
    /// not, and would write or not. `None`: it traps, if the register is out of user mode's reach.
    pub const fn untrapped(self, number: u16, reads: bool, writes: bool) -> Option<Untrapped> {
        if reads && self.shows_state() && matches!(number, SSTATUS | STVEC | SATP) {
            return Some(Untrapped::Shown);
        }
        if !reads && writes && self.drops_writes() && number == SSTATUS {
            return Some(Untrapped::Dropped);
        }
        None
    }
}

impl Hart {
    /// What a CSR instruction that the architecture has trap does instead: nothing, but to give its
    /// destination this value. `None` if it does trap. `reads` says that it has a destination.
    pub(crate) fn unprivileged_access(&self, number: u16, op: CsrOp, reads: bool) -> Option<u64> {
        if self.privilege != Privilege::User {
            return None;
        }
        match self.profile.untrapped(number, reads, op != CsrOp::Read)? {
            Untrapped::Shown => self.row_of(number).map(|row| (row.read)(self, number)),
            Untrapped::Dropped => Some(0),
        }
    }
}
