//! A whole physical machine: harts, memory, board and firmware.
//!
//! The page store is the simulator's, shared by many machines, and is passed in.
//!
//! Harts advance in *epochs* as long as an interrupt from one hart to another takes. The hart with
//! the least local time goes first, and none begins an epoch before all have ended the one before.
//! So what a hart does reaches another one no later than a real interrupt would, and a run that is
//! cut at the end of an epoch, or anywhere if there is one hart, changes nothing.

mod boot;
mod run;
mod snapshot;
#[cfg(test)]
mod tests;

pub use boot::BootError;
pub use snapshot::MachineState;

use crate::board::{Board, BoardConfig, map};
use crate::devices::finisher::PowerEvent;
use crate::devices::virtio::{Completion, DeviceRequest, IoStatus, RequestTag};
use crate::firmware::{Firmware, FirmwareConfig};
use crate::guest_memory::Unavailable;
use dcsim_hart::{Hart, HostedModes, Interpreter, Timing, TrapRecord};
use dcsim_memory::{Frames, Memory, PAGE_BYTES, PageStore, PhysicalAddress};

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// Harts, memory and devices.
    pub board: BoardConfig,
    /// What everything costs.
    pub timing: Timing,
    /// The firmware. Without it, programs run in machine mode from their first instruction.
    pub firmware: Option<FirmwareConfig>,
}

impl Default for MachineConfig {
    fn default() -> Self {
        Self {
            board: BoardConfig::default(),
            timing: Timing::uniform(),
            firmware: Some(FirmwareConfig::default()),
        }
    }
}

/// Why a run ended.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum MachineStop {
    /// The given cycle was reached.
    Deadline,
    /// Devices ask for something: see [`Machine::take_requests`].
    Requests,
    /// The machine switched itself off or restarts. Running it further changes nothing.
    Power(PowerEvent),
    /// The page store has no room. Nothing is lost: the run can go on when there is.
    StoreFull,
}

/// What a hart is doing.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Activity {
    /// It executes.
    Running,
    /// It has trapped, and the firmware has not handled that yet.
    Trapped(TrapRecord),
    /// It waits for an interrupt.
    Idle,
    /// It belongs to the firmware until another hart starts it.
    Stopped,
}

/// A hart and what it is doing.
#[derive(Clone, Debug)]
struct Core {
    hart: Hart,
    activity: Activity,
    idle_cycles: u64,
    /// It has something to do that another hart or a device caused, and its clock stands where it
    /// noticed.
    noticed: bool,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    config: MachineConfig,
    cores: Vec<Core>,
    interpreter: Interpreter,
    frames: Frames,
    board: Board,
    firmware: Option<Firmware>,
    /// The local time of the hart that executed last: what it did, others notice from then on.
    event_cycles: u64,
}

impl Machine {
    /// A machine after power-on, with nothing loaded: all harts are stopped.
    pub fn new(mut config: MachineConfig) -> Self {
        config.board.hz = config.timing.hz;
        config.board.timebase_hz = config.timing.timebase_hz;
        let hosted = HostedModes { machine: config.firmware.is_some(), supervisor: false };
        let core = |id| {
            let mut hart = Hart::new(id, config.board.isa, config.timing.clone());
            hart.hosted = hosted;
            Core { hart, activity: Activity::Stopped, idle_cycles: 0, noticed: false }
        };
        let pages = config.board.ram_bytes / PAGE_BYTES as u64;
        Self {
            cores: (0..config.board.harts).map(core).collect(),
            interpreter: Interpreter::new(),
            frames: Frames::new(PhysicalAddress(map::MEMORY_BASE), pages),
            board: Board::new(&config.board),
            firmware: config.firmware.map(|firmware| Firmware::new(firmware, config.board.harts)),
            event_cycles: 0,
            config,
        }
    }

    /// What the machine is made of.
    pub fn config(&self) -> &MachineConfig {
        &self.config
    }

    /// A hart, to look at.
    pub fn hart(&self, number: usize) -> Option<&Hart> {
        self.cores.get(number).map(|core| &core.hart)
    }

    /// Cycles that a hart has waited for interrupts.
    pub fn idle_cycles(&self, hart: usize) -> u64 {
        self.cores.get(hart).map_or(0, |core| core.idle_cycles)
    }

    /// The least local time of all harts, in cycles.
    pub fn now_cycles(&self) -> u64 {
        self.cores.iter().map(|core| core.hart.clock.cycles).min().unwrap_or(0)
    }

    /// The devices.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The devices, for their host's side.
    pub fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// The memory.
    pub fn memory<'a>(&'a mut self, store: &'a mut PageStore) -> Memory<'a> {
        Memory { store, frames: &mut self.frames }
    }

    /// Takes what the devices asked of their host.
    pub fn take_requests(&mut self) -> Vec<DeviceRequest> {
        self.board.take_requests()
    }

    /// The host's part of a request is over.
    pub fn complete(
        &mut self,
        store: &mut PageStore,
        tag: RequestTag,
        status: IoStatus,
    ) -> Result<Completion, Unavailable> {
        let mut memory = Memory { store, frames: &mut self.frames };
        self.board.complete(&mut memory, tag, status)
    }

    /// A packet arrives. `false` if it was dropped.
    pub fn receive_packet(
        &mut self,
        store: &mut PageStore,
        frame: &[u8],
    ) -> Result<bool, Unavailable> {
        let mut memory = Memory { store, frames: &mut self.frames };
        self.board.receive_packet(&mut memory, frame)
    }

    /// Types at the console. Returns how many bytes were accepted.
    pub fn console_input(
        &mut self,
        store: &mut PageStore,
        bytes: &[u8],
    ) -> Result<usize, Unavailable> {
        let mut memory = Memory { store, frames: &mut self.frames };
        self.board.console_input(&mut memory, bytes)
    }

    /// Gives all pages back to the store.
    pub fn release(&mut self, store: &mut PageStore) {
        self.frames.release_all(store);
    }
}
