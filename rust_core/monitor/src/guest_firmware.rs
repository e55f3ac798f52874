//! Calls of a guest kernel to its firmware, served by the monitor.
//!
//! The calls themselves are the firmware crate's; here is the virtual machine below them. What
//! techniques do in different ways is behind [`GuestPort`].

use crate::assumed;
use crate::error::HostError;
use crate::guest_pages::{PageMap, Place, provide_for};
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_hart::Hart;
use dcsim_hart::isa::Register;
use dcsim_machine::firmware::sbi::{Call, Reply, serve};
use dcsim_machine::firmware::{Fence, HartState, Platform, StartPoint};
use dcsim_machine::{Board, Meter, PowerEvent};
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

const PAGE: u64 = PAGE_BYTES as u64;

/// The length of ECALL.
pub const ECALL_BYTES: u64 = 4;

/// The extension and function of the call that writes to the guest's memory: a read from the debug
/// console.
const DEBUG_CONSOLE_READ: (u64, u64) = (0x4442_434e, 1);

/// Pages that one read from the debug console can touch: 64 KiB, not aligned.
const CONSOLE_READ_PAGES: u64 = 17;

/// How a call ends.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Departure {
    /// The guest goes on behind the call.
    Return,
    /// The guest's only hart is stopped for good.
    Stop,
    /// The guest waits for an interrupt, then goes on behind the call.
    Suspend,
    /// The guest waits for an interrupt, then goes on at a start point.
    SuspendAndResume(StartPoint),
}

/// Frames that the call in the guest's registers may need. A look ahead of the simulator.
pub fn frames_for_call(hart: &Hart) -> u64 {
    let register = |register: Register| hart.x[register.index()];
    let call = (register(Register::R17), register(Register::R16));
    if call == DEBUG_CONSOLE_READ { CONSOLE_READ_PAGES } else { 0 }
}

/// What the calls reach of a guest in ways of its technique's own.
pub trait GuestPort {
    /// Sets the guest's timer.
    fn set_timer(&mut self, meter: &mut Meter<'_>, time: u64);

    /// Raises the guest's software interrupt.
    fn raise_software_interrupt(&mut self, meter: &mut Meter<'_>);

    /// Does what an SFENCE.VMA of the guest's with this scope would do.
    fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError>;

    /// The call wrote to the guest's memory, in the page that holds this address.
    fn memory_written(&mut self, address: u64);
}

/// Serves the call in the guest's registers, and answers it there if the guest goes on behind it.
/// Tells how it goes on.
pub fn serve_call(
    site: &mut Site<'_>,
    map: &PageMap,
    port: &mut dyn GuestPort,
) -> Result<Departure, HostError> {
    let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
    let call = read_call(&mut meter);
    let mut platform = VirtualMachine {
        meter,
        port,
        frames: TableFrames { allocator: site.allocator, vm: site.vm },
        map,
        board: site.board,
        departure: Departure::Return,
        failure: None,
    };
    let reply = serve(&mut platform, &call);
    let departure = platform.departure;
    if let Some(failure) = platform.failure {
        return Err(failure);
    }
    if !matches!(departure, Departure::SuspendAndResume(_)) {
        write_reply(&mut site.meter(), reply);
    }
    Ok(departure)
}

fn read_call(meter: &mut Meter<'_>) -> Call {
    const ARGUMENTS: [Register; 6] =
        [Register::R10, Register::R11, Register::R12, Register::R13, Register::R14, Register::R15];
    Call {
        extension: meter.read_register(Register::R17),
        function: meter.read_register(Register::R16),
        arguments: ARGUMENTS.map(|register| meter.read_register(register)),
    }
}

fn write_reply(meter: &mut Meter<'_>, reply: Reply) {
    let (error, value) = match reply {
        Ok(value) => (0, value),
        Err(error) => (error.code() as u64, 0),
    };
    meter.write_register(Register::R10, error);
    meter.write_register(Register::R11, value);
}

/// A guest's machine as its firmware calls see it.
struct VirtualMachine<'a> {
    meter: Meter<'a>,
    port: &'a mut dyn GuestPort,
    frames: TableFrames<'a>,
    map: &'a PageMap,
    board: &'a mut Board,
    departure: Departure,
    failure: Option<HostError>,
}

impl VirtualMachine<'_> {
    fn fence_scope(&mut self, scope: FenceScope) {
        let fenced = self.port.fence(&mut self.meter, &mut self.frames, scope);
        self.succeeded(fenced);
    }

