//! The floating-point status while a guest executes.
//!
//! In a guest the unit is on only if both `sstatus` and `vsstatus` have it on, and a change of its
//! state makes both dirty (hypervisor extension, "Virtual Supervisor Status Register"). So that
//! this costs floating-point instructions nothing, `mstatus.FS` stands in for both fields while an
//! engine executes a guest's instructions:
//!
//! - it is off if one of them is off, and dirty if both are dirty;
//! - it is clean otherwise, and dirty afterwards if an instruction has changed the state.
//!
//! Invariant: whatever looks at a status register finds it settled, that is, with its own fields.

use crate::csr::fields::status;
use crate::hart::Hart;

/// The floating-point unit on, its state clean.
const CLEAN: u64 = 2 << 13;

/// Whether `mstatus.FS` stands in for others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum FloatStatus {
    /// No engine executes.
    #[default]
    Resting,
    /// An engine executes; `mstatus.FS` is itself.
    Settled,
    /// It stands in for the field of `vsstatus` and for its own value, held here.
    Lent(u64),
}

impl Hart {
    /// To be called before an engine executes instructions.
    pub(crate) fn begin_float_status(&mut self) {
        self.float_status = FloatStatus::Settled;
        self.lend_float_status();
    }

    /// To be called when an engine has executed its last instruction.
    pub(crate) fn end_float_status(&mut self) {
        self.settle_float_status();
        self.float_status = FloatStatus::Resting;
    }

    /// Lets `mstatus.FS` stand in, if an engine executes a guest.
    #[inline]
    pub(crate) fn lend_float_status(&mut self) {
        if self.virtualised && self.float_status == FloatStatus::Settled {
            self.lend_in_guest();
        }
    }

    fn lend_in_guest(&mut self) {
        let (host, guest) = (self.csrs.mstatus & status::FS, self.csrs.vsstatus & status::FS);
        let both = match (host, guest) {
            (0, _) | (_, 0) => 0,
            (status::FS, status::FS) => status::FS,
            _ => CLEAN,
        };
        self.csrs.mstatus = self.csrs.mstatus & !status::FS | both;
        self.float_status = FloatStatus::Lent(host);
    }

    /// Gives both fields the values that they have by now.
    #[inline]
    pub(crate) fn settle_float_status(&mut self) {
        if let FloatStatus::Lent(host) = self.float_status {
            self.settle_in_guest(host);
        }
    }

    fn settle_in_guest(&mut self, host: u64) {
        self.float_status = FloatStatus::Settled;
        if self.csrs.mstatus & status::FS == status::FS {
            self.csrs.vsstatus |= status::FS;
        } else {
            self.csrs.mstatus = self.csrs.mstatus & !status::FS | host;
        }
    }
}
