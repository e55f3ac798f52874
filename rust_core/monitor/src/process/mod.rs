//! A process-level machine: one program of another operating system, without a guest kernel.
//!
//! The program executes in user mode as it would on its own system. Its system calls and page
//! faults trap into the host's kernel, which is played here through the meter and answers them as
//! Linux would ([`dcsim_linux`]). There is no guest kernel, no virtual device and no second
//! translation: the page tables are the program's own.
//!
//! * `trees` has the page tables, `below` what the system-call interface finds below it;
//! * `config` says what is executed;
//! * `missing` carries out instructions that the host's processor lacks;
//! * this file: the steps of the vCPU, which the program's threads take turns to use.
//!
//! The program is loaded by the first step, so starting it takes the time that it takes.

mod below;
pub mod config;
mod missing;
mod trees;

use crate::allocator::FrameAllocator;
use crate::assumed;
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::{GuestPages, PageMap, Place};
use crate::ids::VmId;
use crate::ledger::Activity;
use crate::overcommit::shared_frames::Departure;
use crate::pcpu::MonitorLevel;
use crate::reason::ExitReason;
use crate::shadow::guest_walk::Access;
use crate::shadow::spaces::current_asid;
use crate::shadow::tree::TableFrames;
use crate::supervisor::csr;
use crate::technique::{Called, GuestRun, Site, Step, Technique};
use below::Below;
use dcsim_hart::csr::fields::{interrupt, satp, status};
use dcsim_hart::{Clock, Exception, Hart, Privilege, TrapRecord};
use dcsim_linux::abi::Registers;
use dcsim_linux::files::open::Stream;
use dcsim_linux::signal::number;
use dcsim_linux::{Fault, FirstProgram, Linux, Next, PageNumber, Rights, Stop, Unavailable};
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PhysicalAddress};
pub use missing::Emulated;
use missing::{Carried, Emulator, Wanted};
use std::collections::BTreeMap;
use trees::Trees;

/// What comes next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Phase {
    /// Load the program.
    Start,
    /// Deliver signals, choose a thread.
    Choose,
    /// Enter the program.
    Enter,
    /// Execute it: its registers are those of the pCPU.
    Program,
    /// Handle a trap: the registers are the record's.
    Trapped(TrapRecord),
    /// Nothing, until this value of `time`, if there is one.
    Idle(Option<u64>),
    /// Nothing, ever.
    Ended,
}

/// The vCPU of a process-level machine.
#[derive(Debug)]
pub struct ProcessMachine {
    program: FirstProgram,
    linux: Linux,
    registers: Registers,
    phase: Phase,
    reason: ExitReason,
    map: PageMap,
    trees: Trees,
    emulator: Emulator,
    /// When the thread that runs has had its turn.
    slice_end: u64,
    last_pcpu: Option<usize>,
    /// What `satp` and `stimecmp` hold.
    installed: (Option<u64>, Option<u64>),
}

impl ProcessMachine {
    /// A machine that is about to load its program.
    pub fn new(linux: Linux, program: FirstProgram, map: PageMap) -> Self {
        Self {
            program,
            linux,
            registers: Registers::default(),
            phase: Phase::Start,
            reason: ExitReason::VcpuLoad,
            map,
            trees: Trees::default(),
            emulator: Emulator::default(),
            slice_end: 0,
            last_pcpu: None,
            installed: (None, None),
        }
    }

    /// The operating system that the program finds.
    pub fn linux(&self) -> &Linux {
        &self.linux
    }

