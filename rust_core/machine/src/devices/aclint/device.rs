//! Registers and behaviour of the core-local interruptor.
//!
//! The layout is that of the `SiFive` CLINT, which is also that of an ACLINT with its MSWI and MTIMER
//! devices side by side:
//!
//! | offset | register |
//! |---|---|
//! | `0x0000 + 4 * hart` | `msip`: bit 0 raises the hart's software interrupt |
//! | `0x4000 + 8 * hart` | `mtimecmp`: the timer interrupt is pending while `mtime >= mtimecmp` |
//! | `0xbff8` | `mtime` |
//!
//! `mtime` is the machine's simulated time: it is read-only here, and writes to it are ignored.
//! The timer interrupt itself is derived in the hart from its own clock and `mtimecmp`, so that
//! it falls on the exact cycle.

use super::AclintState;
use crate::devices::{AccessFault, Persist, StateError};

const COMPARE_BASE: u64 = 0x4000;
const TIME_BASE: u64 = 0xbff8;
const TIME_END: u64 = 0xc000;

/// The device.
#[derive(Debug)]
pub struct Aclint {
    state: AclintState,
}

enum Register {
    Software(usize),
    Compare(usize),
    Time,
}

impl Aclint {
    /// A device for `harts` harts, with no interrupt pending and all timers at infinity.
    pub fn new(harts: usize) -> Self {
        Self { state: AclintState { software: vec![false; harts], compare: vec![u64::MAX; harts] } }
    }

    /// Whether a hart's software interrupt is raised; `false` for a hart that does not exist.
    pub fn software_interrupt(&self, hart: usize) -> bool {
        self.state.software.get(hart).copied().unwrap_or(false)
    }

    /// A hart's timer comparator; infinity for a hart that does not exist.
    pub fn compare(&self, hart: usize) -> u64 {
        self.state.compare.get(hart).copied().unwrap_or(u64::MAX)
    }

    /// Reads a register; `time` is the machine's time in timer ticks.
    pub fn load(&self, offset: u64, bytes: usize, time: u64) -> Result<u64, AccessFault> {
        let value = match self.register(offset)? {
            Register::Software(hart) => u64::from(self.state.software[hart]),
            Register::Compare(hart) => self.state.compare[hart],
            Register::Time => time,
        };
        let (shift, mask) = part(offset, bytes)?;
        Ok(value >> shift & mask)
    }

    /// Writes a register.
    pub fn store(&mut self, offset: u64, bytes: usize, value: u64) -> Result<(), AccessFault> {
        let (shift, mask) = part(offset, bytes)?;
        match self.register(offset)? {
            Register::Software(hart) => self.state.software[hart] = value & 1 != 0,
            Register::Compare(hart) => {
                let compare = &mut self.state.compare[hart];
                *compare = *compare & !(mask << shift) | (value & mask) << shift;
            }
            Register::Time => {}
        }
        Ok(())
    }

    fn register(&self, offset: u64) -> Result<Register, AccessFault> {
        let harts = self.state.software.len();
        let within = |base: u64, stride: u64| {
            let index = (offset.checked_sub(base)? / stride) as usize;
            (index < harts).then_some(index)
        };
        if (TIME_BASE..TIME_END).contains(&offset) {
            return Ok(Register::Time);
        }
        if let Some(hart) = within(COMPARE_BASE, 8) {
            return Ok(Register::Compare(hart));
        }
        within(0, 4).map(Register::Software).ok_or(AccessFault)
    }
}

/// Which bits of a 64-bit register an access of 4 or 8 aligned bytes means.
fn part(offset: u64, bytes: usize) -> Result<(u32, u64), AccessFault> {
    match (bytes, offset % 8) {
        (8, 0) => Ok((0, u64::MAX)),
        (4, 0) => Ok((0, u64::from(u32::MAX))),
        // The software interrupt registers are 4 bytes wide: an odd one has no upper half.
        (4, 4) if offset < COMPARE_BASE => Ok((0, u64::from(u32::MAX))),
        (4, 4) => Ok((32, u64::from(u32::MAX))),
        _ => Err(AccessFault),
    }
}

impl Persist for Aclint {
    type State = AclintState;

    fn save(&self) -> AclintState {
        self.state.clone()
    }

    fn restore(&mut self, state: &AclintState) -> Result<(), StateError> {
        let harts = self.state.software.len();
        let fits = state.software.len() == harts && state.compare.len() == harts;
        StateError::unless(fits, "another number of harts")?;
        self.state = state.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_interrupts_are_one_bit_a_hart() {
        let mut aclint = Aclint::new(2);
        aclint.store(4, 4, 0xffff_fffe).unwrap();
        assert!(!aclint.software_interrupt(1));
        aclint.store(4, 4, 0xffff_ffff).unwrap();
        assert!(aclint.software_interrupt(1));
        assert!(!aclint.software_interrupt(0));
        assert_eq!(aclint.load(4, 4, 0), Ok(1));
    }

    #[test]
    fn comparators_take_whole_and_half_writes() {
        let mut aclint = Aclint::new(2);
        assert_eq!(aclint.compare(1), u64::MAX);
        aclint.store(0x4008, 8, 0x1122_3344_5566_7788).unwrap();
        assert_eq!(aclint.compare(1), 0x1122_3344_5566_7788);
        aclint.store(0x400c, 4, 0xaabb_ccdd).unwrap();
        assert_eq!(aclint.compare(1), 0xaabb_ccdd_5566_7788);
        assert_eq!(aclint.load(0x4008, 4, 0), Ok(0x5566_7788));
    }

    #[test]
    fn time_reads_in_both_widths_and_ignores_writes() {
        let mut aclint = Aclint::new(1);
        let time = 0x0000_0001_0000_0002;
        aclint.store(0xbff8, 8, 99).unwrap();
        assert_eq!(aclint.load(0xbff8, 8, time), Ok(time));
        assert_eq!(aclint.load(0xbffc, 4, time), Ok(1));
    }

    #[test]
    fn harts_and_registers_that_do_not_exist_fault() {
        let mut aclint = Aclint::new(1);
        for offset in [4, 0x4008, 0x8000, 0xc000] {
            assert_eq!(aclint.load(offset, 4, 0), Err(AccessFault), "{offset:#x}");
        }
        assert_eq!(aclint.store(0, 1, 1), Err(AccessFault));
        assert_eq!(aclint.compare(7), u64::MAX);
        assert!(!aclint.software_interrupt(7));
    }

    #[test]
    fn a_state_of_another_shape_is_refused() {
        assert!(Aclint::new(1).restore(&Aclint::new(2).save()).is_err());
    }
}
