//! The firmware of a machine: machine mode, played by Rust code behind a meter.
//!
//! It does what `OpenSBI` does on such a machine. At boot it opens memory to supervisor mode,
//! delegates what the kernel handles itself, switches on the counters and the supervisor timer,
//! and enters the kernel. Afterwards it serves the calls of the SBI specification, version 2.0,
//! and the few traps that are not delegated.
//!
//! `sbi` holds the calls, one file per extension, written against [`Platform`]; `machine_mode` is
//! that platform on a bare machine. A monitor that offers the same calls to its guests implements
//! [`Platform`] on its virtual machines.

mod boot;
pub mod csr;
mod machine_mode;
mod platform;
pub mod sbi;
mod state;
#[cfg(test)]
mod tests;
mod trap;

pub use boot::FirmwareConfig;
pub use platform::{Fence, HartState, Platform, StartPoint};
pub use state::{Firmware, Outcome};
