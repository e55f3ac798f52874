//! The board: all devices at the addresses and interrupts of QEMU's `virt` machine.
//!
//! The same type is the physical board of a bare machine and the virtual board of a VM. It
//! implements [`dcsim_hart::Bus`] for harts that reach it physically; a monitor that emulates
//! accesses for a VM calls [`Board::load`] and [`Board::store`] with the guest's memory.

mod access;
mod config;
mod host;
pub mod map;
mod state;
#[cfg(test)]
mod tests;

pub use access::Board;
pub use config::BoardConfig;
pub use state::{BoardCounters, BoardState};
