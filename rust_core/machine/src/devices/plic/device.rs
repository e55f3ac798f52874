//! Registers and behaviour of the platform-level interrupt controller (RISC-V PLIC 1.0.0).
//!
//! All sources are level-triggered. A gateway forwards the first assertion of its line as a
//! request (pending), and forwards no further one until the handler's completion; at completion it
//! looks at the line again. A request, once forwarded, is not retracted.
//!
//! | offset | register |
//! |---|---|
//! | `0x000000 + 4 * source` | priority, 0 to 7; 0 never interrupts |
//! | `0x001000 + 4 * word` | pending bits, read-only |
//! | `0x002000 + 0x80 * context + 4 * word` | enable bits |
//! | `0x200000 + 0x1000 * context` | threshold |
//! | `0x200004 + 0x1000 * context` | claim (read), complete (write) |
//!
//! Contexts are M and S of hart 0, M and S of hart 1, and so on.

use super::{PlicCounters, PlicState};
use crate::devices::{AccessFault, Persist, StateError};

/// The number of sources, as QEMU's `virt` has them: 1 to 96.
pub const SOURCES: usize = 96;

/// Words of a bit set over sources 0 to [`SOURCES`].
const WORDS: usize = SOURCES / 32 + 1;
/// Three writable bits of priority and threshold.
const PRIORITY_MASK: u64 = 7;

const PENDING_BASE: u64 = 0x1000;
const ENABLE_BASE: u64 = 0x2000;
const ENABLE_STRIDE: u64 = 0x80;
const CONTEXT_BASE: u64 = 0x20_0000;
const CONTEXT_STRIDE: u64 = 0x1000;

/// The device.
#[derive(Debug)]
pub struct Plic {
    state: PlicState,
}

enum Register {
    Priority(usize),
    Pending(usize),
    Enable {
        context: usize,
        word: usize,
    },
    Threshold(usize),
    ClaimComplete(usize),
    /// Inside the map, but nothing is there: reads as zero, ignores writes.
    Reserved,
}

impl Plic {
    /// A controller with `contexts` contexts, everything disabled.
    pub fn new(contexts: usize) -> Self {
        Self {
            state: PlicState {
                priority: vec![0; SOURCES + 1],
                asserted: vec![0; WORDS],
                pending: vec![0; WORDS],
                in_service: vec![0; WORDS],
                enabled: vec![vec![0; WORDS]; contexts],
                threshold: vec![0; contexts],
                counters: PlicCounters::default(),
            },
        }
    }

    /// What was counted.
    pub fn counters(&self) -> PlicCounters {
        self.state.counters
    }

    /// Sets the level of a source's line.
    pub fn set_line(&mut self, source: usize, asserted: bool) {
        if source == 0 || source > SOURCES {
            return;
        }
        set_bit(&mut self.state.asserted, source, asserted);
        self.forward(source);
    }

    /// Whether a context is notified: a pending enabled source exceeds its threshold.
    pub fn notifies(&self, context: usize) -> bool {
        let Some(threshold) = self.state.threshold.get(context) else { return false };
        self.best(context).is_some_and(|source| self.state.priority[source] > *threshold)
    }

    /// Reads a register. A claim changes the controller.
    pub fn load(&mut self, offset: u64, bytes: usize) -> Result<u64, AccessFault> {
        let value = match self.register(offset, bytes)? {
            Register::Priority(source) => u32::from(self.state.priority[source]),
            Register::Pending(word) => self.state.pending[word],
            Register::Enable { context, word } => self.state.enabled[context][word],
            Register::Threshold(context) => u32::from(self.state.threshold[context]),
            Register::ClaimComplete(context) => self.claim(context) as u32,
            Register::Reserved => 0,
        };
        Ok(u64::from(value))
    }

    /// Writes a register.
    pub fn store(&mut self, offset: u64, bytes: usize, value: u64) -> Result<(), AccessFault> {
        let level = (value & PRIORITY_MASK) as u8;
        match self.register(offset, bytes)? {
            Register::Priority(source) => self.state.priority[source] = level,
            Register::Enable { context, word } => {
                self.state.enabled[context][word] = value as u32 & existing_sources(word);
            }
            Register::Threshold(context) => self.state.threshold[context] = level,
            Register::ClaimComplete(context) => self.complete(context, value),
            Register::Pending(_) | Register::Reserved => {}
        }
        Ok(())
    }

    /// The gateway: forwards a request if the line is asserted and no earlier one is open.
    fn forward(&mut self, source: usize) {
        if bit(&self.state.asserted, source) && !bit(&self.state.in_service, source) {
            set_bit(&mut self.state.pending, source, true);
        }
    }

