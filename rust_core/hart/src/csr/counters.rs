//! Counters: `mcycle`, `minstret`, their user-level shadows, `time`, and the event counters that
//! are not there.
//!
//! Privileged architecture, "Hardware Performance Monitor", "Machine Counter-Inhibit",
//! "Counter-Enable"; unprivileged architecture, "Zicntr".
//!
//! The hart counts cycles and instructions once, for the simulator. What the program sees is that
//! count plus an offset, which a write changes, or a fixed value while the counter is inhibited. A
//! write of `minstret` or `mcountinhibit` takes effect after the writing instruction: so it is
//! applied to the number of instructions retired once that one has.

use super::CsrEffect;
use super::fields::counter;
use crate::hart::{Hart, Privilege};
use crate::mode::Mode;

/// A counter as the program sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EventCounter {
    offset: u64,
    stopped_at: Option<u64>,
}

impl EventCounter {
    /// The value while the simulator's count is `count`.
    pub fn value(&self, count: u64) -> u64 {
        self.stopped_at.unwrap_or_else(|| count.wrapping_add(self.offset))
    }

    /// Gives it a value from `count` on.
    pub fn set(&mut self, count: u64, value: u64) {
        match &mut self.stopped_at {
            Some(stopped) => *stopped = value,
            None => self.offset = value.wrapping_sub(count),
        }
    }

    /// Stops or starts it at `count`.
    pub fn inhibit(&mut self, count: u64, inhibit: bool) {
        match (inhibit, self.stopped_at) {
            (true, None) => self.stopped_at = Some(self.value(count)),
            (false, Some(value)) => {
                self.stopped_at = None;
                self.set(count, value);
            }
            _ => {}
        }
    }
}

/// Instructions retired once the current one has.
fn instructions_after(hart: &Hart) -> u64 {
    hart.counters.instructions + 1
}

/// The bit of a user-level counter in the enable registers.
fn enable_bit(number: u16) -> u64 {
    1 << (number & 0x1f)
}

/// Whether the counter-enable registers let a mode read a user-level counter.
pub(super) fn is_enabled(hart: &Hart, number: u16, mode: Mode) -> bool {
    let bit = enable_bit(number);
    let by_machine = hart.csrs.mcounteren & bit != 0;
    let by_hypervisor = !mode.virtualised || hart.csrs.hcounteren & bit != 0;
    let by_supervisor = hart.csrs.scounteren & bit != 0;
    match mode.privilege {
        Privilege::Machine => true,
        Privilege::Supervisor => by_machine && by_hypervisor,
        Privilege::User => by_machine && by_hypervisor && by_supervisor,
    }
}

pub(super) fn read_cycle(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mcycle.value(hart.clock.cycles)
}

pub(super) fn write_cycle(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let count = hart.clock.cycles;
    hart.csrs.mcycle.set(count, value);
    CsrEffect::None
}

pub(super) fn read_time(hart: &Hart, _: u16) -> u64 {
    hart.clock.time()
}

/// What a guest reads as `time`.
pub(super) fn read_guest_time(hart: &Hart, _: u16) -> u64 {
    hart.clock.time().wrapping_add(hart.csrs.htimedelta)
}

pub(super) fn read_instret(hart: &Hart, _: u16) -> u64 {
    hart.csrs.minstret.value(hart.counters.instructions)
}

pub(super) fn write_instret(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let count = instructions_after(hart);
    hart.csrs.minstret.set(count, value);
    CsrEffect::None
}

pub(super) fn read_inhibit(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mcountinhibit
}

pub(super) fn write_inhibit(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let value = value & (counter::CYCLE | counter::INSTRET);
    let (cycles, instructions) = (hart.clock.cycles, instructions_after(hart));
    hart.csrs.mcountinhibit = value;
    hart.csrs.mcycle.inhibit(cycles, value & counter::CYCLE != 0);
    hart.csrs.minstret.inhibit(instructions, value & counter::INSTRET != 0);
    CsrEffect::None
}

/// The enable bits of the counters that exist; those of the others are read-only 0.
fn legal_enable(value: u64) -> u64 {
    value & (counter::CYCLE | counter::TIME | counter::INSTRET)
}

pub(super) fn read_machine_enable(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mcounteren
}

pub(super) fn write_machine_enable(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mcounteren = legal_enable(value);
    CsrEffect::None
}

pub(super) fn read_supervisor_enable(hart: &Hart, _: u16) -> u64 {
    hart.csrs.scounteren
}

pub(super) fn write_supervisor_enable(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.scounteren = legal_enable(value);
    CsrEffect::None
}

pub(super) fn read_hypervisor_enable(hart: &Hart, _: u16) -> u64 {
    hart.csrs.hcounteren
}

pub(super) fn write_hypervisor_enable(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.hcounteren = legal_enable(value);
    CsrEffect::None
}

/// `stimecmp` and `vstimecmp` exist below machine mode only if `menvcfg` says so and `time` may be
/// read; in a guest, if `henvcfg` and `hcounteren` say so too.
pub(super) fn may_compare_time(hart: &Hart, _: u16, mode: Mode) -> bool {
    let by_machine = hart.has_supervisor_timer() && hart.csrs.mcounteren & counter::TIME != 0;
    let by_hypervisor = hart.has_guest_timer() && hart.csrs.hcounteren & counter::TIME != 0;
    match mode.privilege {
        Privilege::Machine => true,
        _ => by_machine && (by_hypervisor || !mode.virtualised),
    }
}

pub(super) fn read_time_compare(hart: &Hart, _: u16) -> u64 {
    hart.csrs.stimecmp
}

pub(super) fn write_time_compare(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.stimecmp = value;
    hart.refresh_timers();
    CsrEffect::EndBlock
}
