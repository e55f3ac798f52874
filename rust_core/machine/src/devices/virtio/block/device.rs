//! Behaviour of the block device.
//!
//! One queue. The disk's content lives here and changes when a request is completed; until then a
//! request keeps its place in `in_flight`, of which there are never more than the queue has
//! descriptors.

use super::super::queue::{Buffers, QueueError};
use super::super::{Behaviour, Completion, DeviceRequest, IoStatus, Work};
use super::request::{Action, Operation, Request, STATUS_IO_ERROR, STATUS_OK};
use super::{BlockCounters, BlockState, InFlight, config};
use crate::devices::{Persist, StateError};
use crate::disk_image::{BLOCK_BYTES, DiskImage, SECTOR_BYTES};
use crate::guest_memory::{Direction, GuestMemory, GuestMemoryError, GuestRange};

const DEVICE_ID: u32 = 2;
const QUEUE: usize = 0;
/// The answer to "get id": 20 bytes, padded with zeros.
const IDENTITY: &[u8; 20] = b"dcsim-disk\0\0\0\0\0\0\0\0\0\0";

/// The device.
#[derive(Debug)]
pub struct BlockDevice {
    disk: DiskImage,
    state: BlockState,
}

impl BlockDevice {
    /// A device with this disk.
    pub fn new(disk: DiskImage) -> Self {
        Self { disk, state: BlockState::default() }
    }

    /// The disk's content.
    pub fn disk(&self) -> &DiskImage {
        &self.disk
    }

    /// Puts another content in the place of the disk's, which must have the same size.
    pub fn replace_disk(&mut self, disk: DiskImage) -> Result<(), StateError> {
        let fits = disk.size_bytes() == self.disk.size_bytes();
        StateError::unless(fits, "another size of the disk")?;
        self.disk = disk;
        Ok(())
    }

    /// What was counted.
    pub fn counters(&self) -> BlockCounters {
        self.state.counters
    }

    /// The number of requests that the host is working on.
    pub fn in_flight(&self) -> usize {
        self.state.in_flight.len()
    }

    /// Takes the next request off the queue. `false` if there is none.
    fn take_one(&mut self, work: &mut Work<'_, '_>) -> Result<bool, QueueError> {
        let Some(chain) = work.peek(QUEUE)? else { return Ok(false) };
        let request = Request::parse(work.memory(), &chain, self.disk.sectors())?;
        match request.action {
            Action::Host(operation) => self.start(work, chain.head, operation, request)?,
            Action::Identify => finish_now(work, chain.head, &request, IDENTITY, STATUS_OK)?,
            Action::Refuse(status) => {
                finish_now(work, chain.head, &request, &[], status)?;
                self.state.counters.errors += 1;
            }
        }
        Ok(true)
    }

    fn start(
        &mut self,
        work: &mut Work<'_, '_>,
        head: u16,
        operation: Operation,
        request: Request,
    ) -> Result<(), QueueError> {
        if self.state.in_flight.len() >= usize::from(work.queue_size(QUEUE)) {
            return Err(QueueError::Malformed("a descriptor that is in use already"));
        }
        let serial = self.state.next_serial;
        let Request { data, status_address, .. } = request;
        let tag = work.tag(serial);
        let bytes = data.total_bytes();
        work.advance(QUEUE);
        work.request(match operation {
            Operation::Read { sector } => DeviceRequest::Block { tag, write: false, sector, bytes },
            Operation::Write { sector } => DeviceRequest::Block { tag, write: true, sector, bytes },
            Operation::Flush => DeviceRequest::Flush { tag },
            Operation::Discard { sector, sectors } => {
                DeviceRequest::Discard { tag, sector, bytes: sectors * SECTOR_BYTES }
            }
        });
        self.state.next_serial += 1;
        self.state.in_flight.insert(serial, InFlight { head, operation, data, status_address });
        Ok(())
    }

    /// Moves the data of a request. The ranges are reserved.
    fn transfer(
        &mut self,
        memory: &mut dyn GuestMemory,
        request: &InFlight,
    ) -> Result<u8, QueueError> {
        let disk = &mut self.disk;
        let done = match request.operation {
            Operation::Read { sector } => read_disk(disk, sector, &request.data, memory),
            Operation::Write { sector } => write_disk(disk, sector, &request.data, memory),
            Operation::Flush => Ok(true),
            Operation::Discard { sector, sectors } => {
                Ok(disk.discard(sector * SECTOR_BYTES, sectors * SECTOR_BYTES).is_ok())
            }
        }?;
        Ok(if done { STATUS_OK } else { STATUS_IO_ERROR })
    }

    fn count(&mut self, request: &InFlight, status: u8) {
        let counters = &mut self.state.counters;
        let bytes = request.data.total_bytes();
        match request.operation {
            _ if status != STATUS_OK => counters.errors += 1,
            Operation::Read { .. } => {
                counters.reads += 1;
                counters.read_bytes += bytes;
            }
            Operation::Write { .. } => {
                counters.writes += 1;
                counters.written_bytes += bytes;
            }
            Operation::Flush => counters.flushes += 1,
            Operation::Discard { .. } => counters.discards += 1,
        }
    }
}

impl Behaviour for BlockDevice {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_count(&self) -> usize {
        1
    }

