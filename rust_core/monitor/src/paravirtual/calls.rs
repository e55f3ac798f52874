//! Calls of the guest kernel: those of the paravirtual interface, and those to its firmware.

use super::abi::{
    EXTENSION, Function, MOST_OPERATIONS, OPERATION_BYTES, Operation, Reply, features, shared,
};
use super::events::QUEUE_NOTIFY;
use super::exits::set_status;
use super::seal::Seal;
use super::survey::Survey;
use super::tables::{Content, Refusal, Tables};
use super::vcpu::Paravirtual;
use crate::error::HostError;
use crate::guest_firmware::{ECALL_BYTES, GuestPort, receive, serve_call};
use crate::guest_pages::PageMap;
use crate::mail::Letters;
use crate::reason::ExitReason;
use crate::shadow::spaces::FenceScope;
use crate::shadow::tree::TableFrames;
use crate::supervisor::csr;
use crate::technique::{Handled, Phase, Site};
use dcsim_hart::csr::fields::{interrupt, satp, status};
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_machine::board::map;
use dcsim_machine::firmware::sbi::SbiError;
use dcsim_machine::firmware::{StartPoint, csr as machine};
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// The call by which a kernel asks for an extension.
const BASE: u64 = 0x10;
const PROBE: u64 = 3;

/// The call that writes to memory: it is not offered, as the memory could be a page table.
const DEBUG_CONSOLE_READ: (u64, u64) = (0x4442_434e, 1);
/// The extension that raises software interrupts, which the only hart of a kernel in user mode does
/// not have.
const INTERRUPTS: u64 = 0x0073_5049;

/// A guest whose timer and interrupts are the hart's own, and whose tables are walked by it.
pub(super) struct Port {
    pub in_user_mode: bool,
    /// A software interrupt was raised that no register of the guest's shows.
    pub raised: bool,
}

impl GuestPort for Port {
    fn set_timer(&mut self, meter: &mut Meter<'_>, time: u64) {
        meter.write_csr(csr::STIMECMP, time);
    }

    fn raise_software_interrupt(&mut self, meter: &mut Meter<'_>) {
        if self.in_user_mode {
            self.raised = true;
        } else {
            meter.set_csr(machine::MIP, interrupt::SSIP);
        }
    }

    fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        _: &mut TableFrames<'_>,
        scope: FenceScope,
    ) -> Result<(), HostError> {
        match (scope.address, scope.asid) {
            (Some(address), Some(asid)) => meter.flush_tlb_page(address, asid),
            (Some(address), None) => meter.flush_tlb_address(address),
            (None, Some(asid)) => meter.flush_tlb_asid(asid),
            (None, None) => meter.flush_tlb_all(),
        }
        Ok(())
    }

    /// No call that is offered writes to memory.
    fn memory_written(&mut self, _: u64) {}

    fn takes_writes(&self) -> bool {
        false
    }
}

/// Arguments of a call, as the simulator looks at them ahead of the monitor.
fn argument(site: &Site<'_>, register: Register) -> u64 {
    site.pcpu.hart.x[register.index()]
}

impl Paravirtual {
    /// Frames that the call in the guest's registers may need.
    pub(super) fn frames_for_call(&self, site: &mut Site<'_>) -> u64 {
        if argument(site, Register::R17) != EXTENSION {
            return 0;
        }
        let function = Function::from_number(argument(site, Register::R16));
        let (first, second) = (argument(site, Register::R10), argument(site, Register::R11));
        let memory = site.memory.reborrow();
        let mut survey = Survey::new(&memory, &self.map);
        match function {
            Some(Function::Share) => survey.look_at_page(first),
            Some(Function::Apply) if is_list(first, second) => {
                let read = |place| survey.read(place).unwrap_or(0);
                let operations: Vec<_> = (0..second)
                    .map(|number| first + number * OPERATION_BYTES)
                    .map(|place| Operation::decode(read(place), read(place + 8)))
                    .collect();
                survey.look_at_operations(&operations);
            }
            _ => {}
        }
        survey.frames(&self.names)
    }

