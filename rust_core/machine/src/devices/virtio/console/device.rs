//! Behaviour of the console device.
//!
//! One port: queue 0 receives, queue 1 transmits. Input waits in a bounded backlog for buffers.
//! Emergency write is offered, so a guest can speak before it has set up a queue.

use super::super::queue::{Buffers, QueueError};
use super::super::{Behaviour, Work};
use super::{VirtioConsoleCounters, VirtioConsoleState};
use crate::devices::console::ConsoleOutput;
use crate::devices::{Persist, StateError};
use crate::guest_memory::{Direction, GuestMemory};

const DEVICE_ID: u32 = 3;
const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;

/// Features: `EMERG_WRITE`.
const FEATURES: u64 = 1 << 2;
const EMERGENCY_WRITE_OFFSET: u64 = 8;
const CONFIG_BYTES: usize = 12;

const BACKLOG_BYTES: usize = 1 << 16;
/// The most bytes of one buffer that are moved at a time.
const PIECE_BYTES: usize = 4096;
/// The most bytes that one transmit request may carry; what is longer is cut.
const MAXIMUM_SEND_BYTES: u64 = 1 << 20;

/// The device.
#[derive(Debug, Default)]
pub struct VirtioConsole {
    state: VirtioConsoleState,
}

impl VirtioConsole {
    /// What was counted.
    pub fn counters(&self) -> VirtioConsoleCounters {
        self.state.counters
    }

    /// Takes bytes from the host. Returns how many were accepted; the rest found the backlog full.
    pub fn accept(&mut self, bytes: &[u8]) -> usize {
        let accepted = bytes.len().min(BACKLOG_BYTES - self.state.backlog.len());
        self.state.backlog.extend(&bytes[..accepted]);
        accepted
    }

    fn deliver(&mut self, work: &mut Work<'_, '_>) -> Result<(), QueueError> {
        for _ in 0..work.queue_size(RECEIVE) {
            if self.state.backlog.is_empty() {
                break;
            }
            let Some(chain) = work.peek(RECEIVE)? else { break };
            let room = chain.writable.total_bytes().min(self.state.backlog.len() as u64);
            let (place, _) = chain.writable.split_at(room);
            work.reserve(RECEIVE, place.ranges(Direction::Write))?;
            let bytes: Vec<u8> = self.state.backlog.drain(..room as usize).collect();
            place.write(work.memory(), &bytes)?;
            work.advance(RECEIVE);
            self.state.counters.received_bytes += room;
            work.hand_back(RECEIVE, chain.head, room as u32)?;
        }
        Ok(())
    }

    fn send(&mut self, work: &mut Work<'_, '_>) -> Result<(), QueueError> {
        for _ in 0..work.queue_size(TRANSMIT) {
            let Some(chain) = work.peek(TRANSMIT)? else { break };
            let (data, _) = chain.readable.split_at(MAXIMUM_SEND_BYTES);
            work.reserve(TRANSMIT, data.ranges(Direction::Read))?;
            self.state.counters.sent_bytes += data.total_bytes();
            let bytes = collect(&data, work.memory())?;
            work.console().write(&bytes);
            work.advance(TRANSMIT);
            work.hand_back(TRANSMIT, chain.head, 0)?;
        }
        Ok(())
    }
}

fn collect(data: &Buffers, memory: &dyn GuestMemory) -> Result<Vec<u8>, QueueError> {
    let mut bytes = Vec::new();
    data.for_each_piece(PIECE_BYTES, |position, address, length| {
        bytes.resize(position as usize + length, 0);
        memory.read(address, &mut bytes[position as usize..])
    })?;
    Ok(bytes)
}

impl Behaviour for VirtioConsole {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_count(&self) -> usize {
        2
    }

    fn features(&self) -> u64 {
        FEATURES
    }

    fn config(&self) -> Vec<u8> {
        vec![0; CONFIG_BYTES]
    }

    fn write_config(&mut self, offset: u64, bytes: &[u8], console: &mut ConsoleOutput) {
        if let (EMERGENCY_WRITE_OFFSET, Some(byte)) = (offset, bytes.first()) {
            console.write(&[*byte]);
            self.state.counters.sent_bytes += 1;
        }
    }

    fn reset(&mut self) {
        self.state.backlog.clear();
    }

    fn process(&mut self, work: &mut Work<'_, '_>, queue: usize) -> Result<(), QueueError> {
        match queue {
            RECEIVE => self.deliver(work),
            TRANSMIT => self.send(work),
            _ => Ok(()),
        }
    }
}

impl Persist for VirtioConsole {
    type State = VirtioConsoleState;

    fn save(&self) -> VirtioConsoleState {
        self.state.clone()
    }

    fn restore(&mut self, state: &VirtioConsoleState) -> Result<(), StateError> {
        StateError::unless(
            state.backlog.len() <= BACKLOG_BYTES,
            "more input than a console holds",
        )?;
        self.state = state.clone();
        Ok(())
    }
}
