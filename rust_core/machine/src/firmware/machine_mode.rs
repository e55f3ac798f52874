//! The platform of a bare machine: harts and devices, reached through the meter of the hart that
//! called.

use super::state::HartRecord;
use super::{Fence, Firmware, HartState, Platform, StartPoint, csr};
use crate::assumed;
use crate::board::map;
use crate::devices::finisher::PowerEvent;
use crate::meter::Meter;
use dcsim_hart::Width;
use dcsim_hart::csr::fields::interrupt;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

const UART_DATA: u64 = map::UART.base;
const UART_LINE_STATUS: u64 = map::UART.base + 5;
const UART_DATA_READY: u64 = 1;

/// The firmware together with the meter of the hart that called.
#[derive(Debug)]
pub(super) struct MachineMode<'a, 'm> {
    pub firmware: &'a mut Firmware,
    pub meter: &'a mut Meter<'m>,
    /// What the hart does after the call.
    pub departure: Departure,
}

/// How a call ends.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Departure {
    /// The hart goes on behind the call.
    Return,
    /// The hart is stopped.
    Stop,
    /// The hart waits for an interrupt, then goes on behind the call.
    Suspend,
    /// The hart waits for an interrupt and stays with the firmware meanwhile.
    SuspendInFirmware,
}

impl MachineMode<'_, '_> {
    fn record(&mut self, hart: usize) -> Option<&mut HartRecord> {
        self.meter.store_state(1);
        self.firmware.harts.get_mut(hart)
    }

    /// Raises a hart's machine software interrupt, so that it looks into its mailbox.
    fn ring(&mut self, hart: usize) {
        let address = map::ACLINT.base + 4 * hart as u64;
        // The register exists for every hart of the machine.
        let _ = self.meter.store_device(address, Width::Word, 1);
    }

    fn is_up(&self, hart: usize) -> bool {
        matches!(self.firmware.hart_state(hart), HartState::Started | HartState::Suspended)
    }
}

impl Platform for MachineMode<'_, '_> {
    fn hart_count(&self) -> usize {
        self.firmware.harts.len()
    }

    fn hart_id(&self) -> usize {
        self.meter.hart_id()
    }

    fn set_timer(&mut self, time: u64) {
        if self.firmware.config.supervisor_timer {
            self.meter.write_csr(csr::STIMECMP, time);
            return;
        }
        let compare = map::ACLINT.base + 0x4000 + 8 * self.hart_id() as u64;
        // The register exists for every hart of the machine.
        let _ = self.meter.store_device(compare, Width::Double, time);
        self.meter.clear_csr(csr::MIP, interrupt::STIP);
        self.meter.set_csr(csr::MIE, interrupt::MTIP);
    }

    fn send_interrupt(&mut self, hart: usize) {
        if !self.is_up(hart) {
            return;
        }
        if let Some(record) = self.record(hart) {
            record.mailbox.interrupt = true;
        }
        self.ring(hart);
    }

    fn fence(&mut self, hart: usize, fence: Fence) {
        if hart == self.hart_id() {
            execute_fence(self.meter, fence);
            return;
        }
        if !self.is_up(hart) {
            return;
        }
        if let Some(record) = self.record(hart) {
            record.mailbox.fences.push(fence);
        }
        let caller = self.hart_id();
        if let Some(record) = self.record(caller) {
            record.waits_for.push(hart);
        }
        self.ring(hart);
    }

    fn hart_state(&mut self, hart: usize) -> HartState {
        self.meter.load_state(1);
        self.firmware.hart_state(hart)
    }

    fn start_hart(&mut self, hart: usize, start: StartPoint) {
        if let Some(record) = self.record(hart) {
            record.state = HartState::StartPending;
            record.mailbox.start = Some(start);
        }
        self.ring(hart);
    }

    fn stop_hart(&mut self) {
        let hart = self.hart_id();
        if let Some(record) = self.record(hart) {
            record.state = HartState::Stopped;
        }
        self.departure = Departure::Stop;
    }

    fn suspend_hart(&mut self, resume: Option<StartPoint>) {
        let hart = self.hart_id();
        if let Some(record) = self.record(hart) {
            record.state = HartState::Suspended;
            record.resume = resume;
        }
        self.departure =
            if resume.is_some() { Departure::SuspendInFirmware } else { Departure::Suspend };
    }

    fn is_memory(&mut self, address: u64, bytes: u64) -> bool {
        self.meter.is_memory(address, bytes)
    }

    fn read_memory(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        self.meter.read_bytes(PhysicalAddress(address), buffer).is_ok()
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> bool {
        self.meter.write_bytes(PhysicalAddress(address), bytes).is_ok()
    }

    /// Byte by byte through the serial port, polling its line status before each.
    fn write_console(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let _ = self.meter.load_device(UART_LINE_STATUS, Width::Byte);
            let _ = self.meter.store_device(UART_DATA, Width::Byte, u64::from(*byte));
        }
    }

    fn read_console(&mut self) -> Option<u8> {
        let status = self.meter.load_device(UART_LINE_STATUS, Width::Byte).ok()?;
        if status & UART_DATA_READY == 0 {
            return None;
        }
        self.meter.load_device(UART_DATA, Width::Byte).ok().map(|byte| byte as u8)
    }

    fn change_power(&mut self, event: PowerEvent) {
        // The finisher takes every value.
        let _ = self.meter.store_device(map::FINISHER.base, Width::Word, event.command());
    }
}

/// Executes a fence on the hart of the meter.
pub(super) fn execute_fence(meter: &mut Meter<'_>, fence: Fence) {
    match fence {
        Fence::Instructions => meter.flush_instructions(),
        Fence::Everything { asid: None } => meter.flush_tlb_all(),
        Fence::Everything { asid: Some(asid) } => meter.flush_tlb_asid(asid),
        Fence::Range { start, bytes, asid } => fence_range(meter, start, bytes, asid),
    }
}

fn fence_range(meter: &mut Meter<'_>, start: u64, bytes: u64, asid: Option<u16>) {
    let page = PAGE_BYTES as u64;
    let first = start / page;
    let last = start.saturating_add(bytes - 1) / page;
    if last - first >= assumed::FENCED_PAGES.value {
        return execute_fence(meter, Fence::Everything { asid });
    }
    for number in first..=last {
        match asid {
            Some(asid) => meter.flush_tlb_page(number * page, asid),
            None => meter.flush_tlb_address(number * page),
        }
    }
}
