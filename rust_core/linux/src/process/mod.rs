//! Processes and threads, and what they wait for.

pub mod futex;

use crate::abi::Registers;
use crate::files::NodeId;
use crate::files::descriptors::Descriptors;
use crate::files::open::OpenId;
use crate::hardware::SpaceId;
use crate::signal::{Actions, Pending, SignalSet};

/// The number of a process or of a thread; a process's first thread has the process's.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id(pub u32);

/// How a process ended.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum ExitStatus {
    /// By itself, with a status of 8 bits.
    Exited(u8),
    /// By a signal.
    Killed(u32),
}

impl ExitStatus {
    /// The status word that `wait` gives (wait(2)).
    pub fn wait_word(self) -> u32 {
        match self {
            Self::Exited(status) => u32::from(status) << 8,
            Self::Killed(signal) => signal,
        }
    }

    /// What a shell tells: 128 and the signal's number for a process that a signal killed.
    pub fn shell_status(self) -> u32 {
        match self {
            Self::Exited(status) => u32::from(status),
            Self::Killed(signal) => 128 + signal,
        }
    }
}

/// What a thread waits for. A time is one of the machine's clock; a pending signal ends each wait.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wait {
    /// A time.
    Until(u64),
    /// One of these children that ends; or none of them is left.
    Child(Children),
    /// An open file that can be read.
    Readable(OpenId),
    /// An open file that can be written.
    Writable(OpenId),
    /// One of several files, or a time.
    Files {
        /// Which, and for what.
        interests: Vec<Interest>,
        /// Until when.
        until_ns: Option<u64>,
    },
    /// A wake-up on a futex, or a time.
    Futex {
        /// Until when.
        until_ns: Option<u64>,
    },
    /// A signal, or a time.
    Signal {
        /// Until when.
        until_ns: Option<u64>,
    },
    /// One of these signals, which it takes itself, or a time.
    Accept {
        /// Which.
        set: SignalSet,
        /// Until when.
        until_ns: Option<u64>,
    },
    /// A child that shares the memory, until it ends or executes another program.
    Vfork(Id),
}

impl Wait {
    /// When it ends at the latest.
    pub fn until_ns(&self) -> Option<u64> {
        match self {
            Self::Until(time) => Some(*time),
            Self::Files { until_ns, .. }
            | Self::Futex { until_ns }
            | Self::Signal { until_ns }
            | Self::Accept { until_ns, .. } => *until_ns,
            Self::Child(_) | Self::Readable(_) | Self::Writable(_) | Self::Vfork(_) => None,
        }
    }

    /// Whether a call that waits like this is made again after a signal whose action asks for it
    /// (signal(7), "Interruption of system calls").
    pub fn restarts(&self) -> bool {
        match self {
            Self::Child(_) | Self::Readable(_) | Self::Writable(_) | Self::Vfork(_) => true,
            Self::Futex { until_ns } => until_ns.is_none(),
            Self::Until(_) | Self::Files { .. } | Self::Signal { .. } | Self::Accept { .. } => {
                false
            }
        }
    }
}

/// Which children are meant.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Children {
    /// All.
    All,
    /// One.
    One(Id),
    /// Those of a group.
    Group(Id),
}

impl Children {
    /// Whether a child is.
    pub fn include(self, id: Id, child: &Process) -> bool {
        match self {
            Self::All => true,
            Self::One(wanted) => id == wanted,
            Self::Group(group) => child.group == group,
        }
    }
}

/// What somebody wants to know of an open file.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Interest {
    /// Which.
    pub open: OpenId,
    /// Whether it can be read.
    pub read: bool,
    /// Whether it can be written.
    pub write: bool,
    /// Whether its other end is closed.
    pub hang_up: bool,
}

/// Whether a thread can run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// It runs, or wants to.
    Ready,
    /// It waits in a call.
    Waiting(Wait),
    /// Its wait is over: the call is made again, or has this result.
    Woken(Option<u64>),
}

/// A thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Of which process.
    pub process: Id,
    /// While it does not run.
    pub registers: Registers,
    /// Whether it can run.
    pub state: State,
    /// Signals that are not delivered to it.
    pub mask: SignalSet,
    /// The mask to return to after the signal that it waits for.
    pub mask_after: Option<SignalSet>,
    /// Signals for it alone.
    pub pending: Pending,
    /// Where to write 0 and wake when it ends.
    pub clears_id: u64,
    /// Its stack for signals: base and size.
    pub signal_stack: (u64, u64),
    /// Until when the call that it is in waits, as first computed.
    pub deadline_ns: Option<u64>,
}

/// A process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Who made it; the first process has none.
    pub parent: Option<Id>,
    /// Its process group.
    pub group: Id,
    /// Its session.
    pub session: Id,
    /// Its memory.
    pub space: SpaceId,
    /// Its open files.
    pub descriptors: Descriptors,
    /// The directory from which it looks at names.
    pub directory: NodeId,
    /// Permission bits that new files do not get.
    pub umask: u32,
    /// What it does on signals.
    pub actions: Actions,
    /// Signals for any of its threads.
    pub pending: Pending,
    /// Threads that have not ended.
    pub threads: u32,
    /// How it ended; it stays until its parent has asked.
    pub ended: Option<ExitStatus>,
    /// It borrows the memory of its parent until it executes a program of its own.
    pub borrows_memory: bool,
    /// When its alarm rings, and how often afterwards.
    pub alarm: Option<(u64, u64)>,
    /// The program's name.
    pub name: Vec<u8>,
}