    fn features(&self) -> u64 {
        config::FEATURES
    }

    fn config(&self) -> Vec<u8> {
        config::config(self.disk.sectors())
    }

    fn reset(&mut self) {
        self.state.in_flight.clear();
    }

    fn process(&mut self, work: &mut Work<'_, '_>, queue: usize) -> Result<(), QueueError> {
        for _ in 0..work.queue_size(queue) {
            if !self.take_one(work)? {
                break;
            }
        }
        Ok(())
    }

    fn complete(
        &mut self,
        work: &mut Work<'_, '_>,
        serial: u64,
        status: IoStatus,
    ) -> Result<Completion, QueueError> {
        let Some(request) = self.state.in_flight.get(&serial).cloned() else {
            return Ok(Completion::Cancelled);
        };
        let moves = status == IoStatus::Done && reserve_all(work, &request)?;
        if !moves {
            work.reserve(QUEUE, std::iter::once(status_range(request.status_address)))?;
        }
        self.state.in_flight.remove(&serial);
        let result = if moves { self.transfer(work.memory(), &request)? } else { STATUS_IO_ERROR };
        self.count(&request, result);
        work.memory().write(request.status_address, &[result])?;
        let data_bytes = match request.operation {
            Operation::Read { .. } if result == STATUS_OK => request.data.total_bytes(),
            _ => 0,
        };
        work.hand_back(QUEUE, request.head, used_length(data_bytes))?;
        Ok(Completion::Delivered)
    }
}

/// Reserves everything that completing a request touches. `false` if the driver named addresses
/// that it does not have: then the request fails and no data moves.
fn reserve_all(work: &mut Work<'_, '_>, request: &InFlight) -> Result<bool, QueueError> {
    let direction = match request.operation {
        Operation::Read { .. } => Direction::Write,
        _ => Direction::Read,
    };
    let status = std::iter::once(status_range(request.status_address));
    match work.reserve(QUEUE, request.data.ranges(direction).chain(status)) {
        Ok(()) => Ok(true),
        Err(QueueError::Malformed(_)) => Ok(false),
        Err(unavailable) => Err(unavailable),
    }
}

fn status_range(address: u64) -> GuestRange {
    GuestRange { address, length: 1, direction: Direction::Write }
}

/// Answers a request that takes no simulated time.
fn finish_now(
    work: &mut Work<'_, '_>,
    head: u16,
    request: &Request,
    data: &[u8],
    status: u8,
) -> Result<(), QueueError> {
    let data_ranges: Vec<GuestRange> =
        if data.is_empty() { Vec::new() } else { request.data.ranges(Direction::Write).collect() };
    let status_range = status_range(request.status_address);
    work.reserve(QUEUE, data_ranges.into_iter().chain([status_range]))?;
    let written = request.data.write(work.memory(), data)?;
    work.memory().write(request.status_address, &[status])?;
    work.advance(QUEUE);
    work.hand_back(QUEUE, head, used_length(written as u64))
}

/// What the used ring says was written: data, and the status byte behind it.
fn used_length(data_bytes: u64) -> u32 {
    u32::try_from(data_bytes + 1).unwrap_or(u32::MAX)
}

fn read_disk(
    disk: &DiskImage,
    sector: u64,
    data: &Buffers,
    memory: &mut dyn GuestMemory,
) -> Result<bool, QueueError> {
    let mut block = [0; BLOCK_BYTES];
    let mut good = true;
    data.for_each_piece(BLOCK_BYTES, |position, address, length| {
        let piece = &mut block[..length];
        good &= disk.read(sector * SECTOR_BYTES + position, piece).is_ok();
        memory.write(address, piece)
    })?;
    Ok(good)
}

fn write_disk(
    disk: &mut DiskImage,
    sector: u64,
    data: &Buffers,
    memory: &dyn GuestMemory,
) -> Result<bool, QueueError> {
    let mut block = [0; BLOCK_BYTES];
    let mut good = true;
    data.for_each_piece(BLOCK_BYTES, |position, address, length| {
        let piece = &mut block[..length];
        memory.read(address, piece)?;
        good &= disk.write(sector * SECTOR_BYTES + position, piece).is_ok();
        Ok::<(), GuestMemoryError>(())
    })?;
    Ok(good)
}

impl Persist for BlockDevice {
    type State = BlockState;

    fn save(&self) -> BlockState {
        self.state.clone()
    }

    fn restore(&mut self, state: &BlockState) -> Result<(), StateError> {
        let fits = state.in_flight.keys().all(|serial| *serial < state.next_serial)
            && state.in_flight.values().all(|request| self.could_have_started(request));
        StateError::unless(fits, "a block request that this disk cannot have")?;
        self.state = state.clone();
        Ok(())
    }
}

impl BlockDevice {
    fn could_have_started(&self, request: &InFlight) -> bool {
        let (sector, sectors) = match request.operation {
            Operation::Read { sector } | Operation::Write { sector } => {
                (sector, request.data.total_bytes() / SECTOR_BYTES)
            }
            Operation::Flush => (0, 0),
            Operation::Discard { sector, sectors } => (sector, sectors),
        };
        let inside = sector.checked_add(sectors).is_some_and(|end| end <= self.disk.sectors());
        inside && request.data.is_addressable()
    }
}
