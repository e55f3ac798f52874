//! From mode to mode: how traps are entered and left, and waiting.
//!
//! Privileged architecture, "Machine Trap Delegation Registers", "Privilege and Global
//! Interrupt-Enable Stack in mstatus register", "Trap-Return Instructions"; hypervisor extension,
//! "Trap Entry" and "Trap Return".

use crate::csr::fields::{hypervisor_status, interrupt, status};
use crate::hart::{Hart, Privilege};
use crate::interrupt::Interrupt;
use crate::mode::Mode;
use crate::timing::Timing;
use crate::trap::{Exception, Trap, TrapOutcome, TrapRecord, Wait};

/// The mode that handles a trap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Handler {
    Machine,
    /// HS, or S without the hypervisor extension.
    Supervisor,
    /// VS.
    Guest,
}

impl Handler {
    fn mode(self) -> Mode {
        match self {
            Self::Machine => Mode::host(Privilege::Machine),
            Self::Supervisor => Mode::HOST_SUPERVISOR,
            Self::Guest => Mode::new(Privilege::Supervisor, true),
        }
    }
}

/// What trap registers are filled with besides what is in the record.
#[derive(Clone, Copy, Debug, Default)]
struct Detail {
    guest_value: u64,
    guest_instruction: u64,
    /// The trap value is a guest's virtual address.
    is_guest_address: bool,
}

impl Hart {
    /// Takes an exception of the instruction at `pc`: all that the architecture does on trap
    /// entry, and its hardware latency.
    pub fn take_trap(&mut self, trap: Trap) -> TrapOutcome {
        self.counters.exceptions += 1;
        let cause = trap.cause.code();
        let is_set = |delegation: u64| delegation >> cause & 1 != 0;
        let handler = self.handler(is_set(self.csrs.medeleg), is_set(self.csrs.hedeleg));
        let detail = Detail {
            guest_value: trap.guest_value,
            guest_instruction: trap.guest_instruction,
            is_guest_address: self.has_hypervisor() && self.has_guest_address(&trap),
        };
        self.enter_trap(handler, cause, trap.value, detail)
    }

    /// Takes an interrupt before the instruction at `pc`.
    pub fn take_interrupt(&mut self, interrupt: Interrupt) -> TrapOutcome {
        self.counters.interrupts += 1;
        let is_set = |delegation: u64| delegation & interrupt.bit() != 0;
        let handler = self.handler(is_set(self.csrs.mideleg), is_set(self.csrs.hideleg));
        let cause = match handler {
            Handler::Guest => interrupt.cause_in_guest(),
            Handler::Machine | Handler::Supervisor => interrupt.cause(),
        };
        self.enter_trap(handler, cause, 0, Detail::default())
    }

    fn handler(&self, delegated: bool, further: bool) -> Handler {
        if !delegated || self.privilege == Privilege::Machine {
            Handler::Machine
        } else if self.virtualised && further {
            Handler::Guest
        } else {
            Handler::Supervisor
        }
    }

    /// Whether the trap value of this exception is a guest's virtual address.
    fn has_guest_address(&self, trap: &Trap) -> bool {
        match trap.cause {
            Exception::InstructionMisaligned
            | Exception::InstructionAccessFault
            | Exception::Breakpoint
            | Exception::InstructionPageFault
            | Exception::InstructionGuestPageFault => self.virtualised,
            Exception::LoadMisaligned
            | Exception::LoadAccessFault
            | Exception::StoreMisaligned
            | Exception::StoreAccessFault
            | Exception::LoadPageFault
            | Exception::StorePageFault
            | Exception::LoadGuestPageFault
            | Exception::StoreGuestPageFault => {
                trap.is_guest_access || self.data_mode().virtualised
            }
            _ => false,
        }
    }

