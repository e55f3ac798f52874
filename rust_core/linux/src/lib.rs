//! The Linux system-call interface, as a program for user mode finds it.
//!
//! This is what a process-level virtual machine puts in the place of an operating system: a static
//! Linux program runs on it without any guest kernel. It knows no instruction and no hardware.
//! Whoever executes the program calls [`Linux::call`] for each system call and [`Linux::fault`] for
//! each page fault, and offers memory and a clock behind [`Hardware`].
//!
//! * [`errno`]: what calls fail with;
//! * [`hardware`]: what lies below;
//! * [`memory`]: pages, address spaces, and the program's memory as calls reach it;
//! * [`files`]: a file tree over a folder of the simulating machine, open files, pipes;
//! * [`process`]: processes and threads, what they wait for;
//! * [`signal`]: signals and their delivery;
//! * [`image`]: ELF files and the stack that a program starts with;
//! * [`abi`]: numbers and layouts of one instruction set;
//! * `calls`: one file for each family of calls;
//! * [`linux`]: all of it together.
//!
//! Invariants. Nothing that a program does reaches a file outside the folder, takes more memory,
//! processes or files than the limits allow, or ends in a panic. A call that needs a page which the
//! machine cannot provide now changes nothing ([`Stop::Unavailable`]) and is made again. Results
//! depend on the program, its arguments, the folder and the simulated time only.

pub mod abi;
mod calls;
pub mod errno;
pub mod files;
pub mod hardware;
pub mod image;
pub mod limits;
pub mod linux;
pub mod memory;
pub mod process;
pub mod signal;

pub use errno::{Errno, Stop};
pub use hardware::{Access, Hardware, PageNumber, Rights, SpaceId, Unavailable};
pub use limits::Limits;
pub use linux::{Fault, FirstProgram, Linux, Next, Start};
