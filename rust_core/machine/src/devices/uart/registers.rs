//! Register offsets and bits of the 16550 (National Semiconductor PC16550D data sheet, table II).

/// Receive buffer (read), transmit holding (write); divisor low while DLAB is set.
pub const DATA: u64 = 0;
/// Interrupt enable; divisor high while DLAB is set.
pub const INTERRUPT_ENABLE: u64 = 1;
/// Interrupt identification (read), FIFO control (write).
pub const INTERRUPT_IDENTIFY: u64 = 2;
/// Line control.
pub const LINE_CONTROL: u64 = 3;
/// Modem control.
pub const MODEM_CONTROL: u64 = 4;
/// Line status.
pub const LINE_STATUS: u64 = 5;
/// Modem status.
pub const MODEM_STATUS: u64 = 6;
/// Scratch.
pub const SCRATCH: u64 = 7;

/// Interrupt enable: received data available, and character timeout.
pub const ENABLE_RECEIVED: u8 = 1 << 0;
/// Interrupt enable: transmit holding register empty.
pub const ENABLE_TRANSMIT: u8 = 1 << 1;
/// Interrupt enable: receiver line status.
pub const ENABLE_LINE: u8 = 1 << 2;
/// Interrupt enable: modem status.
pub const ENABLE_MODEM: u8 = 1 << 3;

/// Interrupt identification: nothing pending.
pub const IDENTIFY_NONE: u8 = 0b0001;
/// Interrupt identification: modem status.
pub const IDENTIFY_MODEM: u8 = 0b0000;
/// Interrupt identification: transmit holding register empty.
pub const IDENTIFY_TRANSMIT: u8 = 0b0010;
/// Interrupt identification: received data available.
pub const IDENTIFY_RECEIVED: u8 = 0b0100;
/// Interrupt identification: receiver line status.
pub const IDENTIFY_LINE: u8 = 0b0110;
/// Interrupt identification: character timeout.
pub const IDENTIFY_TIMEOUT: u8 = 0b1100;
/// Interrupt identification: the FIFOs are enabled.
pub const IDENTIFY_FIFO: u8 = 0b1100_0000;

/// FIFO control: FIFOs enabled.
pub const FIFO_ENABLE: u8 = 1 << 0;
/// FIFO control: clear the receive FIFO.
pub const FIFO_CLEAR_RECEIVE: u8 = 1 << 1;

/// Line control: divisor latch access.
pub const LINE_DIVISOR: u8 = 1 << 7;

/// Modem control: data terminal ready.
pub const MODEM_DTR: u8 = 1 << 0;
/// Modem control: request to send.
pub const MODEM_RTS: u8 = 1 << 1;
/// Modem control: output 1.
pub const MODEM_OUT1: u8 = 1 << 2;
/// Modem control: output 2.
pub const MODEM_OUT2: u8 = 1 << 3;
/// Modem control: loopback.
pub const MODEM_LOOPBACK: u8 = 1 << 4;

/// Line status: data ready.
pub const STATUS_DATA_READY: u8 = 1 << 0;
/// Line status: overrun.
pub const STATUS_OVERRUN: u8 = 1 << 1;
/// Line status: transmit holding register empty.
pub const STATUS_TRANSMIT_EMPTY: u8 = 1 << 5;
/// Line status: transmitter empty.
pub const STATUS_TRANSMITTER_IDLE: u8 = 1 << 6;

/// Modem status: clear to send.
pub const MODEM_CTS: u8 = 1 << 4;
/// Modem status: data set ready.
pub const MODEM_DSR: u8 = 1 << 5;
/// Modem status: ring indicator.
pub const MODEM_RI: u8 = 1 << 6;
/// Modem status: data carrier detect.
pub const MODEM_DCD: u8 = 1 << 7;
