//! Behaviour of the entropy device.
//!
//! One queue of buffers to fill. The bytes come from a deterministic stream whose seed the
//! machine's owner chose, so that a run can be repeated; nobody outside the simulation may take
//! them for random.

use super::super::queue::QueueError;
use super::super::{Behaviour, Work};
use super::{EntropyCounters, EntropyState};
use crate::devices::{Persist, StateError};
use crate::guest_memory::Direction;
use crate::random::Random;

const DEVICE_ID: u32 = 4;
const QUEUE: usize = 0;
/// The most bytes of one request that are filled; a driver asks again for more.
const MAXIMUM_FILL_BYTES: u64 = 4096;

/// The device.
#[derive(Debug)]
pub struct EntropyDevice {
    state: EntropyState,
}

impl EntropyDevice {
    /// A source with the stream of this seed.
    pub fn new(seed: u64) -> Self {
        let stream = Random::new(seed);
        Self { state: EntropyState { stream, counters: EntropyCounters::default() } }
    }

    /// What was counted.
    pub fn counters(&self) -> EntropyCounters {
        self.state.counters
    }
}

impl Behaviour for EntropyDevice {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_count(&self) -> usize {
        1
    }

    fn features(&self) -> u64 {
        0
    }

    fn config(&self) -> Vec<u8> {
        Vec::new()
    }

    fn reset(&mut self) {}

    fn process(&mut self, work: &mut Work<'_, '_>, queue: usize) -> Result<(), QueueError> {
        for _ in 0..work.queue_size(queue) {
            let Some(chain) = work.peek(QUEUE)? else { break };
            let (place, _) = chain.writable.split_at(MAXIMUM_FILL_BYTES);
            work.reserve(QUEUE, place.ranges(Direction::Write))?;
            let mut bytes = vec![0; place.total_bytes() as usize];
            self.state.stream.fill(&mut bytes);
            place.write(work.memory(), &bytes)?;
            work.advance(QUEUE);
            self.state.counters.requests += 1;
            self.state.counters.bytes += bytes.len() as u64;
            work.hand_back(QUEUE, chain.head, bytes.len() as u32)?;
        }
        Ok(())
    }
}

impl Persist for EntropyDevice {
    type State = EntropyState;

    fn save(&self) -> EntropyState {
        self.state.clone()
    }

    fn restore(&mut self, state: &EntropyState) -> Result<(), StateError> {
        self.state = state.clone();
        Ok(())
    }
}
