//! Calls of a guest kernel to its firmware, served by the monitor.
//!
//! The calls themselves are the firmware crate's; here is the virtual machine below them. What
//! techniques do in different ways is behind [`GuestPort`].

use crate::error::HostError;
use crate::guest_pages::{PageMap, Place, provide_for};
use crate::ledger::Activity;
use crate::mail::{Letters, Mail};
use crate::reason::ExitReason;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::technique::Site;
use dcsim_hart::Hart;
use dcsim_hart::isa::Register;
use dcsim_machine::firmware::sbi::{self, Call, Reply};
use dcsim_machine::firmware::{Fence, HartState, Platform, StartPoint};
use dcsim_machine::{Board, Meter, PowerEvent};
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

mod locks;
mod remote_fence;
mod steal_time;

pub use remote_fence::{fence_others, shoot_down};

const PAGE: u64 = PAGE_BYTES as u64;

/// The length of ECALL.
pub const ECALL_BYTES: u64 = 4;

/// The extension and function of the call that writes to the guest's memory: a read from the debug
/// console.
const DEBUG_CONSOLE_READ: (u64, u64) = (0x4442_434e, 1);

/// The base extension, and its function that tells whether another is there.
const PROBE: (u64, u64) = (0x10, 3);

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
    /// The guest waits for a kick, for a lock that this vCPU holds, if it knows.
    Spin(Option<usize>),
}

/// Frames that the call in the guest's registers may need. A look ahead of the simulator.
pub fn frames_for_call(hart: &Hart) -> u64 {
    let register = |register: Register| hart.x[register.index()];
    let call = (register(Register::R17), register(Register::R16));
    match call {
        DEBUG_CONSOLE_READ => CONSOLE_READ_PAGES,
        steal_time::SET => 1,
        _ => 0,
    }
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

    /// Something was written to the guest's memory, in the page that holds this address.
    fn memory_written(&mut self, address: u64);

    /// Whether the monitor may write to any page of the guest's: none is a table for the hart.
    fn takes_writes(&self) -> bool {
        true
    }
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
        vcpu: site.vcpu,
        meter,
        port,
        frames: TableFrames { allocator: site.allocator, vm: site.vm },
        map,
        board: site.board,
        mail: site.mail,
        departure: Departure::Return,
        awaited_flushes: None,
        failure: None,
    };
    let reply = platform.serve(&call);
    let departure = platform.departure;
    let awaited = platform.awaited_flushes;
    if let Some(failure) = platform.failure {
        return Err(failure);
    }
    if let Some(flushes) = awaited {
        site.book(Activity::Handler(ExitReason::FirmwareCall));
        remote_fence::await_answer(site, flushes);
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

/// Does what other vCPUs asked for.
pub fn receive(
    site: &mut Site<'_>,
    map: &PageMap,
    port: &mut dyn GuestPort,
    letters: &Letters,
) -> Result<(), HostError> {
    let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
    let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
    meter.load_state(3);
    for fence in &letters.fences {
        remote_fence::execute(port, &mut meter, &mut frames, *fence)?;
        // The sender sees that it is done.
        meter.store_state(1);
    }
    if letters.interrupt {
        port.raise_software_interrupt(&mut meter);
    }
    if let Some(stolen) = letters.stolen
        && !steal_time::tell(port, &mut meter, &mut frames, map, stolen)?
    {
        site.mail.put_back(site.vcpu, stolen);
    }
    Ok(())
}

/// A guest's machine as its firmware calls see it.
struct VirtualMachine<'a> {
    vcpu: usize,
    meter: Meter<'a>,
    port: &'a mut dyn GuestPort,
    frames: TableFrames<'a>,
    map: &'a PageMap,
    board: &'a mut Board,
    mail: &'a mut Mail,
    departure: Departure,
    /// The flushes of the vCPU that the call has to wait for, if there is one.
    awaited_flushes: Option<u64>,
    failure: Option<HostError>,
}

impl VirtualMachine<'_> {
    /// Serves a call: of an extension that only a monitor has, or of any firmware's.
    fn serve(&mut self, call: &Call) -> Reply {
        let is_probe = (call.extension, call.function) == PROBE;
        let extension = if is_probe { call.arguments[0] } else { call.extension };
        match extension {
            locks::EXTENSION if !is_probe => locks::serve(self, call),
            locks::EXTENSION => Ok(1),
            steal_time::EXTENSION if self.offers_steal_time() => {
                if is_probe {
                    Ok(1)
                } else {
                    steal_time::serve(self, call)
                }
            }
            _ => sbi::serve(self, call),
        }
    }

    fn offers_steal_time(&self) -> bool {
        self.mail.offers_steal_time() && self.port.takes_writes()
    }

    /// Rings at the pCPU of a vCPU that has a letter, if it is on one. Returns when it hears that.
    fn ring(&mut self, vcpu: usize) -> u64 {
        self.meter.load_state(1);
        if self.mail.is_on_pcpu(vcpu) {
            self.meter.ring();
        }
        self.meter.arrival_cycle()
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
        self.mail.count()
    }

    fn hart_id(&self) -> usize {
        self.vcpu
    }

    fn set_timer(&mut self, time: u64) {
        self.port.set_timer(&mut self.meter, time);
    }

    fn send_interrupt(&mut self, vcpu: usize) {
        if vcpu == self.vcpu {
            return self.port.raise_software_interrupt(&mut self.meter);
        }
        if self.mail.is_up(vcpu) {
            self.meter.store_state(1);
            let at_cycles = self.ring(vcpu);
            self.mail.interrupt(vcpu, at_cycles);
        }
    }

    fn fence(&mut self, vcpu: usize, fence: Fence) {
        if vcpu == self.vcpu {
            let fenced = remote_fence::execute(self.port, &mut self.meter, &mut self.frames, fence);
            self.succeeded(fenced);
        } else if self.mail.is_up(vcpu) {
            self.meter.store_state(2);
            self.ring(vcpu);
            if self.mail.is_on_pcpu(vcpu) {
                let flushes = remote_fence::flushes(fence);
                self.awaited_flushes = self.awaited_flushes.max(Some(flushes));
            }
            self.mail.fence(vcpu, fence);
        }
    }

    fn hart_state(&mut self, vcpu: usize) -> HartState {
        self.meter.load_state(1);
        self.mail.state(vcpu)
    }

    fn start_hart(&mut self, vcpu: usize, start: StartPoint) {
        self.meter.store_state(3);
        let at_cycles = self.ring(vcpu);
        self.mail.start(vcpu, at_cycles, start);
    }

    fn stop_hart(&mut self) {
        self.meter.store_state(1);
        self.mail.set_state(self.vcpu, HartState::Stopped);
        self.departure = Departure::Stop;
    }

    fn suspend_hart(&mut self, resume: Option<StartPoint>) {
        self.meter.store_state(1);
        self.mail.set_state(self.vcpu, HartState::Suspended);
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
