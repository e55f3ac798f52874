//! The room that the monitor's records about shadow tables take, in host frames.
//!
//! The records themselves are Rust data; the frames that they would fill are taken from the host,
//! so that they count.

use super::super::tree::TableFrames;
use crate::allocator::FrameOwner;
use crate::assumed;
use crate::error::HostError;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// What a record is about.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Record {
    /// A shadow table: its key, frame, state, and which of its entries are in use.
    Node,
    /// A traced page.
    Table,
    /// Which entry points to a shadow table.
    Link,
    /// Which entry lets the guest write to a page, and to which.
    Writable,
}

impl Record {
    fn bytes(self) -> u64 {
        match self {
            Self::Node => assumed::NODE_RECORD.value,
            Self::Table => assumed::TABLE_RECORD.value,
            Self::Link | Self::Writable => assumed::LINK_RECORD.value,
        }
    }
}

/// The frames of one VM's records.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: u64,
    frames: Vec<PhysicalAddress>,
}

impl Records {
    /// Frames that the records of one fill may add: all of them fit in one.
    pub(super) const FILL_FRAMES: u64 = 1;

    pub(super) fn add(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        record: Record,
    ) -> Result<(), HostError> {
        self.bytes += record.bytes();
        if self.bytes > self.frames.len() as u64 * PAGE_BYTES as u64 {
            meter.assume(assumed::FREE_LIST);
            let owner = FrameOwner::Monitor { vm: frames.vm };
            let frame = frames.allocator.allocate(owner).ok_or(HostError::FrameNotReserved)?;
            self.frames.push(frame);
        }
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        record: Record,
    ) {
        self.bytes -= record.bytes();
        let needed = self.bytes.div_ceil(PAGE_BYTES as u64);
        if (self.frames.len() as u64) > needed
            && let Some(frame) = self.frames.pop()
        {
            frames.give_back(meter, frame);
        }
    }

    /// The frames that the records take.
    pub(super) fn frames(&self) -> impl Iterator<Item = PhysicalAddress> {
        self.frames.iter().copied()
    }

    /// How many these are.
    pub(super) fn frame_count(&self) -> u64 {
        self.frames.len() as u64
    }
}
