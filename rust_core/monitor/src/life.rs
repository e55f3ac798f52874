//! The life of a vCPU under a monitor: its steps, how it leaves, waits and is woken.
//!
//! Techniques differ in how a guest is entered and what its traps mean. What goes on between these is
//! the same for all of them and stands here once.

use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::error::HostError;
use crate::guest_firmware::{Departure, ECALL_BYTES};
use crate::ledger::Activity;
use crate::mail::Letters;
use crate::reason::ExitReason;
use crate::supervisor::{Inputs, Supervisor};
use crate::technique::{Called, GuestRun, Handled, Phase, Site, Step};
use dcsim_hart::csr::fields::interrupt;
use dcsim_hart::{Privilege, TrapRecord};
use dcsim_machine::Meter;
use dcsim_machine::firmware::{HartState, StartPoint};

/// Where a vCPU under a monitor is in its life.
#[derive(Debug)]
pub struct Life {
    /// The supervisor mode that the guest believes to have. What of it is true while the vCPU is on
    /// a pCPU is the technique's to say.
    pub guest: Supervisor,
    /// Where the guest goes on; valid outside [`Phase::Guest`].
    pub pc: u64,
    /// What comes next.
    pub phase: Phase,
    /// Why the guest last left; the entry that follows is part of that exit's cost.
    pub reason: ExitReason,
    /// Integer and floating-point registers while the vCPU is on no pCPU.
    pub resting: CpuState,
    /// Where the guest goes on when its wait ends, if a call suspended it without its state.
    pub resume: Option<StartPoint>,
    /// Its place in its VM.
    pub number: usize,
    /// It waits for a kick and nothing else, for a lock that this vCPU holds, if it knows.
    pub spins_for: Option<Option<usize>>,
}

impl Life {
    /// The first vCPU of a VM, with these registers, on no pCPU.
    pub fn new(state: CpuState) -> Self {
        let phase = match (state.stopped, state.waiting) {
            (true, _) => Phase::Stopped,
            (false, true) => Phase::Wait,
            (false, false) => Phase::Enter,
        };
        Self {
            guest: state.supervisor.clone(),
            pc: state.pc,
            phase,
            reason: ExitReason::VcpuLoad,
            resume: state.resume,
            number: 0,
            spins_for: None,
            resting: state,
        }
    }

    /// The same in another place.
    pub fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// A pCPU has taken the vCPU.
    pub fn begin_stay(&mut self, counters: &mut VmCounters) {
        self.reason = ExitReason::VcpuLoad;
        counters.count_exit(ExitReason::VcpuLoad);
    }

    /// Whether the guest's registers are those of the pCPU: in the other phases the record is newer.
    pub fn is_in_hart(&self) -> bool {
        matches!(self.phase, Phase::Guest | Phase::Trapped(_))
    }

    /// The registers of a vCPU that is on no pCPU. A trap that nobody has handled yet is taken again.
    pub fn capture(&self, counters: &VmCounters) -> CpuState {
        let pc = match self.phase {
            Phase::Trapped(record) => record.pc,
            _ => self.pc,
        };
        CpuState {
            pc,
            supervisor: self.guest.clone(),
            instructions: self.resting.instructions + counters.instructions(),
            waiting: self.phase == Phase::Wait && !self.awaits_kick(),
            stopped: self.phase == Phase::Stopped,
            resume: self.resume,
            ..self.resting.clone()
        }
    }

    /// Whether the guest waits for a kick.
    pub fn awaits_kick(&self) -> bool {
        self.spins_for.is_some()
    }

    /// The `time` at which the guest's timer expires, if that can end a wait.
    pub fn timer_deadline(&self, time: u64) -> Option<u64> {
        if self.awaits_kick() { None } else { self.guest.timer_deadline(time) }
    }

    /// The cycle at which the guest's timer ends its wait.
    pub fn wake_cycle(&self, site: &Site<'_>) -> Option<u64> {
        let clock = &site.pcpu.hart.clock;
        self.timer_deadline(clock.time()).map(|time| clock.cycles_at_time(time))
    }

    /// Counts an exit and books its cycles, after its handler; then host software does its part.
    pub fn finish(&mut self, site: &mut Site<'_>, handled: Handled) -> Step {
        let (mut reason, phase) = handled.parts();
        if phase != Phase::Wait {
            self.spins_for = None;
        } else if self.awaits_kick() {
            reason = ExitReason::SpinWait;
        }
        self.reason = reason;
        self.phase = phase;
        site.counters.count_exit(reason);
        site.book(Activity::Handler(reason));
        site.follow_exit(reason);
        match phase {
            Phase::Wait => match self.spins_for {
                Some(holder) => Step::Spin(holder),
                None => Step::Wait(self.wake_cycle(site)),
            },
            Phase::Stopped => Step::Wait(None),
            _ => Step::Done,
        }
    }

    /// Notes what a call to firmware did, and lets the guest go on behind the call. Tells how.
    pub fn depart(&mut self, departure: Departure) -> Phase {
        self.pc = self.pc.wrapping_add(ECALL_BYTES);
        match departure {
            Departure::Return => Phase::Enter,
            Departure::Stop => Phase::Stopped,
            Departure::Suspend => Phase::Wait,
            Departure::SuspendAndResume(start) => {
                self.resume = Some(start);
                Phase::Wait
            }
            Departure::Spin(holder) => {
                self.spins_for = Some(holder);
                Phase::Wait
            }
        }
    }

