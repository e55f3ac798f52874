//! Where a vCPU's cycles went: every cycle has exactly one, innermost, cause.
//!
//! Invariant, checked by [`Ledger::verify`]: the causes add up to the cycles that the clocks of
//! pCPUs advanced while they held the vCPU. Nothing is estimated: the pCPU's own counters are read
//! at every change of cause, and the difference is booked.

use crate::reason::{ByReason, ExitReason};
use dcsim_hart::{Counters, Hart};
use std::collections::BTreeMap;

/// Who is executing on a pCPU, for the ledger.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Activity {
    /// The guest's own instructions.
    Guest,
    /// A handler of the monitor or the firmware, for this reason.
    Handler(ExitReason),
    /// Nobody: the vCPU waits for an interrupt on the pCPU that it holds.
    Wait,
}

/// The counters of a pCPU at some moment.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    cycles: u64,
    walk_cycles: u64,
    transition_cycles: u64,
}

impl Reading {
    /// Reads the counters of a pCPU.
    pub fn of(hart: &Hart) -> Self {
        Self::from_counters(hart.clock.cycles, &hart.counters)
    }

    fn from_counters(cycles: u64, counters: &Counters) -> Self {
        let Counters { walk_cycles, transition_cycles, .. } = *counters;
        Self { cycles, walk_cycles, transition_cycles }
    }

    /// What was counted since `earlier`.
    fn since(self, earlier: Self) -> Self {
        Self {
            cycles: self.cycles - earlier.cycles,
            walk_cycles: self.walk_cycles - earlier.walk_cycles,
            transition_cycles: self.transition_cycles - earlier.transition_cycles,
        }
    }
}

/// The causes do not add up: a bug in this crate, never in the guest.
#[derive(Copy, Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the causes of cycles add up to {booked}, but the pCPU counted {counted}")]
pub struct LedgerMismatch {
    /// The sum of all causes.
    pub booked: u64,
    /// The cycles that the pCPUs counted.
    pub counted: u64,
}

/// Cycles of one vCPU by cause.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    guest: u64,
    guest_walk: u64,
    transition: u64,
    wait: u64,
    handlers: ByReason,
    handler_walk: u64,
    host_paths: BTreeMap<String, u64>,
    /// Part of the time since the last booking that has been booked already.
    aside: u64,
    /// Cycles of earlier stays on a pCPU.
    held: u64,
    /// The clock of the pCPU when it got the vCPU, and the counters at the last booking.
    stay: Option<(u64, Reading)>,
}

impl Ledger {
    /// A pCPU took the vCPU.
    pub fn begin(&mut self, now: Reading) {
        self.stay = Some((now.cycles, now));
    }

    /// The pCPU gave the vCPU up; everything until now has been booked.
    pub fn end(&mut self) {
        if let Some((start, last)) = self.stay.take() {
            self.held += last.cycles - start;
        }
    }

    /// Books what the pCPU counted since the last booking.
    pub fn book(&mut self, activity: Activity, now: Reading) {
        let Some((_, last)) = &mut self.stay else { return };
        let spent = now.since(*last);
        *last = now;
        let aside = std::mem::take(&mut self.aside);
        let own = spent.cycles - spent.walk_cycles - spent.transition_cycles - aside;
        self.transition += spent.transition_cycles;
        match activity {
            Activity::Guest => {
                self.guest += own;
                self.guest_walk += spent.walk_cycles;
            }
            Activity::Handler(reason) => {
                self.handlers.add(reason, own);
                self.handler_walk += spent.walk_cycles;
            }
            Activity::Wait => self.wait += own + spent.walk_cycles,
        }
    }

    /// Books a walk of page tables in software that a handler has just made: it began at
    /// `started`. What the handler does before and after is booked when its reason is known.
    pub fn book_walk(&mut self, started: Reading, now: Reading) {
        let walk = now.since(started);
        let cycles = walk.cycles - walk.walk_cycles - walk.transition_cycles;
        if self.stay.is_some() {
            self.handler_walk += cycles;
            self.aside += cycles;
        }
    }

    /// Adds the cycles of another vCPU. The sum is on no pCPU.
    fn absorb(&mut self, other: &Self) {
        self.guest += other.guest;
        self.guest_walk += other.guest_walk;
        self.transition += other.transition;
        self.wait += other.wait;
        for (reason, more) in other.handlers.iter() {
            self.handlers.add(reason, more);
        }
        self.handler_walk += other.handler_walk;
        for (name, cycles) in &other.host_paths {
            *self.host_paths.entry(name.clone()).or_default() += cycles;
        }
        self.held += other.counted();
    }

