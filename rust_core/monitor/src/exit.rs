//! What ends a run of a host: the events that its model has to deal with.

use crate::ids::VmId;
use dcsim_machine::RequestTag;

/// The end of a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exit {
    /// The pCPU on which it happened; none if the run reached its end.
    pub pcpu: Option<usize>,
    /// The VM that it concerns.
    pub vm: Option<VmId>,
    /// Which of its vCPUs: the one that it happened on, or the one that is to be woken.
    pub vcpu: Option<usize>,
    /// When, in nanoseconds of simulated time.
    pub time_ns: u64,
    /// What happened.
    pub kind: ExitKind,
}

/// What the guest wants of its disk.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum IoOperation {
    /// Sectors from the disk.
    Read,
    /// Sectors to the disk.
    Write,
    /// Everything written so far made durable.
    Flush,
    /// The space of sectors given back.
    Discard,
}

impl IoOperation {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Discard => "discard",
        }
    }
}

/// Why a run ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExitKind {
    /// The moment was reached that the run was to go to.
    Until,
    /// The guest's disk has work; it goes on meanwhile.
    Io {
        /// Names the request until it is completed.
        tag: RequestTag,
        /// What is to be done.
        operation: IoOperation,
        /// The first sector.
        sector: u64,
        /// The number of bytes.
        bytes: u64,
    },
    /// The guest sent a packet; it goes on.
    Packet {
        /// The Ethernet frame.
        payload: Vec<u8>,
    },
    /// The guest gave pages to its host or took some back; it goes on.
    Balloon {
        /// Pages that it gave.
        inflated: u64,
        /// Pages that it took back.
        deflated: u64,
        /// Pages that it reported to be free.
        reported: u64,
    },
    /// The guest waits for an interrupt.
    Wait {
        /// When its timer will wake it, if it is set.
        wake_ns: Option<u64>,
    },
    /// The guest has powered itself off.
    Shutdown {
        /// Its exit status.
        code: u32,
    },
    /// The guest did what its machine cannot survive.
    Fault {
        /// What it did.
        message: String,
    },
    /// Something needs a page of the guest that is swapped out. Nothing was changed; the next run
    /// tries it again.
    SwapIn {
        /// The number of the page.
        page: u64,
    },
    /// An operation needs frames that are not free. Nothing was changed; the next run tries it
    /// again.
    Memory,
    /// There are fewer free frames than whoever decides about memory wanted to know of. The guest
    /// goes on.
    Scarce,
    /// A vCPU that is on no pCPU and waits has something to do: another vCPU of its VM interrupted
    /// or started it. It happened on the pCPU of the one that did.
    Wake {
        /// The vCPU that is to be woken.
        vcpu: usize,
    },
    /// The guest spins for a lock, and waits until it is kicked: nothing else ends that.
    Spin {
        /// The vCPU that holds the lock, if the guest knows.
        holder: Option<usize>,
    },
}

impl ExitKind {
    /// The name of the kind in results.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Until => "until",
            Self::Io { .. } => "io",
            Self::Packet { .. } => "packet",
            Self::Balloon { .. } => "balloon",
            Self::Wait { .. } => "wait",
            Self::Shutdown { .. } => "shutdown",
            Self::Fault { .. } => "fault",
            Self::SwapIn { .. } => "swap_in",
            Self::Memory => "memory",
            Self::Scarce => "scarce",
            Self::Wake { .. } => "wake",
            Self::Spin { .. } => "spin",
        }
    }
}
