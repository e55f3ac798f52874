//! The serial port, a 16550 with FIFOs.

mod device;
mod registers;
mod state;
#[cfg(test)]
mod tests;

pub use device::Uart;
pub use state::{UartCounters, UartState};
