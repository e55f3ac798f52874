//! What a technique is: one way to execute a guest on a pCPU.
//!
//! A technique advances its vCPU in *steps*. A step either executes guest instructions up to the
//! next trap, or handles that trap, or enters the guest again; each happens whole or, for want of
//! frames, not at all. The host orders the steps of its pCPUs by their clocks, so where a run is
//! cut changes nothing.

use crate::allocator::FrameAllocator;
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::exit_paths::{self, ExitPaths};
use crate::guest_firmware::{fence_others, shoot_down};
use crate::guest_pages::PageMap;
use crate::ids::VmId;
use crate::ledger::{Activity, Ledger, Reading};
use crate::mail::Mail;
use crate::overcommit::shared_frames::Departure;
use crate::pcpu::Pcpu;
use crate::process::ProcessMachine;
use crate::reason::ExitReason;
use crate::safety::rules::Code;
use crate::shadow::asid::AsidAllocator;
use crate::shadow::tree::TableFrames;
use dcsim_hart::engine::{Engine, Interpreter};
use dcsim_hart::{Counters, Ports, Privilege, Stop, TrapRecord};
use dcsim_machine::firmware::Fence;
use dcsim_machine::{Board, GuestMemory, Meter};
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress, StoreFull};

/// What a step has to work with: a pCPU, the host around it, and the VM's other parts.
#[derive(Debug)]
pub struct Site<'a> {
    /// Whose step it is.
    pub vm: VmId,
    /// Which of its vCPUs makes it.
    pub vcpu: usize,
    /// The processor.
    pub pcpu: &'a mut Pcpu,
    /// The host's memory.
    pub memory: Memory<'a>,
    /// Executes instructions.
    pub interpreter: &'a mut Interpreter,
    /// The host's frames.
    pub allocator: &'a mut FrameAllocator,
    /// Identifiers for shadow trees.
    pub asids: &'a mut AsidAllocator,
    /// Identifiers for guests of the hypervisor extension.
    pub vmids: &'a mut AsidAllocator,
    /// The VM's devices.
    pub board: &'a mut Board,
    /// What its vCPUs ask of each other.
    pub mail: &'a mut Mail,
    /// Where its cycles go.
    pub ledger: &'a mut Ledger,
    /// What it counted.
    pub counters: &'a mut VmCounters,
    /// What host software does at its exits.
    pub exit_paths: &'a ExitPaths,
}

