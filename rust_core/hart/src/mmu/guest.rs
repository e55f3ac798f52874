//! Loads and stores of HS mode to a guest's memory.
//!
//! Hypervisor extension, "Hypervisor Virtual-Machine Load and Store Instructions". Such an access
//! is translated and protected as if the guest made it, in the mode that `hstatus.SPVP` says.

use super::regime::{GuestAccess, Right};
use crate::bus::{Ports, Signal, Width};
use crate::csr::fields::hypervisor_status;
use crate::hart::{Hart, Privilege};
use crate::mode::Mode;
use crate::trap::{Abort, Trap};

impl Hart {
    /// Whether an instruction that accesses a guest's memory may execute.
    pub(crate) fn check_guest_access(&self) -> Result<(), Trap> {
        let for_user = self.csrs.hstatus & hypervisor_status::HU != 0;
        match (self.privilege, self.virtualised) {
            _ if !self.has_hypervisor() => Err(Trap::ILLEGAL),
            (_, true) => Err(Trap::VIRTUAL),
            (Privilege::User, false) if !for_user => Err(Trap::ILLEGAL),
            _ => Ok(()),
        }
    }

    /// Loads from the memory of the guest, as HLV and HLVX do; the value is zero-extended.
    pub fn load_from_guest(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        right: Right,
    ) -> Result<u64, Abort> {
        self.as_guest(right, |hart| hart.load(ports, va, width))
    }

    /// Stores to the memory of the guest, as HSV does.
    pub fn store_to_guest(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        value: u64,
    ) -> Result<Signal, Abort> {
        self.as_guest(Right::Read, |hart| hart.store(ports, va, width, value))
    }

    fn as_guest<T>(
        &mut self,
        right: Right,
        access: impl FnOnce(&mut Self) -> Result<T, Abort>,
    ) -> Result<T, Abort> {
        let is_supervisor = self.csrs.hstatus & hypervisor_status::SPVP != 0;
        let privilege = if is_supervisor { Privilege::Supervisor } else { Privilege::User };
        self.mmu.guest_access = Some(GuestAccess { mode: Mode::new(privilege, true), right });
        self.select_contexts();
        let result = access(self);
        self.mmu.guest_access = None;
        self.select_contexts();
        result.map_err(|abort| match abort {
            Abort::Trap(trap) => trap.as_guest_access().into(),
            Abort::StoreFull => abort,
        })
    }
}
