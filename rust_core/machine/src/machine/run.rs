//! Running: which hart goes next, for how long, and what its stop means.

use super::{Activity, Machine, MachineStop};
use crate::firmware::{Firmware, Outcome, sbi};
use crate::meter::Meter;
use dcsim_hart::{Engine, Ports, Stop, TrapOutcome, TrapRecord};
use dcsim_memory::{Memory, MemoryError, PageStore, PhysicalAddress};

/// What is next for a hart.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Task {
    /// Execute.
    Execute,
    /// Let the firmware handle a trap.
    HandleTrap(TrapRecord),
    /// End the wait for an interrupt.
    Wake,
    /// Look into the mailbox while waiting for others to look into theirs.
    ReadMailbox,
    /// See whether another hart has started it.
    LookForStart,
}

/// When a hart has its task.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Due {
    /// From its local time on.
    Now(Task),
    /// When its timer expires.
    At(u64),
}

impl Machine {
    /// Advances the machine: every instruction that starts before `until_cycles` of its hart's
    /// clock is executed, unless something else ends the run first.
    pub fn run(&mut self, store: &mut PageStore, until_cycles: u64) -> MachineStop {
        loop {
            if let Some(stop) = self.attend_to_board(store) {
                return stop;
            }
            let Some((number, cycles, task)) = self.next_task(store, until_cycles) else {
                self.pass_time(until_cycles);
                return MachineStop::Deadline;
            };
            self.wait_until(number, cycles);
            self.cores[number].noticed = false;
            let full = match task {
                Task::Execute => {
                    let end = self.slice_end(cycles, until_cycles);
                    self.execute(store, number, end) == Stop::StoreFull
                }
                Task::HandleTrap(record) => self.handle_trap(store, number, &record),
                Task::Wake => self.wake(store, number),
                Task::ReadMailbox => self.take_interrupt(store, number),
                Task::LookForStart => self.look_for_start(store, number),
            };
            self.event_cycles = self.cores[number].hart.clock.cycles;
            if full {
                return MachineStop::StoreFull;
            }
        }
    }

    /// Whether no hart executes or will execute again by itself.
    pub fn is_idle(&self) -> bool {
        self.cores.iter().all(|core| {
            !matches!(core.activity, Activity::Running | Activity::Trapped(_))
                && core.hart.next_timer_cycle().is_none()
        })
    }

    /// What the board wants of the machine's owner.
    fn attend_to_board(&mut self, store: &mut PageStore) -> Option<MachineStop> {
        if !self.board.wants_attention() {
            return None;
        }
        if let Some(event) = self.board.power_state() {
            return Some(MachineStop::Power(event));
        }
        let mut memory = Memory { store, frames: &mut self.frames };
        if self.board.needs_memory() && self.board.retry(&mut memory).is_err() {
            return Some(MachineStop::StoreFull);
        }
        self.board.has_requests().then_some(MachineStop::Requests)
    }

    /// The hart that goes next: the one that can do something at the least local time, if that is
    /// before the end; when, and what it does.
    fn next_task(&mut self, store: &mut PageStore, until: u64) -> Option<(usize, u64, Task)> {
        let mut next = None;
        for number in 0..self.cores.len() {
            let (cycles, task) = match self.due(store, number) {
                None => continue,
                Some(Due::At(cycles)) => (cycles, Task::Wake),
                Some(Due::Now(task)) => {
                    if !matches!(task, Task::Execute | Task::HandleTrap(_)) {
                        self.notice(number);
                    }
                    (self.cores[number].hart.clock.cycles, task)
                }
            };
            if cycles < until && next.is_none_or(|(_, least, _)| cycles < least) {
                next = Some((number, cycles, task));
            }
        }
        next
    }

    fn due(&mut self, store: &mut PageStore, number: usize) -> Option<Due> {
        let waiting = self.firmware.as_ref().is_some_and(|firmware| firmware.is_waiting(number));
        let called = self.board.lines(number).machine_software;
        let core = &mut self.cores[number];
        match core.activity {
            Activity::Stopped => {
                (called && self.firmware.is_some()).then_some(Due::Now(Task::LookForStart))
            }
            Activity::Running if waiting => called.then_some(Due::Now(Task::ReadMailbox)),
            Activity::Running => Some(Due::Now(Task::Execute)),
            Activity::Trapped(record) => Some(Due::Now(Task::HandleTrap(record))),
            Activity::Idle => {
                let memory = Memory { store, frames: &mut self.frames };
                core.hart.begin_run(&Ports { memory, bus: &mut self.board });
                if core.hart.is_wakeup_pending() {
                    return Some(Due::Now(Task::Wake));
                }
                core.hart.next_timer_cycle().map(Due::At)
            }
        }
    }

