//! A VM of a host: its vCPUs under a technique, and its devices.

use crate::config::{TechniqueKind, VmConfig};
use crate::counters::VmCounters;
use crate::cpu_state::CpuState;
use crate::exit::{ExitKind, IoOperation};
use crate::ids::VmId;
use crate::ledger::Ledger;
use crate::mail::Mail;
use crate::technique::{Called, Technique};
use crate::vcpu::Vcpu;
use dcsim_machine::{BalloonOperation, Board, DeviceRequest, PowerEvent, RequestTag};
use std::collections::VecDeque;

/// What a balloon asks its host to do.
#[derive(Debug)]
pub struct BalloonRequest {
    /// Names the request until it is completed.
    pub tag: RequestTag,
    /// What the guest does with the pages.
    pub operation: BalloonOperation,
    /// Guest-physical addresses of the pages.
    pub pages: Vec<u64>,
}

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
    /// What its vCPUs ask of each other.
    pub mail: Mail,
    /// Its vCPUs.
    pub vcpus: Vec<Vcpu>,
    /// What its balloon asked for, and is not done yet.
    pub balloon: VecDeque<BalloonRequest>,
    /// Pages whose frames it gave to its host.
    pub given_pages: u64,
    /// It powered itself off, or broke: it executes nothing more.
    pub stopped: bool,
}

impl Vm {
    /// A VM that is on no pCPU.
    pub fn new(
        id: VmId,
        config: VmConfig,
        board: Board,
        technique: Box<dyn Technique>,
        mail: Mail,
    ) -> Self {
        let vcpus = (0..config.vcpus).map(|_| Vcpu::default()).collect();
        let balloon = VecDeque::new();
        Self { id, config, board, technique, mail, vcpus, balloon, given_pages: 0, stopped: false }
    }

    /// Whether it has several vCPUs.
    pub fn has_several(&self) -> bool {
        self.vcpus.len() > 1
    }

    /// Whether a vCPU would do something at `time` that waits, or has not started. A vCPU that does
    /// not wait always would.
    pub fn would_go_on(&mut self, vcpu: usize, time: u64) -> bool {
        let lines = self.board.lines(vcpu);
        let external = lines.supervisor_external;
        let owns_machine = self.config.technique == TechniqueKind::BareMetal;
        let called = Called {
            interrupt: self.mail.has_interrupt(vcpu) || owns_machine && lines.machine_software,
            start: self.mail.start_point(vcpu).is_some(),
            kick: self.mail.next_kick(vcpu).is_some(),
        };
        self.technique.seat(vcpu);
        self.technique.wakes(time, external, called).unwrap_or(true)
    }

    /// Tells the model of vCPUs on no pCPU that one on a pCPU has woken.
    pub fn announce_woken(&mut self, by: usize) {
        for vcpu in (0..self.vcpus.len()).filter(|vcpu| *vcpu != by) {
            let lines = self.board.lines(vcpu);
            let is_raised = lines.supervisor_external || lines.machine_software;
            let has_reason = self.mail.has_any(vcpu) || is_raised;
            if self.vcpus[vcpu].pcpu.is_none()
                && has_reason
                && self.would_go_on(vcpu, 0)
                && self.mail.announce(vcpu)
            {
                self.vcpus[by].events.push_back(ExitKind::Wake { vcpu });
            }
        }
    }

    /// The registers of its vCPUs, which are on no pCPU. What is on its way to one has arrived, but
    /// for fences: where it goes on there is nothing to be fenced.
    pub fn capture(&mut self) -> Vec<CpuState> {
        let numbered = self.vcpus.iter().enumerate();
        let captured = numbered.map(|(number, vcpu)| {
            self.technique.seat(number);
            let mut state = self.technique.capture(&vcpu.counters);
            state.supervisor.software_pending |= self.mail.has_interrupt(number);
            state.steal_record = self.mail.steal_record(number);
            match self.mail.start_point(number) {
                Some(start) => state.started(number, start),
                None => state,
            }
        });
        captured.collect()
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

    /// The vCPU that tells the model what a device asks for: the one that made it ask, or without one
    /// the first that is on a pCPU.
    pub fn speaker(&self, vcpu: Option<usize>) -> usize {
        vcpu.or(self.on_pcpu().map(|(number, _)| number)).unwrap_or(0)
    }

    /// Turns what the devices asked for into events of the vCPU that tells them.
    pub fn collect_events(&mut self, vcpu: Option<usize>) {
        if !self.board.wants_attention() {
            return;
        }
        let number = self.speaker(vcpu);
        let events = &mut self.vcpus[number].events;
        for request in self.board.take_requests() {
            match event(request) {
                Ok(event) => events.push_back(event),
                Err(request) => self.balloon.push_back(request),
            }
        }
        if self.stopped {
            return;
        }
        if let Some(power) = self.board.power_state() {
            self.stopped = true;
            events.push_back(ExitKind::Shutdown { code: exit_status(power) });
        }
    }

    /// Stops the VM, whose program has ended on a vCPU.
    pub fn end(&mut self, vcpu: usize, code: u32) {
        self.stopped = true;
        self.vcpus[vcpu].events.push_back(ExitKind::Shutdown { code });
    }

    /// Stops the VM for what its guest did on a vCPU.
    pub fn fail(&mut self, vcpu: usize, message: String) {
        self.stopped = true;
        self.vcpus[vcpu].events.push_back(ExitKind::Fault { message });
    }
}

/// What the model has to be told, or what the host itself has to do.
fn event(request: DeviceRequest) -> Result<ExitKind, BalloonRequest> {
    Ok(match request {
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
        DeviceRequest::Balloon { tag, operation, pages } => {
            return Err(BalloonRequest { tag, operation, pages });
        }
    })
}

/// A guest that asks for a reset ends its run as one that powers off with status 0.
fn exit_status(power: PowerEvent) -> u32 {
    match power {
        PowerEvent::Off { code } => code,
        PowerEvent::Reset => 0,
    }
}
