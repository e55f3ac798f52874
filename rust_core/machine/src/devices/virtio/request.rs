//! Device work that takes simulated time.

use serde::{Deserialize, Serialize};

/// Names a request until it is completed. Tags of a board are never used twice.
#[derive(Copy, Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct RequestTag(pub u64);

const SLOT_BITS: u32 = 8;

impl RequestTag {
    /// The tag of a slot's request with this serial number.
    pub fn new(slot: usize, serial: u64) -> Self {
        Self(serial << SLOT_BITS | slot as u64)
    }

    /// The slot of the device that made the request.
    pub fn slot(self) -> usize {
        (self.0 & ((1 << SLOT_BITS) - 1)) as usize
    }

    /// The number of the request among those of its device.
    pub fn serial(self) -> u64 {
        self.0 >> SLOT_BITS
    }
}

/// What a device asks its host to do.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DeviceRequest {
    /// Read or write sectors of the disk; to be completed.
    Block {
        /// Names the request.
        tag: RequestTag,
        /// Whether data goes to the disk.
        write: bool,
        /// The first sector.
        sector: u64,
        /// The number of bytes, a multiple of the sector size.
        bytes: u64,
    },
    /// Make everything written so far durable; to be completed.
    Flush {
        /// Names the request.
        tag: RequestTag,
    },
    /// Give back the space of sectors; to be completed.
    Discard {
        /// Names the request.
        tag: RequestTag,
        /// The first sector.
        sector: u64,
        /// The number of bytes.
        bytes: u64,
    },
    /// A packet that the guest sent; it has left the guest already.
    PacketSent {
        /// The Ethernet frame.
        bytes: Vec<u8>,
    },
    /// Pages that the guest does without or takes back; to be completed when the host has done what it
    /// does about them.
    Balloon {
        /// Names the request.
        tag: RequestTag,
        /// What the guest does with the pages.
        operation: BalloonOperation,
        /// Guest-physical addresses of pages of the guest; some may be there twice.
        pages: Vec<u64>,
    },
}

/// What a guest does with pages of its balloon.
#[derive(Copy, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum BalloonOperation {
    /// Gives them to its host; their content is lost.
    Inflate,
    /// Takes them back.
    Deflate,
    /// Has no use for their content, and may use them again at once.
    Report,
}

/// How the host's part of a request went.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum IoStatus {
    /// It succeeded: data moves.
    Done,
    /// It failed: the guest sees an I/O error and no data.
    Failed,
}

/// What became of a completion.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Completion {
    /// The guest has been told.
    Delivered,
    /// The guest has reset the device since: nobody waits for the request.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_splits_into_slot_and_serial() {
        let tag = RequestTag::new(7, 1 << 40);
        assert_eq!((tag.slot(), tag.serial()), (7, 1 << 40));
    }
}
