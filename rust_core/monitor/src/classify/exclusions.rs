//! What the classification leaves out, and why.
//!
//! Each of these would make an instruction of every RISC-V machine sensitive, though the effect
//! is one that Popek and Goldberg leave out (time), that the architecture lets an implementation
//! choose, or that software grants. Where a register field stands for it, states keep the field
//! at a fixed value or in both states of a pair the same; or its changes are not looked at.

use dcsim_hart::csr::fields::{counter, hypervisor_status, satp, status};
use serde::Serialize;

/// Something that is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Exclusion {
    /// What.
    pub name: &'static str,
    /// Why, and how.
    pub reason: &'static str,
}

/// What is left out on every hart.
const ALWAYS: &[Exclusion] = &[
    Exclusion {
        name: "counters",
        reason: "time is not part of the model: mcounteren is 0 but for TM, which stimecmp needs, \
                 and scounteren.TM is 0, so that user mode reads none",
    },
    Exclusion {
        name: "floating-point state",
        reason: "floating-point instructions make FS dirty without a trap: FS is the same in both \
                 states of a pair, and its changes are not looked at",
    },
    Exclusion {
        name: "accessed and dirty bits",
        reason: "hardware may set them or raise a page fault: they are set beforehand",
    },
    Exclusion {
        name: "failure of store-conditional",
        reason: "an implementation may let it fail at will: both states of a pair hold the same \
                 reservation, and the reservation is not looked at afterwards",
    },
    Exclusion {
        name: "memory traps",
        reason: "page and access faults and misaligned accesses are exempt: such states do not \
                 count",
    },
];

/// What else is left out on a hart with the hypervisor extension.
const WITH_HYPERVISOR: &[Exclusion] = &[
    Exclusion {
        name: "hstatus.HU",
        reason: "with it, supervisor mode grants user mode the loads and stores of guest memory: \
                 it is 0",
    },
    Exclusion {
        name: "second stage of translation",
        reason: "outside guests, loads and stores of guest memory go through vsatp alone: \
                 hgatp.MODE is Bare",
    },
];

/// What is left out of the classification of what guests do.
const OF_GUESTS: &[Exclusion] = &[
    Exclusion {
        name: "configuration",
        reason: "hedeleg, hideleg, hcounteren, henvcfg, htimedelta and hgatp are what HS mode grants: \
                 each has one value; VTVM, VTW and VTSR are 0, so that the guest's own instructions \
                 complete",
    },
    Exclusion {
        name: "registers without a replica",
        reason: "scounteren and senvcfg are exchanged when guests change: they count as the guest's",
    },
    Exclusion {
        name: "waiting",
        reason: "WFI stops the hart until an interrupt, which HS mode gets; VTW would have it trap",
    },
];

/// What is left out of the classification of what guests do, besides the rest.
pub(super) fn guest_exclusions() -> Vec<Exclusion> {
    OF_GUESTS.to_vec()
}

/// What is left out of the classification of a hart.
pub(super) fn exclusions(has_hypervisor: bool) -> Vec<Exclusion> {
    let more = if has_hypervisor { WITH_HYPERVISOR } else { &[] };
    ALWAYS.iter().chain(more).copied().collect()
}

pub(super) const SSTATUS: u16 = 0x100;
pub(super) const SCOUNTEREN: u16 = 0x106;
pub(super) const SATP: u16 = 0x180;
const VSSTATUS: u16 = 0x200;
pub(super) const VSATP: u16 = 0x280;
const MSTATUS: u16 = 0x300;
const HSTATUS: u16 = 0x600;
const HGATP: u16 = 0x680;

/// Fields of a register that states do not choose freely.
pub(super) struct Pin {
    number: u16,
    mask: u64,
    /// The value that they have; `None` for any, but the same in both states of a pair.
    value: Option<u64>,
}

/// Fields of `hstatus` that say what user mode and guests may do, and in which mode HS mode accesses
/// a guest's memory.
const GUEST_GRANTS: u64 = hypervisor_status::HU
    | hypervisor_status::SPVP
    | hypervisor_status::VTVM
    | hypervisor_status::VTW
    | hypervisor_status::VTSR;

const PINS: &[Pin] = &[
    Pin { number: SSTATUS, mask: status::FS, value: None },
    Pin { number: SCOUNTEREN, mask: counter::TIME, value: Some(0) },
    Pin { number: HSTATUS, mask: GUEST_GRANTS, value: Some(hypervisor_status::SPVP) },
    Pin { number: HGATP, mask: 0xf << 60, value: Some(satp::BARE) },
];

impl Pin {
    /// What stands in the place of `value` in register `number`, where the other state of the pair
    /// has `other`.
    pub(super) fn apply(number: u16, value: u64, other: u64) -> u64 {
        let pins = PINS.iter().filter(|pin| pin.number == number);
        pins.fold(value, |value, pin| value & !pin.mask | pin.value.unwrap_or(other) & pin.mask)
    }
}

/// The fields of a register whose changes are not looked at.
pub(super) const fn ignored(number: u16) -> u64 {
    match number {
        SSTATUS | VSSTATUS | MSTATUS => status::FS | status::SD,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_fields_have_their_value_or_that_of_the_other_state() {
        assert_eq!(Pin::apply(SCOUNTEREN, 7, 7), 5);
        assert_eq!(Pin::apply(SSTATUS, status::FS | status::SIE, 0), status::SIE);
        let (granted, supervisor) = (hypervisor_status::HU, hypervisor_status::SPVP);
        assert_eq!(Pin::apply(HSTATUS, granted, granted), supervisor);
        assert_eq!(Pin::apply(0x140, 9, 1), 9);
    }
}
