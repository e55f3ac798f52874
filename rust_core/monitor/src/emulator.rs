//! Trap-and-emulate, the part that is the same wherever a guest's kernel runs: an instruction that is
//! illegal to the hart is emulated if the guest's own mode may execute it, otherwise the guest's affair.

use crate::error::HostError;
use crate::instruction::{CsrAccess, Sensitive, sensitive};
use crate::life::Monitored;
use crate::reason::ExitReason;
use crate::technique::{Handled, Site};
use dcsim_hart::isa::Register;
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::Meter;

/// A monitor to which the sensitive instructions of its guest's kernel trap.
pub trait Emulator: Monitored {
    /// Emulates an access to a control and status register; `false` if it is illegal for the
    /// guest too.
    fn access_csr(&mut self, site: &mut Site<'_>, access: CsrAccess) -> bool;

    /// Emulates SRET.
    fn return_from_trap(&mut self, site: &mut Site<'_>) -> Handled;

    /// Emulates WFI.
    fn wait(&mut self, site: &mut Site<'_>) -> Handled;

    /// Emulates SFENCE.VMA on the shadow trees.
    fn fence(
        &mut self,
        site: &mut Site<'_>,
        address: Register,
        asid: Register,
    ) -> Result<Handled, HostError>;

    /// Lets the guest's own supervisor mode take an exception.
    fn reflect(&mut self, meter: &mut Meter<'_>, cause: u64, value: u64);

    /// Deals with an instruction that is illegal to the hart.
    fn handle_illegal(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Handled, HostError> {
        let supervisor = self.life().guest.privilege == Privilege::Supervisor;
        let emulated = match sensitive(record.value as u32) {
            Some(Sensitive::Csr(access)) => {
                self.access_csr(site, access).then_some(Handled::Resume(ExitReason::CsrAccess))
            }
            Some(Sensitive::SupervisorReturn) if supervisor => Some(self.return_from_trap(site)),
            Some(Sensitive::WaitForInterrupt) if supervisor => Some(self.wait(site)),
            Some(Sensitive::AddressFence { address, asid }) if supervisor => {
                Some(self.fence(site, address, asid)?)
            }
            _ => None,
        };
        let Some(handled) = emulated else {
            self.reflect(&mut site.meter(), record.cause, record.value);
            return Ok(Handled::Resume(ExitReason::IllegalInstruction));
        };
        site.counters.emulated_instructions += 1;
        Ok(handled)
    }
}
