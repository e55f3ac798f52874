//! The system calls, one file for each family.
//!
//! A call reads its arguments, prepares what it will write to the program's memory, and only then
//! changes anything: so a call that lacks a page can be made again. Descriptions are those of the
//! Linux manual's section 2.

pub mod change;
pub mod descriptor;
pub mod execute;
pub mod file;
pub mod futex;
pub mod identity;
pub mod memory;
pub mod name;
pub mod poll;
pub mod process;
pub mod signal;
pub mod time;
pub mod wait;

use crate::abi::{Arguments, Registers};
use crate::errno::{Errno, Stop};
use crate::files::NodeId;
use crate::files::descriptors::Descriptor;
use crate::hardware::Hardware;
use crate::linux::Linux;
use crate::memory::user::User;
use crate::process::{Id, Process, Thread};

/// What a call ends with.
pub type Outcome = Result<u64, Stop>;

/// What carries a call out.
pub type Handler = fn(&mut Caller<'_>, &Arguments) -> Outcome;

/// `AT_FDCWD`: names are looked at from the process's directory.
const FROM_DIRECTORY: i32 = -100;

/// The thread that calls, and all that it may reach.
pub struct Caller<'a> {
    /// The operating system.
    pub linux: &'a mut Linux,
    /// The machine below.
    pub hardware: &'a mut dyn Hardware,
    /// Who calls.
    pub thread: Id,
    /// With these registers.
    pub registers: &'a mut Registers,
}

impl std::fmt::Debug for Caller<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Caller").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl Caller<'_> {
    /// The thread that calls.
    pub fn thread(&mut self) -> Result<&mut Thread, Errno> {
        self.linux.threads.get_mut(&self.thread).ok_or(Errno::NoProcess)
    }

    /// The number of its process.
    pub fn process_id(&self) -> Result<Id, Errno> {
        self.linux.threads.get(&self.thread).map(|each| each.process).ok_or(Errno::NoProcess)
    }

    /// Its process.
    pub fn process(&mut self) -> Result<&mut Process, Errno> {
        let id = self.process_id()?;
        self.linux.processes.get_mut(&id).ok_or(Errno::NoProcess)
    }

    /// The program's memory.
    pub fn user(&mut self) -> Result<User<'_>, Errno> {
        let space = self.process()?.space;
        Ok(User {
            spaces: &mut self.linux.spaces,
            contents: &self.linux.tree,
            hardware: self.hardware,
            space,
        })
    }

    /// The open file behind a number.
    pub fn descriptor(&mut self, number: u64) -> Result<Descriptor, Errno> {
        self.process()?.descriptors.get(number)
    }

    /// The directory from which a name is looked at.
    pub fn base(&mut self, number: u64, path: &[u8]) -> Result<NodeId, Errno> {
        if path.first() == Some(&b'/') || number as u32 as i32 == FROM_DIRECTORY {
            return Ok(self.process()?.directory);
        }
        let open = self.descriptor(number)?.open;
        match self.linux.open.get(open)?.object {
            crate::files::open::Object::Node(node) if self.linux.tree.node(node).is_directory() => {
                Ok(node)
            }
            _ => Err(Errno::NotDirectory),
        }
    }

    /// The present.
    pub fn now_ns(&self) -> u64 {
        self.hardware.now_ns()
    }

    /// Until when a call waits that was given this long when it was first made.
    pub fn deadline_ns(&mut self, wait_ns: u64) -> Result<u64, Errno> {
        let now_ns = self.now_ns();
        let thread = self.thread()?;
        Ok(*thread.deadline_ns.get_or_insert(now_ns.saturating_add(wait_ns)))
    }

    /// The next random number (`SplitMix64`).
    pub fn random(&mut self) -> u64 {
        self.linux.random = self.linux.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.linux.random;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}
