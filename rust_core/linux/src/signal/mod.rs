//! Signals: what they are, what a process does on them, which are pending.
//!
//! Numbers and default actions are those of signal(7). Job control is not offered: signals that
//! stop a process by default are ignored.

use std::collections::BTreeMap;

/// Numbers of signals that calls and faults send.
pub mod number {
    /// An illegal instruction.
    pub const ILL: u32 = 4;
    /// A breakpoint.
    pub const TRAP: u32 = 5;
    /// A misaligned access.
    pub const BUS: u32 = 7;
    /// Kills, whatever the process does.
    pub const KILL: u32 = 9;
    /// An access to memory that is not there, or not for that.
    pub const SEGV: u32 = 11;
    /// A write to a pipe that nobody reads.
    pub const PIPE: u32 = 13;
    /// The alarm rings.
    pub const ALRM: u32 = 14;
    /// A child has ended.
    pub const CHLD: u32 = 17;
    /// Goes on.
    pub const CONT: u32 = 18;
    /// Stops, whatever the process does.
    pub const STOP: u32 = 19;
    /// There is urgent data.
    pub const URG: u32 = 23;
    /// The window's size has changed.
    pub const WINCH: u32 = 28;
}

/// The highest number of a signal.
pub const LAST: u32 = 64;

/// Ignored by default; the three between `STOP` and `URG` stop a process that has a terminal.
const IGNORED: [u32; 8] =
    [number::CHLD, number::CONT, number::STOP, 20, 21, 22, number::URG, number::WINCH];

/// A set of signals.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// The set of one.
    pub fn of(signal: u32) -> Self {
        Self(1 << (signal - 1))
    }

    /// Whether a signal is in it.
    pub fn contains(self, signal: u32) -> bool {
        self.0 & Self::of(signal).0 != 0
    }

    /// The signals of either set.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The signals of this one that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// A mask as a process may set it: KILL and STOP cannot be held back.
    #[must_use]
    pub fn as_mask(self) -> Self {
        self.without(Self::of(number::KILL)).without(Self::of(number::STOP))
    }
}

/// What a process does on a signal.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Action {
    /// 0: what is done by default; 1: nothing; otherwise the address of a function.
    pub handler: u64,
    /// Flags of sigaction(2).
    pub flags: u64,
    /// Signals that are held back meanwhile.
    pub mask: SignalSet,
}

/// Values of [`Action::handler`] that are no function.
pub mod handler {
    /// What is done by default.
    pub const DEFAULT: u64 = 0;
    /// Nothing.
    pub const IGNORE: u64 = 1;
}

/// Flags of [`Action::flags`].
pub mod flag {
    /// Children that end are not kept.
    pub const NO_CHILD_WAIT: u64 = 2;
    /// On the stack for signals.
    pub const ON_STACK: u64 = 0x0800_0000;
    /// Calls are made again.
    pub const RESTART: u64 = 0x1000_0000;
    /// The signal itself is not held back.
    pub const NO_DEFER: u64 = 0x4000_0000;
    /// Once only.
    pub const RESET: u64 = 0x8000_0000;
}

/// What a process does on each signal.
#[derive(Clone, Debug)]
pub struct Actions([Action; LAST as usize]);

impl Default for Actions {
    fn default() -> Self {
        Self([Action::default(); LAST as usize])
    }
}

impl Actions {
    /// On this one.
    pub fn get(&self, signal: u32) -> Action {
        self.0[signal as usize - 1]
    }

    /// Sets it.
    pub fn set(&mut self, signal: u32, action: Action) {
        self.0[signal as usize - 1] = action;
    }

    /// Whether a signal does nothing.
    pub fn ignore(&self, signal: u32) -> bool {
        match self.get(signal).handler {
            handler::IGNORE => true,
            handler::DEFAULT => IGNORED.contains(&signal),
            _ => false,
        }
    }

    /// What remains when another program is executed: only what is ignored.
    pub fn reset(&mut self) {
        for action in &mut self.0 {
            if action.handler != handler::IGNORE {
                *action = Action::default();
            }
        }
    }
}

/// What a signal tells beside its number (sigaction(2), `siginfo_t`).
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Info {
    /// Why it was sent.
    pub code: i32,
    /// By which process, or at which address.
    pub origin: Origin,
    /// Of a child: how it ended.
    pub status: i32,
}

/// Where a signal comes from.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A process.
    Process(u32),
    /// An access to an address.
    Address(u64),
}

impl Default for Origin {
    fn default() -> Self {
        Self::Process(0)
    }
}

/// Values of [`Info::code`].
pub mod code {
    /// `kill`.
    pub const USER: i32 = 0;
    /// `tkill`.
    pub const THREAD: i32 = -6;
    /// The kernel.
    pub const KERNEL: i32 = 0x80;
    /// The address is not mapped.
    pub const NOT_MAPPED: i32 = 1;
    /// The mapping does not allow it.
    pub const NOT_ALLOWED: i32 = 2;
    /// A child has exited.
    pub const EXITED: i32 = 1;
    /// A child was killed.
    pub const KILLED: i32 = 2;
}

/// Signals that have been sent and not delivered: each once.
#[derive(Clone, Debug, Default)]
pub struct Pending(BTreeMap<u32, Info>);

impl Pending {
    /// Adds one.
    pub fn add(&mut self, signal: u32, info: Info) {
        self.0.entry(signal).or_insert(info);
    }

    /// The lowest that a mask lets through.
    pub fn first(&self, mask: SignalSet) -> Option<u32> {
        self.0.keys().copied().find(|signal| !mask.contains(*signal))
    }

    /// Takes one out.
    pub fn take(&mut self, signal: u32) -> Option<Info> {
        self.0.remove(&signal)
    }

    /// All of them.
    pub fn set(&self) -> SignalSet {
        self.0.keys().fold(SignalSet::default(), |set, signal| set.with(SignalSet::of(*signal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_signal_that_is_not_held_back_comes_first() {
        let mut pending = Pending::default();
        for signal in [17, 2, 10] {
            pending.add(signal, Info::default());
        }
        assert_eq!(pending.first(SignalSet::default()), Some(2));
        assert_eq!(pending.first(SignalSet::of(2)), Some(10));
        assert!(pending.take(10).is_some());
        assert_eq!(pending.set(), SignalSet::of(2).with(SignalSet::of(17)));
    }

    #[test]
    fn kill_cannot_be_held_back() {
        assert!(!SignalSet(u64::MAX).as_mask().contains(number::KILL));
        assert!(SignalSet(u64::MAX).as_mask().contains(LAST));
    }

    #[test]
    fn a_new_program_keeps_only_what_is_ignored() {
        let mut actions = Actions::default();
        actions.set(2, Action { handler: 0x1000, ..Action::default() });
        actions.set(3, Action { handler: handler::IGNORE, ..Action::default() });
        actions.reset();
        assert!(!actions.ignore(2) && actions.ignore(3) && actions.ignore(number::CHLD));
    }
}
