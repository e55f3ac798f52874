//! Behaviour of the balloon.
//!
//! Queue 0 inflates, queue 1 deflates: their requests are lists of page numbers. Both go to the host
//! and come back when it has carried them out, so a driver that waits (as `MUST_TELL_HOST` asks) takes no
//! page back too early. Queue 2 carries statistics: the device keeps the driver's buffer, and hands it
//! back to ask for fresh ones. The reporting queue names free pages by their memory: after the
//! completion they read as zeros.
//!
//! The specification numbers the reporting queue 4, QEMU and Linux count only queues that are there
//! and come to 3. Free-page hinting, to which number 3 belongs, is not offered, so both mean reporting.

use super::super::queue::{Buffers, Chain, QueueError};
use super::super::{BalloonOperation, Behaviour, Completion, DeviceRequest, IoStatus, Work};
use super::{BalloonCounters, BalloonState, InFlight};
use crate::board::map::MEMORY_BASE;
use crate::devices::console::ConsoleOutput;
use crate::devices::{Persist, StateError};
use crate::guest_memory::Direction;
use dcsim_memory::PAGE_BYTES;
use std::ops::Range;

const DEVICE_ID: u32 = 5;
const INFLATE: usize = 0;
const DEFLATE: usize = 1;
const STATISTICS: usize = 2;
/// Queues without and with those for reports.
const QUEUES: usize = 3;
const QUEUES_WITH_REPORTS: usize = 5;

/// Features: `MUST_TELL_HOST`, `STATS_VQ`, `DEFLATE_ON_OOM`.
const FEATURES: u64 = 1 | 1 << 1 | 1 << 2;
/// Feature: `PAGE_REPORTING`.
const PAGE_REPORTING: u64 = 1 << 5;

const PAGE: u64 = PAGE_BYTES as u64;
/// Page numbers are in units of 4 KiB on every machine.
const NUMBER_SHIFT: u32 = 12;
const NUMBER_BYTES: usize = 4;
/// The most page numbers of one request that are heard; the driver keeps the other pages.
const MOST_NUMBERS: u64 = 4096;

/// Bytes of a statistic: tag (2), value (8), packed.
const STATISTIC_BYTES: usize = 10;
/// The most statistics of one buffer that are read.
const MOST_STATISTICS: u64 = 32;
/// Tags from this one on are none of the specification's.
const TAGS: u16 = 10;

/// Where `actual` is in the configuration space, behind `num_pages`.
const ACTUAL: Range<u64> = 4..8;

/// The device.
#[derive(Debug)]
pub struct BalloonDevice {
    memory: Range<u64>,
    hears_reports: bool,
    state: BalloonState,
}

impl BalloonDevice {
    /// The balloon of a guest with this much memory, without a target; it hears of free pages, or not.
    pub fn new(memory_bytes: u64, hears_reports: bool) -> Self {
        let memory = MEMORY_BASE..MEMORY_BASE + memory_bytes;
        Self { memory, hears_reports, state: BalloonState::default() }
    }

    /// What was counted.
    pub fn counters(&self) -> BalloonCounters {
        self.state.counters
    }

    /// Targets, what the driver said, and what is under way.
    pub fn state(&self) -> &BalloonState {
        &self.state
    }

    /// The number of requests that the host is working on.
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.len()
    }

    /// Sets how many pages the host wants. Tells whether that is another number than before, so that
    /// the driver has to hear of it.
    pub(crate) fn set_target(&mut self, pages: u32) -> bool {
        std::mem::replace(&mut self.state.target_pages, pages) != pages
    }

    fn take_request(
        &mut self,
        work: &mut Work<'_, '_>,
        queue: usize,
        chain: &Chain,
    ) -> Result<(), QueueError> {
        let (operation, pages) = match queue {
            INFLATE => (BalloonOperation::Inflate, self.numbered_pages(work, queue, chain)?),
            DEFLATE => (BalloonOperation::Deflate, self.numbered_pages(work, queue, chain)?),
            _ => (BalloonOperation::Report, self.covered_pages(&chain.writable)),
        };
        let under_way = self.state.in_flight.values().filter(|request| request.queue == queue);
        if under_way.count() >= usize::from(work.queue_size(queue)) {
            return Err(QueueError::Malformed("a descriptor that is in use already"));
        }
        work.advance(queue);
        self.count(operation, pages.len() as u64);
        let serial = self.state.next_serial;
        self.state.next_serial += 1;
        self.state.in_flight.insert(serial, InFlight { queue, head: chain.head });
        work.request(DeviceRequest::Balloon { tag: work.tag(serial), operation, pages });
        Ok(())
    }

    /// The pages that a list of numbers names; those that the guest does not have are left out.
    fn numbered_pages(
        &mut self,
        work: &mut Work<'_, '_>,
        queue: usize,
        chain: &Chain,
    ) -> Result<Vec<u64>, QueueError> {
        let (list, _) = chain.readable.split_at(MOST_NUMBERS * NUMBER_BYTES as u64);
        let bytes = read_reserved(work, queue, &list)?;
        let (numbers, _) = bytes.as_chunks::<NUMBER_BYTES>();
        let addresses =
            numbers.iter().map(|raw| u64::from(u32::from_le_bytes(*raw)) << NUMBER_SHIFT);
        let pages: Vec<u64> = addresses.filter(|address| self.memory.contains(address)).collect();
        self.state.counters.refused_pages += (numbers.len() - pages.len()) as u64;
        Ok(pages)
    }

    /// The whole pages of the guest that buffers cover, at most as many as it has.
    fn covered_pages(&mut self, buffers: &Buffers) -> Vec<u64> {
        let most = (self.memory.end - self.memory.start) / PAGE;
        let mut pages = Vec::new();
        for range in buffers.ranges(Direction::Write) {
            let first = range.address.max(self.memory.start).div_ceil(PAGE);
            let end = (range.address + range.length).min(self.memory.end) / PAGE;
            let room = most.saturating_sub(pages.len() as u64);
            pages.extend((first..end).take(room as usize).map(|number| number * PAGE));
            let reported = range.length / PAGE;
            let heard = end.saturating_sub(first).min(room);
            self.state.counters.refused_pages += reported.saturating_sub(heard);
        }
        pages
    }

    fn count(&mut self, operation: BalloonOperation, pages: u64) {
        let counters = &mut self.state.counters;
        match operation {
            BalloonOperation::Inflate => counters.inflated_pages += pages,
            BalloonOperation::Deflate => counters.deflated_pages += pages,
            BalloonOperation::Report => counters.reported_pages += pages,
        }
    }

    /// Reads statistics and keeps their buffer. A second buffer, against the rules, frees the first.
    fn take_statistics(
        &mut self,
        work: &mut Work<'_, '_>,
        chain: &Chain,
    ) -> Result<(), QueueError> {
        let (list, _) = chain.readable.split_at(MOST_STATISTICS * STATISTIC_BYTES as u64);
        let bytes = read_reserved(work, STATISTICS, &list)?;
        let (entries, _) = bytes.as_chunks::<STATISTIC_BYTES>();
        for [t0, t1, value @ ..] in entries {
            let tag = u16::from_le_bytes([*t0, *t1]);
            if tag < TAGS {
                self.state.statistics.insert(tag, u64::from_le_bytes(*value));
            }
        }
        work.advance(STATISTICS);
        self.state.counters.statistics_updates += 1;
        match self.state.statistics_buffer.replace(chain.head) {
            Some(earlier) => work.hand_back(STATISTICS, earlier, 0),
            None => Ok(()),
        }
    }
}

