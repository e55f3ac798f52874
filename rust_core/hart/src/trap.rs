//! Traps: what raises them, how they are entered and left.
//!
//! Privileged architecture, "Machine Cause Register", "Machine Trap Delegation Registers",
//! "Privilege and Global Interrupt-Enable Stack in mstatus register", "Trap-Return Instructions".

use crate::csr::fields::{interrupt, status};
use crate::hart::{Hart, Privilege};
use crate::interrupt::Interrupt;
use dcsim_memory::StoreFull;

/// Synchronous exceptions; the numbers are the codes of `mcause`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Exception {
    /// A jump to an address that is not a multiple of the instruction alignment.
    InstructionMisaligned = 0,
    /// A fetch that physical memory protection or the bus refused.
    InstructionAccessFault = 1,
    /// An instruction that does not exist, or not for this privilege.
    IllegalInstruction = 2,
    /// EBREAK.
    Breakpoint = 3,
    /// A misaligned load-reserved.
    LoadMisaligned = 4,
    /// A load that physical memory protection or the bus refused.
    LoadAccessFault = 5,
    /// A misaligned store-conditional or atomic operation.
    StoreMisaligned = 6,
    /// A store or atomic operation that physical memory protection or the bus refused.
    StoreAccessFault = 7,
    /// ECALL in user mode.
    EcallFromUser = 8,
    /// ECALL in supervisor mode.
    EcallFromSupervisor = 9,
    /// ECALL in machine mode.
    EcallFromMachine = 11,
    /// A fetch that translation refused.
    InstructionPageFault = 12,
    /// A load that translation refused.
    LoadPageFault = 13,
    /// A store or atomic operation that translation refused.
    StorePageFault = 15,
}

impl Exception {
    /// All exceptions, by code.
    pub const ALL: [Self; 14] = [
        Self::InstructionMisaligned,
        Self::InstructionAccessFault,
        Self::IllegalInstruction,
        Self::Breakpoint,
        Self::LoadMisaligned,
        Self::LoadAccessFault,
        Self::StoreMisaligned,
        Self::StoreAccessFault,
        Self::EcallFromUser,
        Self::EcallFromSupervisor,
        Self::EcallFromMachine,
        Self::InstructionPageFault,
        Self::LoadPageFault,
        Self::StorePageFault,
    ];

    /// The code in `mcause`.
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// The exception that ECALL raises at this privilege.
    pub const fn ecall_from(privilege: Privilege) -> Self {
        match privilege {
            Privilege::User => Self::EcallFromUser,
            Privilege::Supervisor => Self::EcallFromSupervisor,
            Privilege::Machine => Self::EcallFromMachine,
        }
    }
}

/// An exception with the value that goes to `mtval` or `stval`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trap {
    /// What happened.
    pub cause: Exception,
    /// The faulting address, the bits of the illegal instruction, or 0.
    pub value: u64,
}

impl Trap {
    /// An exception with its value.
    pub const fn new(cause: Exception, value: u64) -> Self {
        Self { cause, value }
    }

    /// An illegal-instruction exception whose instruction bits are not known here: the engine adds
    /// them with [`Trap::with_instruction`].
    pub const ILLEGAL: Self = Self::new(Exception::IllegalInstruction, 0);

    /// The trap with the bits of the instruction as its value, if it is an illegal instruction.
    #[must_use]
    pub const fn with_instruction(self, bits: u32) -> Self {
        match self.cause {
            Exception::IllegalInstruction => Self::new(self.cause, bits as u64),
            _ => self,
        }
    }
}

/// Why an instruction did not complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Abort {
    /// It raised an exception.
    Trap(Trap),
    /// The page store has no room. The instruction changed no architectural state; after its
    /// class cycles are taken back it can be executed again, and the cost is then the same as if
    /// there had been room at once. What it has been charged for (walks) may have taken the clock
    /// past the end of the run or to an interrupt, so it goes on before those are looked at.
    StoreFull,
}

impl From<Trap> for Abort {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

impl From<StoreFull> for Abort {
    fn from(_: StoreFull) -> Self {
        Self::StoreFull
    }
}

/// A trap that was taken, as the mode that handles it sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TrapRecord {
    /// The mode that handles the trap.
    pub to: Privilege,
    /// The mode that the trap was taken from.
    pub from: Privilege,
    /// The value of the cause register, interrupt bit included.
    pub cause: u64,
    /// The value of the trap-value register.
    pub value: u64,
    /// The address of the interrupted or trapping instruction.
    pub pc: u64,
}

/// Where execution goes on after a trap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrapOutcome {
    /// At the trap vector: `pc` holds it.
    Vectored,
    /// In Rust code that plays the handling mode.
    Hosted(TrapRecord),
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// The next instruction would start at or after the given cycle.
    Deadline,
    /// A trap into a hosted mode.
    Trap(TrapRecord),
    /// WFI with nothing pending. The clock has not moved on: the caller sets it to the wake-up.
    WaitForInterrupt,
    /// A device asked to stop after this instruction.
    Bus,
    /// The page store has no room for a page that the next instruction needs.
    StoreFull,
}

/// What WFI does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// An interrupt is pending: go on with the next instruction.
    Proceed,
    /// Nothing is pending: the hart is idle. The instruction has completed.
    Idle,
}

