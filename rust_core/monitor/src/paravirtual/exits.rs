//! Handling a trap out of the guest: a call, the first touch of a page, a device.
//!
//! Everything else is the guest's own. Exceptions and interrupts are delegated to its supervisor
//! mode, those included by which it would find out that it is not alone (`satp`, SFENCE.VMA and
//! WFI are illegal instructions to it); or they are handed over if it has none.

use super::abi::WINDOW;
use super::upcall;
use super::vcpu::Paravirtual;
use crate::assumed;
use crate::device_access;
use crate::error::HostError;
use crate::guest_pages::{GUARDED, PageMap, provide};
use crate::instruction::device_access as decode_access;
use crate::reason::ExitReason;
use crate::shadow::tree::TableFrames;
use crate::supervisor::{Inputs, Supervisor, csr};
use crate::technique::{Handled, Phase, Site, Step};
use dcsim_hart::csr::fields::{interrupt, status};
use dcsim_hart::isa::instruction_length;
use dcsim_hart::{Exception, Privilege, TrapRecord};
use dcsim_machine::Meter;
use dcsim_machine::firmware::csr as machine;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// Frames that showing a page takes: itself and a table.
const FILL_FRAMES: u64 = 2;

/// What ends the wait of a kernel in user mode, which enables no interrupts: whatever there is.
const EVENTS: u64 = interrupt::SSIP | interrupt::STIP;

/// Exceptions of the kernel by which the monitor notices what the window does not show.
pub const ACCESS_FAULTS: [Exception; 3] =
    [Exception::InstructionAccessFault, Exception::LoadAccessFault, Exception::StoreAccessFault];

/// What a trap is to the monitor.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Event {
    /// The kernel calls.
    Call,
    /// The kernel accessed what its window does not show.
    AccessFault,
    /// The pCPU was interrupted.
    Interrupt,
    /// An exception that is the guest's own.
    OfGuest,
}

/// What keeps the control of translation and waiting with the monitor.
pub const TRAPPED: u64 = status::TVM | status::TW;

impl Paravirtual {
    /// One step: from the trap to the point where the guest can be entered again.
    pub(super) fn handle(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
    ) -> Result<Step, HostError> {
        let event = self.event(record);
        let frames = match event {
            Event::Call => self.frames_for_call(site),
            Event::AccessFault => FILL_FRAMES,
            Event::Interrupt | Event::OfGuest => 0,
        };
        if site.allocator.reserve(frames).is_err() {
            return Ok(Step::Memory(frames));
        }
        self.life.pc = record.pc;
        begin(&mut site.meter());
        let handled = match event {
            Event::Call => self.serve(site)?,
            Event::Interrupt => self.take_interrupt(site, record.cause)?,
            Event::AccessFault => self.resolve(site, record)?,
            Event::OfGuest => self.reflect(site, record)?,
        };
        Ok(self.life.finish(site, handled))
    }

    /// What a trap is to the monitor.
    fn event(&self, record: &TrapRecord) -> Event {
        let calls = [Exception::EcallFromSupervisor, Exception::EcallFromUser];
        let is = |exception: &Exception| exception.code() == record.cause;
        if record.cause & interrupt::CAUSE != 0 {
            Event::Interrupt
        } else if !self.is_from_kernel(record) {
            Event::OfGuest
        } else if calls.iter().any(is) {
            Event::Call
        } else if ACCESS_FAULTS.iter().any(is) {
            Event::AccessFault
        } else {
            Event::OfGuest
        }
    }

