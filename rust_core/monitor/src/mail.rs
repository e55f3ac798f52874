//! What the vCPUs of a VM ask of each other: interrupts, starts, fences, kicks.
//!
//! A vCPU acts on what is in its box when it next enters the guest, whichever pCPU it is on by then.
//! Interrupts and starts are on their way for as long as an interrupt from one pCPU to another
//! takes. A fence is in force from the moment that it is asked for: the vCPU that it is for executes
//! nothing of the guest before it has done it.
//!
//! The host writes too: to a vCPU that keeps a record of stolen time, how much there is to be added.

use crate::reason::ExitReason;
use dcsim_machine::firmware::{Fence, HartState, StartPoint};

/// What lies in a vCPU's box and is due.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Letters {
    /// Its software interrupt is to be raised.
    pub interrupt: bool,
    /// It is to begin here.
    pub start: Option<StartPoint>,
    /// It is to do these fences.
    pub fences: Vec<Fence>,
    /// Its record of stolen time is to grow.
    pub stolen: Option<Stolen>,
}

impl Letters {
    /// What acting on them is a part of. A vCPU is told of stolen time when it is loaded.
    pub fn reason(&self) -> ExitReason {
        if !self.fences.is_empty() {
            ExitReason::RemoteFence
        } else if self.interrupt || self.start.is_some() {
            ExitReason::InterprocessorInterrupt
        } else {
            ExitReason::VcpuLoad
        }
    }
}

/// Time for which a vCPU could have run and had no pCPU, that its guest does not know of.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Stolen {
    /// Where the guest keeps its record, guest-physical.
    pub record: u64,
    /// How much to add.
    pub nanoseconds: u64,
}

/// A vCPU's box.
#[derive(Debug)]
struct Mailbox {
    state: HartState,
    is_on_pcpu: bool,
    /// When the interrupt arrives.
    interrupt: Option<u64>,
    /// When it is to start, and where.
    start: Option<(u64, StartPoint)>,
    /// When the kick arrives, which ends a wait for one.
    kick: Option<u64>,
    fences: Vec<Fence>,
    /// Where it keeps its record of stolen time, if it does.
    steal_record: Option<u64>,
    /// What that does not say yet, and whether it is to be told at the next entry.
    stolen_ns: u64,
    tells_stolen: bool,
    /// The model knows that it has something to do.
    is_announced: bool,
}

impl Mailbox {
    /// Takes out what its record of stolen time is to grow by, if it is to be told.
    fn told(&mut self) -> Option<Stolen> {
        let tells = std::mem::take(&mut self.tells_stolen);
        let record = self.steal_record.filter(|_| tells)?;
        Some(Stolen { record, nanoseconds: std::mem::take(&mut self.stolen_ns) })
    }
}

/// The boxes of a VM's vCPUs.
#[derive(Debug)]
pub struct Mail {
    boxes: Vec<Mailbox>,
    withholds_steal_time: bool,
}

impl Mail {
    /// Empty boxes of vCPUs, of which these run and the others are stopped.
    pub fn new(running: impl IntoIterator<Item = bool>) -> Self {
        let state = |runs| if runs { HartState::Started } else { HartState::Stopped };
        let boxes = running.into_iter().map(|runs| Mailbox {
            state: state(runs),
            is_on_pcpu: false,
            interrupt: None,
            start: None,
            kick: None,
            fences: Vec::new(),
            steal_record: None,
            stolen_ns: 0,
            tells_stolen: false,
            is_announced: false,
        });
        Self { boxes: boxes.collect(), withholds_steal_time: false }
    }

    /// The number of vCPUs.
    pub fn count(&self) -> usize {
        self.boxes.len()
    }

    /// The state of a vCPU, as the guest's firmware tells it.
    pub fn state(&self, vcpu: usize) -> HartState {
        self.boxes.get(vcpu).map_or(HartState::Stopped, |each| match each.start {
            Some(_) => HartState::StartPending,
            None => each.state,
        })
    }

    /// Whether a vCPU takes interrupts and fences.
    pub fn is_up(&self, vcpu: usize) -> bool {
        matches!(self.state(vcpu), HartState::Started | HartState::Suspended)
    }

    /// Notes a vCPU's state. One that stops keeps no record any more.
    pub fn set_state(&mut self, vcpu: usize, state: HartState) {
        self.with(vcpu, |each| each.state = state);
        if state == HartState::Stopped {
            self.keep_steal_record(vcpu, None);
        }
    }