    /// The pending enabled source of highest priority; the lowest number wins a tie.
    fn best(&self, context: usize) -> Option<usize> {
        let enabled = &self.state.enabled[context];
        let mut best = None;
        let mut best_priority = 0;
        for (word, (pending, enabled)) in self.state.pending.iter().zip(enabled).enumerate() {
            let mut candidates = pending & enabled;
            while candidates != 0 {
                let source = word * 32 + candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                if self.state.priority[source] > best_priority {
                    best_priority = self.state.priority[source];
                    best = Some(source);
                }
            }
        }
        best
    }

    /// Claims do not look at the threshold (PLIC specification, "Interrupt Claim Process").
    fn claim(&mut self, context: usize) -> usize {
        let Some(source) = self.best(context) else {
            self.state.counters.empty_claims += 1;
            return 0;
        };
        set_bit(&mut self.state.pending, source, false);
        set_bit(&mut self.state.in_service, source, true);
        self.state.counters.claims += 1;
        source
    }

    /// A completion by a context that has not enabled the source is ignored.
    fn complete(&mut self, context: usize, value: u64) {
        let source = value as usize;
        let known = (1..=SOURCES as u64).contains(&value);
        if known && bit(&self.state.enabled[context], source) && bit(&self.state.in_service, source)
        {
            set_bit(&mut self.state.in_service, source, false);
            self.state.counters.completions += 1;
            self.forward(source);
        }
    }

    fn register(&self, offset: u64, bytes: usize) -> Result<Register, AccessFault> {
        if bytes != 4 || !offset.is_multiple_of(4) {
            return Err(AccessFault);
        }
        Ok(match offset {
            0..PENDING_BASE => source_register(offset / 4),
            PENDING_BASE..ENABLE_BASE => match (offset - PENDING_BASE) as usize / 4 {
                word if word < WORDS => Register::Pending(word),
                _ => Register::Reserved,
            },
            ENABLE_BASE..CONTEXT_BASE => self.enable_register(offset - ENABLE_BASE),
            _ => self.context_register(offset - CONTEXT_BASE),
        })
    }

    fn enable_register(&self, offset: u64) -> Register {
        let context = (offset / ENABLE_STRIDE) as usize;
        let word = (offset % ENABLE_STRIDE) as usize / 4;
        if context < self.state.enabled.len() && word < WORDS {
            return Register::Enable { context, word };
        }
        Register::Reserved
    }

    fn context_register(&self, offset: u64) -> Register {
        let context = (offset / CONTEXT_STRIDE) as usize;
        match offset % CONTEXT_STRIDE {
            _ if context >= self.state.threshold.len() => Register::Reserved,
            0 => Register::Threshold(context),
            4 => Register::ClaimComplete(context),
            _ => Register::Reserved,
        }
    }
}

fn source_register(number: u64) -> Register {
    match number as usize {
        source @ 1..=SOURCES => Register::Priority(source),
        _ => Register::Reserved,
    }
}

/// The bits of a word of a bit set that name sources.
fn existing_sources(word: usize) -> u32 {
    (0..32).filter(|n| (1..=SOURCES).contains(&(word * 32 + n))).fold(0, |set, n| set | 1 << n)
}

fn is_set_of_sources(set: &[u32]) -> bool {
    let strangers = |(word, bits): (usize, &u32)| bits & !existing_sources(word) != 0;
    set.len() == WORDS && !set.iter().enumerate().any(strangers)
}

fn bit(set: &[u32], source: usize) -> bool {
    set[source / 32] >> (source % 32) & 1 != 0
}

fn set_bit(set: &mut [u32], source: usize, value: bool) {
    let mask = 1 << (source % 32);
    if value {
        set[source / 32] |= mask;
    } else {
        set[source / 32] &= !mask;
    }
}

impl Persist for Plic {
    type State = PlicState;

    fn save(&self) -> PlicState {
        self.state.clone()
    }