    fn enter_trap(
        &mut self,
        handler: Handler,
        cause: u64,
        value: u64,
        detail: Detail,
    ) -> TrapOutcome {
        self.settle_float_status();
        let to = handler.mode();
        let (from, from_virtual) = (self.privilege, self.virtualised);
        let record = TrapRecord { to: to.privilege, from, from_virtual, cause, value, pc: self.pc };
        self.pc = match handler {
            Handler::Machine => self.enter_machine(&record, detail),
            Handler::Supervisor => self.enter_supervisor(&record, detail),
            Handler::Guest => self.enter_guest(&record),
        };
        self.reservation = None;
        self.has_begun = false;
        let leaves_guest = from_virtual != to.virtualised;
        let Timing { trap_cycles, world_switch_cycles, .. } = self.timing;
        self.charge_transition(if leaves_guest { world_switch_cycles } else { trap_cycles });
        self.set_mode(to.privilege, to.virtualised);
        self.lend_float_status();
        let is_hosted = handler != Handler::Guest && self.hosted.contains(to.privilege);
        if is_hosted { TrapOutcome::Hosted(record) } else { TrapOutcome::Vectored }
    }

    /// Fills the machine-level trap registers; returns the address of the handler.
    fn enter_machine(&mut self, record: &TrapRecord, detail: Detail) -> u64 {
        let csrs = &mut self.csrs;
        csrs.mepc = record.pc;
        csrs.mcause = record.cause;
        csrs.mtval = record.value;
        csrs.mtval2 = detail.guest_value;
        csrs.mtinst = detail.guest_instruction;
        let enabled = csrs.mstatus & status::MIE != 0;
        csrs.mstatus &= !(status::MIE | status::MPIE | status::MPP | status::HYPERVISOR);
        csrs.mstatus |= record.from.code() << status::MPP_SHIFT;
        csrs.mstatus |= if enabled { status::MPIE } else { 0 };
        csrs.mstatus |= if record.from_virtual { status::MPV } else { 0 };
        csrs.mstatus |= if detail.is_guest_address { status::GVA } else { 0 };
        vector(csrs.mtvec, record.cause)
    }

    /// Fills the supervisor-level trap registers; returns the address of the handler.
    fn enter_supervisor(&mut self, record: &TrapRecord, detail: Detail) -> u64 {
        let csrs = &mut self.csrs;
        csrs.sepc = record.pc;
        csrs.scause = record.cause;
        csrs.stval = record.value;
        csrs.htval = detail.guest_value;
        csrs.htinst = detail.guest_instruction;
        stack_status(&mut csrs.mstatus, record.from);
        csrs.hstatus &= !(hypervisor_status::SPV | hypervisor_status::GVA);
        csrs.hstatus |= if detail.is_guest_address { hypervisor_status::GVA } else { 0 };
        if record.from_virtual {
            let from_supervisor = record.from == Privilege::Supervisor;
            csrs.hstatus = csrs.hstatus & !hypervisor_status::SPVP | hypervisor_status::SPV;
            csrs.hstatus |= if from_supervisor { hypervisor_status::SPVP } else { 0 };
        }
        vector(csrs.stvec, record.cause)
    }

    /// Fills the trap registers of VS level; returns the address of the handler.
    fn enter_guest(&mut self, record: &TrapRecord) -> u64 {
        let csrs = &mut self.csrs;
        csrs.vsepc = record.pc;
        csrs.vscause = record.cause;
        csrs.vstval = record.value;
        stack_status(&mut csrs.vsstatus, record.from);
        vector(csrs.vstvec, record.cause)
    }

    /// MRET as an instruction.
    pub fn mret(&mut self) -> Result<(), Trap> {
        if self.privilege != Privilege::Machine {
            return Err(Trap::ILLEGAL);
        }
        let before = self.csrs.mstatus;
        let to = status::previous_machine_privilege(before);
        self.csrs.mstatus &= !(status::MIE | status::MPP | status::MPV);
        self.csrs.mstatus |= status::MPIE;
        self.csrs.mstatus |= if before & status::MPIE != 0 { status::MIE } else { 0 };
        self.finish_return(Mode::new(to, before & status::MPV != 0), self.csrs.mepc);
        Ok(())
    }