    /// Whether a vCPU is on a pCPU.
    pub fn is_on_pcpu(&self, vcpu: usize) -> bool {
        self.boxes.get(vcpu).is_some_and(|each| each.is_on_pcpu)
    }

    /// Notes that a vCPU came onto a pCPU, or left it.
    pub fn set_on_pcpu(&mut self, vcpu: usize, is_on_pcpu: bool) {
        self.with(vcpu, |each| {
            each.is_on_pcpu = is_on_pcpu;
            each.is_announced = false;
        });
    }

    /// Raises a vCPU's software interrupt at a cycle.
    pub fn interrupt(&mut self, vcpu: usize, at_cycles: u64) {
        self.with(vcpu, |each| each.interrupt = Some(earliest(each.interrupt, at_cycles)));
    }

    /// Ends a vCPU's wait for a kick at a cycle, or the next one that it begins.
    pub fn kick(&mut self, vcpu: usize, at_cycles: u64) {
        self.with(vcpu, |each| each.kick = Some(earliest(each.kick, at_cycles)));
    }

    /// Lets a vCPU begin at a cycle.
    pub fn start(&mut self, vcpu: usize, at_cycles: u64, start: StartPoint) {
        self.with(vcpu, |each| each.start = Some((at_cycles, start)));
    }

    /// Has a vCPU do a fence before it executes anything of the guest.
    pub fn fence(&mut self, vcpu: usize, fence: Fence) {
        self.with(vcpu, |each| each.fences.push(fence));
    }

    /// Whether vCPUs can keep a record of stolen time.
    pub fn offers_steal_time(&self) -> bool {
        !self.withholds_steal_time
    }

    /// Lets vCPUs find that they cannot.
    pub fn withhold_steal_time(&mut self) {
        self.withholds_steal_time = true;
    }

    /// Has a vCPU keep a record of stolen time from now on, or none any more.
    pub fn keep_steal_record(&mut self, vcpu: usize, record: Option<u64>) {
        self.with(vcpu, |each| {
            each.steal_record = record;
            each.stolen_ns = 0;
            each.tells_stolen = false;
        });
    }

    /// Where a vCPU keeps its record of stolen time, if it does.
    pub fn steal_record(&self, vcpu: usize) -> Option<u64> {
        self.boxes.get(vcpu)?.steal_record
    }

    /// Time was stolen from a vCPU: its record is to say so when it next enters the guest.
    pub fn steal(&mut self, vcpu: usize, nanoseconds: u64) {
        self.with(vcpu, |each| {
            if each.steal_record.is_some() {
                each.stolen_ns = each.stolen_ns.saturating_add(nanoseconds);
                each.tells_stolen = true;
            }
        });
    }

    /// A record could not be written: it waits for the next time that something is stolen.
    pub fn put_back(&mut self, vcpu: usize, stolen: Stolen) {
        self.with(vcpu, |each| each.stolen_ns = each.stolen_ns.saturating_add(stolen.nanoseconds));
    }

    /// When a vCPU next has something to take out of its box.
    pub fn next_due(&self, vcpu: usize) -> Option<u64> {
        let each = self.boxes.get(vcpu)?;
        let now = (!each.fences.is_empty() || each.tells_stolen).then_some(0);
        let start = each.start.map(|(at, _)| at);
        [now, start, each.interrupt].into_iter().flatten().min()
    }

    /// Whether a vCPU has something to take out of its box at a cycle.
    pub fn is_due(&self, vcpu: usize, now: u64) -> bool {
        self.next_due(vcpu).is_some_and(|due| due <= now)
    }

    /// Whether fences are due.
    pub fn has_fences(&self, vcpu: usize) -> bool {
        self.boxes.get(vcpu).is_some_and(|each| !each.fences.is_empty())
    }

    /// Takes out what is due.
    pub fn take_due(&mut self, vcpu: usize, now: u64) -> Letters {
        let Some(each) = self.boxes.get_mut(vcpu) else { return Letters::default() };
        let interrupt = each.interrupt.take_if(|at| *at <= now).is_some();
        let start = each.start.take_if(|(at, _)| *at <= now).map(|(_, start)| start);
        if start.is_some() {
            each.state = HartState::Started;
        }
        Letters { interrupt, start, fences: std::mem::take(&mut each.fences), stolen: each.told() }
    }

