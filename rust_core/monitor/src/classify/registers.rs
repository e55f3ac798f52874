//! The control and status registers of a hart, as the classification sees them.
//!
//! Nothing here says what a register is for. A register's number says which modes may access it;
//! which numbers exist, the hart says.

use super::exclusions::{SATP, VSATP};
use dcsim_hart::Hart;

const NUMBERS: u16 = 1 << 12;

/// Machine-level counters: they go on with every instruction.
const COUNTERS: std::ops::Range<u16> = 0xb00..0xb20;

/// The registers of a hart.
#[derive(Clone, Debug)]
pub(super) struct Registers {
    /// Those that an instruction outside machine mode can name.
    pub(super) below_machine: Vec<u16>,
    /// Those that a user program does not own. An instruction that changes one, or the effect of
    /// which depends on one, concerns more than its program.
    pub(super) privileged: Vec<u16>,
    /// Those of them that supervisor mode writes, but for the place of its page tables.
    pub(super) varied: Vec<u16>,
}

impl Registers {
    /// The registers of this hart.
    pub(super) fn of(hart: &Hart) -> Self {
        let all: Vec<u16> =
            (0..NUMBERS).filter(|&number| hart.read_csr(number).is_some()).collect();
        let select = |wanted: fn(u16) -> bool| {
            all.iter().copied().filter(|&number| wanted(number)).collect()
        };
        Self {
            below_machine: select(|number| level(number) != MACHINE),
            privileged: select(|number| level(number) != USER && !COUNTERS.contains(&number)),
            varied: select(is_varied),
        }
    }
}

const USER: u16 = 0;
const MACHINE: u16 = 3;

/// The lowest privilege that may access a register; 2 is the hypervisor's.
const fn level(number: u16) -> u16 {
    number >> 8 & 3
}

fn is_varied(number: u16) -> bool {
    let is_supervisor = level(number) != USER && level(number) != MACHINE;
    is_supervisor && !is_read_only(number) && !is_root(number)
}

const fn is_read_only(number: u16) -> bool {
    number >> 10 == 3
}

/// Whether a register says where page tables are.
pub(super) const fn is_root(number: u16) -> bool {
    matches!(number, SATP | VSATP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_hart::{IsaProfile, Timing};

    #[test]
    fn registers_are_sorted_by_who_owns_them() {
        let registers = Registers::of(&Hart::new(0, IsaProfile::Rv64gc, Timing::uniform()));
        let (fcsr, sstatus, satp, mstatus, mcycle, cycle) =
            (0x003, 0x100, 0x180, 0x300, 0xb00, 0xc00);
        let below = |number| registers.below_machine.contains(&number);
        assert!(below(fcsr) && below(sstatus) && below(satp) && below(cycle) && !below(mstatus));
        let privileged = |number| registers.privileged.contains(&number);
        assert!(privileged(sstatus) && privileged(satp) && privileged(mstatus));
        assert!(!privileged(fcsr) && !privileged(mcycle));
        let varied = |number| registers.varied.contains(&number);
        assert!(varied(sstatus) && !varied(satp) && !varied(mstatus));
    }
}