    /// The instructions that were carried out because the host's processor lacks them.
    pub fn emulated(&self) -> &BTreeMap<&'static str, Emulated> {
        self.emulator.table()
    }

    /// Takes what the program wrote to its console, in order.
    pub fn take_output(&mut self) -> Vec<(Stream, Vec<u8>)> {
        self.linux.take_output()
    }

    /// Gives the program something to read; nothing will follow if it `ends`.
    pub fn give_input(&mut self, bytes: &[u8], ends: bool) {
        self.linux.give_input(bytes, ends);
        if matches!(self.phase, Phase::Idle(_)) {
            self.phase = Phase::Choose;
        }
    }

    /// Lets the system-call interface act.
    fn act<T>(
        &mut self,
        site: &mut Site<'_>,
        act: impl FnOnce(&mut Linux, &mut Below<'_, '_>, &mut Registers) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        let mut below = Below { site, map: &self.map, trees: &mut self.trees };
        act(&mut self.linux, &mut below, &mut self.registers)
    }

    /// A step that began at a cycle lacks a page: everything is as before, the clock included, and
    /// the step is made again.
    fn lacks(&self, site: &mut Site<'_>, began: u64, Unavailable(page): Unavailable) -> Step {
        site.pcpu.hart.clock.cycles = began;
        let page = u64::from(page.0);
        match self.map.place(&site.memory, page) {
            Place::Swapped => site.want(page),
            _ => Step::Memory(1),
        }
    }

    /// One step: the program is loaded.
    fn load_program(&mut self, site: &mut Site<'_>) -> Step {
        let (program, began) = (self.program.clone(), site.now_cycles());
        let loaded = self.act(site, |linux, below, registers| {
            match linux.load(below, registers, &program) {
                Err(Stop::Unavailable(unavailable)) => Err(unavailable),
                Err(Stop::Error(errno)) => Ok(Some(errno)),
                // To load a program neither waits nor goes elsewhere.
                Ok(()) | Err(Stop::Wait(_) | Stop::Elsewhere) => Ok(None),
            }
        });
        match loaded {
            Err(unavailable) => self.lacks(site, began, unavailable),
            Ok(None) => self.end_handler(site, ExitReason::ProgramStart, Phase::Choose),
            Ok(Some(errno)) => {
                let path = String::from_utf8_lossy(&program.path).into_owned();
                Step::Fault(format!("the program `{path}` cannot be started: {errno}"))
            }
        }
    }

    /// One step: signals are delivered, and a thread is chosen.
    fn choose(&mut self, site: &mut Site<'_>) -> Step {
        if site.now_cycles() >= self.slice_end && self.linux.is_contended() {
            self.linux.preempt(&self.registers);
        }
        let before = self.linux.thread();
        self.emulator.forget_reservation();
        let began = site.now_cycles();
        let next = match self.act(site, |linux, below, registers| linux.resume(below, registers)) {
            Ok(next) => next,
            Err(unavailable) => return self.lacks(site, began, unavailable),
        };
        if next == Next::Run && (self.linux.thread() != before || self.slice_end == 0) {
            let slice = site.pcpu.hart.clock.cycles_at_ns(assumed::PROCESS_SLICE.value);
            self.slice_end = site.now_cycles().saturating_add(slice);
        }
        if next == Next::Run {
            self.phase = Phase::Enter;
            return Step::Done;
        }
        site.book(Activity::Handler(self.reason));
        match next {
            Next::Ended(status) => {
                self.phase = Phase::Ended;
                Step::Ended(status.shell_status())
            }
            Next::Idle(until_ns) => {
                let clock = &site.pcpu.hart.clock;
                let wake = until_ns.map(|until_ns| time_at(clock, clock.cycles_at_ns(until_ns)));
                self.phase = Phase::Idle(wake);
                Step::Wait(wake.map(|wake| clock.cycles_at_time(wake)))
            }
            Next::Run => Step::Done,
        }
    }

    /// One step: from the kernel into the program.
    fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        let Some(space) = self.linux.space() else {
            self.phase = Phase::Choose;
            return Ok(Step::Done);
        };
        if site.allocator.reserve(Trees::MOST_FRAMES).is_err() {
            return Ok(Step::Memory(Trees::MOST_FRAMES));
        }
        let began = site.now_cycles();
        let (mut meter, mut frames) = site.tables();
        let tree = self.trees.enter(&mut meter, &mut frames, space)?;
        let asid = current_asid(&mut tree.asid, site.asids);
        let value = satp::SV39 << 60 | u64::from(asid.number) << 44 | tree.root().0 >> 12;
        if site.pcpu.asid_generation != asid.generation {
            site.meter().flush_tlb_all();
            site.pcpu.asid_generation = asid.generation;
        }
        let timer = self.timer(&site.pcpu.hart);
        let mut meter = site.meter();
        install(&mut meter, &mut self.installed.0, csr::SATP, value);
        install(&mut meter, &mut self.installed.1, csr::STIMECMP, timer);
        meter.write_csr(csr::SSTATUS, status::FS | status::SPIE);
        meter.write_csr(csr::SEPC, self.registers.pc);
        meter.leave();
        put(&mut site.pcpu.hart, &self.registers);
        self.emulator.note_return(site.now_cycles() - began);
        site.book(Activity::Handler(self.reason));
        self.phase = Phase::Program;
        Ok(Step::Done)
    }

    /// When the kernel wants to be called at the latest, as a value of `time`.
    fn timer(&self, hart: &Hart) -> u64 {
        let event = self.linux.next_time_ns().map(|ns| hart.clock.cycles_at_ns(ns));
        let slice = self.linux.is_contended().then_some(self.slice_end);
        let first = event.into_iter().chain(slice).min();
        first.map_or(u64::MAX, |cycle| time_at(&hart.clock, cycle))
    }

    /// One step: the program executes.
    fn execute(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        Ok(match site.run_guest(Privilege::Supervisor, until_cycles)? {
            GuestRun::Deadline => Step::Done,
            GuestRun::Lost(what) => Step::Fault(what),
            GuestRun::Trap(record) => {
                take(&site.pcpu.hart, &mut self.registers);
                self.registers.pc = record.pc;
                self.phase = Phase::Trapped(record);
                Step::Done
            }
        })
    }

    /// One step: a trap is handled.
    fn handle(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Result<Step, HostError> {
        if let Some(access) = Access::of_page_fault(record.cause) {
            return self.handle_page_fault(site, record, access);
        }
        let began = site.now_cycles();
        begin(&mut site.meter());
        if record.cause == Exception::EcallFromUser.code() {
            let done = self.act(site, |linux, below, registers| linux.call(below, registers));
            if let Err(unavailable) = done {
                return Ok(self.lacks(site, began, unavailable));
            }
            return Ok(self.end_handler(site, ExitReason::SystemCall, Phase::Choose));
        }
        if record.cause & interrupt::CAUSE != 0 {
            site.pcpu.bus.interrupted = false;
            return Ok(self.end_handler(site, ExitReason::Timer, Phase::Choose));
        }
        let is_illegal = record.cause == Exception::IllegalInstruction.code();
        let wanted = Emulator::wanted(&site.pcpu.hart, record).filter(|_| is_illegal);
        if let Some(wanted) = wanted {
            return self.carry_out(site, wanted, began);
        }
        let (signal, code) = signal_of(record.cause);
        self.linux.raise(signal, code, record.value);
        Ok(self.end_handler(site, ExitReason::OtherException, Phase::Choose))
    }

    /// Carries out an instruction that the processor lacks, whose handler began at a cycle.
    fn carry_out(
        &mut self,
        site: &mut Site<'_>,
        wanted: Wanted,
        began: u64,
    ) -> Result<Step, HostError> {
        put(&mut site.pcpu.hart, &self.registers);
        let carried = self.emulator.carry_out(site, wanted)?;
        if let Carried::Trapped(record) = carried {
            self.end_handler(site, ExitReason::MissingInstruction, Phase::Trapped(record));
            return Ok(Step::Done);
        }
        take(&site.pcpu.hart, &mut self.registers);
        let trap_cycles = site.pcpu.hart.timing().trap_cycles;
        self.emulator.note(wanted, site.now_cycles() - began + trap_cycles);
        Ok(self.end_handler(site, ExitReason::MissingInstruction, Phase::Enter))
    }

    fn handle_page_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
    ) -> Result<Step, HostError> {
        let began = site.now_cycles();
        let wanted = Trees::MOST_FRAMES + 2;
        if site.allocator.reserve(wanted).is_err() {
            return Ok(Step::Memory(wanted));
        }
        begin(&mut site.meter());
        let access = match access {
            Access::Fetch => dcsim_linux::Access::Execute,
            Access::Load => dcsim_linux::Access::Read,
            Access::Store => dcsim_linux::Access::Write,
        };
        let found = self.act(site, |linux, below, _| linux.fault(below, record.value, access));
        match found {
            Err(unavailable) => Ok(self.lacks(site, began, unavailable)),
            Ok(Fault::Signal) => {
                Ok(self.end_handler(site, ExitReason::GuestPageFault, Phase::Choose))
            }
            Ok(Fault::Page(page, rights)) => {
                self.map_page(site, record.value, page, rights)?;
                Ok(self.end_handler(site, ExitReason::GuestPageFault, Phase::Enter))
            }
        }
    }

    fn map_page(
        &mut self,
        site: &mut Site<'_>,
        address: u64,
        page: PageNumber,
        rights: Rights,
    ) -> Result<(), HostError> {
        let place = self.map.place(&site.memory, u64::from(page.0));
        let frame = place.frame().ok_or(HostError::FrameNotReserved)?;
        let rights = Rights { write: rights.write && place == Place::Own(frame), ..rights };
        let Some(space) = self.linux.space() else { return Ok(()) };
        let (mut meter, mut frames) = site.tables();
        self.trees.map(&mut meter, &mut frames, space, address, (frame, rights))
    }

    /// Counts an exit and books its cycles; what follows is part of its cost.
    fn end_handler(&mut self, site: &mut Site<'_>, reason: ExitReason, phase: Phase) -> Step {
        self.reason = reason;
        self.phase = phase;
        site.counters.count_exit(reason);
        site.book(Activity::Handler(reason));
        Step::Done
    }

    /// One step: time passes.
    fn idle(&mut self, site: &mut Site<'_>, wake: Option<u64>, until_cycles: u64) -> Step {
        let wake = wake.map_or(u64::MAX, |wake| site.pcpu.hart.clock.cycles_at_time(wake));
        site.wait_until(wake.min(until_cycles));
        if site.now_cycles() >= wake {
            self.phase = Phase::Choose;
        }
        Step::Done
    }
}