    /// When the kick that was sent to a vCPU arrives, if one was.
    pub fn next_kick(&self, vcpu: usize) -> Option<u64> {
        self.boxes.get(vcpu)?.kick
    }

    /// Takes a kick that has arrived.
    pub fn take_kick(&mut self, vcpu: usize, now: u64) -> bool {
        let each = self.boxes.get_mut(vcpu);
        each.is_some_and(|each| each.kick.take_if(|at| *at <= now).is_some())
    }

    /// Whether an interrupt is on its way to a vCPU, or has arrived.
    pub fn has_interrupt(&self, vcpu: usize) -> bool {
        self.boxes.get(vcpu).is_some_and(|each| each.interrupt.is_some())
    }

    /// Where a vCPU is to begin that was started and has not begun.
    pub fn start_point(&self, vcpu: usize) -> Option<StartPoint> {
        self.boxes.get(vcpu)?.start.map(|(_, start)| start)
    }

    /// Whether there is anything in a vCPU's box.
    pub fn has_any(&self, vcpu: usize) -> bool {
        self.next_due(vcpu).is_some() || self.next_kick(vcpu).is_some()
    }

    /// Whether the model has to be told of a vCPU that has something to do: once for each stay.
    pub fn announce(&mut self, vcpu: usize) -> bool {
        let each = self.boxes.get_mut(vcpu);
        each.is_some_and(|each| !std::mem::replace(&mut each.is_announced, true))
    }

    fn with(&mut self, vcpu: usize, act: impl FnOnce(&mut Mailbox)) {
        if let Some(each) = self.boxes.get_mut(vcpu) {
            act(each);
        }
    }
}

fn earliest(known: Option<u64>, at: u64) -> u64 {
    known.map_or(at, |known| known.min(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: StartPoint = StartPoint { address: 0x8020_0000, opaque: 7 };

    #[test]
    fn what_is_on_its_way_is_not_there_yet() {
        let mut mail = Mail::new([true, true]);
        mail.interrupt(1, 100);
        mail.interrupt(1, 300);
        assert_eq!(mail.next_due(1), Some(100));
        assert_eq!(mail.take_due(1, 99), Letters::default());
        assert!(mail.has_interrupt(1));
        assert!(mail.take_due(1, 100).interrupt);
        assert_eq!(mail.next_due(1), None);
    }

    #[test]
    fn a_fence_is_due_at_once() {
        let mut mail = Mail::new([true, true]);
        mail.fence(1, Fence::Instructions);
        assert!(mail.is_due(1, 0) && mail.has_fences(1));
        assert_eq!(mail.take_due(1, 0).fences, [Fence::Instructions]);
    }

    #[test]
    fn a_stopped_vcpu_starts_once_its_letter_is_there() {
        let mut mail = Mail::new([true, false]);
        assert_eq!(mail.state(1), HartState::Stopped);
        mail.start(1, 50, POINT);
        assert_eq!(mail.state(1), HartState::StartPending);
        assert!(!mail.is_up(1));
        assert_eq!(mail.take_due(1, 50).start, Some(POINT));
        assert_eq!(mail.state(1), HartState::Started);
    }

    #[test]
    fn what_is_stolen_is_told_to_who_keeps_a_record_and_is_not_lost() {
        let mut mail = Mail::new([true]);
        mail.steal(0, 5);
        assert_eq!(mail.next_due(0), None, "it keeps no record");
        mail.keep_steal_record(0, Some(64));
        mail.steal(0, 7);
        let stolen = Stolen { record: 64, nanoseconds: 7 };
        assert_eq!(mail.take_due(0, 0).stolen, Some(stolen));
        mail.put_back(0, stolen);
        assert_eq!(mail.next_due(0), None, "it does not try again at once");
        mail.steal(0, 1);
        assert_eq!(mail.take_due(0, 0).stolen, Some(Stolen { nanoseconds: 8, ..stolen }));
        mail.set_state(0, HartState::Stopped);
        assert_eq!(mail.steal_record(0), None);
    }

    #[test]
    fn the_model_is_told_once_for_each_stay() {
        let mut mail = Mail::new([true, true]);
        assert!(mail.announce(1));
        assert!(!mail.announce(1));
        mail.set_on_pcpu(1, true);
        mail.set_on_pcpu(1, false);
        assert!(mail.announce(1));
        assert!(!mail.announce(2), "there is no such vCPU");
    }
}