    /// Serves the call in the guest's registers.
    pub(super) fn serve(&mut self, site: &mut Site<'_>) -> Result<Handled, HostError> {
        let mut meter = site.meter();
        let extension = meter.read_register(Register::R17);
        let function = meter.read_register(Register::R16);
        let arguments =
            [Register::R10, Register::R11, Register::R12].map(|r| meter.read_register(r));
        if extension == EXTENSION {
            return self.serve_own(site, function, arguments);
        }
        let own_probe = (extension, function, arguments[0]) == (BASE, PROBE, EXTENSION);
        let reply = if own_probe {
            Ok(1)
        } else if (extension, function) == DEBUG_CONSOLE_READ
            || (extension == INTERRUPTS && self.in_user_mode() && !self.seats.are_several())
        {
            Err(SbiError::NotSupported)
        } else {
            return self.call_firmware(site);
        };
        self.answer(site, reply);
        Ok(Handled::Resume(ExitReason::FirmwareCall))
    }

    fn serve_own(
        &mut self,
        site: &mut Site<'_>,
        function: u64,
        arguments: [u64; 3],
    ) -> Result<Handled, HostError> {
        let [first, second, _] = arguments;
        let (reason, reply) = match Function::from_number(function) {
            Some(Function::Features) => (ExitReason::HypercallOther, Ok(self.features())),
            Some(Function::Share) => (ExitReason::HypercallOther, self.share(site, first, second)?),
            Some(Function::Apply) => (ExitReason::HypercallApply, self.apply(site, first, second)?),
            Some(Function::Switch) => {
                (ExitReason::HypercallSwitch, self.switch(site, first, second)?)
            }
            Some(Function::Notify) => {
                (ExitReason::HypercallNotify, self.notify(site, first, second))
            }
            Some(Function::Wait) => {
                self.answer(site, Ok(0));
                return self.wait(site, ExitReason::HypercallWait);
            }
            Some(Function::Listen) => (ExitReason::HypercallOther, self.listen(site, first)),
            Some(Function::Seal) => (ExitReason::HypercallOther, self.seal(site, arguments)?),
            Some(Function::Return) => {
                let reply = self.return_to_program(site)?;
                if reply.is_ok() {
                    return Ok(Handled::Resume(ExitReason::HypercallReturn));
                }
                (ExitReason::HypercallReturn, reply)
            }
            None => (ExitReason::HypercallOther, Err(SbiError::NotSupported)),
        };
        self.answer(site, reply);
        Ok(Handled::Resume(reason))
    }

    /// Answers a call: the guest goes on behind it.
    fn answer(&mut self, site: &mut Site<'_>, reply: Reply) {
        let (error, value) = match reply {
            Ok(value) => (0, value),
            Err(error) => (error.code() as u64, 0),
        };
        let mut meter = site.meter();
        meter.write_register(Register::R10, error);
        meter.write_register(Register::R11, value);
        self.life.pc = self.life.pc.wrapping_add(ECALL_BYTES);
    }

    fn features(&self) -> u64 {
        let mode = if self.in_user_mode() { features::USER_MODE } else { 0 };
        let large = if self.agreement.large_pages { features::LARGE_PAGES } else { 0 };
        mode | large
    }

    /// Takes a page for events and the clock of stolen time, and learns where a kernel in user mode
    /// takes traps. There is one, once.
    fn share(
        &mut self,
        site: &mut Site<'_>,
        address: u64,
        vector: u64,
    ) -> Result<Reply, HostError> {
        if self.agreement.shared.is_some() || !address.is_multiple_of(PAGE_BYTES as u64) {
            return Ok(Err(SbiError::Denied));
        }
        let held = self.with_tables(site, |tables| tables.hold(address));
        let reply = reply_of(held.map(|_| 0))?;
        if reply.is_ok() {
            self.agreement.shared = Some(address);
            if self.in_user_mode() {
                self.life.guest.vector = vector & !3;
            }
            if self.agreement.listener == self.life.number {
                self.open_lines(site);
            }
        }
        Ok(reply)
    }