/// The first value of `time` at which a cycle has been reached.
fn time_at(clock: &Clock, cycle: u64) -> u64 {
    let mut at = *clock;
    at.cycles = cycle;
    let time = at.time();
    if at.cycles_at_time(time) < cycle { time + 1 } else { time }
}

/// What every handler starts with: save the registers, find out what happened.
fn begin(meter: &mut Meter<'_>) {
    meter.enter();
    meter.read_csr(csr::SCAUSE);
    meter.read_csr(csr::SEPC);
    meter.assume(assumed::DISPATCH);
}

/// The signal for an exception, and its code (sigaction(2)).
fn signal_of(cause: u64) -> (u32, i32) {
    const FIRST_CODE: i32 = 1;
    let misaligned = [Exception::LoadMisaligned, Exception::StoreMisaligned];
    if cause == Exception::Breakpoint.code() {
        (number::TRAP, FIRST_CODE)
    } else if misaligned.iter().any(|each| each.code() == cause) {
        (number::BUS, FIRST_CODE)
    } else if cause == Exception::IllegalInstruction.code() {
        (number::ILL, FIRST_CODE)
    } else {
        (number::SEGV, FIRST_CODE)
    }
}

/// Writes a register of the pCPU unless it holds the value already.
fn install(meter: &mut Meter<'_>, installed: &mut Option<u64>, number: u16, value: u64) {
    meter.assume(assumed::COMPARE_INSTALLED);
    if *installed != Some(value) {
        meter.write_csr(number, value);
        *installed = Some(value);
    }
}

