//! Traps: what raises them, and what is told of them.
//!
//! Privileged architecture, "Machine Cause Register"; hypervisor extension, "Trap Cause Codes".

use crate::hart::Privilege;
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
    /// ECALL in VS mode.
    EcallFromVirtualSupervisor = 10,
    /// ECALL in machine mode.
    EcallFromMachine = 11,
    /// A fetch that translation refused.
    InstructionPageFault = 12,
    /// A load that translation refused.
    LoadPageFault = 13,
    /// A store or atomic operation that translation refused.
    StorePageFault = 15,
    /// A fetch that the second stage of translation refused.
    InstructionGuestPageFault = 20,
    /// A load that the second stage of translation refused.
    LoadGuestPageFault = 21,
    /// An instruction that HS mode could execute, but not the guest.
    VirtualInstruction = 22,
    /// A store or atomic operation that the second stage of translation refused.
    StoreGuestPageFault = 23,
}

impl Exception {
    /// All exceptions, by code.
    pub const ALL: [Self; 19] = [
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
        Self::EcallFromVirtualSupervisor,
        Self::EcallFromMachine,
        Self::InstructionPageFault,
        Self::LoadPageFault,
        Self::StorePageFault,
        Self::InstructionGuestPageFault,
        Self::LoadGuestPageFault,
        Self::VirtualInstruction,
        Self::StoreGuestPageFault,
    ];

    /// The code in `mcause`.
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// The exception that ECALL raises at this privilege, outside VS mode.
    pub const fn ecall_from(privilege: Privilege) -> Self {
        match privilege {
            Privilege::User => Self::EcallFromUser,
            Privilege::Supervisor => Self::EcallFromSupervisor,
            Privilege::Machine => Self::EcallFromMachine,
        }
    }
}

/// An exception with what goes to the trap registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trap {
    /// What happened.
    pub cause: Exception,
    /// The faulting address, the bits of the illegal instruction, or 0.
    pub value: u64,
    /// Of a guest-page fault, the guest physical address shifted right by two: the value of
    /// `htval` or `mtval2`.
    pub guest_value: u64,
    /// Of a guest-page fault that an access to a guest's page tables met, the pseudoinstruction
    /// for that access: the value of `htinst` or `mtinst`.
    pub guest_instruction: u64,
    /// The access was one that HS mode made to a guest's memory, so the value is a guest's address.
    pub is_guest_access: bool,
}

impl Trap {
    /// An exception with its value.
    pub const fn new(cause: Exception, value: u64) -> Self {
        Self { cause, value, guest_value: 0, guest_instruction: 0, is_guest_access: false }
    }

    /// An illegal-instruction exception whose instruction bits are not known here: the engine adds
    /// them with [`Trap::with_instruction`].
    pub const ILLEGAL: Self = Self::new(Exception::IllegalInstruction, 0);

    /// The same for a virtual-instruction exception.
    pub const VIRTUAL: Self = Self::new(Exception::VirtualInstruction, 0);

    /// The trap with the bits of the instruction as its value, if it is an illegal or virtual
    /// instruction.
    #[must_use]
    pub const fn with_instruction(self, bits: u32) -> Self {
        match self.cause {
            Exception::IllegalInstruction | Exception::VirtualInstruction => {
                Self::new(self.cause, bits as u64)
            }
            _ => self,
        }
    }

    /// The trap as one of an access that HS mode made to a guest's memory.
    #[must_use]
    pub(crate) const fn as_guest_access(self) -> Self {
        Self { is_guest_access: true, ..self }
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
    /// That mode was a guest's: VS or VU. What more the trap registers say of a guest (`htval`,
    /// `htinst`, and so on) can be read there.
    pub from_virtual: bool,
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
