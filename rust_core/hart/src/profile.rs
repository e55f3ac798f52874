//! Instruction-set profiles: which machine a hart is.
//!
//! Two profiles are the processors of before hardware assistance: they have sensitive instructions
//! that do not trap without privilege, and nothing that would let a machine-level monitor keep a
//! guest kernel in supervisor mode (`mstatus.TVM`, `TW` and `TSR` are read-only 0).

use crate::isa::{Extension, INSTRUCTIONS, Row};

/// Which instruction set a hart has.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum IsaProfile {
    /// RV64GC with Zba, Zbb, Zbs, Zicntr, Sstc, Svadu, Sv39 and Sv48: meets the Popek-Goldberg
    /// condition.
    #[default]
    Rv64gc,
    /// The same with the hypervisor extension 1.0.
    Rv64gch,
    /// RV64GC on which user mode can try to write privileged state and is not told that nothing
    /// has happened: an instruction that writes `sstatus` without reading it, and SFENCE.VMA, do
    /// nothing there.
    Rv64gcLegacySilent,
    /// The same, and user mode can read `sstatus`, `satp` and `stvec`: an instruction that reads
    /// one of them does, and does not write.
    Rv64gcLegacy,
}

impl IsaProfile {
    /// All profiles.
    pub const ALL: [Self; 4] =
        [Self::Rv64gc, Self::Rv64gch, Self::Rv64gcLegacySilent, Self::Rv64gcLegacy];

    /// The profile with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The name of the profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rv64gc => "rv64gc",
            Self::Rv64gch => "rv64gch",
            Self::Rv64gcLegacySilent => "rv64gc-legacy-silent",
            Self::Rv64gcLegacy => "rv64gc-legacy",
        }
    }

    /// Whether the hypervisor extension is there.
    pub const fn has_hypervisor(self) -> bool {
        matches!(self, Self::Rv64gch)
    }

    /// Whether `mstatus.TVM`, `TW` and `TSR` exist, so that machine mode can have sensitive
    /// instructions of supervisor mode trap.
    pub const fn can_trap_supervisor(self) -> bool {
        !self.drops_writes()
    }

    /// Whether user mode's writes of privileged state are dropped where they should trap.
    pub const fn drops_writes(self) -> bool {
        matches!(self, Self::Rv64gcLegacySilent | Self::Rv64gcLegacy)
    }

    /// Whether user mode can read privileged state.
    pub const fn shows_state(self) -> bool {
        matches!(self, Self::Rv64gcLegacy)
    }

    /// The 32-bit instructions of the profile, a first part of the table.
    pub fn instructions(self) -> &'static [Row] {
        let count = INSTRUCTIONS.partition_point(|row| self.includes(row.extension));
        &INSTRUCTIONS[..count]
    }

    /// Whether the instructions of an extension are there.
    pub const fn includes(self, extension: Extension) -> bool {
        self.has_hypervisor() || !matches!(extension, Extension::H)
    }
}

/// What the second stage of address translation can do, where the hypervisor extension is there.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum SecondStage {
    /// Nothing: `hgatp.MODE` is read-only Bare, as on the first parts with hardware assistance.
    BareOnly,
    /// Sv39x4 and Sv48x4.
    #[default]
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_of_a_profile_are_the_first_of_the_table() {
        for profile in IsaProfile::ALL {
            let (own, others) = INSTRUCTIONS.split_at(profile.instructions().len());
            assert!(own.iter().all(|row| profile.includes(row.extension)));
            assert!(!others.iter().any(|row| profile.includes(row.extension)));
        }
        assert_eq!(IsaProfile::Rv64gch.instructions().len(), INSTRUCTIONS.len());
    }
}
