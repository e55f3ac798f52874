//! Behaviour of the network device.
//!
//! Queue 0 receives, queue 1 transmits. Every packet has a 12-byte header in front; no offloads
//! are offered, so the header says nothing but that a received packet is in one buffer. A packet
//! leaves at the doorbell. An arriving packet takes the first receive buffer, or is dropped.

use super::super::queue::{Chain, QueueError};
use super::super::{Behaviour, DeviceRequest, Work};
use super::{NetworkCounters, NetworkState};
use crate::devices::{Persist, StateError};
use crate::guest_memory::Direction;

/// The longest Ethernet frame that the device takes, either way.
pub const MAXIMUM_FRAME_BYTES: usize = 65_535;

const DEVICE_ID: u32 = 1;
const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;

/// Features: `MAC`, `STATUS`.
const FEATURES: u64 = 1 << 5 | 1 << 16;
const LINK_UP: u16 = 1;

const HEADER_BYTES: u64 = 12;
/// The header of a received packet: no flags, no segmentation, one buffer.
const RECEIVE_HEADER: [u8; HEADER_BYTES as usize] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// The device.
#[derive(Debug)]
pub struct NetworkDevice {
    mac: [u8; 6],
    state: NetworkState,
}

impl NetworkDevice {
    /// An interface with this Ethernet address and the link up.
    pub fn new(mac: [u8; 6]) -> Self {
        Self { mac, state: NetworkState::default() }
    }

    /// What was counted.
    pub fn counters(&self) -> NetworkCounters {
        self.state.counters
    }

    /// Counts a packet that arrived while the driver was not ready.
    pub(crate) fn count_drop(&mut self) {
        self.state.counters.dropped_packets += 1;
    }

    fn send(&mut self, work: &mut Work<'_, '_>, chain: &Chain) -> Result<(), QueueError> {
        let (_, data) = chain.readable.split_at(HEADER_BYTES);
        let length = data.total_bytes();
        let counters = &mut self.state.counters;
        if length > MAXIMUM_FRAME_BYTES as u64 {
            counters.oversized_packets += 1;
        } else if length > 0 {
            let mut bytes = vec![0; length as usize];
            data.read(work.memory(), &mut bytes)?;
            counters.sent_packets += 1;
            counters.sent_bytes += length;
            work.request(DeviceRequest::PacketSent { bytes });
        }
        Ok(())
    }
}

impl Behaviour for NetworkDevice {
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
        let mut config = self.mac.to_vec();
        config.extend(LINK_UP.to_le_bytes());
        config
    }

    fn reset(&mut self) {}

    fn process(&mut self, work: &mut Work<'_, '_>, queue: usize) -> Result<(), QueueError> {
        if queue != TRANSMIT {
            return Ok(());
        }
        for _ in 0..work.queue_size(TRANSMIT) {
            let Some(chain) = work.peek(TRANSMIT)? else { break };
            work.reserve(TRANSMIT, chain.readable.ranges(Direction::Read))?;
            self.send(work, &chain)?;
            work.advance(TRANSMIT);
            work.hand_back(TRANSMIT, chain.head, 0)?;
        }
        Ok(())
    }

    fn receive(&mut self, work: &mut Work<'_, '_>, frame: &[u8]) -> Result<bool, QueueError> {
        let needed = HEADER_BYTES + frame.len() as u64;
        let chain = match work.peek(RECEIVE)? {
            Some(chain) if chain.writable.total_bytes() >= needed => chain,
            _ => {
                self.count_drop();
                return Ok(false);
            }
        };
        let (place, _) = chain.writable.split_at(needed);
        work.reserve(RECEIVE, place.ranges(Direction::Write))?;
        let (header, data) = place.split_at(HEADER_BYTES);
        header.write(work.memory(), &RECEIVE_HEADER)?;
        data.write(work.memory(), frame)?;
        work.advance(RECEIVE);
        self.state.counters.received_packets += 1;
        self.state.counters.received_bytes += frame.len() as u64;
        work.hand_back(RECEIVE, chain.head, needed as u32)?;
        Ok(true)
    }
}

impl Persist for NetworkDevice {
    type State = NetworkState;

    fn save(&self) -> NetworkState {
        self.state.clone()
    }

    fn restore(&mut self, state: &NetworkState) -> Result<(), StateError> {
        self.state = state.clone();
        Ok(())
    }
}
