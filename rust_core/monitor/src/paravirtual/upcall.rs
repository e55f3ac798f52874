//! Kernels in user mode: handing them the traps that the hart would have given to supervisor mode,
//! and returning from these.
//!
//! What the hart would write into registers goes into the shared page, where the kernel reads it
//! without a trap. Nothing comes in between while the kernel runs: events stay in the page until it
//! takes them, or returns to a program.

use super::abi::{Reply, shared};
use super::exits::machine_status;
use super::layout::Layout;
use super::vcpu::Paravirtual;
use crate::error::HostError;
use crate::reason::ExitReason;
use crate::technique::{Handled, Site};
use dcsim_hart::csr::fields::{counter, status};
use dcsim_hart::isa::Register;
use dcsim_hart::{Exception, Interrupt, Privilege};
use dcsim_machine::firmware::csr as machine;
use dcsim_machine::firmware::sbi::SbiError;
use dcsim_memory::PhysicalAddress;

/// The counters that kernel or program may read: `mcounteren`. In supervisor mode a kernel decides
/// by itself what its programs may.
pub fn counters(layout: Layout, guest: Privilege) -> u64 {
    match (layout, guest) {
        (Layout::User, Privilege::User) => 0,
        _ => counter::CYCLE | counter::TIME,
    }
}

impl Paravirtual {
    /// Makes the kernel take a trap.
    pub(super) fn hand_over(
        &mut self,
        site: &mut Site<'_>,
        cause: u64,
        value: u64,
    ) -> Result<(), HostError> {
        let mut meter = site.meter();
        let kernel = self.life.guest.privilege == Privilege::Supervisor;
        let floats = meter.read_csr(machine::MSTATUS) & status::FS;
        let told = floats | if kernel { status::SPP } else { 0 };
        if let Some(PhysicalAddress(page)) = self.shared_frame(&mut meter)? {
            for (offset, number) in [
                (shared::CAUSE, cause),
                (shared::VALUE, value),
                (shared::COUNTER, self.life.pc),
                (shared::STATUS, told),
            ] {
                meter.store(PhysicalAddress(page + offset), number)?;
            }
            let scratch = PhysicalAddress(page + shared::SCRATCH);
            let kept = meter.load(scratch)?;
            let found = meter.read_register(Register::R31);
            meter.store(scratch, found)?;
            meter.write_register(Register::R31, kept);
        }
        self.life.guest.privilege = Privilege::Supervisor;
        self.life.pc = self.life.guest.vector;
        meter.store_state(1);
        meter.load_state(1);
        meter.write_csr(machine::MSTATUS, machine_status(status::FS, Privilege::User));
        meter.write_csr(machine::MCOUNTEREN, counters(Layout::User, Privilege::Supervisor));
        Ok(())
    }

    /// Returns to the program whose registers the guest's are, but for those in the shared page.
    pub(super) fn return_to_program(&mut self, site: &mut Site<'_>) -> Result<Reply, HostError> {
        let mut meter = site.meter();
        let page = self.shared_frame(&mut meter)?.filter(|_| self.in_user_mode());
        let Some(PhysicalAddress(page)) = page.filter(|_| self.root().is_some()) else {
            return Ok(Err(SbiError::Denied));
        };
        self.life.pc = meter.load(PhysicalAddress(page + shared::COUNTER))? & !1;
        let floats = meter.load(PhysicalAddress(page + shared::STATUS))? & status::FS;
        for (offset, register) in [(shared::X16, Register::R16), (shared::X17, Register::R17)] {
            let value = meter.load(PhysicalAddress(page + offset))?;
            meter.write_register(register, value);
        }
        self.life.guest.privilege = Privilege::User;
        meter.store_state(1);
        meter.write_csr(machine::MSTATUS, machine_status(floats, Privilege::User));
        meter.write_csr(machine::MCOUNTEREN, counters(Layout::User, Privilege::User));
        Ok(Ok(0))
    }

    /// A program does not go on before its kernel has taken the events that there are.
    pub(super) fn hand_over_events(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        let program = self.in_user_mode() && self.life.guest.privilege == Privilege::User;
        if program && self.pending_events(&mut site.meter())? != 0 {
            self.hand_over(site, Interrupt::SupervisorSoftware.cause(), 0)?;
        }
        Ok(())
    }

    /// The pCPU was interrupted. Entering the guest passes on what devices have to say.
    pub(super) fn take_interrupt(
        &mut self,
        site: &mut Site<'_>,
        cause: u64,
    ) -> Result<Handled, HostError> {
        if cause == Interrupt::SupervisorTimer.cause() {
            site.meter().write_csr(machine::STIMECMP, u64::MAX);
            self.change_shared(site, shared::PENDING, |pending| pending | shared::TIMER_EVENT)?;
            return Ok(Handled::Resume(ExitReason::Timer));
        }
        site.pcpu.bus.interrupted = false;
        site.meter().store_state(1);
        Ok(Handled::Resume(site.reason_of_interrupt()))
    }
}

/// What a trap is counted as that a kernel in user mode is handed.
pub fn reason(cause: u64) -> ExitReason {
    use Exception::{InstructionPageFault, LoadPageFault, StorePageFault};
    let is = |exception: &Exception| exception.code() == cause;
    if is(&Exception::EcallFromUser) {
        ExitReason::SystemCall
    } else if is(&Exception::IllegalInstruction) {
        ExitReason::IllegalInstruction
    } else if [InstructionPageFault, LoadPageFault, StorePageFault].iter().any(is) {
        ExitReason::GuestPageFault
    } else {
        ExitReason::OtherException
    }
}
