//! What each primitive of a handler costs, in instructions of the hart's own profile.

use dcsim_hart::{InstructionClass as Class, Timing};

/// Integer registers that a handler saves and restores: all but the zero register.
const SAVED_REGISTERS: u64 = 31;
/// Floating-point registers and `fcsr`.
const SAVED_FLOAT_REGISTERS: u64 = 32;
/// Doublewords of a page.
const PAGE_WORDS: u64 = 512;
/// Stores between two branches of a loop that clears a page.
const CLEAR_UNROLL: u64 = 8;

/// A unit of work of handlers and of host software.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Primitive {
    /// Trap entry: the hardware's latency.
    Trap,
    /// Return from a trap: the instruction and the hardware's latency.
    Return,
    /// Free a register through the scratch register and save the integer registers.
    SaveRegisters,
    /// Restore the integer registers.
    RestoreRegisters,
    /// Save the floating-point registers.
    SaveFloat,
    /// Restore the floating-point registers.
    RestoreFloat,
    /// Read a control and status register.
    CsrRead,
    /// Write a control and status register.
    CsrWrite,
    /// Load a value.
    Load,
    /// Store a value.
    Store,
    /// One probe of a look-up in a table or list: load, compare, branch.
    Lookup,
    /// A simple integer instruction.
    Alu,
    /// A translation fence.
    TlbFlush,
    /// Clear a page.
    ClearPage,
}

impl Primitive {
    /// All primitives with their names.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Trap, "trap"),
        (Self::Return, "return"),
        (Self::SaveRegisters, "save_registers"),
        (Self::RestoreRegisters, "restore_registers"),
        (Self::SaveFloat, "save_float"),
        (Self::RestoreFloat, "restore_float"),
        (Self::CsrRead, "csr_read"),
        (Self::CsrWrite, "csr_write"),
        (Self::Load, "load"),
        (Self::Store, "store"),
        (Self::Lookup, "lookup"),
        (Self::Alu, "alu"),
        (Self::TlbFlush, "tlb_flush"),
        (Self::ClearPage, "clear_page"),
    ];

    /// The primitive with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(primitive, _)| primitive)
    }

    /// The instructions that it takes, by class.
    pub const fn instructions(self) -> &'static [(Class, u64)] {
        match self {
            Self::Trap => &[],
            Self::Return => &[(Class::System, 1)],
            Self::SaveRegisters => &[(Class::Csr, 1), (Class::Store, SAVED_REGISTERS)],
            Self::RestoreRegisters => &[(Class::Csr, 1), (Class::Load, SAVED_REGISTERS)],
            Self::SaveFloat => &[(Class::Csr, 1), (Class::Store, SAVED_FLOAT_REGISTERS)],
            Self::RestoreFloat => &[(Class::Csr, 1), (Class::Load, SAVED_FLOAT_REGISTERS)],
            Self::CsrRead | Self::CsrWrite => &[(Class::Csr, 1)],
            Self::Load => &[(Class::Load, 1)],
            Self::Store => &[(Class::Store, 1)],
            Self::Lookup => &[(Class::Load, 1), (Class::Alu, 1), (Class::Branch, 1)],
            Self::Alu => &[(Class::Alu, 1)],
            Self::TlbFlush => &[(Class::Fence, 1)],
            Self::ClearPage => &[
                (Class::Store, PAGE_WORDS),
                (Class::Alu, PAGE_WORDS / CLEAR_UNROLL),
                (Class::Branch, PAGE_WORDS / CLEAR_UNROLL),
            ],
        }
    }

    /// What it does, and so why it takes these instructions.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Trap => "the hardware's latency alone",
            Self::Return => "the instruction, beside the hardware's latency",
            Self::SaveRegisters => "free a register through the scratch register, save all but x0",
            Self::RestoreRegisters => "all but x0, the last through the scratch register",
            Self::SaveFloat | Self::RestoreFloat => "the floating-point registers and fcsr",
            Self::CsrRead | Self::CsrWrite => "one access to a control and status register",
            Self::Load | Self::Store => "one for each value, or field of a handler's own state",
            Self::Lookup => "one probe of a table or list: load, compare, branch",
            Self::Alu => "a simple instruction",
            Self::TlbFlush => "a translation fence",
            Self::ClearPage => "a store for each doubleword, eight of them a round of the loop",
        }
    }

    /// What it costs on a hart of this kind.
    pub fn cycles(self, timing: &Timing) -> u64 {
        let latency = match self {
            Self::Trap => timing.trap_cycles,
            Self::Return => timing.return_cycles,
            _ => 0,
        };
        let cost =
            |&(class, count): &(Class, u64)| u64::from(timing.class_cycles[class as usize]) * count;
        latency + self.instructions().iter().map(cost).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_name_their_primitives() {
        for (primitive, name) in Primitive::ALL {
            assert_eq!(Primitive::from_name(name), Some(primitive));
        }
        assert_eq!(Primitive::from_name("magic"), None);
    }

    #[test]
    fn costs_follow_the_profile() {
        let mut timing = Timing::uniform();
        assert_eq!(Primitive::SaveRegisters.cycles(&timing), 32);
        assert_eq!(Primitive::Trap.cycles(&timing), 0);
        timing.trap_cycles = 20;
        timing.return_cycles = 10;
        timing.class_cycles[Class::Store as usize] = 3;
        assert_eq!(Primitive::SaveRegisters.cycles(&timing), 1 + 31 * 3);
        assert_eq!(Primitive::ClearPage.cycles(&timing), 512 * 3 + 64 * 2);
        assert_eq!(Primitive::Trap.cycles(&timing), 20);
        assert_eq!(Primitive::Return.cycles(&timing), 11);
    }
}