impl Site<'_> {
    /// The only way for a handler to reach the pCPU and the host's memory.
    pub fn meter(&mut self) -> Meter<'_> {
        Meter::new(&mut self.pcpu.hart, self.memory.reborrow())
    }

    /// What changes page tables: a meter, and where their frames come from.
    pub fn tables(&mut self) -> (Meter<'_>, TableFrames<'_>) {
        let meter = Meter::new(&mut self.pcpu.hart, self.memory.reborrow());
        (meter, TableFrames { allocator: self.allocator, vm: self.vm })
    }

    /// Books what was spent since the last booking.
    pub fn book(&mut self, activity: Activity) {
        self.ledger.book(activity, Reading::of(&self.pcpu.hart));
    }

    /// Lets host software do its part of an exit whose handler has been booked.
    pub fn follow_exit(&mut self, reason: ExitReason) {
        let Some((name, steps)) = self.exit_paths.of(reason) else { return };
        exit_paths::execute(&mut self.meter(), steps);
        self.ledger.book_host_path(name, Reading::of(&self.pcpu.hart));
    }

    /// The counters of the pCPU now.
    pub fn reading(&self) -> Reading {
        Reading::of(&self.pcpu.hart)
    }

    /// Books a software walk of page tables that a handler has made since `started`.
    pub fn book_walk_since(&mut self, started: Reading) {
        self.ledger.book_walk(started, Reading::of(&self.pcpu.hart));
    }

    /// Counts and books guest instructions that the pCPU has executed since its counters were as
    /// in `before`; none of them started at or after `until_cycles`.
    pub fn executed(&mut self, before: &Counters, until_cycles: u64) {
        let after = &self.pcpu.hart.counters;
        self.counters.direct_instructions += after.instructions - before.instructions;
        self.executed_anything(before, until_cycles);
    }

    /// The same for translated code: the guest's instructions are those that are marked.
    fn executed_translated(&mut self, before: &Counters, until_cycles: u64) {
        let after = &self.pcpu.hart.counters;
        let marked = after.marked_instructions - before.marked_instructions;
        self.counters.translated_instructions += marked;
        self.counters.translation_instructions += after.instructions - before.instructions;
        self.executed_anything(before, until_cycles);
    }

    fn executed_anything(&mut self, before: &Counters, until_cycles: u64) {
        let after = &self.pcpu.hart.counters;
        self.counters.walk_references += after.walk_references - before.walk_references;
        self.counters.itlb_misses += after.itlb_misses - before.itlb_misses;
        self.counters.dtlb_misses += after.dtlb_misses - before.dtlb_misses;
        self.counters.data_cache_misses += after.data_cache_misses - before.data_cache_misses;
        self.counters.data_cache_refills += after.data_cache_refills - before.data_cache_refills;
        self.counters.remote_misses += after.remote_misses - before.remote_misses;
        self.counters.data_cache_cycles += after.data_cache_cycles - before.data_cache_cycles;
        self.pcpu.executed_cycles = self.now_cycles().min(until_cycles);
        self.book(Activity::Guest);
    }

    /// Executes guest instructions up to the next trap into the monitor, which plays `level`, or
    /// to `until_cycles`.
    pub fn run_guest(
        &mut self,
        level: Privilege,
        until_cycles: u64,
    ) -> Result<GuestRun, HostError> {
        let before = self.pcpu.hart.counters;
        let stop = self.run(until_cycles, Code::Own);
        self.executed(&before, until_cycles);
        self.told(level, stop)
    }

    /// The same, while what executes is a translation of the guest's instructions.
    pub fn run_translated(
        &mut self,
        level: Privilege,
        until_cycles: u64,
    ) -> Result<GuestRun, HostError> {
        let before = self.pcpu.hart.counters;
        let stop = self.run(until_cycles, Code::Translated);
        self.executed_translated(&before, until_cycles);
        self.told(level, stop)
    }

    fn run(&mut self, until_cycles: u64, code: Code) -> Stop {
        self.guest_begins(code);
        let mut ports = Ports { memory: self.memory.reborrow(), bus: &mut self.pcpu.bus };
        let stop = self.interpreter.run(&mut self.pcpu.hart, &mut ports, until_cycles);
        self.guest_ends();
        stop
    }

    /// Tells a guard of accesses that the guest is the one who makes them, from now on.
    pub fn guest_begins(&self, code: Code) {
        if let Some(guard) = self.allocator.guard() {
            guard.guest_begins(self.vm, code, &self.memory);
        }
    }

    /// Tells it that the monitor is again.
    pub fn guest_ends(&self) {
        if let Some(guard) = self.allocator.guard() {
            guard.guest_ends(self.vm, &self.memory);
        }
    }

    /// What the end of a run is to a monitor that plays `level`.
    fn told(&self, level: Privilege, stop: Stop) -> Result<GuestRun, HostError> {
        match stop {
            Stop::Deadline => Ok(GuestRun::Deadline),
            Stop::Trap(record) if record.to == level => Ok(GuestRun::Trap(record)),
            Stop::StoreFull => {
                Err(StoreFull { limit_bytes: self.memory.store.limit_bytes() }.into())
            }
            other => Ok(GuestRun::Lost(format!("the pCPU stopped unexpectedly: {other:?}"))),
        }
    }

    /// Why the external interrupt of the pCPU was raised: others of the VM ask for something, or a
    /// device's line changed.
    pub fn reason_of_interrupt(&self) -> ExitReason {
        if self.mail.has_fences(self.vcpu) {
            ExitReason::RemoteFence
        } else if self.mail.is_due(self.vcpu, self.now_cycles()) {
            ExitReason::InterprocessorInterrupt
        } else {
            ExitReason::ExternalInterrupt
        }
    }

    /// Lets time pass up to a cycle, with nobody executing.
    pub fn wait_until(&mut self, cycle: u64) {
        let clock = &mut self.pcpu.hart.clock;
        clock.cycles = clock.cycles.max(cycle);
        self.pcpu.executed_cycles = clock.cycles;
        self.book(Activity::Wait);
    }

    /// Does one step of the technique, with all that follows from it: what pages have left is
    /// unmapped before the guest executes again.
    pub fn step(
        &mut self,
        technique: &mut dyn Technique,
        until_cycles: u64,
    ) -> Result<Step, HostError> {
        let step = match technique.step(self, until_cycles) {
            Err(HostError::Swapped { page }) => self.want(page),
            step => step?,
        };
        if self.mail.count() > 1 {
            shoot_down(self, &technique.take_called());
            fence_others(self, &technique.take_fences());
        }
        // Those of a VM with several vCPUs concern other pCPUs, too: the host sees to them.
        if self.allocator.has_departures() && self.mail.count() == 1 {
            self.settle_departures(technique)?;
        }
        Ok(step)
    }

    /// Something found that a page is swapped out.
    pub fn want(&mut self, page: u64) -> Step {
        self.counters.count_exit(ExitReason::SwapIn);
        self.book(Activity::Handler(ExitReason::SwapIn));
        Step::Swapped(page)
    }

    fn settle_departures(&mut self, technique: &mut dyn Technique) -> Result<(), HostError> {
        let departures = self.allocator.take_departures(self.vm);
        let copies = self.allocator.take_device_breaks(self.vm);
        technique.note_departed(&mut self.memory, &departures);
        let mut meter = Meter::new(&mut self.pcpu.hart, self.memory.reborrow());
        let mut frames = TableFrames { allocator: self.allocator, vm: self.vm };
        charge_copies(&mut meter, copies);
        technique.unmap_departed(&mut meter, &mut frames, &departures)
    }

    /// The clock of the pCPU.
    pub fn now_cycles(&self) -> u64 {
        self.pcpu.hart.clock.cycles
    }
}

