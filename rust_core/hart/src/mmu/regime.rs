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
    #[inline]
    pub(crate) fn regime(&self, access: Access) -> Regime {
        let mode = self.access_mode(access);
        if mode.virtualised {
            self.guest_regime(mode, access)
        } else {
            self.host_regime(mode, access)
        }
    }

    /// The same outside every guest: one stage, and none for machine mode.
    #[inline]
    fn host_regime(&self, mode: Mode, access: Access) -> Regime {
        let csrs = &self.csrs;
        let is_translated =
            mode.privilege != Privilege::Machine && satp::mode(csrs.satp) != satp::BARE;
        let status = if is_translated { csrs.mstatus } else { 0 };
        Regime {
            mode,
            first: if is_translated { csrs.satp } else { 0 },
            second: 0,
            accessor: Accessor::new(mode.privilege, access, status),
            guest_accessor: Accessor::USER,
            marks_first: csrs.menvcfg & environment::ADUE != 0,
            marks_second: false,
        }
    }

    /// The same in a guest: MXR of the host is for both stages.
    fn guest_regime(&self, mode: Mode, access: Access) -> Regime {
        let csrs = &self.csrs;
        let is_translated = satp::mode(csrs.vsatp) != satp::BARE;
        let host_mxr = csrs.mstatus & status::MXR;
        let first_status = if is_translated { csrs.vsstatus | host_mxr } else { 0 };
        let second_status = if csrs.hgatp == 0 { 0 } else { host_mxr };
        let as_code = access == Access::Load && self.loads_as_code();
        let accessor = Accessor::new(mode.privilege, access, first_status);
        let guest_accessor = Accessor::new(Privilege::User, access, second_status);
        Regime {
            mode,
            first: if is_translated { csrs.vsatp } else { 0 },
            second: csrs.hgatp,
            accessor: Accessor { as_code, ..accessor },
            guest_accessor: Accessor { as_code, ..guest_accessor },
            marks_first: self.guest_environment() & environment::ADUE != 0,
            marks_second: csrs.menvcfg & environment::ADUE != 0,
        }
    }
}