    /// An access fault of the kernel: of the window on a page that the guest has not touched yet,
    /// on a device, or one that bare metal has too.
    fn resolve(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Result<Handled, HostError> {
        site.meter().read_csr(machine::MTVAL);
        let Some(target) = self.behind_window(record.value) else {
            return self.reflect(site, record);
        };
        let Some(page) = self.map.page_of(target) else {
            return self.access_device(site, record, target);
        };
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let frame = provide(&mut meter, &mut frames, &self.map, page)?;
        let slot = self.map.slot(page).ok_or(HostError::FrameNotReserved)?;
        let guarded = meter.load(slot)? & GUARDED != 0;
        self.window.fill(&mut meter, &mut frames, target, frame, guarded)?;
        meter.flush_tlb_address(record.value);
        Ok(Handled::Resume(ExitReason::WindowFill))
    }

    /// The guest-physical address that a virtual one of the window shows.
    fn behind_window(&self, address: u64) -> Option<u64> {
        match address.checked_sub(WINDOW) {
            Some(target) => Some(target),
            None => {
                (!self.agreement.translated && address < WINDOW.wrapping_neg()).then_some(address)
            }
        }
    }

    /// Carries out an access to guest-physical `target`, which is no memory.
    fn access_device(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        target: u64,
    ) -> Result<Handled, HostError> {
        let fetched = record.cause == Exception::InstructionAccessFault.code();
        let Some(bits) = self.fetch(&mut site.meter())?.filter(|_| !fetched) else {
            return self.reflect(site, record);
        };
        site.meter().assume(assumed::DECODE_ACCESS);
        let aligned = |width: dcsim_hart::Width| record.value & width.alignment_mask() == 0;
        let Some(access) = decode_access(bits).filter(|access| aligned(access.width)) else {
            return self.reflect(site, record);
        };
        let Some(done) = device_access::carry_out(site, &self.map, None, &access, target) else {
            return self.reflect(site, record);
        };
        if done.float_written {
            site.meter().set_csr(machine::MSTATUS, status::FS);
        }
        site.counters.emulated_instructions += 1;
        self.life.pc = self.life.pc.wrapping_add(access.length);
        Ok(Handled::Resume(device_access::reason(target)))
    }

    /// The instruction at `pc`, if the guest executes it through the window.
    fn fetch(&self, meter: &mut Meter<'_>) -> Result<Option<u32>, HostError> {
        let Some(low) = self.fetch_half(meter, self.life.pc)? else { return Ok(None) };
        if instruction_length(low) == 2 {
            return Ok(Some(u32::from(low)));
        }
        let high = self.fetch_half(meter, self.life.pc.wrapping_add(2))?;
        Ok(high.map(|high| u32::from(high) << 16 | u32::from(low)))
    }

    fn fetch_half(&self, meter: &mut Meter<'_>, address: u64) -> Result<Option<u16>, HostError> {
        let page = self.behind_window(address).and_then(|target| self.map.page_of(target));
        let Some(slot) = page.and_then(|page| self.map.slot(page)) else { return Ok(None) };
        let Some(frame) = PageMap::decode(meter.load(slot)?) else { return Ok(None) };
        let mut half = [0; 2];
        meter.read_bytes(PhysicalAddress(frame.0 + address % PAGE_BYTES as u64), &mut half)?;
        Ok(Some(u16::from_le_bytes(half)))
    }

    /// Lets the guest's kernel take an exception.
    fn reflect(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Result<Handled, HostError> {
        if self.in_user_mode() {
            site.meter().read_csr(machine::MTVAL);
            self.hand_over(site, record.cause, record.value)?;
            return Ok(Handled::Resume(upcall::reason(record.cause)));
        }
        self.reflect_in_registers(&mut site.meter(), record);
        Ok(Handled::Resume(ExitReason::OtherException))
    }

    /// The same as the hart does it, for a kernel in supervisor mode.
    fn reflect_in_registers(&mut self, meter: &mut Meter<'_>, record: &TrapRecord) {
        let before = meter.read_csr(machine::MSTATUS) & status::SUPERVISOR_WRITABLE;
        let vector = meter.read_csr(csr::STVEC);
        let mut guest =
            Supervisor { status: before, vector, privilege: record.from, ..Supervisor::default() };
        let pc = self.life.pc;
        self.life.pc = guest.enter_trap(record.cause, record.value, pc);
        let settings = [(csr::SCAUSE, record.cause), (csr::STVAL, record.value), (csr::SEPC, pc)];
        for (number, value) in settings {
            meter.write_csr(number, value);
        }
        set_status(meter, guest.status);
    }

    /// The guest waits for an interrupt, if none is there.
    pub(super) fn wait(
        &mut self,
        site: &mut Site<'_>,
        reason: ExitReason,
    ) -> Result<Handled, HostError> {
        let external = site.board.lines(site.vcpu).supervisor_external;
        let mut meter = site.meter();
        let (enable, pending) = if self.in_user_mode() {
            (EVENTS, self.pending_events(&mut meter)? != 0)
        } else {
            (meter.read_csr(csr::SIE), meter.read_csr(csr::SIP) & interrupt::SSIP != 0)
        };
        let guest = &mut self.life.guest;
        (guest.enable, guest.software_pending) = (enable, pending);
        guest.timer_compare = meter.read_csr(csr::STIMECMP);
        let time = meter.read_csr(csr::TIME);
        Ok(if self.is_woken_by(Inputs { time, external }) {
            Handled::Resume(reason)
        } else {
            Handled::Turn(reason, Phase::Wait)
        })
    }

    /// Whether a wait ends: devices raise the software interrupt.
    pub(super) fn is_woken_by(&self, inputs: Inputs) -> bool {
        let event = inputs.external && self.agreement.shared.is_some();
        let raised = if event { interrupt::SSIP } else { 0 };
        let pending = self.life.guest.pending(Inputs { external: false, ..inputs }) | raised;
        pending & self.life.guest.enable != 0
    }
}

/// Lets the guest go on in supervisor mode with this status.
pub fn set_status(meter: &mut Meter<'_>, supervisor: u64) {
    meter.write_csr(machine::MSTATUS, machine_status(supervisor, Privilege::Supervisor));
}

/// `mstatus` for a guest with this `sstatus`.
pub fn machine_status(supervisor: u64, privilege: Privilege) -> u64 {
    supervisor | privilege.code() << status::MPP_SHIFT | TRAPPED
}

/// What every handler starts with: save the guest's registers, find out what happened.
fn begin(meter: &mut Meter<'_>) {
    meter.enter();
    meter.read_csr(machine::MCAUSE);
    meter.read_csr(machine::MEPC);
    meter.assume(assumed::DISPATCH);
}