/// The bytes of a request, after reserving them and what handing it back needs.
fn read_reserved(
    work: &mut Work<'_, '_>,
    queue: usize,
    buffers: &Buffers,
) -> Result<Vec<u8>, QueueError> {
    work.reserve(queue, buffers.ranges(Direction::Read))?;
    let mut bytes = vec![0; buffers.total_bytes() as usize];
    buffers.read(work.memory(), &mut bytes)?;
    Ok(bytes)
}

impl Behaviour for BalloonDevice {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_count(&self) -> usize {
        if self.hears_reports { QUEUES_WITH_REPORTS } else { QUEUES }
    }

    fn features(&self) -> u64 {
        if self.hears_reports { FEATURES | PAGE_REPORTING } else { FEATURES }
    }

    fn config(&self) -> Vec<u8> {
        let fields = [self.state.target_pages, self.state.actual_pages];
        fields.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    fn write_config(&mut self, offset: u64, bytes: &[u8], _console: &mut ConsoleOutput) {
        let mut actual = self.state.actual_pages.to_le_bytes();
        for (place, byte) in (offset..).zip(bytes) {
            if ACTUAL.contains(&place) {
                actual[(place - ACTUAL.start) as usize] = *byte;
            }
        }
        self.state.actual_pages = u32::from_le_bytes(actual);
    }

    fn reset(&mut self) {
        let BalloonState { target_pages, next_serial, counters, .. } = self.state;
        self.state =
            BalloonState { target_pages, next_serial, counters, ..BalloonState::default() };
    }

    fn process(&mut self, work: &mut Work<'_, '_>, queue: usize) -> Result<(), QueueError> {
        for _ in 0..work.queue_size(queue) {
            let Some(chain) = work.peek(queue)? else { break };
            match queue {
                STATISTICS => self.take_statistics(work, &chain)?,
                _ => self.take_request(work, queue, &chain)?,
            }
        }
        Ok(())
    }

    fn ask_statistics(&mut self, work: &mut Work<'_, '_>) -> Result<bool, QueueError> {
        let Some(head) = self.state.statistics_buffer else { return Ok(false) };
        work.reserve(STATISTICS, std::iter::empty())?;
        self.state.statistics_buffer = None;
        work.hand_back(STATISTICS, head, 0)?;
        Ok(true)
    }

    /// The driver is told that the host has carried its request out. Nothing can fail about that.
    fn complete(
        &mut self,
        work: &mut Work<'_, '_>,
        serial: u64,
        _status: IoStatus,
    ) -> Result<Completion, QueueError> {
        let Some(InFlight { queue, head }) = self.state.in_flight.get(&serial).copied() else {
            return Ok(Completion::Cancelled);
        };
        work.reserve(queue, std::iter::empty())?;
        self.state.in_flight.remove(&serial);
        work.hand_back(queue, head, 0)?;
        Ok(Completion::Delivered)
    }
}

impl Persist for BalloonDevice {
    type State = BalloonState;

    fn save(&self) -> BalloonState {
        self.state.clone()
    }

    fn restore(&mut self, state: &BalloonState) -> Result<(), StateError> {
        let fits = state.statistics.keys().all(|tag| *tag < TAGS)
            && state.in_flight.keys().all(|serial| *serial < state.next_serial)
            && state.in_flight.values().all(|request| request.queue < self.queue_count());
        StateError::unless(fits, "a request that no balloon can have")?;
        self.state = state.clone();
        Ok(())
    }
}
