//! What the registers say of how an access is translated.
//!
//! Supervisor architecture, "Virtual Address Translation Process"; hypervisor extension,
//! "Two-Stage Address Translation" and "Effect of MPRV".

use super::Access;
use super::context::ContextKey;
use super::pte::Accessor;
use super::space::Space;
use crate::csr::fields::{environment, hgatp, satp, status};
use crate::hart::{Hart, Privilege};
use crate::mode::Mode;

/// The right that an access of HS mode to a guest's memory needs to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right {
    /// The right to read, as for HLV.
    Read,
    /// The right to execute, as for HLVX.
    Execute,
}

/// An access to a guest's memory that HS mode makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestAccess {
    /// The mode that it is checked for.
    pub(crate) mode: Mode,
    /// The right that it needs if it is a load.
    pub(crate) right: Right,
}

/// How an access is translated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regime {
    mode: Mode,
    /// `satp` or `vsatp`; 0 where it does not apply.
    first: u64,
    /// `hgatp`; 0 where it does not apply.
    second: u64,
    /// Who makes the access, for the first stage.
    pub(crate) accessor: Accessor,
    /// The same for the second.
    pub(crate) guest_accessor: Accessor,
    /// The first stage's walk sets accessed and dirty bits.
    pub(crate) marks_first: bool,
    /// The second stage's walk does.
    pub(crate) marks_second: bool,
}

impl Regime {
    /// `MODE` of the first stage.
    pub(crate) fn first_mode(&self) -> u64 {
        satp::mode(self.first)
    }

    /// `MODE` of the second stage.
    pub(crate) fn second_mode(&self) -> u64 {
        satp::mode(self.second)
    }

    /// Whether addresses are physical ones.
    pub(crate) fn is_bare(&self) -> bool {
        (self.first_mode(), self.second_mode()) == (satp::BARE, satp::BARE)
    }

    /// The address of the first stage's root table: a guest-physical one in a guest.
    pub(crate) fn first_root(&self) -> u64 {
        satp::root(self.first)
    }

    /// The address of the second stage's root table.
    pub(crate) fn second_root(&self) -> u64 {
        satp::root(self.second)
    }

    /// The address space of the access.
    pub(crate) fn space(&self) -> Space {
        let (asid, vmid) = (satp::asid(self.first), hgatp::vmid(self.second));
        match (self.mode.virtualised, self.first_mode()) {
            (false, _) => Space::host(asid),
            (true, satp::BARE) => Space::guest_physical(vmid),
            (true, _) => Space::guest(vmid, asid),
        }
    }

    /// What of it decides which software entries answer.
    pub(crate) fn key(&self) -> ContextKey {
        ContextKey {
            mode: self.first_mode() as u8,
            guest_mode: self.second_mode() as u8,
            space: self.space(),
            accessor: self.accessor,
            guest_mxr: self.guest_accessor.mxr,
        }
    }
}

impl Hart {
    /// The mode that loads and stores are checked for.
    pub(crate) fn data_mode(&self) -> Mode {
        let mstatus = self.csrs.mstatus;
        if let Some(access) = self.mmu.guest_access {
            access.mode
        } else if mstatus & status::MPRV != 0 {
            let privilege = status::previous_machine_privilege(mstatus);
            Mode::new(privilege, mstatus & status::MPV != 0)
        } else {
            self.mode()
        }
    }

    /// The mode that an access is checked for.
    pub(crate) fn access_mode(&self, access: Access) -> Mode {
        match access {
            Access::Fetch => self.mode(),
            Access::Load | Access::Store => self.data_mode(),
        }
    }

    /// Whether loads need the right to execute now.
    pub(crate) fn loads_as_code(&self) -> bool {
        self.mmu.guest_access.is_some_and(|access| access.right == Right::Execute)
    }

    /// How an access is translated now. What does not matter to it is off.
    pub(crate) fn regime(&self, access: Access) -> Regime {
        let mode = self.access_mode(access);
        let csrs = &self.csrs;
        let (first, second, marks_first, own_status) = match (mode.privilege, mode.virtualised) {
            (Privilege::Machine, _) => (0, 0, 0, 0),
            (_, false) => (csrs.satp, 0, csrs.menvcfg, csrs.mstatus),
            (_, true) => (csrs.vsatp, csrs.hgatp, self.guest_environment(), csrs.vsstatus),
        };
        let is_first = satp::mode(first) != satp::BARE;
        let first = if is_first { first } else { 0 };
        let is_data = access != Access::Fetch;
        let is_supervisor = mode.privilege == Privilege::Supervisor;
        let as_code = is_data && self.loads_as_code();
        let guest_mxr = is_data && second != 0 && csrs.mstatus & status::MXR != 0;
        let host_mxr = mode.virtualised && csrs.mstatus & status::MXR != 0;
        let mxr = is_data && is_first && (host_mxr || own_status & status::MXR != 0);
        let sum = is_data && is_first && is_supervisor && own_status & status::SUM != 0;
        Regime {
            mode,
            first,
            second,
            accessor: Accessor { privilege: mode.privilege, sum, mxr, as_code },
            guest_accessor: Accessor { mxr: guest_mxr, as_code, ..Accessor::USER },
            marks_first: marks_first & environment::ADUE != 0,
            marks_second: csrs.menvcfg & environment::ADUE != 0,
        }
    }
}