/// Charges copies of pages that a device had made.
pub fn charge_copies(meter: &mut Meter<'_>, pages: u64) {
    let words = pages * (PAGE_BYTES as u64 / 8);
    meter.load_state(words);
    meter.store_state(words);
}

/// Why a guest under a monitor executed no further.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GuestRun {
    /// The end was reached.
    Deadline,
    /// It trapped into the monitor.
    Trap(TrapRecord),
    /// The pCPU did what none under a monitor does.
    Lost(String),
}

/// What a vCPU under a monitor does next.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Enter the guest.
    Enter,
    /// Execute guest instructions: the pCPU is in the guest.
    Guest,
    /// Handle a trap.
    Trapped(TrapRecord),
    /// Wait for an interrupt.
    Wait,
    /// Nothing until another vCPU starts it, if there is one: the guest stopped it.
    Stopped,
}

/// What the handler of a trap decided.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Handled {
    /// The guest goes on, for this reason.
    Resume(ExitReason),
    /// The guest does something else next, for this reason.
    Turn(ExitReason, Phase),
}

impl Handled {
    /// The reason of the exit, and what comes next.
    pub fn parts(self) -> (ExitReason, Phase) {
        match self {
            Self::Resume(reason) => (reason, Phase::Enter),
            Self::Turn(reason, phase) => (reason, phase),
        }
    }
}

/// What a step came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// It was done; the next one can follow.
    Done,
    /// It needs this many frames, and they are not free. Nothing was changed.
    Memory(u64),
    /// It needs this page of the guest, which is swapped out. Nothing was changed.
    Swapped(u64),
    /// The guest began to wait for an interrupt; its timer will end that at this cycle.
    Wait(Option<u64>),
    /// The guest waits for a kick, for a lock that this vCPU holds, if it knows.
    Spin(Option<usize>),
    /// The guest did what its machine cannot survive.
    Fault(String),
    /// The program that is all of the guest has ended with this status.
    Ended(u32),
}

/// What is on its way to a vCPU from others of its VM.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Called {
    /// A software interrupt: of the supervisor, or on bare metal of the machine.
    pub interrupt: bool,
    /// The order to begin.
    pub start: bool,
    /// A kick.
    pub kick: bool,
}

