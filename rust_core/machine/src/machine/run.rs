//! Running: which hart goes next, for how long, and what its stop means.

use super::{Activity, Machine, MachineStop};
use crate::firmware::Outcome;
use crate::meter::Meter;
use dcsim_hart::{Engine, Ports, Stop, TrapOutcome, TrapRecord};
use dcsim_memory::{Memory, PageStore};

/// What is next for a hart.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Task {
    /// Execute.
    Execute,
    /// Look into the mailbox while waiting for others to look into theirs.
    ReadMailbox,
    /// See whether another hart has started it.
    LookForStart,
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
            self.begin(number, cycles);
            match task {
                Task::Execute => {
                    let end = self.slice_end(cycles, until_cycles);
                    if self.execute(store, number, end) == Stop::StoreFull {
                        return MachineStop::StoreFull;
                    }
                }
                Task::ReadMailbox => self.take_interrupt(store, number),
                Task::LookForStart => self.look_for_start(store, number),
            }
            self.event_cycles = self.cores[number].hart.clock.cycles;
        }
    }

    /// Whether no hart executes or will execute again by itself.
    pub fn is_idle(&self) -> bool {
        self.cores.iter().all(|core| {
            core.activity != Activity::Running && core.hart.next_timer_cycle().is_none()
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
            let Some((cycles, task)) = self.task_of(store, number) else { continue };
            if cycles < until && next.is_none_or(|(_, least, _)| cycles < least) {
                next = Some((number, cycles, task));
            }
        }
        next
    }

    fn task_of(&mut self, store: &mut PageStore, number: usize) -> Option<(u64, Task)> {
        let waiting = self.firmware.as_ref().is_some_and(|firmware| firmware.is_waiting(number));
        let called = self.board.lines(number).machine_software;
        let noticed = self.event_cycles;
        let core = &mut self.cores[number];
        let now = core.hart.clock.cycles;
        match core.activity {
            Activity::Stopped => {
                (called && self.firmware.is_some()).then_some((now.max(noticed), Task::LookForStart))
            }
            Activity::Running if waiting => {
                called.then_some((now.max(noticed), Task::ReadMailbox))
            }
            Activity::Running => Some((now, Task::Execute)),
            Activity::Idle => {
                let memory = Memory { store, frames: &mut self.frames };
                core.hart.begin_run(&Ports { memory, bus: &mut self.board });
                if core.hart.is_wakeup_pending() {
                    return Some((now.max(noticed), Task::Execute));
                }
                core.hart.next_timer_cycle().map(|cycles| (cycles, Task::Execute))
            }
        }
    }

    /// Moves a hart's clock to where it goes on.
    fn begin(&mut self, number: usize, cycles: u64) {
        let core = &mut self.cores[number];
        core.idle_cycles += cycles.saturating_sub(core.hart.clock.cycles);
        core.hart.clock.cycles = core.hart.clock.cycles.max(cycles);
        if core.activity == Activity::Idle {
            core.activity = Activity::Running;
            if let Some(firmware) = &mut self.firmware {
                firmware.woken(number);
            }
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
        for core in &mut self.cores {
            if until > core.hart.clock.cycles {
                core.idle_cycles += until - core.hart.clock.cycles;
                core.hart.clock.cycles = until;
            }
        }
    }

    fn execute(&mut self, store: &mut PageStore, number: usize, end: u64) -> Stop {
        let core = &mut self.cores[number];
        let memory = Memory { store: &mut *store, frames: &mut self.frames };
        let mut ports = Ports { memory, bus: &mut self.board };
        let stop = self.interpreter.run(&mut core.hart, &mut ports, end);
        match &stop {
            Stop::WaitForInterrupt => core.activity = Activity::Idle,
            Stop::Trap(record) => self.handle_trap(store, number, record),
            Stop::Deadline | Stop::Bus | Stop::StoreFull => {}
        }
        stop
    }

    /// A hart that waits for fences elsewhere takes the interrupt that calls it to its mailbox.
    fn take_interrupt(&mut self, store: &mut PageStore, number: usize) {
        let core = &mut self.cores[number];
        let memory = Memory { store: &mut *store, frames: &mut self.frames };
        core.hart.begin_run(&Ports { memory, bus: &mut self.board });
        if let Some(interrupt) = core.hart.pending_interrupt()
            && let TrapOutcome::Hosted(record) = core.hart.take_interrupt(interrupt)
        {
            self.handle_trap(store, number, &record);
        }
    }

    fn handle_trap(&mut self, store: &mut PageStore, number: usize, record: &TrapRecord) {
        self.with_firmware(store, number, |firmware, meter| firmware.handle(meter, record));
    }

    fn look_for_start(&mut self, store: &mut PageStore, number: usize) {
        self.with_firmware(store, number, super::Firmware::look_for_start);
    }

    /// Lets the firmware do something on a hart. Harts whose fences are done now go on no earlier
    /// than this one has finished.
    fn with_firmware(
        &mut self,
        store: &mut PageStore,
        number: usize,
        act: impl FnOnce(&mut super::Firmware, &mut Meter<'_>) -> Outcome,
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