    /// Carries out operations up to the first that is refused. The list is read before anything
    /// happens: an operation may be about the page that it lies in.
    fn apply(&mut self, site: &mut Site<'_>, list: u64, count: u64) -> Result<Reply, HostError> {
        let Some(page) = self.map.page_of(list).filter(|_| is_list(list, count)) else {
            return Ok(Err(SbiError::InvalidParameter));
        };
        let operations = self.read_list(&mut site.meter(), page, list, count)?;
        for operation in operations {
            if let Err(error) = self.operate(site, operation)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(count))
    }

    fn read_list(
        &self,
        meter: &mut Meter<'_>,
        page: u64,
        list: u64,
        count: u64,
    ) -> Result<Vec<Operation>, HostError> {
        let slot = self.map.slot(page).ok_or(HostError::FrameNotReserved)?;
        let Some(frame) = PageMap::decode(meter.load(slot)?) else { return Ok(Vec::new()) };
        let mut operations = Vec::new();
        for number in 0..count {
            let place = frame.0 + list % PAGE_BYTES as u64 + number * OPERATION_BYTES;
            let first = meter.load(PhysicalAddress(place))?;
            let second = meter.load(PhysicalAddress(place + 8))?;
            operations.push(Operation::decode(first, second));
        }
        Ok(operations)
    }

    fn operate(&mut self, site: &mut Site<'_>, operation: Operation) -> Result<Reply, HostError> {
        let in_use = matches!(operation, Operation::Unpin(root) if self.is_in_use(root));
        let done = self.with_tables(site, |tables| match operation {
            Operation::Unpin(_) if in_use => Err(Refusal::Guest(SbiError::Denied)),
            _ => carry_out(tables, operation),
        });
        let reply = reply_of(done.map(|()| 0))?;
        if reply.is_ok() {
            match operation {
                Operation::NewRoot(root) | Operation::Pin(root) => {
                    self.agreement.roots.insert(root);
                }
                Operation::Unpin(root) => {
                    self.agreement.roots.remove(&root);
                }
                _ => {}
            }
        }
        Ok(reply)
    }

    /// Changes the address space: to a root, or to none, which leaves the window alone.
    fn switch(&mut self, site: &mut Site<'_>, root: u64, asid: u64) -> Result<Reply, HostError> {
        let Ok(asid) = u16::try_from(asid) else { return Ok(Err(SbiError::InvalidParameter)) };
        if root != 0 {
            // Identifier 0 is that of a kernel's own window.
            if asid == 0 {
                return Ok(Err(SbiError::InvalidParameter));
            }
            let found = self.with_tables(site, |tables| tables.root_frame(root));
            if let Err(error) = reply_of(found.map(|_| 0))? {
                return Ok(Err(error));
            }
        }
        self.life.guest.translation =
            if root == 0 { 0 } else { satp::SV39 << 60 | u64::from(asid) << 44 | root >> 12 };
        site.meter().store_state(1);
        if self.agreement.translated {
            return Ok(Ok(0));
        }
        self.agreement.translated = true;
        self.operate(site, Operation::FlushAll)
    }

    /// Keeps the kernel to what it gives up. It can do that once.
    fn seal(&mut self, site: &mut Site<'_>, ranges: [u64; 3]) -> Result<Reply, HostError> {
        if self.agreement.seal.is_some() {
            return Ok(Err(SbiError::Denied));
        }
        let Some(seal) = Seal::new(ranges) else { return Ok(Err(SbiError::InvalidParameter)) };
        self.agreement.seal = Some(seal.clone());
        self.window.close(&mut site.meter(), seal)?;
        self.operate(site, Operation::FlushAll)
    }

    /// Does what a store to a virtio device's notification register would do.
    fn notify(&mut self, site: &mut Site<'_>, registers: u64, queue: u64) -> Reply {
        let offset = map::VIRTIO.offset_of(registers, map::VIRTIO_SLOT_BYTES);
        if offset.is_none_or(|offset| offset % map::VIRTIO_SLOT_BYTES != 0) {
            return Err(SbiError::InvalidAddress);
        }
        self.store_device(site, registers + QUEUE_NOTIFY, queue & 0xffff_ffff);
        Ok(0)
    }

