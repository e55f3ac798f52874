//! Under what a hostile kernel runs: every technique that has a monitor, with every way of paging on
//! every hardware that it works on, taken from the monitor's own tables.

use dcsim_hart::{IsaProfile, Missing, SecondStage};
use dcsim_machine::test_utils::telling_costs;
use dcsim_monitor::{ExitReason, HardwareProfile, PagingKind, TechniqueKind};
use std::fmt;

/// A technique, a way of paging and an instruction set.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Cell {
    /// How guests are run.
    pub technique: TechniqueKind,
    /// How their addresses are translated.
    pub paging: PagingKind,
    /// The host's instruction set.
    pub isa: IsaProfile,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { technique, paging, isa } = self;
        write!(formatter, "{}/{}/{}", technique.name(), paging.name(), isa.name())
    }
}

impl Cell {
    /// All that there are.
    pub fn all() -> Vec<Self> {
        IsaProfile::ALL.into_iter().flat_map(Self::on).collect()
    }

    /// Those on hardware with an instruction set.
    pub fn on(isa: IsaProfile) -> Vec<Self> {
        // Who owns the machine has no neighbour, and nobody to break out of.
        let works = |technique: &TechniqueKind| {
            *technique != TechniqueKind::BareMetal && technique.check_isa(isa).is_ok()
        };
        let of = |technique: TechniqueKind| {
            technique.pagings().iter().map(move |paging| Self { technique, paging: *paging, isa })
        };
        TechniqueKind::ALL.into_iter().filter(works).flat_map(of).collect()
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|cell| cell.to_string() == name)
    }

    /// Hardware on which everything costs something.
    pub fn hardware(self) -> HardwareProfile {
        HardwareProfile {
            isa: self.isa,
            missing: Missing::NONE,
            second_stage: SecondStage::Full,
            timing: telling_costs(),
            numa: None,
        }
    }

    /// Whether guests have several vCPUs here.
    pub fn runs_several(self) -> bool {
        self.technique.runs_several_vcpus(self.paging)
    }

    /// The reasons for which a guest leaves here, all of which a kernel that tries everything meets.
    pub fn reasons(self) -> Vec<ExitReason> {
        let mut reasons = vec![ExitReason::VcpuLoad, ExitReason::FirmwareCall];
        reasons.extend(of_technique(self.technique));
        reasons.extend(of_paging(self.paging));
        if self.runs_several() {
            reasons.extend([ExitReason::InterprocessorInterrupt, ExitReason::RemoteFence]);
        }
        if self.technique == TechniqueKind::Paravirtual && self.isa.drops_writes() {
            reasons.extend(OF_USER_MODE);
        }
        if self.technique == TechniqueKind::TrapAndEmulate && self.isa.drops_writes() {
            // A fence without privilege does nothing there, not even trap.
            reasons.retain(|reason| *reason != ExitReason::AddressFence);
        }
        reasons
    }
}

/// Registers of devices, for all who have a monitor.
const DEVICES: [ExitReason; 5] = [
    ExitReason::MmioInterrupt,
    ExitReason::MmioConsole,
    ExitReason::MmioVirtio,
    ExitReason::MmioNotify,
    ExitReason::MmioOther,
];

/// What a paravirtual kernel in user mode leaves to its monitor beside its calls.
const OF_USER_MODE: [ExitReason; 5] = [
    ExitReason::HypercallReturn,
    ExitReason::SystemCall,
    ExitReason::GuestPageFault,
    ExitReason::IllegalInstruction,
    ExitReason::Timer,
];

/// What a kernel without its privileges leaves to a monitor that emulates these.
const EMULATED: [ExitReason; 7] = [
    ExitReason::CsrAccess,
    ExitReason::SupervisorReturn,
    ExitReason::AddressFence,
    ExitReason::WaitForInterrupt,
    ExitReason::ExternalInterrupt,
    ExitReason::IllegalInstruction,
    ExitReason::OtherException,
];

fn of_technique(technique: TechniqueKind) -> Vec<ExitReason> {
    use ExitReason as Reason;
    let own: &[Reason] = match technique {
        // A program without a kernel is none of these guests.
        TechniqueKind::BareMetal | TechniqueKind::Process => return Vec::new(),
        TechniqueKind::TrapAndEmulate => &[Reason::SystemCall, Reason::Timer],
        TechniqueKind::BinaryTranslation => &[
            Reason::SystemCall,
            Reason::Timer,
            Reason::Translation,
            Reason::TranslationMap,
            Reason::CodeWrite,
            Reason::FloatWindow,
        ],
        TechniqueKind::FourRings => &[],
        TechniqueKind::HardwareAssisted => &[Reason::WaitForInterrupt, Reason::ExternalInterrupt],
        TechniqueKind::Paravirtual => &[
            Reason::ExternalInterrupt,
            Reason::WindowFill,
            Reason::HypercallApply,
            Reason::HypercallSwitch,
            Reason::HypercallWait,
            Reason::HypercallNotify,
            Reason::HypercallOther,
            Reason::OtherException,
        ],
    };
    let emulates = matches!(
        technique,
        TechniqueKind::TrapAndEmulate | TechniqueKind::BinaryTranslation | TechniqueKind::FourRings
    );
    let emulated = EMULATED.into_iter().filter(|_| emulates);
    own.iter().copied().chain(emulated).chain(DEVICES).collect()
}

fn of_paging(paging: PagingKind) -> &'static [ExitReason] {
    use ExitReason as Reason;
    match paging {
        PagingKind::None | PagingKind::Direct => &[],
        PagingKind::ShadowTlb => &[Reason::ShadowFill, Reason::GuestPageFault],
        PagingKind::ShadowTraced => {
            &[Reason::ShadowFill, Reason::GuestPageFault, Reason::TracedWrite]
        }
        PagingKind::Nested => &[Reason::SecondStageFill],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_is_there_with_each_of_its_pagings() {
        let all = Cell::all();
        let monitored = |technique: &TechniqueKind| *technique != TechniqueKind::BareMetal;
        for technique in TechniqueKind::ALL.into_iter().filter(monitored) {
            for paging in technique.pagings() {
                let is = |cell: &&Cell| (cell.technique, cell.paging) == (technique, *paging);
                assert!(all.iter().any(|cell| is(&cell)), "{technique:?} with {paging:?}");
            }
        }
        for cell in all {
            assert_eq!(Cell::named(&cell.to_string()), Some(cell));
        }
    }
}
