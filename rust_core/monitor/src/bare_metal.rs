//! Bare metal: no monitor. The guest kernel runs in real supervisor mode over the firmware, on a
//! machine whose frames and devices are its own.
//!
//! This is the reference: what a guest does here, and how fast, is what every other technique is
//! measured against.

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
use crate::supervisor::Inputs;
use crate::technique::{Called, Site, Step, Technique};
use dcsim_hart::csr::fields::interrupt;
use dcsim_hart::engine::Engine;
use dcsim_hart::{Hart, HostedModes, Ports, Privilege, Stop, TrapRecord};
use dcsim_machine::firmware::{Firmware, FirmwareConfig, Outcome, StartPoint};
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
    /// Nothing, ever: the guest stopped its only hart.
    Stopped,
}

/// A guest that owns its machine.
#[derive(Debug)]
pub struct BareMetal {
    firmware: Firmware,
    phase: Phase,
    /// The registers while the guest is on no pCPU.
    resting: CpuState,
    /// Whether the machine has not been switched on yet.
    fresh: bool,
    /// Where the guest goes on when its wait ends, if the firmware suspended it.
    resume: Option<StartPoint>,
}

impl BareMetal {
    /// A guest with these registers and a firmware set up like this.
    pub fn new(state: CpuState, firmware: FirmwareConfig) -> Self {
        Self {
            firmware: Firmware::new(firmware, 1),
            phase: if state.waiting { Phase::Wait } else { Phase::Run },
            fresh: state.instructions == 0 && !state.waiting,
            resume: state.resume,
            resting: state,
        }
    }

    /// Switches the hart on: the firmware boots. Only at the start of a guest does that take time;
    /// one that comes back, or from elsewhere, finds its machine as it was.
    fn boot(&mut self, site: &mut Site<'_>) {
        let hart = &mut site.pcpu.hart;
        let (clock, counters) = (hart.clock, hart.counters);
        hart.reset(0);
        hart.hosted = HostedModes { machine: true, supervisor: false };
        hart.forget_pages();
        let start = StartPoint { address: self.resting.pc, opaque: self.resting.x[11] };
        let mut meter = Meter::with_bus(hart, site.memory.reborrow(), site.board);
        self.firmware.boot(&mut meter, start);
        if !self.fresh {
            site.pcpu.hart.clock = clock;
            site.pcpu.hart.counters = counters;
        }
        self.fresh = false;
        site.book(Activity::Handler(ExitReason::VcpuLoad));
    }

    /// One step: instructions up to a trap into the firmware or to `until_cycles`.
    fn run(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        let before = site.pcpu.hart.counters;
        site.guest_begins(Code::Own);
        let mut ports = Ports { memory: site.memory.reborrow(), bus: &mut *site.board };
        let stop = site.interpreter.run(&mut site.pcpu.hart, &mut ports, until_cycles);
        site.guest_ends();
        site.executed(&before, until_cycles);
        match stop {
            Stop::Deadline | Stop::Bus => Ok(Step::Done),
            Stop::Trap(record) => {
                self.phase = Phase::Trapped(record);
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
        // A hart that its firmware suspends without keeping its state stays in machine mode.
        let suspended = site.pcpu.hart.privilege == Privilege::Machine;
        self.resume = (outcome == Outcome::Idle && suspended).then_some(start);
        let call = record.cause & interrupt::CAUSE == 0 && record.from == Privilege::Supervisor;
        let reason = if call { ExitReason::FirmwareCall } else { ExitReason::FirmwareTrap };
        site.counters.count_exit(reason);
        site.book(Activity::Handler(reason));
        match outcome {
            Outcome::Resume => {
                self.phase = Phase::Run;
                Step::Done
            }
            Outcome::Idle => self.begin_wait(site),
            Outcome::Stopped => {
                self.phase = Phase::Stopped;
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
            resume: self.resume,
            ..self.resting.clone()
        };
        extract_user(hart, &mut state);
        state
    }

    fn begin_wait(&mut self, site: &Site<'_>) -> Step {
        let hart = &site.pcpu.hart;
        // For questions while it waits.
        self.resting = self.extract(hart, hart.pc, hart.privilege, true);
        self.phase = Phase::Wait;
        Step::Wait(site.pcpu.hart.next_timer_cycle())
    }

    /// One step: time passes until something wakes the guest, or until `until_cycles`.
    fn idle(&mut self, site: &mut Site<'_>, until_cycles: u64) {
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
        if let Some(start) = self.resume.take()
            && site.pcpu.hart.privilege == Privilege::Machine
        {
            // The guest was suspended on another machine, by another firmware.
            let hart = &mut site.pcpu.hart;
            let mut meter = Meter::with_bus(hart, site.memory.reborrow(), &mut *site.board);
            self.firmware.boot(&mut meter, start);
        }
        self.phase = Phase::Run;
        site.book(Activity::Handler(ExitReason::FirmwareCall));
    }
}

impl Technique for BareMetal {
    fn load(&mut self, site: &mut Site<'_>) {
        self.boot(site);
        install(&mut site.pcpu.hart, &self.resting);
        site.counters.count_exit(ExitReason::VcpuLoad);
    }

    fn unload(&mut self, site: &mut Site<'_>) {
        let waiting = self.phase == Phase::Wait;
        let hart = &site.pcpu.hart;
        self.resting = match self.phase {
            // The trapped instruction is executed again.
            Phase::Trapped(record) => self.extract(hart, record.pc, record.from, waiting),
            _ => self.extract(hart, hart.pc, hart.privilege, waiting),
        };
        if let Phase::Trapped(_) = self.phase {
            self.phase = Phase::Run;
        }
    }

    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match self.phase {
            Phase::Run => self.run(site, until_cycles),
            Phase::Trapped(record) => Ok(self.handle(site, &record)),
            Phase::Wait => {
                self.idle(site, until_cycles);
                Ok(Step::Done)
            }
            Phase::Stopped => {
                site.wait_until(until_cycles);
                Ok(Step::Done)
            }
        }
    }

    /// The hart reads the board's lines itself.
    fn lines_changed(&mut self, _: &mut Site<'_>) {}

    fn wakes(&self, time: u64, external: bool, _: Called) -> Option<bool> {
        match self.phase {
            Phase::Wait => Some(self.resting.supervisor.wakes(Inputs { time, external })),
            Phase::Stopped => Some(false),
            Phase::Run | Phase::Trapped(_) => None,
        }
    }

    fn timer_deadline(&self, time: u64) -> Option<u64> {
        self.resting.supervisor.timer_deadline(time)
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

    fn capture(&self, _: &VmCounters) -> CpuState {
        self.resting.clone()
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