/// One way to execute a guest.
pub trait Technique: std::any::Any + std::fmt::Debug + Send {
    /// Takes a pCPU: the vCPU's registers go into it.
    fn load(&mut self, site: &mut Site<'_>);

    /// Gives the pCPU up: the vCPU's registers come out of it.
    fn unload(&mut self, site: &mut Site<'_>);

    /// Everything that follows is about this vCPU.
    fn seat(&mut self, _vcpu: usize) {}

    /// There is something in the vCPU's mailbox that is due while it is on this pCPU.
    fn call(&mut self, _: &mut Site<'_>) {}

    /// Other vCPUs that have to empty their TLBs before they execute anything, as tables that all of
    /// them share have changed. Whoever asks tells them.
    fn take_called(&mut self) -> Vec<usize> {
        Vec::new()
    }

    /// Fences that all other vCPUs on pCPUs have to do before they execute anything, as tables that
    /// they share have changed. Whoever asks has them do these.
    fn take_fences(&mut self) -> Vec<Fence> {
        Vec::new()
    }

    /// Does one step. Guest instructions start only before `until_cycles`.
    fn step(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError>;

    /// An interrupt line of the board may have risen while the vCPU is on this pCPU.
    fn lines_changed(&mut self, site: &mut Site<'_>);

    /// Whether the vCPU waits for an interrupt, and would go on at `time` with this level on the
    /// external line and what others ask of it. `None`: it does not wait.
    fn wakes(&self, time: u64, external: bool, called: Called) -> Option<bool>;

    /// The value of `time` at which the guest's timer next raises an enabled interrupt; `None` if that
    /// would not end its wait.
    fn timer_deadline(&self, time: u64) -> Option<u64>;

    /// The guest's memory, for devices.
    fn guest_memory<'a>(
        &'a mut self,
        vm: VmId,
        memory: Memory<'a>,
        allocator: &'a mut FrameAllocator,
    ) -> Box<dyn GuestMemory + 'a>;

    /// Where the guest's pages are; `None` if they are the host's own frames.
    fn page_map(&self) -> Option<&PageMap>;

    /// The frames that hold what the monitor has made for the guest: tables, records, code; all but
    /// the map of its pages. A look of the simulator's.
    fn own_frames(&self, memory: &Memory<'_>) -> Vec<PhysicalAddress>;

    /// Compares everything by which the guest reaches memory with who holds the host's frames; says
    /// what is wrong.
    fn audit(&self, _: &Memory<'_>, _: &FrameAllocator, _: VmId) -> Result<(), String> {
        Ok(())
    }

    /// Gives up what it can of the frames that a VM on no pCPU does not need, until `wanted` are
    /// free; the handler behind the meter pays.
    fn reclaim(&mut self, _: &mut Meter<'_>, _: &mut TableFrames<'_>, _wanted: u64) {}

    /// Pages of the guest are elsewhere than they were: what it executes from there is to be looked
    /// at again. A look of the simulator's.
    fn note_departed(&mut self, _: &mut Memory<'_>, _: &[Departure]) {}

    /// Removes every translation to where pages of the guest were, from tables and from the pCPU's
    /// TLB; that of any other pCPU is the caller's.
    fn unmap_departed(
        &mut self,
        _: &mut Meter<'_>,
        _: &mut TableFrames<'_>,
        _: &[Departure],
    ) -> Result<(), HostError> {
        Ok(())
    }

    /// The tables by which the guest reaches memory: their roots, with their levels (0 is that of
    /// leaves).
    fn table_roots(&self) -> Vec<(PhysicalAddress, u32)> {
        Vec::new()
    }

    /// Lets no TLB's knowledge of the guest be used any more, while its vCPU is on no pCPU.
    fn forget_translations(&mut self) {}

    /// Distinct pages of its memory that the guest ever had, where more are taken back than kept.
    fn touched_pages(&self) -> Option<u64> {
        None
    }

    /// The process-level machine, if it is one.
    fn process(&mut self) -> Option<&mut ProcessMachine> {
        None
    }

    /// The registers of a vCPU that is on no pCPU.
    fn capture(&self, counters: &VmCounters) -> CpuState;

    /// What a page is saved as, where that is not its content: host addresses in it mean nothing
    /// elsewhere.
    fn saved_page(&self, _: &Memory<'_>, _: u64) -> Option<Box<[u8; PAGE_BYTES]>> {
        None
    }
}
