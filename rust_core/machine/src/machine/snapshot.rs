//! Snapshots and clones of whole machines.
//!
//! A snapshot holds everything that a machine's future depends on: registers, memory, devices,
//! firmware, and the timing state (clocks, modelled TLBs and caches). Memory is shared page by page
//! until one side writes. A restored machine behaves as if it had never been saved.

use super::{Core, Machine};
use crate::board::BoardState;
use crate::devices::{Persist, StateError};
use crate::firmware::Firmware;
use dcsim_memory::{Frames, PageStore};

/// The state of a machine at some moment. It holds references to pages: see
/// [`MachineState::release`].
#[derive(Debug)]
pub struct MachineState {
    cores: Vec<Core>,
    board: BoardState,
    firmware: Option<Firmware>,
    frames: Frames,
    event_cycles: u64,
}

impl MachineState {
    /// The state of the devices.
    pub fn board(&self) -> &BoardState {
        &self.board
    }

    /// Gives the pages back to the store.
    pub fn release(mut self, store: &mut PageStore) {
        self.frames.release_all(store);
    }
}

impl Machine {
    /// A snapshot of the machine.
    pub fn save(&mut self, store: &mut PageStore) -> MachineState {
        MachineState {
            cores: self.cores.clone(),
            board: self.board.save(),
            firmware: self.firmware.clone(),
            frames: self.frames.clone_shared(store),
            event_cycles: self.event_cycles,
        }
    }

    /// Becomes the machine that was saved. The machine must be made like that one; the snapshot
    /// can be restored any number of times.
    pub fn restore(
        &mut self,
        store: &mut PageStore,
        state: &mut MachineState,
    ) -> Result<(), StateError> {
        let fits = state.cores.len() == self.cores.len()
            && state.frames.count() == self.frames.count()
            && state.firmware.is_some() == self.firmware.is_some();
        StateError::unless(fits, "another number of harts, other memory or other firmware")?;
        self.board.restore(&state.board)?;
        self.frames.release_all(store);
        self.frames = state.frames.clone_shared(store);
        self.cores.clone_from(&state.cores);
        for core in &mut self.cores {
            // Places of pages in the store belong to the frames that they were looked up in.
            core.hart.forget_pages();
        }
        self.firmware.clone_from(&state.firmware);
        self.event_cycles = state.event_cycles;
        Ok(())
    }

    /// A second machine in the same state.
    pub fn fork(&mut self, store: &mut PageStore) -> Result<Self, StateError> {
        let mut state = self.save(store);
        let mut copy = Self::new(self.config.clone());
        let restored = copy.restore(store, &mut state);
        state.release(store);
        restored.map(|()| copy)
    }
}
