//! The paravirtual interface in numbers. `docs/reference/paravirtual-interface.md` describes it.

use dcsim_machine::firmware::sbi::SbiError;

/// The SBI extension, from the range for firmware-specific ones: "DCS".
pub const EXTENSION: u64 = 0x0a44_4353;

/// The ELF section by which a kernel tells that it can use the interface.
pub const NOTE_SECTION: &str = ".note.dcsim";

/// Where the upper half of Sv39 begins: the window on guest-physical memory.
pub const WINDOW: u64 = 0xffff_ffc0_0000_0000;

/// Where the names of host frames begin: eight bytes for each, by frame number.
pub const NAMES: u64 = 0xffff_ffff_c000_0000;

/// In the value of an entry that is set: D is what it is in the entry at that moment.
pub const KEEP_DIRTY: u64 = 1 << 63;

/// The most operations of one call: a page of them.
pub const MOST_OPERATIONS: u64 = 256;

/// Bytes of an operation.
pub const OPERATION_BYTES: u64 = 16;

/// Offsets in the shared page.
pub mod shared {
    /// Events that the guest has not taken yet: a bit for each interrupt line.
    pub const PENDING: u64 = 0;
    /// Ticks of the time counter for which the vCPU could have run and had no pCPU.
    pub const STOLEN: u64 = 8;

    /// The rest is for kernels in user mode. Of a trap that was handed over: its cause ...
    pub const CAUSE: u64 = 16;
    /// ... its value ...
    pub const VALUE: u64 = 24;
    /// ... where it came, which is also where *return* goes on ...
    pub const COUNTER: u64 = 32;
    /// ... and what `sstatus` would tell: SPP and FS, of which *return* takes FS.
    pub const STATUS: u64 = 40;
    /// What x31 is exchanged with when a trap is handed over.
    pub const SCRATCH: u64 = 48;
    /// What *return* loads into x16, which its call needs ...
    pub const X16: u64 = 56;
    /// ... and into x17.
    pub const X17: u64 = 64;

    /// The event that the timer has expired: there is no interrupt line 0.
    pub const TIMER_EVENT: u64 = 1;
    /// The event that another hart has sent an interrupt.
    pub const HART_EVENT: u64 = 1 << 63;
}

/// Bits of what [`Function::Features`] tells.
pub mod features {
    /// The kernel runs in user mode.
    pub const USER_MODE: u64 = 1;
    /// The guest's memory lies in large pages of the host's, which entries of level 1 may map.
    pub const LARGE_PAGES: u64 = 2;
}

/// What a kernel calls for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Function {
    /// Tells in which mode the kernel runs.
    Features,
    /// Shares a page.
    Share,
    /// Has operations on page tables carried out.
    Apply,
    /// Changes the address space.
    Switch,
    /// Waits for an interrupt.
    Wait,
    /// Notifies a virtio device.
    Notify,
    /// Returns to a program, from a kernel in user mode.
    Return,
    /// Gives up writing code and executing data.
    Seal,
    /// Has interrupt lines told to a hart.
    Listen,
}

impl Function {
    /// The function with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        use Function::{Apply, Features, Listen, Notify, Return, Seal, Share, Switch, Wait};
        const ALL: [Function; 9] =
            [Features, Share, Apply, Switch, Wait, Notify, Return, Seal, Listen];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// An operation of [`Function::Apply`].
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Writes an entry.
    Set {
        /// The guest-physical address of the entry.
        place: u64,
        /// Its value, with a guest-physical address.
        value: u64,
    },
    /// Writes an entry that points to a page, which is cleared and becomes a table.
    Link {
        /// The guest-physical address of the entry.
        place: u64,
        /// Its value, with a guest-physical address.
        value: u64,
    },
    /// Makes a page a root without entries.
    NewRoot(u64),
    /// Makes a page, with all that it leads to, a root as it is.
    Pin(u64),
    /// Ends a root.
    Unpin(u64),
    /// Ends the cached translations of an address in an address space.
    FlushPage {
        /// The address.
        address: u64,
        /// The address space.
        asid: u16,
    },
    /// Ends the cached translations of an address space.
    FlushSpace(u16),
    /// Ends all cached translations.
    FlushAll,
}

impl Operation {
    /// Reads an operation: an address whose lowest bits say what is to be done, and a value.
    pub fn decode(place: u64, value: u64) -> Self {
        let (kind, place) = (place & 7, place & !7);
        match kind {
            0 => Self::Set { place, value },
            1 => Self::Link { place, value },
            2 => Self::NewRoot(place),
            3 => Self::Pin(place),
            4 => Self::Unpin(place),
            5 => Self::FlushPage { address: place, asid: value as u16 },
            6 => Self::FlushSpace(value as u16),
            _ => Self::FlushAll,
        }
    }
}

/// What a call gives back: a value, or why it was refused.
pub type Reply = Result<u64, SbiError>;

/// Refuses an image that does not announce the interface, saying why.
pub fn check_announcement(image: &[u8]) -> Result<(), String> {
    if dcsim_machine::loader::has_section(image, NOTE_SECTION) {
        return Ok(());
    }
    Err(format!(
        "the technique `paravirtual` needs a kernel that was made for it, and this one does not \
         announce that (an ELF section `{NOTE_SECTION}`): the interface would have to be added to \
         its source"
    ))
}