    /// Notes how far the guest got.
    pub fn after_run(&mut self, run: GuestRun) -> Step {
        match run {
            GuestRun::Deadline => Step::Done,
            GuestRun::Trap(record) => {
                self.phase = Phase::Trapped(record);
                Step::Done
            }
            GuestRun::Lost(what) => Step::Fault(what),
        }
    }
}

/// A vCPU with such a life.
pub trait Monitored {
    /// The mode that the monitor plays.
    const LEVEL: Privilege;

    /// Where it is in its life.
    fn life(&self) -> &Life;

    /// The same, to be changed.
    fn life_mut(&mut self) -> &mut Life;

    /// One step: from the monitor into the guest.
    fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError>;

    /// One step: from a trap to the point where the guest can be entered again.
    fn handle(&mut self, site: &mut Site<'_>, record: &TrapRecord) -> Result<Step, HostError>;

    /// The state in which firmware enters a kernel.
    fn restart(&mut self, meter: &mut Meter<'_>, start: StartPoint);

    /// Does what other vCPUs asked for: fences, and the software interrupt.
    fn receive(&mut self, site: &mut Site<'_>, letters: &Letters) -> Result<(), HostError>;

    /// Does what is due of what other vCPUs asked for.
    fn read_mail(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        let now = site.now_cycles();
        if !site.mail.is_due(site.vcpu, now) {
            return Ok(());
        }
        let letters = site.mail.take_due(site.vcpu, now);
        self.receive(site, &letters)?;
        if let Some(start) = letters.start {
            self.restart(&mut site.meter(), start);
            self.life_mut().phase = Phase::Enter;
        }
        site.book(Activity::Handler(letters.reason()));
        Ok(())
    }

    /// Whether these end the guest's wait.
    fn is_woken_by(&self, inputs: Inputs) -> bool {
        self.life().guest.wakes(inputs)
    }

    /// Does the next step.
    fn advance(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<Step, HostError> {
        match self.life().phase {
            Phase::Enter => {
                self.read_mail(site)?;
                self.enter(site)
            }
            Phase::Guest => {
                let run = site.run_guest(Self::LEVEL, until_cycles)?;
                Ok(self.life_mut().after_run(run))
            }
            Phase::Trapped(record) => self.handle(site, &record),
            Phase::Wait => {
                self.idle(site, until_cycles)?;
                Ok(Step::Done)
            }
            Phase::Stopped => {
                self.rest(site, until_cycles)?;
                Ok(Step::Done)
            }
        }
    }

    /// One step: time passes until another vCPU starts this one, or until `until_cycles`.
    fn rest(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<(), HostError> {
        self.read_mail(site)?;
        if self.life().phase == Phase::Stopped {
            let start = site.mail.next_due(site.vcpu).unwrap_or(u64::MAX);
            site.wait_until(start.min(until_cycles));
        }
        Ok(())
    }

    /// The cycle at which something ends the guest's wait, or may.
    fn next_waker(&self, site: &Site<'_>) -> u64 {
        let kick = site.mail.next_kick(site.vcpu).filter(|_| self.life().awaits_kick());
        let wakers = [self.life().wake_cycle(site), site.mail.next_due(site.vcpu), kick];
        wakers.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Whether a kick ends the guest's wait now; it does so once.
    fn is_kicked(&self, site: &mut Site<'_>) -> bool {
        let now = site.now_cycles();
        self.life().awaits_kick() && site.mail.take_kick(site.vcpu, now)
    }

    /// One step: time passes until something wakes the guest, or until `until_cycles`.
    fn idle(&mut self, site: &mut Site<'_>, until_cycles: u64) -> Result<(), HostError> {
        self.read_mail(site)?;
        if !self.is_woken(site) {
            let wake = self.next_waker(site);
            site.wait_until(wake.min(until_cycles));
            self.read_mail(site)?;
        }
        if self.is_kicked(site) || self.is_woken(site) {
            self.life_mut().spins_for = None;
            site.mail.set_state(site.vcpu, HartState::Started);
            if let Some(start) = self.life_mut().resume.take() {
                self.restart(&mut site.meter(), start);
            }
            self.life_mut().phase = Phase::Enter;
        }
        Ok(())
    }

    /// Whether an interrupt now ends the guest's wait: not one for a kick. Were it to, a kernel that
    /// takes a lock with interrupts off would spin again at once, as the interrupt stays pending.
    fn is_woken(&self, site: &Site<'_>) -> bool {
        let external = site.board.lines(site.vcpu).supervisor_external;
        !self.life().awaits_kick()
            && self.is_woken_by(Inputs { time: site.pcpu.hart.clock.time(), external })
    }

    /// Whether the vCPU waits, and would go on with these. `None`: it does not wait.
    fn would_wake(&self, inputs: Inputs, called: Called) -> Option<bool> {
        let life = self.life();
        match life.phase {
            Phase::Wait if life.awaits_kick() => Some(called.kick),
            Phase::Wait => {
                let interrupted = called.interrupt && life.guest.enable & interrupt::SSIP != 0;
                Some(interrupted || self.is_woken_by(inputs))
            }
            Phase::Stopped => Some(called.start),
            _ => None,
        }
    }

    /// Something is due in the mailbox: a guest that executes is made to leave.
    fn answer_call(&self, site: &mut Site<'_>) {
        if self.life().phase == Phase::Guest {
            site.pcpu.bus.interrupted = true;
        }
    }
}
