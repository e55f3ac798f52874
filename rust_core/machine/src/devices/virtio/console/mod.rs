//! The console device (Virtio 1.2, section 5.3).

mod device;
mod state;
#[cfg(test)]
mod tests;

pub use device::VirtioConsole;
pub use state::{VirtioConsoleCounters, VirtioConsoleState};