    /// Books a path of host software, which the model composed from primitives.
    pub fn book_host_path(&mut self, name: &str, now: Reading) {
        let Some((_, last)) = &mut self.stay else { return };
        let spent = now.since(*last);
        *last = now;
        *self.host_paths.entry(name.to_owned()).or_default() += spent.cycles;
    }

    /// Cycles by cause, in a fixed order; causes that no cycle has are left out.
    pub fn causes(&self) -> Vec<(String, u64)> {
        let fixed = [
            ("guest", self.guest),
            ("guest_walk", self.guest_walk),
            ("transition", self.transition),
            ("wait", self.wait),
            ("handler_walk", self.handler_walk),
        ];
        let handlers = self.handlers.iter();
        let handlers =
            handlers.map(|(reason, cycles)| (format!("handler:{}", reason.name()), cycles));
        let paths = self.host_paths.iter().map(|(name, cycles)| (format!("host:{name}"), *cycles));
        fixed
            .into_iter()
            .map(|(name, cycles)| (name.to_owned(), cycles))
            .chain(handlers)
            .chain(paths)
            .filter(|(_, cycles)| *cycles > 0)
            .collect()
    }

    /// Cycles that pCPUs counted while they held the vCPU, up to the last booking.
    pub fn counted(&self) -> u64 {
        self.held + self.stay.map_or(0, |(start, last)| last.cycles - start)
    }

    /// Checks that the causes add up.
    pub fn verify(&self) -> Result<(), LedgerMismatch> {
        let booked = self.guest
            + self.guest_walk
            + self.transition
            + self.wait
            + self.handlers.sum()
            + self.handler_walk
            + self.host_paths.values().sum::<u64>();
        let counted = self.counted();
        if booked == counted { Ok(()) } else { Err(LedgerMismatch { booked, counted }) }
    }
}

impl<'a> std::iter::Sum<&'a Self> for Ledger {
    fn sum<I: Iterator<Item = &'a Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, part| {
            sum.absorb(part);
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cycles: u64, walk_cycles: u64, transition_cycles: u64) -> Reading {
        Reading { cycles, walk_cycles, transition_cycles }
    }

    fn cause(ledger: &Ledger, name: &str) -> u64 {
        ledger.causes().into_iter().find(|(cause, _)| cause == name).map_or(0, |(_, n)| n)
    }

    #[test]
    fn every_cycle_has_one_cause() {
        let mut ledger = Ledger::default();
        ledger.begin(reading(1000, 10, 5));
        ledger.book(Activity::Guest, reading(1100, 30, 12));
        ledger.book_walk(reading(1120, 30, 15), reading(1130, 30, 15));
        ledger.book(Activity::Handler(ExitReason::CsrAccess), reading(1160, 31, 20));
        ledger.book_host_path("switch", reading(1200, 31, 26));
        assert_eq!(cause(&ledger, "guest"), 100 - 20 - 7);
        assert_eq!(cause(&ledger, "guest_walk"), 20);
        assert_eq!(cause(&ledger, "transition"), 7 + 8);
        assert_eq!(cause(&ledger, "handler:csr_access"), 60 - 1 - 8 - 10);
        assert_eq!(cause(&ledger, "handler_walk"), 1 + 10);
        assert_eq!(cause(&ledger, "host:switch"), 40);
        assert_eq!(ledger.verify(), Ok(()));
        assert_eq!(ledger.counted(), 200);
    }

    #[test]
    fn stays_on_pcpus_add_up_and_gaps_do_not_count() {
        let mut ledger = Ledger::default();
        ledger.begin(reading(0, 0, 0));
        ledger.book(Activity::Guest, reading(10, 0, 0));
        ledger.end();
        ledger.begin(reading(500, 0, 0));
        ledger.book(Activity::Wait, reading(507, 0, 0));
        assert_eq!(ledger.counted(), 17);
        assert_eq!(ledger.verify(), Ok(()));
    }

    #[test]
    fn a_missing_booking_is_an_error() {
        let mut ledger = Ledger::default();
        ledger.begin(reading(0, 0, 0));
        ledger.book(Activity::Guest, reading(10, 0, 0));
        ledger.guest -= 1;
        assert_eq!(ledger.verify(), Err(LedgerMismatch { booked: 9, counted: 10 }));
    }
}
