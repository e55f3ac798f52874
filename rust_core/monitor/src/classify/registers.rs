//! The control and status registers of a hart, as the classification sees them.
//!
//! What an instruction does with a register is not written down here. A register's number says
//! which modes may access it; which numbers exist, the hart says. Of the hypervisor extension it is
//! said which registers are a guest's own, and with which HS mode grants a guest something.

use super::exclusions::{SATP, SCOUNTEREN, VSATP};
use dcsim_hart::Hart;
use dcsim_hart::csr::fields::interrupt;

const NUMBERS: u16 = 1 << 12;

/// Machine-level counters: they go on with every instruction.
const COUNTERS: std::ops::Range<u16> = 0xb00..0xb20;

/// Registers that stand in for the supervisor's in a guest.
const REPLICAS: std::ops::Range<u16> = 0x200..0x300;

const SENVCFG: u16 = 0x10a;
const HEDELEG: u16 = 0x602;
const HIDELEG: u16 = 0x603;
const HIE: u16 = 0x604;
const HTIMEDELTA: u16 = 0x605;
const HCOUNTEREN: u16 = 0x606;
const HENVCFG: u16 = 0x60a;
const HIP: u16 = 0x644;
const HVIP: u16 = 0x645;
const HGATP: u16 = 0x680;
const MIE: u16 = 0x304;
const MIP: u16 = 0x344;

/// Registers of machine mode that hold something for its handler, and govern nothing meanwhile:
/// `mtvec`, `mscratch`, `mepc`, `mcause`, `mtval`, `mtinst` and `mtval2`.
const HANDLER: [u16; 7] = [0x305, 0x340, 0x341, 0x342, 0x343, 0x34a, 0x34b];

/// The registers of a hart.
#[derive(Clone, Debug)]
pub(super) struct Registers {
    /// Those that an instruction outside machine mode can name.
    pub(super) below_machine: Vec<u16>,
    /// Those that a user program does not own. An instruction that changes one, or the effect of
    /// which depends on one, concerns more than its program.
    pub(super) privileged: Vec<u16>,
    /// Those of them that a state gives a value, but for the places of page tables.
    pub(super) varied: Vec<u16>,
    /// Those of them that a guest owns.
    pub(super) guest: Vec<u16>,
    /// Those of them that it does not own.
    pub(super) host: Vec<u16>,
}

impl Registers {
    /// The registers of this hart.
    pub(super) fn of(hart: &Hart) -> Self {
        let exists = |number: &u16| hart.read_csr(*number).is_some();
        let all: Vec<u16> = (0..NUMBERS).filter(exists).collect();
        let select = |wanted: fn(u16) -> bool| {
            all.iter().copied().filter(|&number| wanted(number)).collect()
        };
        Self {
            below_machine: select(|number| !is_of_machine_mode(number)),
            privileged: select(is_privileged),
            varied: select(is_varied),
            guest: select(|number| is_privileged(number) && is_of_guest(number)),
            host: select(|number| is_privileged(number) && !is_of_guest(number)),
        }
    }

    /// The registers that an instruction must not change without a trap.
    pub(super) fn watched(&self, in_guest: bool) -> &[u16] {
        if in_guest { &self.host } else { &self.privileged }
    }
}

const USER: u16 = 0;
const MACHINE: u16 = 3;

/// The lowest privilege that may access a register; 2 is the hypervisor's.
const fn level(number: u16) -> u16 {
    number >> 8 & 3
}

/// Whether only machine mode may access a register.
pub(super) const fn is_of_machine_mode(number: u16) -> bool {
    level(number) == MACHINE
}

fn is_privileged(number: u16) -> bool {
    level(number) != USER && !COUNTERS.contains(&number)
}

fn is_varied(number: u16) -> bool {
    let is_supervisor = level(number) != USER && !is_of_machine_mode(number);
    let has_value = is_supervisor || HANDLER.contains(&number);
    has_value && !is_read_only(number) && !matches!(number, SATP | VSATP)
}

const fn is_read_only(number: u16) -> bool {
    number >> 10 == 3
}

/// Whether a register is a guest's own: the replicas, what has none and is exchanged with the
/// guest, and the interrupts of VS level under their other names.
pub(super) fn is_of_guest(number: u16) -> bool {
    let is_exchanged = matches!(number, SCOUNTEREN | SENVCFG | HIE | HIP | HVIP);
    is_exchanged || REPLICAS.contains(&number)
}

/// Whether HS mode configures the guest with a register, so that it is the same in every run.
pub(super) const fn is_of_configuration(number: u16) -> bool {
    matches!(number, HEDELEG | HIDELEG | HTIMEDELTA | HCOUNTEREN | HENVCFG | HGATP)
}

/// The bits of a register of the host that are a guest's own.
pub(super) const fn guest_bits(number: u16) -> u64 {
    match number {
        MIE | MIP => interrupt::VIRTUAL,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_hart::{IsaProfile, Timing};

    #[test]
    fn registers_are_sorted_by_who_owns_them() {
        let registers = Registers::of(&Hart::new(0, IsaProfile::Rv64gch, Timing::uniform()));
        let (fcsr, sstatus, satp, vsstatus, mstatus, mcycle, cycle) =
            (0x003, 0x100, 0x180, 0x200, 0x300, 0xb00, 0xc00);
        let below = |number| registers.below_machine.contains(&number);
        assert!(below(fcsr) && below(sstatus) && below(satp) && below(cycle) && !below(mstatus));
        let privileged = |number| registers.privileged.contains(&number);
        assert!(privileged(sstatus) && privileged(satp) && privileged(mstatus));
        assert!(!privileged(fcsr) && !privileged(mcycle));
        let varied = |number| registers.varied.contains(&number);
        assert!(varied(sstatus) && !varied(satp) && !varied(mstatus));
        assert!(registers.guest.contains(&vsstatus) && registers.host.contains(&sstatus));
        assert_eq!(registers.guest.len() + registers.host.len(), registers.privileged.len());
    }
}