    /// SRET as an instruction.
    pub fn sret(&mut self) -> Result<(), Trap> {
        self.check_supervisor(status::TSR, hypervisor_status::VTSR)?;
        self.settle_float_status();
        let (to, pc) = if self.virtualised {
            let privilege = unstack_status(&mut self.csrs.vsstatus);
            (Mode::new(privilege, true), self.csrs.vsepc)
        } else {
            let privilege = unstack_status(&mut self.csrs.mstatus);
            let into_guest = self.csrs.hstatus & hypervisor_status::SPV != 0;
            self.csrs.hstatus &= !hypervisor_status::SPV;
            (Mode::new(privilege, into_guest), self.csrs.sepc)
        };
        self.finish_return(to, pc);
        Ok(())
    }

    fn finish_return(&mut self, to: Mode, pc: u64) {
        if to.privilege != Privilege::Machine {
            self.csrs.mstatus &= !status::MPRV;
        }
        self.pc = pc;
        self.counters.returns += 1;
        let enters_guest = to.virtualised != self.virtualised;
        let Timing { return_cycles, world_return_cycles, .. } = self.timing;
        self.charge_transition(if enters_guest { world_return_cycles } else { return_cycles });
        self.set_mode(to.privilege, to.virtualised);
        self.lend_float_status();
    }

    /// WFI as an instruction.
    pub fn wfi(&mut self) -> Result<Wait, Trap> {
        if self.privilege != Privilege::Machine && self.csrs.mstatus & status::TW != 0 {
            return Err(Trap::ILLEGAL);
        }
        self.check_supervisor(0, hypervisor_status::VTW)?;
        Ok(if self.is_wakeup_pending() { Wait::Proceed } else { Wait::Idle })
    }

    /// Whether an instruction of supervisor mode may execute, given the bits of `mstatus` and
    /// `hstatus` that have it trap in HS and in VS mode.
    pub(crate) fn check_supervisor(&self, host_trap: u64, guest_trap: u64) -> Result<(), Trap> {
        let (host_traps, guest_traps) =
            (self.csrs.mstatus & host_trap != 0, self.csrs.hstatus & guest_trap != 0);
        match (self.privilege, self.virtualised) {
            (Privilege::User, true) => Err(Trap::VIRTUAL),
            (Privilege::User, false) => Err(Trap::ILLEGAL),
            (Privilege::Supervisor, true) if guest_traps => Err(Trap::VIRTUAL),
            (Privilege::Supervisor, false) if host_traps => Err(Trap::ILLEGAL),
            _ => Ok(()),
        }
    }

    fn charge_transition(&mut self, cycles: u64) {
        self.clock.cycles += cycles;
        self.counters.transition_cycles += cycles;
    }
}

/// Trap entry in a status register: the fields of supervisor level.
fn stack_status(register: &mut u64, from: Privilege) {
    let enabled = *register & status::SIE != 0;
    *register &= !(status::SIE | status::SPIE | status::SPP);
    *register |= if enabled { status::SPIE } else { 0 };
    *register |= if from == Privilege::Supervisor { status::SPP } else { 0 };
}

/// Trap return in a status register; gives the privilege to return to.
fn unstack_status(register: &mut u64) -> Privilege {
    let before = *register;
    *register &= !(status::SIE | status::SPP);
    *register |= status::SPIE;
    *register |= if before & status::SPIE != 0 { status::SIE } else { 0 };
    status::previous_supervisor_privilege(before)
}

/// The address of the handler: the base, or in vectored mode for interrupts the entry of the cause.
fn vector(tvec: u64, cause: u64) -> u64 {
    let base = tvec & !3;
    let vectored = tvec & 3 == 1 && cause & interrupt::CAUSE != 0;
    if vectored { base.wrapping_add(4 * (cause & !interrupt::CAUSE)) } else { base }
}