/// Takes the program's registers out of a hart.
fn take(hart: &Hart, registers: &mut Registers) {
    registers.x = hart.x;
    registers.f = hart.f;
    registers.fcsr = u32::from(hart.csrs.fflags) | u32::from(hart.csrs.frm) << 5;
    registers.pc = hart.pc;
}

/// Puts the program's registers into a hart.
fn put(hart: &mut Hart, registers: &Registers) {
    hart.x = registers.x;
    hart.f = registers.f;
    hart.pc = registers.pc;
    hart.csrs.fflags = registers.fcsr as u8 & 0x1f;
    hart.csrs.frm = (registers.fcsr >> 5) as u8 & 7;
}

impl Technique for ProcessMachine {
    fn load(&mut self, site: &mut Site<'_>) {
        site.pcpu.play(MonitorLevel::Supervisor);
        let hart = &mut site.pcpu.hart;
        if self.last_pcpu != Some(hart.id) {
            self.trees.forget_asids();
            self.last_pcpu = Some(hart.id);
        }
        hart.reservation = None;
        self.installed = (None, None);
        self.reason = ExitReason::VcpuLoad;
        site.counters.count_exit(ExitReason::VcpuLoad);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        if self.phase == Phase::Program {
            take(hart, &mut self.registers);
            self.phase = Phase::Enter;
        }
        hart.set_privilege(Privilege::Supervisor);
        site.pcpu.bus.interrupted = false;
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match self.phase {
            Phase::Start => Ok(self.load_program(site)),
            Phase::Choose => Ok(self.choose(site)),
            Phase::Enter => self.enter(site),
            Phase::Program => self.execute(site, until_cycles),
            Phase::Trapped(record) => self.handle(site, &record),
            Phase::Idle(wake) => Ok(self.idle(site, wake, until_cycles)),
            Phase::Ended => {
                site.wait_until(until_cycles);
                Ok(Step::Done)
            }
        }
    }

