//! Bare metal: no monitor. The guest kernel runs in real supervisor mode over the firmware, on a
//! machine whose frames and devices are its own.
//!
//! This is the reference: what a guest does here, and how fast, is what every other technique is
//! measured against.
//!
//! Its harts interrupt, start and fence each other through the firmware: a request goes into a hart's
//! mailbox there, and the machine software interrupt makes it look ([`Firmware`]).

use crate::allocator::FrameAllocator;
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_pages::PageMap;
use crate::ids::VmId;
use crate::ledger::Activity;
use crate::reason::ExitReason;
use crate::resident::{Bank, extract_supervisor, extract_user, install_supervisor, install_user};
use crate::safety::rules::Code;
use crate::seats::Seats;
use crate::supervisor::Inputs;
use crate::technique::{Called, Site, Step, Technique};
use dcsim_hart::csr::fields::interrupt;
use dcsim_hart::engine::Engine;
use dcsim_hart::{Hart, HostedModes, Ports, Privilege, Stop, TrapOutcome, TrapRecord};
use dcsim_machine::firmware::{Firmware, FirmwareConfig, HartState, Outcome, StartPoint};
use dcsim_machine::{GuestMemory, Meter};
use dcsim_memory::{Memory, PhysicalAddress, StoreFull};

/// What the machine does next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Phase {
    /// Execute instructions.
    Run,
    /// Let the firmware handle a trap.
    Trapped(TrapRecord),
    /// Wait for an interrupt.
    Wait,
    /// Nothing until another hart starts it, if there is one.
    Stopped,
}

/// A guest that owns its machine.
#[derive(Debug)]
pub struct BareMetal {
    firmware: Firmware,
    /// The hart that acts.
    core: Core,
    /// The others.
    seats: Seats<Core>,
    /// When a hart was last in its firmware: what it asked of others there, or did for them, is not
    /// there before.
    last_call_cycles: u64,
}

/// What is a hart's own.
#[derive(Debug)]
struct Core {
    number: usize,
    phase: Phase,
    /// The registers while the guest is on no pCPU.
    resting: CpuState,
    /// Whether the hart has not been switched on yet.
    fresh: bool,
    /// Where the guest goes on when its wait ends, if the firmware suspended it.
    resume: Option<StartPoint>,
    /// Its call waits for fences of others.
    awaits_fences: bool,
}

impl Core {
    fn new(number: usize, state: CpuState) -> Self {
        let phase = match (state.stopped, state.waiting) {
            (true, _) => Phase::Stopped,
            (false, true) => Phase::Wait,
            (false, false) => Phase::Run,
        };
        let fresh = state.instructions == 0 && phase == Phase::Run;
        Self { number, phase, fresh, resume: state.resume, resting: state, awaits_fences: false }
    }
}

impl BareMetal {
    /// A guest whose harts have these registers, the first one before the others, and a firmware set
    /// up like this.
    pub fn new(state: CpuState, others: Vec<CpuState>, config: FirmwareConfig) -> Self {
        let mut firmware = Firmware::new(config, 1 + others.len());
        let all = std::iter::once(&state).chain(&others).enumerate();
        for (number, state) in all.filter(|(_, state)| !state.stopped) {
            let suspended = state.resume.is_some();
            let known = if suspended { HartState::Suspended } else { HartState::Started };
            firmware.adopt(number, known);
        }
        let seats = Seats::beside_first(others, |(number, state)| Core::new(number, state));
        Self { firmware, core: Core::new(0, state), seats, last_call_cycles: 0 }
    }

    /// Switches the hart on: the firmware boots. Only at the start of a guest does that take time;
    /// one that comes back, or from elsewhere, finds its machine as it was.
    fn boot(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        let (clock, counters) = (hart.clock, hart.counters);
        hart.id = self.core.number;
        hart.reset(0);
        hart.hosted = HostedModes { machine: true, supervisor: false };
        hart.forget_pages();
        if self.core.phase != Phase::Stopped {
            let known = self.firmware.hart_state(self.core.number);
            let resting = &self.core.resting;
            let start = StartPoint { address: resting.pc, opaque: resting.x[11] };
            let mut meter = Meter::with_bus(hart, site.memory.reborrow(), site.board);
            self.firmware.boot(&mut meter, start);
            self.firmware.adopt(self.core.number, known);
        }
        if !self.core.fresh {
            site.pcpu.hart.clock = clock;
            site.pcpu.hart.counters = counters;
        }
        self.core.fresh = false;
        site.book(Activity::Handler(ExitReason::VcpuLoad));
    }