    /// What calls a hart to something was done by the hart that executed last, or by a device at
    /// the end of the last run. It is noticed once: later events do not put it off.
    fn notice(&mut self, number: usize) {
        if !std::mem::replace(&mut self.cores[number].noticed, true) {
            self.wait_until(number, self.event_cycles);
        }
    }

    /// A hart that has nothing to do waits.
    fn wait_until(&mut self, number: usize, cycles: u64) {
        let core = &mut self.cores[number];
        if cycles > core.hart.clock.cycles {
            core.idle_cycles += cycles - core.hart.clock.cycles;
            core.hart.clock.cycles = cycles;
        }
    }

    /// Where a slice that begins at `cycles` ends: at the end of the epoch, if there are others.
    fn slice_end(&self, cycles: u64, until: u64) -> u64 {
        if self.cores.len() == 1 {
            return until;
        }
        let epoch = self.config.timing.ipi_cycles.max(1);
        (cycles / epoch + 1).saturating_mul(epoch).min(until)
    }

    /// All harts that do nothing have waited until the end.
    fn pass_time(&mut self, until: u64) {
        for number in 0..self.cores.len() {
            self.wait_until(number, until);
        }
        self.event_cycles = self.event_cycles.max(until);
    }

    fn execute(&mut self, store: &mut PageStore, number: usize, end: u64) -> Stop {
        let core = &mut self.cores[number];
        let memory = Memory { store, frames: &mut self.frames };
        let mut ports = Ports { memory, bus: &mut self.board };
        let stop = self.interpreter.run(&mut core.hart, &mut ports, end);
        match &stop {
            Stop::WaitForInterrupt => core.activity = Activity::Idle,
            Stop::Trap(record) => core.activity = Activity::Trapped(*record),
            Stop::Deadline | Stop::Bus | Stop::StoreFull => {}
        }
        stop
    }

    /// A hart that waits for fences elsewhere takes the interrupt that calls it to its mailbox.
    fn take_interrupt(&mut self, store: &mut PageStore, number: usize) -> bool {
        let core = &mut self.cores[number];
        let memory = Memory { store, frames: &mut self.frames };
        core.hart.begin_run(&Ports { memory, bus: &mut self.board });
        if let Some(interrupt) = core.hart.pending_interrupt()
            && let TrapOutcome::Hosted(record) = core.hart.take_interrupt(interrupt)
        {
            core.activity = Activity::Trapped(record);
        }
        false
    }

    /// `true` if the page store has no room for what the firmware will write: then nothing has
    /// happened yet.
    fn handle_trap(&mut self, store: &mut PageStore, number: usize, record: &TrapRecord) -> bool {
        // A look ahead of the simulator, not of the firmware: it costs nothing.
        let written = sbi::written_range(&self.cores[number].hart.x, record.cause);
        let memory = Memory { store: &mut *store, frames: &mut self.frames };
        if let Some((address, length)) = written
            && let Err(MemoryError::StoreFull(_)) = memory.reserve(PhysicalAddress(address), length)
        {
            return true;
        }
        self.with_firmware(store, number, |firmware, meter| firmware.handle(meter, record));
        false
    }

    fn look_for_start(&mut self, store: &mut PageStore, number: usize) -> bool {
        self.with_firmware(store, number, Firmware::look_for_start);
        false
    }

    fn wake(&mut self, store: &mut PageStore, number: usize) -> bool {
        self.cores[number].activity = Activity::Running;
        self.with_firmware(store, number, Firmware::wake);
        false
    }

    /// Lets the firmware do something on a hart. Harts whose fences are done now go on no earlier
    /// than this one has finished.
    fn with_firmware(
        &mut self,
        store: &mut PageStore,
        number: usize,
        act: impl FnOnce(&mut Firmware, &mut Meter<'_>) -> Outcome,
    ) {
        let Some(firmware) = &mut self.firmware else { return };
        let waiting: Vec<usize> =
            (0..self.cores.len()).filter(|other| firmware.is_waiting(*other)).collect();
        let core = &mut self.cores[number];
        let memory = Memory { store, frames: &mut self.frames };
        let mut meter = Meter::with_bus(&mut core.hart, memory, &mut self.board);
        core.activity = match act(firmware, &mut meter) {
            Outcome::Resume => Activity::Running,
            Outcome::Idle => Activity::Idle,
            Outcome::Stopped => Activity::Stopped,
        };
        let finished = core.hart.clock.cycles;
        for other in waiting.into_iter().filter(|other| !firmware.is_waiting(*other)) {
            let clock = &mut self.cores[other].hart.clock;
            clock.cycles = clock.cycles.max(finished);
        }
    }
}