    fn call_firmware(&mut self, site: &mut Site<'_>) -> Result<Handled, HostError> {
        let mut port = self.port();
        let departure = serve_call(site, &self.map, &mut port)?;
        self.tell_raised(site, &port)?;
        let reason = ExitReason::FirmwareCall;
        Ok(match self.life.depart(departure) {
            Phase::Wait if !self.life.awaits_kick() => self.wait(site, reason)?,
            Phase::Enter => Handled::Resume(reason),
            phase => Handled::Turn(reason, phase),
        })
    }

    pub(super) fn port(&self) -> Port {
        Port { in_user_mode: self.in_user_mode(), raised: false }
    }

    /// Tells a kernel in user mode of a software interrupt.
    pub(super) fn tell_raised(
        &mut self,
        site: &mut Site<'_>,
        port: &Port,
    ) -> Result<(), HostError> {
        if !port.raised {
            return Ok(());
        }
        self.life.guest.software_pending = true;
        self.change_shared(site, shared::PENDING, |pending| pending | shared::HART_EVENT)
    }

    /// Does what other vCPUs asked for.
    pub(super) fn take_letters(
        &mut self,
        site: &mut Site<'_>,
        letters: &Letters,
    ) -> Result<(), HostError> {
        if letters.start.is_some() {
            self.begin_anew(site)?;
        }
        let mut port = self.port();
        receive(site, &self.map, &mut port, letters)?;
        self.life.guest.software_pending |= letters.interrupt;
        self.tell_raised(site, &port)
    }

    /// A hart that is started begins as the first one did.
    fn begin_anew(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        self.life.guest.translation = 0;
        self.agreement.translated = false;
        let page = self.agreement.shared.take().and_then(|address| self.map.page_of(address));
        let Some(page) = page else { return Ok(()) };
        let released = self.with_tables(site, |tables| tables.release_page(page));
        reply_of(released.map(|()| 0)).map(drop)
    }

    /// The state in which firmware enters a kernel, in the address space that it is in: what was
    /// agreed on stays.
    pub(super) fn restart(&mut self, meter: &mut Meter<'_>, start: StartPoint) {
        if self.in_user_mode() {
            self.life.guest.vector = start.address & !3;
            meter.store_state(1);
        } else {
            let settings = [(csr::SIE, 0), (csr::SSCRATCH, 0), (csr::STVEC, start.address & !3)];
            for (number, value) in settings {
                meter.write_csr(number, value);
            }
            set_status(meter, status::FS);
        }
        self.life.pc = start.address;
        meter.write_register(Register::R10, self.life.number as u64);
        meter.write_register(Register::R11, start.opaque);
    }
}

/// Whether operations lie in a list as they must: within one page.
fn is_list(list: u64, count: u64) -> bool {
    let within = list % PAGE_BYTES as u64;
    list.is_multiple_of(8)
        && count <= MOST_OPERATIONS
        && within + count * OPERATION_BYTES <= PAGE_BYTES as u64
}

fn carry_out(tables: &mut Tables<'_, '_>, operation: Operation) -> Result<(), Refusal> {
    match operation {
        Operation::Set { place, value } => tables.set(place, value, Content::Entries),
        Operation::Link { place, value } => tables.set(place, value, Content::Nothing),
        Operation::NewRoot(root) => tables.pin(root, Content::Nothing),
        Operation::Pin(root) => tables.pin(root, Content::Entries),
        Operation::Unpin(root) => tables.unpin(root),
        Operation::FlushPage { address, asid } => {
            tables.meter.flush_tlb_page(address, asid);
            tables.fences.add_page(address, Some(asid));
            Ok(())
        }
        Operation::FlushSpace(asid) => {
            tables.meter.flush_tlb_asid(asid);
            tables.fences.add_space(asid);
            Ok(())
        }
        Operation::FlushAll => {
            tables.flush_all();
            Ok(())
        }
    }
}

/// What the guest is told, or the host's own failure.
fn reply_of(result: Result<u64, Refusal>) -> Result<Reply, HostError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Refusal::Guest(error)) => Ok(Err(error)),
        Err(Refusal::Host(error)) => Err(error),
    }
}