impl Hart {
    /// Takes an exception of the instruction at `pc`: all that the architecture does on trap
    /// entry, and its hardware latency.
    pub fn take_trap(&mut self, trap: Trap) -> TrapOutcome {
        self.counters.exceptions += 1;
        let delegated = self.csrs.medeleg >> trap.cause.code() & 1 != 0;
        self.enter_trap(trap.cause.code(), trap.value, delegated)
    }

    /// Takes an interrupt before the instruction at `pc`.
    pub fn take_interrupt(&mut self, interrupt: Interrupt) -> TrapOutcome {
        self.counters.interrupts += 1;
        let delegated = self.csrs.mideleg & interrupt.bit() != 0;
        self.enter_trap(interrupt.cause(), 0, delegated)
    }

    fn enter_trap(&mut self, cause: u64, value: u64, delegated: bool) -> TrapOutcome {
        let from = self.privilege;
        let to = if delegated && from != Privilege::Machine {
            Privilege::Supervisor
        } else {
            Privilege::Machine
        };
        let record = TrapRecord { to, from, cause, value, pc: self.pc };
        self.pc = match to {
            Privilege::Machine => self.enter_machine(&record),
            _ => self.enter_supervisor(&record),
        };
        self.reservation = None;
        self.has_begun = false;
        self.charge_transition(self.timing.trap_cycles);
        self.set_privilege(to);
        if self.hosted.contains(to) { TrapOutcome::Hosted(record) } else { TrapOutcome::Vectored }
    }

    /// Fills the machine-level trap registers; returns the address of the handler.
    fn enter_machine(&mut self, record: &TrapRecord) -> u64 {
        let csrs = &mut self.csrs;
        csrs.mepc = record.pc;
        csrs.mcause = record.cause;
        csrs.mtval = record.value;
        let enabled = csrs.mstatus & status::MIE != 0;
        csrs.mstatus &= !(status::MIE | status::MPIE | status::MPP);
        csrs.mstatus |= record.from.code() << status::MPP_SHIFT;
        csrs.mstatus |= if enabled { status::MPIE } else { 0 };
        vector(csrs.mtvec, record.cause)
    }

    /// Fills the supervisor-level trap registers; returns the address of the handler.
    fn enter_supervisor(&mut self, record: &TrapRecord) -> u64 {
        let csrs = &mut self.csrs;
        csrs.sepc = record.pc;
        csrs.scause = record.cause;
        csrs.stval = record.value;
        let enabled = csrs.mstatus & status::SIE != 0;
        let from_supervisor = record.from == Privilege::Supervisor;
        csrs.mstatus &= !(status::SIE | status::SPIE | status::SPP);
        csrs.mstatus |= if enabled { status::SPIE } else { 0 };
        csrs.mstatus |= if from_supervisor { status::SPP } else { 0 };
        vector(csrs.stvec, record.cause)
    }

    /// MRET as an instruction.
    pub fn mret(&mut self) -> Result<(), Trap> {
        if self.privilege != Privilege::Machine {
            return Err(Trap::ILLEGAL);
        }
        let before = self.csrs.mstatus;
        let to = status::previous_machine_privilege(before);
        self.csrs.mstatus &= !(status::MIE | status::MPP);
        self.csrs.mstatus |= status::MPIE;
        self.csrs.mstatus |= if before & status::MPIE != 0 { status::MIE } else { 0 };
        self.finish_return(to, self.csrs.mepc);
        Ok(())
    }

    /// SRET as an instruction.
    pub fn sret(&mut self) -> Result<(), Trap> {
        let trapped = self.csrs.mstatus & status::TSR != 0;
        match self.privilege {
            Privilege::User => return Err(Trap::ILLEGAL),
            Privilege::Supervisor if trapped => return Err(Trap::ILLEGAL),
            _ => {}
        }
        let before = self.csrs.mstatus;
        let to = status::previous_supervisor_privilege(before);
        self.csrs.mstatus &= !(status::SIE | status::SPP);
        self.csrs.mstatus |= status::SPIE;
        self.csrs.mstatus |= if before & status::SPIE != 0 { status::SIE } else { 0 };
        self.finish_return(to, self.csrs.sepc);
        Ok(())
    }

    fn finish_return(&mut self, to: Privilege, pc: u64) {
        if to != Privilege::Machine {
            self.csrs.mstatus &= !status::MPRV;
        }
        self.pc = pc;
        self.counters.returns += 1;
        self.charge_transition(self.timing.return_cycles);
        self.set_privilege(to);
    }

    /// WFI as an instruction.
    pub fn wfi(&mut self) -> Result<Wait, Trap> {
        let trapped = self.csrs.mstatus & status::TW != 0;
        match self.privilege {
            Privilege::User => Err(Trap::ILLEGAL),
            Privilege::Supervisor if trapped => Err(Trap::ILLEGAL),
            _ if self.is_wakeup_pending() => Ok(Wait::Proceed),
            _ => Ok(Wait::Idle),
        }
    }

    fn charge_transition(&mut self, cycles: u64) {
        self.clock.cycles += cycles;
        self.counters.transition_cycles += cycles;
    }
}

/// The address of the handler: the base, or in vectored mode for interrupts the entry of the cause.
fn vector(tvec: u64, cause: u64) -> u64 {
    let base = tvec & !3;
    let vectored = tvec & 3 == 1 && cause & interrupt::CAUSE != 0;
    if vectored { base.wrapping_add(4 * (cause & !interrupt::CAUSE)) } else { base }
}
