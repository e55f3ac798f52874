//! What a snapshot keeps of the serial port.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The state of a [`Uart`](super::Uart).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct UartState {
    /// Interrupt enable register.
    pub interrupt_enable: u8,
    /// FIFO control register: enable and trigger level.
    pub fifo_control: u8,
    /// Line control register.
    pub line_control: u8,
    /// Modem control register.
    pub modem_control: u8,
    /// Scratch register.
    pub scratch: u8,
    /// Divisor latch.
    pub divisor: u16,
    /// The transmit holding register became empty, and the driver has not yet been told.
    pub transmit_event: bool,
    /// A byte was lost, and the driver has not yet been told.
    pub overrun: bool,
    /// The low four bits of the modem status: what changed since it was last read.
    pub modem_changes: u8,
    /// The receive FIFO.
    pub received: VecDeque<u8>,
    /// Bytes from the host that do not fit into the FIFO yet.
    pub backlog: VecDeque<u8>,
    /// What was counted.
    pub counters: UartCounters,
}

/// What a [`Uart`](super::Uart) counts.
#[derive(Copy, Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct UartCounters {
    /// Bytes that the guest sent.
    pub sent_bytes: u64,
    /// Bytes that the guest read.
    pub received_bytes: u64,
    /// Bytes lost in the receive FIFO (in loopback).
    pub overrun_bytes: u64,
}
