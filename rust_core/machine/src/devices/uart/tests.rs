//! The serial port against the 16550 data sheet.

use super::Uart;
use crate::devices::Persist;
use crate::devices::console::ConsoleOutput;

const IER: u64 = 1;
const IIR_FCR: u64 = 2;
const LCR: u64 = 3;
const MCR: u64 = 4;
const LSR: u64 = 5;
const MSR: u64 = 6;

struct Port {
    uart: Uart,
    console: ConsoleOutput,
}

impl Port {
    fn new() -> Self {
        Self { uart: Uart::default(), console: ConsoleOutput::default() }
    }

    fn read(&mut self, offset: u64) -> u8 {
        self.uart.load(offset).unwrap()
    }

    fn write(&mut self, offset: u64, value: u8) {
        self.uart.store(offset, value, &mut self.console).unwrap();
    }
}

#[test]
fn sent_bytes_reach_the_console_and_the_transmitter_stays_empty() {
    let mut port = Port::new();
    for byte in b"ok" {
        port.write(0, *byte);
        assert_eq!(port.read(LSR), 0x60);
    }
    assert_eq!(port.console.take(), b"ok");
    assert_eq!(port.uart.counters().sent_bytes, 2);
}

#[test]
fn the_transmit_interrupt_arises_when_switched_on_and_ends_when_identified() {
    let mut port = Port::new();
    assert_eq!(port.read(IIR_FCR), 0x01);
    port.write(IER, 0x02);
    assert!(port.uart.interrupt());
    assert_eq!(port.read(IIR_FCR), 0x02);
    assert!(!port.uart.interrupt());
    port.write(0, b'x');
    assert!(port.uart.interrupt(), "the byte has left");
    port.write(IER, 0);
    assert!(!port.uart.interrupt(), "disabled");
    port.read(IIR_FCR);
    port.write(IER, 0x02);
    assert!(port.uart.interrupt(), "switched on again with an empty register");
}

#[test]
fn received_bytes_interrupt_at_the_trigger_level_and_below_by_timeout() {
    let mut port = Port::new();
    port.write(IIR_FCR, 0x81); // FIFO on, trigger at 8
    port.write(IER, 0x01);
    assert_eq!(port.uart.receive(b"1234567"), 7);
    assert_eq!(port.read(IIR_FCR), 0xcc);
    port.uart.receive(b"8");
    assert_eq!(port.read(IIR_FCR), 0xc4);
    assert_eq!(port.read(LSR), 0x61);
    let bytes: Vec<u8> = (0..8).map(|_| port.read(0)).collect();
    assert_eq!(bytes, b"12345678");
    assert_eq!(port.read(LSR), 0x60);
    assert!(!port.uart.interrupt());
}

#[test]
fn without_fifo_bytes_come_one_at_a_time() {
    let mut port = Port::new();
    port.write(IER, 0x01);
    port.uart.receive(b"ab");
    assert_eq!(port.read(IIR_FCR), 0x04);
    assert_eq!((port.read(0), port.read(0), port.read(LSR)), (b'a', b'b', 0x60));
}

#[test]
fn switching_the_fifo_clears_it_and_the_clear_bit_clears_itself() {
    let mut port = Port::new();
    port.write(IIR_FCR, 0x01);
    port.uart.receive(b"abc");
    port.write(IIR_FCR, 0x03);
    assert_eq!(port.read(LSR), 0x60);
    port.uart.receive(b"d");
    assert_eq!(port.read(0), b'd');
}

#[test]
fn a_full_backlog_refuses_the_rest() {
    let mut port = Port::new();
    assert_eq!(port.uart.receive(&vec![1; 70_000]), 65_536);
    assert_eq!(port.uart.receive(&[1; 10]), 1, "one byte moved on into the receiver");
}

#[test]
fn the_divisor_latch_hides_two_registers() {
    let mut port = Port::new();
    port.write(IER, 0x05);
    port.write(LCR, 0x83);
    port.write(0, 0x34);
    port.write(1, 0x12);
    assert_eq!((port.read(0), port.read(1)), (0x34, 0x12));
    port.write(LCR, 0x03);
    assert_eq!(port.read(IER), 0x05);
    assert!(port.console.take().is_empty());
}

#[test]
fn detection_as_a_16550a_succeeds() {
    let mut port = Port::new();
    port.write(IER, 0xff);
    assert_eq!(port.read(IER), 0x0f, "the upper bits are zero");
    port.write(IIR_FCR, 0x01);
    assert_eq!(port.read(IIR_FCR) & 0xc0, 0xc0);
    port.write(7, 0xa5);
    assert_eq!(port.read(7), 0xa5);
    port.write(IIR_FCR, 0x00);
    assert_eq!(port.read(IIR_FCR) & 0xc0, 0x00);
}

#[test]
fn loopback_returns_bytes_and_modem_lines() {
    let mut port = Port::new();
    assert_eq!(port.read(MSR), 0xb0, "a ready peer");
    port.write(MCR, 0x10 | 0x0a); // loopback, RTS and OUT2
    assert_eq!(port.read(MSR) & 0xf0, 0x90, "CTS and DCD");
    port.write(0, b'l');
    assert_eq!(port.read(0), b'l');
    assert!(port.console.take().is_empty());
}

#[test]
fn modem_changes_are_reported_once() {
    let mut port = Port::new();
    port.write(IER, 0x08);
    port.write(MCR, 0x10); // all four lines drop but the ring indicator, which was low
    assert_eq!(port.read(IIR_FCR), 0x00);
    assert_eq!(port.read(MSR), 0x0b);
    assert_eq!(port.read(MSR), 0x00);
    assert!(!port.uart.interrupt());
}

#[test]
fn loopback_can_overrun() {
    let mut port = Port::new();
    port.write(MCR, 0x10);
    port.write(IER, 0x04);
    port.write(0, b'a');
    port.write(0, b'b');
    assert_eq!(port.read(IIR_FCR), 0x06);
    assert_eq!(port.read(LSR), 0x63);
    assert_eq!(port.read(LSR), 0x61, "reading clears the error");
}

#[test]
fn registers_past_the_eighth_fault() {
    let mut port = Port::new();
    assert!(port.uart.load(8).is_err());
    assert!(port.uart.store(8, 0, &mut port.console).is_err());
}

#[test]
fn a_snapshot_keeps_the_fifo_and_the_pending_event() {
    let mut port = Port::new();
    port.write(IER, 0x02);
    port.uart.receive(b"zy");
    let mut restored = Uart::default();
    restored.restore(&port.uart.save()).unwrap();
    assert!(restored.interrupt());
    assert_eq!(restored.load(0), Ok(b'z'));
    assert_eq!(restored.save().received, [b'y']);
}