    fn lines_changed(&mut self, _: &mut Site<'_>) {}

    fn wakes(&self, time: u64, _: bool, _: Called) -> Option<bool> {
        match self.phase {
            Phase::Idle(wake) => Some(wake.is_some_and(|wake| wake <= time)),
            Phase::Ended => Some(false),
            _ => None,
        }
    }

    fn timer_deadline(&self, _: u64) -> Option<u64> {
        match self.phase {
            Phase::Idle(wake) => wake,
            _ => None,
        }
    }

    fn guest_memory<'a>(
        &'a mut self,
        vm: VmId,
        memory: Memory<'a>,
        allocator: &'a mut FrameAllocator,
    ) -> Box<dyn GuestMemory + 'a> {
        Box::new(GuestPages { memory, allocator, map: &self.map, vm })
    }

    fn page_map(&self) -> Option<&PageMap> {
        Some(&self.map)
    }

    fn own_frames(&self, _: &Memory<'_>) -> Vec<PhysicalAddress> {
        self.trees.frames()
    }

    fn audit(&self, memory: &Memory<'_>, owners: &FrameAllocator, vm: VmId) -> Result<(), String> {
        self.trees.audit(memory, owners, vm)
    }

    fn reclaim(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>, _wanted: u64) {
        self.trees.clear(meter, frames);
    }

    fn unmap_departed(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        departures: &[Departure],
    ) -> Result<(), HostError> {
        for departure in departures {
            let page = PageNumber(departure.page as u32);
            for (space, address) in self.linux.places_of(page) {
                meter.lookup(1);
                self.trees.forget(meter, frames, space, address, 1)?;
            }
        }
        Ok(())
    }

    fn forget_translations(&mut self) {
        self.trees.forget_asids();
    }

    fn touched_pages(&self) -> Option<u64> {
        Some(u64::from(self.linux.touched_pages()))
    }

    fn process(&mut self) -> Option<&mut ProcessMachine> {
        Some(self)
    }

    fn capture(&self, counters: &VmCounters) -> CpuState {
        let entry = CpuState::at_entry(self.registers.pc, 0);
        CpuState {
            x: self.registers.x,
            f: self.registers.f,
            instructions: counters.instructions(),
            ..entry
        }
    }
}
