//! Requests of the block device (section 5.2.6): what the driver asks for, checked.
//!
//! A request is a 16-byte header (type, reserved, sector), data, and a status byte that is the last
//! byte the device may write.

use super::super::queue::{Buffers, Chain, QueueError};
use super::config::MAXIMUM_DISCARD_SEGMENTS;
use crate::disk_image::SECTOR_BYTES;
use crate::guest_memory::GuestMemory;
use serde::{Deserialize, Serialize};

/// Status: success.
pub const STATUS_OK: u8 = 0;
/// Status: device or driver error.
pub const STATUS_IO_ERROR: u8 = 1;
/// Status: the device does not support the request.
pub const STATUS_UNSUPPORTED: u8 = 2;

const HEADER_BYTES: u64 = 16;
const RANGE_BYTES: u64 = 16;

const TYPE_IN: u32 = 0;
const TYPE_OUT: u32 = 1;
const TYPE_FLUSH: u32 = 4;
const TYPE_GET_ID: u32 = 8;
const TYPE_DISCARD: u32 = 11;
const TYPE_WRITE_ZEROES: u32 = 13;

const FLAG_UNMAP: u32 = 1;

/// What the host is asked to do.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// Data from the disk.
    Read {
        /// First sector.
        sector: u64,
    },
    /// Data to the disk.
    Write {
        /// First sector.
        sector: u64,
    },
    /// Durability.
    Flush,
    /// Sectors become zero.
    Discard {
        /// First sector.
        sector: u64,
        /// Number of sectors.
        sectors: u64,
    },
}

/// What a chain asks for.
#[derive(Debug)]
pub enum Action {
    /// Work for the host.
    Host(Operation),
    /// The device's identity, at once.
    Identify,
    /// Nothing: this status, at once.
    Refuse(u8),
}

/// A request that has a place for its status.
#[derive(Debug)]
pub struct Request {
    /// What it asks for.
    pub action: Action,
    /// The data behind the header, or the place for data before the status.
    pub data: Buffers,
    /// The guest-physical address of the status byte.
    pub status_address: u64,
}

impl Request {
    /// Reads a request. Without header or place for a status, the driver broke the rules.
    pub fn parse(
        memory: &dyn GuestMemory,
        chain: &Chain,
        disk_sectors: u64,
    ) -> Result<Self, QueueError> {
        let header = Header::read(memory, &chain.readable)?;
        let (_, data_out) = chain.readable.split_at(HEADER_BYTES);
        let room = chain.writable.total_bytes();
        let (data_in, status) = chain.writable.split_at(room.saturating_sub(1));
        let Some(status_address) = status.first_address() else {
            return Err(QueueError::Malformed("a block request without a status byte"));
        };
        let (action, data) = match header.kind {
            TYPE_IN => (transfer(&header, &data_in, disk_sectors, false), data_in),
            TYPE_OUT => (transfer(&header, &data_out, disk_sectors, true), data_out),
            TYPE_FLUSH => (Action::Host(Operation::Flush), Buffers::default()),
            TYPE_GET_ID => (Action::Identify, data_in),
            TYPE_DISCARD => (discard(memory, &data_out, disk_sectors, 0)?, Buffers::default()),
            TYPE_WRITE_ZEROES => {
                (discard(memory, &data_out, disk_sectors, FLAG_UNMAP)?, Buffers::default())
            }
            _ => (Action::Refuse(STATUS_UNSUPPORTED), Buffers::default()),
        };
        Ok(Self { action, data, status_address })
    }
}

struct Header {
    kind: u32,
    sector: u64,
}

impl Header {
    fn read(memory: &dyn GuestMemory, readable: &Buffers) -> Result<Self, QueueError> {
        let mut raw = [0; HEADER_BYTES as usize];
        if readable.read(memory, &mut raw)? < raw.len() {
            return Err(QueueError::Malformed("a block request without a header"));
        }
        Ok(Self { kind: u32_at(&raw, 0), sector: u64_at(&raw, 8) })
    }
}

fn transfer(header: &Header, data: &Buffers, disk_sectors: u64, write: bool) -> Action {
    let bytes = data.total_bytes();
    let sector = header.sector;
    let whole = bytes > 0 && bytes.is_multiple_of(SECTOR_BYTES);
    if !whole || !fits(sector, bytes / SECTOR_BYTES, disk_sectors) {
        return Action::Refuse(STATUS_IO_ERROR);
    }
    Action::Host(if write { Operation::Write { sector } } else { Operation::Read { sector } })
}

fn discard(
    memory: &dyn GuestMemory,
    data: &Buffers,
    disk_sectors: u64,
    allowed_flags: u32,
) -> Result<Action, QueueError> {
    let mut raw = [0; RANGE_BYTES as usize];
    if data.total_bytes() != RANGE_BYTES * u64::from(MAXIMUM_DISCARD_SEGMENTS) {
        return Ok(Action::Refuse(STATUS_IO_ERROR));
    }
    data.read(memory, &mut raw)?;
    let (sector, sectors, flags) = (u64_at(&raw, 0), u64::from(u32_at(&raw, 8)), u32_at(&raw, 12));
    if flags & !allowed_flags != 0 {
        return Ok(Action::Refuse(STATUS_UNSUPPORTED));
    }
    if !fits(sector, sectors, disk_sectors) {
        return Ok(Action::Refuse(STATUS_IO_ERROR));
    }
    Ok(Action::Host(Operation::Discard { sector, sectors }))
}

fn fits(sector: u64, sectors: u64, disk_sectors: u64) -> bool {
    sector.checked_add(sectors).is_some_and(|end| end <= disk_sectors)
}

fn u32_at(raw: &[u8; 16], offset: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&raw[offset..offset + 4]);
    u32::from_le_bytes(bytes)
}

fn u64_at(raw: &[u8; 16], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&raw[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}
