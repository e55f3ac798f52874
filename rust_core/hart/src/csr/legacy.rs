//! Accesses to supervisor registers in user mode that the legacy profiles do not have trap.
//!
//! Not from the architecture: [`IsaProfile`](crate::IsaProfile) says what each profile does.

use super::CsrOp;
use crate::hart::{Hart, Privilege};

const SSTATUS: u16 = 0x100;
const STVEC: u16 = 0x105;
const SATP: u16 = 0x180;

impl Hart {
    /// What a CSR instruction that the architecture has trap does instead: nothing, but to give its
    /// destination this value. `None` if it does trap. `reads` says that it has a destination.
    pub(crate) fn unprivileged_access(&self, number: u16, op: CsrOp, reads: bool) -> Option<u64> {
        if self.privilege != Privilege::User {
            return None;
        }
        if reads {
            let shown = self.profile.shows_state() && matches!(number, SSTATUS | STVEC | SATP);
            let row = self.row_of(number).filter(|_| shown)?;
            return Some((row.read)(self, number));
        }
        let dropped = self.profile.drops_writes() && number == SSTATUS && op != CsrOp::Read;
        dropped.then_some(0)
    }
}
