//! What the firmware knows: the state of each hart, and what harts have asked of each other.
//!
//! A request to another hart goes into that hart's mailbox, and the machine software interrupt
//! makes it look there. Who asked for a fence waits until the mailbox is empty: the machine lets it
//! execute nothing before ([`Firmware::is_waiting`]).

use super::{Fence, FirmwareConfig, HartState, StartPoint};

/// What a hart does after the firmware has handled its trap.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It goes on.
    Resume,
    /// It waits for an interrupt that its `mie` enables.
    Idle,
    /// It belongs to the firmware until another hart starts it.
    Stopped,
}

/// What other harts have asked of a hart.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailbox {
    /// Raise the supervisor software interrupt.
    pub interrupt: bool,
    /// Execute fences. At most one from each hart, for the sender waits.
    pub fences: Vec<Fence>,
    /// Begin executing.
    pub start: Option<StartPoint>,
}

/// What the firmware knows of a hart.
#[derive(Clone, Debug)]
pub(super) struct HartRecord {
    pub state: HartState,
    pub mailbox: Mailbox,
    /// The harts whose fences this one waits for.
    pub waits_for: Vec<usize>,
    /// Where it goes on when its suspension ends, if that is not behind the call.
    pub resume: Option<StartPoint>,
}

/// The firmware of a machine. Its whole state is here; a clone is a snapshot.
#[derive(Clone, Debug)]
pub struct Firmware {
    pub(super) config: FirmwareConfig,
    pub(super) harts: Vec<HartRecord>,
}

impl Firmware {
    /// The firmware of a machine with this many harts, all stopped.
    pub fn new(config: FirmwareConfig, harts: usize) -> Self {
        let record = HartRecord {
            state: HartState::Stopped,
            mailbox: Mailbox::default(),
            waits_for: Vec::new(),
            resume: None,
        };
        Self { config, harts: vec![record; harts] }
    }

    /// Whether a hart must not go on yet: a fence that it asked for has not been executed.
    pub fn is_waiting(&self, hart: usize) -> bool {
        let open = |target: &usize| !self.harts[*target].mailbox.fences.is_empty();
        self.harts.get(hart).is_some_and(|record| record.waits_for.iter().any(open))
    }

    /// Takes a hart that executes already, or waits, or is stopped.
    pub fn adopt(&mut self, hart: usize, state: HartState) {
        if let Some(record) = self.harts.get_mut(hart) {
            record.state = state;
        }
    }

    /// Whether another hart has asked for a hart's software interrupt, which it has not seen yet.
    pub fn has_interrupt_for(&self, hart: usize) -> bool {
        self.harts.get(hart).is_some_and(|record| record.mailbox.interrupt)
    }

    /// Where a hart is to begin that another one has started, and that has not begun yet.
    pub fn start_point(&self, hart: usize) -> Option<StartPoint> {
        self.harts.get(hart)?.mailbox.start
    }

    /// The state of a hart; a hart that does not exist is stopped.
    pub fn hart_state(&self, hart: usize) -> HartState {
        self.harts.get(hart).map_or(HartState::Stopped, |record| record.state)
    }
}