    fn fence_range(&mut self, start: u64, bytes: u64, asid: Option<u16>) {
        let first = start / PAGE;
        let last = start.saturating_add(bytes - 1) / PAGE;
        if last - first >= assumed::FENCED_PAGES.value {
            return self.fence_scope(FenceScope { address: None, asid });
        }
        for page in first..=last {
            self.fence_scope(FenceScope { address: Some(page * PAGE), asid });
        }
    }

    /// The parts of a range of guest memory that each lie in one page: the page, the offset in it,
    /// and which bytes.
    fn parts(
        &self,
        address: u64,
        length: usize,
    ) -> Option<Vec<(u64, u64, std::ops::Range<usize>)>> {
        if !self.map.contains(address, length as u64) {
            return None;
        }
        let mut parts = Vec::new();
        let mut done = 0;
        while done < length {
            let position = address + done as u64;
            let end = length.min(done + (PAGE - position % PAGE) as usize);
            parts.push((self.map.page_of(position)?, position % PAGE, done..end));
            done = end;
        }
        Some(parts)
    }

    /// Notes a failure of the host; the guest's call just fails.
    fn succeeded(&mut self, result: Result<(), HostError>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                self.failure.get_or_insert(error);
                false
            }
        }
    }

    fn read_part(&mut self, page: u64, offset: u64, buffer: &mut [u8]) -> Result<(), HostError> {
        let slot = self.map.slot(page).ok_or(HostError::FrameNotReserved)?;
        match Place::of(self.meter.load(slot)?) {
            Place::Absent => buffer.fill(0),
            Place::Swapped => return Err(HostError::Swapped { page }),
            Place::Own(frame) | Place::Shared(frame) => {
                self.meter.read_bytes(PhysicalAddress(frame.0 + offset), buffer)?;
            }
        }
        Ok(())
    }

    fn write_part(&mut self, page: u64, offset: u64, bytes: &[u8]) -> Result<(), HostError> {
        let frame = provide_for(&mut self.meter, &mut self.frames, self.map, page, true)?.frame;
        self.port.memory_written(self.map.base() + page * PAGE);
        Ok(self.meter.write_bytes(PhysicalAddress(frame.0 + offset), bytes)?)
    }
}

impl Platform for VirtualMachine<'_> {
    fn hart_count(&self) -> usize {
        1
    }

    fn hart_id(&self) -> usize {
        0
    }

    fn set_timer(&mut self, time: u64) {
        self.port.set_timer(&mut self.meter, time);
    }

    fn send_interrupt(&mut self, _: usize) {
        self.port.raise_software_interrupt(&mut self.meter);
    }

    fn fence(&mut self, _: usize, fence: Fence) {
        match fence {
            Fence::Instructions => self.meter.flush_instructions(),
            Fence::Everything { asid } => self.fence_scope(FenceScope { address: None, asid }),
            Fence::Range { start, bytes, asid } => self.fence_range(start, bytes, asid),
        }
    }

    fn hart_state(&mut self, _: usize) -> HartState {
        self.meter.load_state(1);
        HartState::Started
    }

    /// The only hart is started already.
    fn start_hart(&mut self, _: usize, _: StartPoint) {}

    fn stop_hart(&mut self) {
        self.meter.store_state(1);
        self.departure = Departure::Stop;
    }

    fn suspend_hart(&mut self, resume: Option<StartPoint>) {
        self.meter.store_state(1);
        self.departure = resume.map_or(Departure::Suspend, Departure::SuspendAndResume);
    }

    fn is_memory(&mut self, address: u64, bytes: u64) -> bool {
        self.meter.assume(dcsim_machine::assumed::MEMORY_BOUNDS);
        self.map.contains(address, bytes)
    }

    fn read_memory(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        let Some(parts) = self.parts(address, buffer.len()) else { return false };
        parts.into_iter().all(|(page, offset, range)| {
            let read = self.read_part(page, offset, &mut buffer[range]);
            self.succeeded(read)
        })
    }

    fn write_memory(&mut self, address: u64, bytes: &[u8]) -> bool {
        let Some(parts) = self.parts(address, bytes.len()) else { return false };
        parts.into_iter().all(|(page, offset, range)| {
            let written = self.write_part(page, offset, &bytes[range]);
            self.succeeded(written)
        })
    }

    /// The bytes go into the VM's output, eight with each store.
    fn write_console(&mut self, bytes: &[u8]) {
        self.meter.store_state(bytes.len().div_ceil(8) as u64);
        self.board.write_console(bytes);
    }

    fn read_console(&mut self) -> Option<u8> {
        self.meter.load_state(1);
        self.board.read_console()
    }

    fn change_power(&mut self, event: PowerEvent) {
        self.meter.store_state(1);
        self.board.request_power(event);
    }
}
