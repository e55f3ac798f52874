//! A VM of a host: its vCPUs under a technique, and its devices.

use crate::config::VmConfig;
use crate::counters::VmCounters;
use crate::exit::{ExitKind, IoOperation};
use crate::ids::VmId;
use crate::ledger::Ledger;
use crate::technique::Technique;
use crate::vcpu::Vcpu;
use dcsim_machine::{Board, DeviceRequest, PowerEvent};

/// A VM.
#[derive(Debug)]
pub struct Vm {
    /// Its number.
    pub id: VmId,
    /// What it was created from.
    pub config: VmConfig,
    /// Its devices.
    pub board: Board,
    /// How it executes.
    pub technique: Box<dyn Technique>,
    /// Its vCPUs.
    pub vcpus: Vec<Vcpu>,
    /// It powered itself off, or broke: it executes nothing more.
    pub stopped: bool,
}

impl Vm {
    /// A VM that is on no pCPU.
    pub fn new(id: VmId, config: VmConfig, board: Board, technique: Box<dyn Technique>) -> Self {
        let vcpus = (0..config.vcpus).map(|_| Vcpu::default()).collect();
        Self { id, config, board, technique, vcpus, stopped: false }
    }

    /// The first of its vCPUs that is on a pCPU, and which one.
    pub fn on_pcpu(&self) -> Option<(usize, usize)> {
        let mut numbered = self.vcpus.iter().enumerate();
        numbered.find_map(|(number, vcpu)| Some((number, vcpu.pcpu?)))
    }

    /// What all of its vCPUs counted.
    pub fn counters(&self) -> VmCounters {
        self.vcpus.iter().map(|vcpu| &vcpu.counters).sum()
    }

    /// Where the cycles of all of its vCPUs went.
    pub fn ledger(&self) -> Ledger {
        self.vcpus.iter().map(|vcpu| &vcpu.ledger).sum()
    }

    /// Turns what the devices asked for into events of a vCPU: the one that made them ask. Without
    /// one, it is the first that is on a pCPU.
    pub fn collect_events(&mut self, vcpu: Option<usize>) {
        if !self.board.wants_attention() {
            return;
        }
        let number = vcpu.or(self.on_pcpu().map(|(number, _)| number)).unwrap_or(0);
        let events = &mut self.vcpus[number].events;
        events.extend(self.board.take_requests().into_iter().map(event));
        if self.stopped {
            return;
        }
        if let Some(power) = self.board.power_state() {
            self.stopped = true;
            events.push_back(ExitKind::Shutdown { code: exit_status(power) });
        }
    }

    /// Stops the VM for what its guest did on a vCPU.
    pub fn fail(&mut self, vcpu: usize, message: String) {
        self.stopped = true;
        self.vcpus[vcpu].events.push_back(ExitKind::Fault { message });
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
