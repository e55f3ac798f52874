//! A VM of a host: its vCPU under a technique, its devices, and what was counted for it.

use crate::config::VmConfig;
use crate::counters::VmCounters;
use crate::exit::{ExitKind, IoOperation};
use crate::ids::VmId;
use crate::ledger::Ledger;
use crate::technique::Technique;
use dcsim_machine::{Board, DeviceRequest, PowerEvent};
use std::collections::VecDeque;

/// A VM.
#[derive(Debug)]
pub struct Vm {
    /// Its number.
    pub id: VmId,
    /// What it was created from.
    pub config: VmConfig,
    /// Its devices.
    pub board: Board,
    /// Its vCPU.
    pub technique: Box<dyn Technique>,
    /// Where its cycles went.
    pub ledger: Ledger,
    /// What it counted.
    pub counters: VmCounters,
    /// The pCPU that it is on.
    pub pcpu: Option<usize>,
    /// What its model has not been told yet.
    pub events: VecDeque<ExitKind>,
    /// It powered itself off, or broke: it executes nothing more.
    pub stopped: bool,
}

impl Vm {
    /// A VM that is on no pCPU.
    pub fn new(id: VmId, config: VmConfig, board: Board, technique: Box<dyn Technique>) -> Self {
        Self {
            id,
            config,
            board,
            technique,
            ledger: Ledger::default(),
            counters: VmCounters::default(),
            pcpu: None,
            events: VecDeque::new(),
            stopped: false,
        }
    }

    /// Turns what the devices asked for into events.
    pub fn collect_events(&mut self) {
        if !self.board.wants_attention() {
            return;
        }
        self.events.extend(self.board.take_requests().into_iter().map(event));
        if self.stopped {
            return;
        }
        if let Some(power) = self.board.power_state() {
            self.stopped = true;
            self.events.push_back(ExitKind::Shutdown { code: exit_status(power) });
        }
    }

    /// Stops the VM for what its guest did.
    pub fn fail(&mut self, message: String) {
        self.stopped = true;
        self.events.push_back(ExitKind::Fault { message });
    }
}

fn event(request: DeviceRequest) -> ExitKind {
    match request {
        DeviceRequest::Block { tag, write, sector, bytes } => {
            let operation = if write { IoOperation::Write } else { IoOperation::Read };
            ExitKind::Io { tag, operation, sector, bytes }
        }
        DeviceRequest::Flush { tag } => {
            ExitKind::Io { tag, operation: IoOperation::Flush, sector: 0, bytes: 0 }
        }
        DeviceRequest::Discard { tag, sector, bytes } => {
            ExitKind::Io { tag, operation: IoOperation::Discard, sector, bytes }
        }
        DeviceRequest::PacketSent { bytes } => ExitKind::Packet { payload: bytes },
    }
}

/// A guest that asks for a reset ends its run as one that powers off with status 0.
fn exit_status(power: PowerEvent) -> u32 {
    match power {
        PowerEvent::Off { code } => code,
        PowerEvent::Reset => 0,
    }
}
