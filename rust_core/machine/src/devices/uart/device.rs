//! Behaviour of the serial port.
//!
//! A byte is transmitted at the moment it is written, so the transmitter is always empty; the
//! "holding register empty" interrupt is an event: it arises when a byte has left and when the
//! interrupt is switched on, and reading the identification register ends it. Bytes from the host
//! wait in a bounded backlog and enter the receive FIFO as the guest makes room, so nothing is
//! lost to an overrun except in loopback. The character timeout has no delay: bytes below the
//! trigger level are reported at once.

use super::registers as reg;
use super::{UartCounters, UartState};
use crate::devices::console::ConsoleOutput;
use crate::devices::{AccessFault, Persist, StateError};

const FIFO_BYTES: usize = 16;
/// The most bytes that wait outside the FIFO.
const BACKLOG_BYTES: usize = 1 << 16;

/// The device.
#[derive(Debug, Default)]
pub struct Uart {
    state: UartState,
}

impl Uart {
    /// What was counted.
    pub fn counters(&self) -> UartCounters {
        self.state.counters
    }

    /// Takes bytes from the host. Returns how many were accepted; the rest found the backlog full.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let accepted = bytes.len().min(BACKLOG_BYTES - self.state.backlog.len());
        self.state.backlog.extend(&bytes[..accepted]);
        self.fill_fifo();
        accepted
    }

    /// Takes a byte past the guest's driver, as firmware that polls the port would.
    pub fn take_received(&mut self) -> Option<u8> {
        let byte = self.state.received.pop_front();
        self.fill_fifo();
        byte
    }

    /// Whether the interrupt line is asserted.
    pub fn interrupt(&self) -> bool {
        self.identify() != reg::IDENTIFY_NONE
    }

    /// Reads a register. Some reads change the device.
    pub fn load(&mut self, offset: u64) -> Result<u8, AccessFault> {
        let [divisor_low, divisor_high] = self.state.divisor.to_le_bytes();
        Ok(match offset {
            reg::DATA if self.divisor_access() => divisor_low,
            reg::DATA => self.read_data(),
            reg::INTERRUPT_ENABLE if self.divisor_access() => divisor_high,
            reg::INTERRUPT_ENABLE => self.state.interrupt_enable,
            reg::INTERRUPT_IDENTIFY => self.read_identify(),
            reg::LINE_CONTROL => self.state.line_control,
            reg::MODEM_CONTROL => self.state.modem_control,
            reg::LINE_STATUS => self.read_line_status(),
            reg::MODEM_STATUS => self.modem_lines() | std::mem::take(&mut self.state.modem_changes),
            reg::SCRATCH => self.state.scratch,
            _ => return Err(AccessFault),
        })
    }

    /// Writes a register; what the guest sends goes to `console`.
    pub fn store(
        &mut self,
        offset: u64,
        value: u8,
        console: &mut ConsoleOutput,
    ) -> Result<(), AccessFault> {
        match offset {
            reg::DATA if self.divisor_access() => {
                self.state.divisor = self.state.divisor & 0xff00 | u16::from(value);
            }
            reg::DATA => self.transmit(value, console),
            reg::INTERRUPT_ENABLE if self.divisor_access() => {
                self.state.divisor = self.state.divisor & 0x00ff | u16::from(value) << 8;
            }
            reg::INTERRUPT_ENABLE => self.write_interrupt_enable(value),
            reg::INTERRUPT_IDENTIFY => self.write_fifo_control(value),
            reg::LINE_CONTROL => self.state.line_control = value,
            reg::MODEM_CONTROL => self.write_modem_control(value),
            reg::LINE_STATUS | reg::MODEM_STATUS => {}
            reg::SCRATCH => self.state.scratch = value,
            _ => return Err(AccessFault),
        }
        Ok(())
    }

    fn divisor_access(&self) -> bool {
        self.state.line_control & reg::LINE_DIVISOR != 0
    }

    fn loopback(&self) -> bool {
        self.state.modem_control & reg::MODEM_LOOPBACK != 0
    }

    fn fifo_enabled(&self) -> bool {
        self.state.fifo_control & reg::FIFO_ENABLE != 0
    }

    fn capacity(&self) -> usize {
        if self.fifo_enabled() { FIFO_BYTES } else { 1 }
    }

    /// How many received bytes raise the "data available" interrupt.
    fn trigger(&self) -> usize {
        match self.state.fifo_control >> 6 {
            _ if !self.fifo_enabled() => 1,
            0 => 1,
            1 => 4,
            2 => 8,
            _ => 14,
        }
    }

    /// The pending interrupt of highest priority (data sheet, table IV).
    fn identify(&self) -> u8 {
        let state = &self.state;
        let enabled = |bit| state.interrupt_enable & bit != 0;
        if enabled(reg::ENABLE_LINE) && state.overrun {
            return reg::IDENTIFY_LINE;
        }
        if enabled(reg::ENABLE_RECEIVED) && state.received.len() >= self.trigger() {
            return reg::IDENTIFY_RECEIVED;
        }
        if enabled(reg::ENABLE_RECEIVED) && !state.received.is_empty() {
            return reg::IDENTIFY_TIMEOUT;
        }
        if enabled(reg::ENABLE_TRANSMIT) && state.transmit_event {
            return reg::IDENTIFY_TRANSMIT;
        }
        if enabled(reg::ENABLE_MODEM) && state.modem_changes != 0 {
            return reg::IDENTIFY_MODEM;
        }
        reg::IDENTIFY_NONE
    }

    fn read_identify(&mut self) -> u8 {
        let identify = self.identify();
        if identify == reg::IDENTIFY_TRANSMIT {
            self.state.transmit_event = false;
        }
        identify | if self.fifo_enabled() { reg::IDENTIFY_FIFO } else { 0 }
    }

    fn read_data(&mut self) -> u8 {
        let byte = self.take_received();
        self.state.counters.received_bytes += u64::from(byte.is_some());
        byte.unwrap_or(0)
    }

    fn read_line_status(&mut self) -> u8 {
        let ready = if self.state.received.is_empty() { 0 } else { reg::STATUS_DATA_READY };
        let overrun = if std::mem::take(&mut self.state.overrun) { reg::STATUS_OVERRUN } else { 0 };
        ready | overrun | reg::STATUS_TRANSMIT_EMPTY | reg::STATUS_TRANSMITTER_IDLE
    }

    fn transmit(&mut self, value: u8, console: &mut ConsoleOutput) {
        if !self.loopback() {
            console.write(&[value]);
            self.state.counters.sent_bytes += 1;
        } else if self.state.received.len() < self.capacity() {
            self.state.received.push_back(value);
        } else {
            self.state.overrun = true;
            self.state.counters.overrun_bytes += 1;
        }
        self.state.transmit_event = true;
    }

    fn write_interrupt_enable(&mut self, value: u8) {
        let value = value & 0x0f;
        let switched_on = value & !self.state.interrupt_enable;
        if switched_on & reg::ENABLE_TRANSMIT != 0 {
            self.state.transmit_event = true;
        }
        self.state.interrupt_enable = value;
    }

    fn write_fifo_control(&mut self, value: u8) {
        let toggled = (value ^ self.state.fifo_control) & reg::FIFO_ENABLE != 0;
        if toggled || value & reg::FIFO_CLEAR_RECEIVE != 0 {
            self.state.received.clear();
        }
        // The other bits may be set only together with the enable bit; the clear bits clear
        // themselves.
        let keeps = if value & reg::FIFO_ENABLE != 0 { 0b1100_0001 } else { 0 };
        self.state.fifo_control = value & keeps;
        self.fill_fifo();
    }

    fn write_modem_control(&mut self, value: u8) {
        let before = self.modem_lines();
        self.state.modem_control = value & 0x1f;
        let after = self.modem_lines();
        let mut changes = (before ^ after) >> 4;
        // The ring indicator reports its trailing edge only.
        if after & reg::MODEM_RI != 0 {
            changes &= !(reg::MODEM_RI >> 4);
        }
        self.state.modem_changes |= changes;
        self.fill_fifo();
    }

    /// The upper half of the modem status: the wires of a ready peer, or our own in loopback.
    fn modem_lines(&self) -> u8 {
        if !self.loopback() {
            return reg::MODEM_CTS | reg::MODEM_DSR | reg::MODEM_DCD;
        }
        let wires = [
            (reg::MODEM_DTR, reg::MODEM_DSR),
            (reg::MODEM_RTS, reg::MODEM_CTS),
            (reg::MODEM_OUT1, reg::MODEM_RI),
            (reg::MODEM_OUT2, reg::MODEM_DCD),
        ];
        let control = self.state.modem_control;
        wires.iter().filter(|(from, _)| control & from != 0).fold(0, |lines, (_, to)| lines | to)
    }

    /// Moves the backlog into the FIFO; in loopback the receiver is cut off from the wire.
    fn fill_fifo(&mut self) {
        if self.loopback() {
            return;
        }
        let room = self.capacity().saturating_sub(self.state.received.len());
        let count = room.min(self.state.backlog.len());
        self.state.received.extend(self.state.backlog.drain(..count));
    }
}

impl Persist for Uart {
    type State = UartState;

    fn save(&self) -> UartState {
        self.state.clone()
    }

    fn restore(&mut self, state: &UartState) -> Result<(), StateError> {
        let fits = state.received.len() <= FIFO_BYTES && state.backlog.len() <= BACKLOG_BYTES;
        StateError::unless(fits, "more received bytes than a serial port can hold")?;
        self.state = state.clone();
        Ok(())
    }
}