    /// One step of a hart whose call waits for other harts' fences: it looks into its own mailbox if
    /// one of them calls it, or time passes. Times are those of windows, whatever the end of a run.
    fn await_fences(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Step {
        self.core.awaits_fences = true;
        let window = site.pcpu.hart.timing().ipi_cycles.max(1);
        if self.is_called(site) {
            let hart = &mut site.pcpu.hart;
            hart.begin_run(&Ports { memory: site.memory.reborrow(), bus: &mut *site.board });
            if let Some(interrupt) = hart.pending_interrupt()
                && let TrapOutcome::Hosted(record) = hart.take_interrupt(interrupt)
            {
                self.core.phase = Phase::Trapped(record);
                return Step::Done;
            }
        }
        let end = (site.now_cycles() + 1).next_multiple_of(window).min(until_cycles);
        Self::spin_until(site, end);
        Step::Done
    }

    /// Lets time pass in which the firmware waits for others.
    fn spin_until(site: &mut Site<'_>, cycles: u64) {
        let clock = &mut site.pcpu.hart.clock;
        clock.cycles = clock.cycles.max(cycles);
        site.pcpu.executed_cycles = clock.cycles;
        site.book(Activity::Handler(ExitReason::RemoteFence));
    }

    /// Whether another hart calls this one, which executes nothing: no earlier than that one did.
    fn is_called(&self, site: &mut Site<'_>) -> bool {
        let called = site.board.lines(self.core.number).machine_software;
        if called {
            site.wait_until(self.last_call_cycles);
        }
        called
    }

    /// One step of a hart that is stopped: it begins if another one has started it, or time passes.
    fn rest(&mut self, site: &mut Site<'_>, until_cycles: u64) {
        if !self.is_called(site) {
            return site.wait_until(until_cycles);
        }
        let hart = &mut site.pcpu.hart;
        let mut meter = Meter::with_bus(hart, site.memory.reborrow(), &mut *site.board);
        if self.firmware.look_for_start(&mut meter) == Outcome::Resume {
            self.core.phase = Phase::Run;
        }
        site.book(Activity::Handler(ExitReason::FirmwareTrap));
    }

    /// One step: instructions up to a trap into the firmware or to `until_cycles`.
    fn run(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        if self.firmware.is_waiting(self.core.number) {
            return Ok(self.await_fences(site, until_cycles));
        }
        if std::mem::take(&mut self.core.awaits_fences) {
            Self::spin_until(site, self.last_call_cycles);
        }
        let before = site.pcpu.hart.counters;
        site.guest_begins(Code::Own);
        let mut ports = Ports { memory: site.memory.reborrow(), bus: &mut *site.board };
        let stop = site.interpreter.run(&mut site.pcpu.hart, &mut ports, until_cycles);
        site.guest_ends();
        site.executed(&before, until_cycles);
        match stop {
            Stop::Deadline | Stop::Bus => Ok(Step::Done),
            Stop::Trap(record) => {
                self.core.phase = Phase::Trapped(record);
                Ok(Step::Done)
            }
            Stop::WaitForInterrupt => Ok(self.begin_wait(site)),
            Stop::StoreFull => {
                Err(StoreFull { limit_bytes: site.memory.store.limit_bytes() }.into())
            }
        }
    }

    /// One step: the firmware handles a trap.
    fn handle(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Step {
        let start = suspend_point(&site.pcpu.hart);
        let mut meter =
            Meter::with_bus(&mut site.pcpu.hart, site.memory.reborrow(), &mut *site.board);
        let outcome = self.firmware.handle(&mut meter, record);
        self.last_call_cycles = meter.now_cycles();
        // A hart that its firmware suspends without keeping its state stays in machine mode.
        let suspended = site.pcpu.hart.privilege == Privilege::Machine;
        self.core.resume = (outcome == Outcome::Idle && suspended).then_some(start);
        let call = record.cause & interrupt::CAUSE == 0 && record.from == Privilege::Supervisor;
        let reason = if call { ExitReason::FirmwareCall } else { ExitReason::FirmwareTrap };
        site.counters.count_exit(reason);
        site.book(Activity::Handler(reason));
        match outcome {
            Outcome::Resume => {
                self.core.phase = Phase::Run;
                Step::Done
            }
            Outcome::Idle => self.begin_wait(site),
            Outcome::Stopped => {
                self.core.phase = Phase::Stopped;
                Step::Wait(None)
            }
        }
    }

    /// Takes registers out of a hart.
    fn extract(&self, hart: &Hart, pc: u64, privilege: Privilege, waiting: bool) -> CpuState {
        // A hart in its firmware goes on in supervisor mode.
        let privilege = privilege.min(Privilege::Supervisor);
        let mut state = CpuState {
            pc,
            supervisor: extract_supervisor(hart, privilege, Bank::Host),
            instructions: hart.csrs.minstret.value(hart.counters.instructions),
            waiting,
            resume: self.core.resume,
            ..self.core.resting.clone()
        };
        extract_user(hart, &mut state);
        state
    }

    fn begin_wait(&mut self, site: &Site<'_>) -> Step {
        let hart = &site.pcpu.hart;
        // For questions while it waits.
        self.core.resting = self.extract(hart, hart.pc, hart.privilege, true);
        self.core.phase = Phase::Wait;
        Step::Wait(site.pcpu.hart.next_timer_cycle())
    }

    /// One step: time passes until something wakes the guest, or until `until_cycles`.
    fn idle(&mut self, site: &mut Site<'_>, until_cycles: u64) {
        self.is_called(site);
        let ports = Ports { memory: site.memory.reborrow(), bus: &mut *site.board };
        site.pcpu.hart.begin_run(&ports);
        if !site.pcpu.hart.is_wakeup_pending() {
            let wake = site.pcpu.hart.next_timer_cycle().unwrap_or(u64::MAX);
            site.wait_until(wake.min(until_cycles));
        }
        if site.pcpu.hart.is_wakeup_pending() {
            self.wake(site);
        }
    }

    /// The wait is over: the firmware lets the guest go on.
    fn wake(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        let mut meter = Meter::with_bus(hart, site.memory.reborrow(), &mut *site.board);
        self.firmware.wake(&mut meter);
        if let Some(start) = self.core.resume.take()
            && site.pcpu.hart.privilege == Privilege::Machine
        {
            // The guest was suspended on another machine, by another firmware.
            let hart = &mut site.pcpu.hart;
            let mut meter = Meter::with_bus(hart, site.memory.reborrow(), &mut *site.board);
            self.firmware.boot(&mut meter, start);
        }
        self.core.phase = Phase::Run;
        site.book(Activity::Handler(ExitReason::FirmwareCall));
    }
}

impl Technique for BareMetal {
    fn load(&mut self, site: &mut Site<'_>) {
        self.boot(site);
        if self.core.phase != Phase::Stopped {
            install(&mut site.pcpu.hart, &self.core.resting);
        }
        site.counters.count_exit(ExitReason::VcpuLoad);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        let waiting = self.core.phase == Phase::Wait;
        let hart = &site.pcpu.hart;
        self.core.resting = match self.core.phase {
            // The trapped instruction is executed again.
            Phase::Trapped(record) => self.extract(hart, record.pc, record.from, waiting),
            _ => self.extract(hart, hart.pc, hart.privilege, waiting),
        };
        self.core.resting.stopped = self.core.phase == Phase::Stopped;
        if let Phase::Trapped(_) = self.core.phase {
            self.core.phase = Phase::Run;
        }
    }

    fn seat(&mut self, vcpu: usize) {
        let mut seats = std::mem::take(&mut self.seats);
        seats.let_act(vcpu, |seat| std::mem::swap(&mut self.core, seat));
        self.seats = seats;
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match self.core.phase {
            Phase::Run => self.run(site, until_cycles),
            Phase::Trapped(record) => Ok(self.handle(site, &record)),
            Phase::Wait => {
                self.idle(site, until_cycles);
                Ok(Step::Done)
            }
            Phase::Stopped => {
                self.rest(site, until_cycles);
                Ok(Step::Done)
            }
        }
    }

    /// The hart reads the board's lines itself.
    fn lines_changed(&mut self, _: &mut Site<'_>) {}

    fn wakes(&self, time: u64, external: bool, called: Called) -> Option<bool> {
        let inputs = Inputs { time, external };
        match self.core.phase {
            Phase::Wait => Some(called.interrupt || self.core.resting.supervisor.wakes(inputs)),
            Phase::Stopped => Some(called.interrupt),
            Phase::Run | Phase::Trapped(_) => None,
        }
    }

    fn timer_deadline(&self, time: u64) -> Option<u64> {
        self.core.resting.supervisor.timer_deadline(time)
    }

    fn guest_memory<'a>(
        &'a mut self,
        _: VmId,
        memory: Memory<'a>,
        _: &'a mut FrameAllocator,
    ) -> Box<dyn GuestMemory + 'a> {
        Box::new(memory)
    }

    fn own_frames(&self, _: &Memory<'_>) -> Vec<PhysicalAddress> {
        Vec::new()
    }

    fn page_map(&self) -> Option<&PageMap> {
        None
    }

    /// What is on its way to a hart has arrived.
    fn capture(&self, _: &VmCounters) -> CpuState {
        let mut state = self.core.resting.clone();
        state.supervisor.software_pending |= self.firmware.has_interrupt_for(self.core.number);
        match self.firmware.start_point(self.core.number) {
            Some(start) => state.started(self.core.number, start),
            None => state,
        }
    }
}

/// Puts registers into a hart that the firmware has set up.
fn install(hart: &mut Hart, state: &CpuState) {
    install_user(hart, state);
    install_supervisor(hart, &state.supervisor, Bank::Host);
    let retired = hart.counters.instructions;
    hart.csrs.minstret.set(retired, state.instructions);
    hart.pc = state.pc;
    let suspended = state.resume.is_some();
    hart.set_privilege(if suspended { Privilege::Machine } else { state.supervisor.privilege });
}

/// Where a call that suspends the hart wants it to go on: its second and third argument.
fn suspend_point(hart: &Hart) -> StartPoint {
    StartPoint { address: hart.x[11], opaque: hart.x[12] }
}