    fn restore(&mut self, state: &PlicState) -> Result<(), StateError> {
        let contexts = self.state.threshold.len();
        let sets = [&state.asserted, &state.pending, &state.in_service];
        let fits = state.priority.len() == SOURCES + 1
            && state.threshold.len() == contexts
            && state.enabled.len() == contexts
            && sets.into_iter().chain(&state.enabled).all(|set| is_set_of_sources(set));
        StateError::unless(fits, "another number of interrupt sources or contexts")?;
        self.state = state.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: u64 = 0x20_0004;

    /// Context 0 with sources 1, 2 and 10 enabled at priorities 1, 1 and 3.
    fn plic() -> Plic {
        let mut plic = Plic::new(2);
        for (source, priority) in [(1, 1), (2, 1), (10, 3)] {
            plic.store(4 * source, 4, priority).unwrap();
        }
        plic.store(0x2000, 4, 1 << 1 | 1 << 2 | 1 << 10).unwrap();
        plic
    }

    #[test]
    fn claims_go_by_priority_then_by_lowest_number() {
        let mut plic = plic();
        for source in [2, 1, 10] {
            plic.set_line(source, true);
        }
        assert_eq!(plic.load(0x1000, 4), Ok(1 << 1 | 1 << 2 | 1 << 10));
        for expected in [10, 1, 2, 0] {
            assert_eq!(plic.load(CLAIM, 4), Ok(expected));
        }
        assert_eq!(plic.load(0x1000, 4), Ok(0));
        assert_eq!(
            plic.counters(),
            PlicCounters { claims: 3, empty_claims: 1, ..PlicCounters::default() }
        );
    }

    #[test]
    fn the_threshold_masks_notification_but_not_claims() {
        let mut plic = plic();
        plic.set_line(1, true);
        plic.store(0x20_0000, 4, 1).unwrap();
        assert!(!plic.notifies(0));
        plic.store(0x20_0000, 4, 0).unwrap();
        assert!(plic.notifies(0));
        plic.store(0x20_0000, 4, 7).unwrap();
        assert_eq!(plic.load(CLAIM, 4), Ok(1));
    }

    #[test]
    fn a_level_still_asserted_at_completion_is_forwarded_again() {
        let mut plic = plic();
        plic.set_line(10, true);
        assert_eq!(plic.load(CLAIM, 4), Ok(10));
        assert!(!plic.notifies(0), "in service");
        plic.store(CLAIM, 4, 10).unwrap();
        assert!(plic.notifies(0), "forwarded again");
        assert_eq!(plic.load(CLAIM, 4), Ok(10));
        plic.set_line(10, false);
        plic.store(CLAIM, 4, 10).unwrap();
        assert!(!plic.notifies(0));
    }

    #[test]
    fn a_request_is_not_retracted() {
        let mut plic = plic();
        plic.set_line(10, true);
        plic.set_line(10, false);
        assert_eq!(plic.load(CLAIM, 4), Ok(10));
    }

    #[test]
    fn a_completion_by_a_context_without_the_source_is_ignored() {
        let mut plic = plic();
        plic.set_line(10, true);
        plic.load(CLAIM, 4).unwrap();
        plic.store(CLAIM + 0x1000, 4, 10).unwrap();
        plic.store(CLAIM, 4, 11).unwrap();
        plic.store(CLAIM, 4, u64::MAX).unwrap();
        assert!(!plic.notifies(0));
        assert_eq!(plic.counters().completions, 0);
    }

    #[test]
    fn fields_are_write_any_read_legal() {
        let mut plic = plic();
        plic.store(4, 4, 0xffff_ffff).unwrap();
        assert_eq!(plic.load(4, 4), Ok(7));
        plic.store(0, 4, 7).unwrap();
        assert_eq!(plic.load(0, 4), Ok(0), "source 0 does not exist");
        plic.store(0x2080, 4, 0xffff_ffff).unwrap();
        assert_eq!(plic.load(0x2080, 4), Ok(0xffff_fffe));
        plic.store(0x208c, 4, 0xffff_ffff).unwrap();
        assert_eq!(plic.load(0x208c, 4), Ok(1), "source 96 is the last");
        plic.store(0x1000, 4, 0xffff_ffff).unwrap();
        assert_eq!(plic.load(0x1000, 4), Ok(0), "pending bits are read-only");
    }

    #[test]
    fn only_aligned_words_are_accepted() {
        let mut plic = plic();
        assert_eq!(plic.load(0, 8), Err(AccessFault));
        assert_eq!(plic.load(2, 4), Err(AccessFault));
        assert_eq!(plic.store(4, 1, 0), Err(AccessFault));
        assert_eq!(plic.load(0x3ff_fff0, 4), Ok(0));
    }

    #[test]
    fn a_snapshot_keeps_requests_in_service() {
        let mut plic = plic();
        plic.set_line(10, true);
        plic.load(CLAIM, 4).unwrap();
        let mut restored = Plic::new(2);
        restored.restore(&plic.save()).unwrap();
        restored.store(CLAIM, 4, 10).unwrap();
        assert!(restored.notifies(0));
        assert!(Plic::new(4).restore(&plic.save()).is_err());
        let mut strange = plic.save();
        strange.pending[3] = 2;
        assert!(Plic::new(2).restore(&strange).is_err(), "source 97 does not exist");
    }
}
