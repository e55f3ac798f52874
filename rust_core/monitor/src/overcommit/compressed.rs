//! Pages kept compressed in frames of the host.
//!
//! A frame holds as many compressed pages as fit, none of them in two frames; the first gap that is
//! large enough takes the next one. A frame in which none is left is free again.

use crate::allocator::{FrameAllocator, FrameOwner};
use crate::assumed;
use crate::error::HostError;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};
use std::collections::BTreeMap;

/// Where a compressed page is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Slot {
    /// The frame.
    pub frame: PhysicalAddress,
    offset: usize,
    length: usize,
}

/// The frames with compressed pages: the length of each at its offset.
#[derive(Debug, Default)]
pub struct Pool {
    frames: BTreeMap<PhysicalAddress, BTreeMap<usize, usize>>,
}

/// The compressed form of a page; `None` if it is not worth its place.
pub fn compress(
    meter: &mut Meter<'_>,
    frame: PhysicalAddress,
) -> Result<Option<Vec<u8>>, HostError> {
    let mut content = [0; PAGE_BYTES];
    meter.read_bytes(frame, &mut content)?;
    meter.assume_each(assumed::COMPRESS_BYTE, PAGE_BYTES as u64);
    let bytes = lz4_flex::block::compress(&content);
    Ok((bytes.len() as u64 <= assumed::COMPRESSED_MOST.value).then_some(bytes))
}

impl Pool {
    /// The number of frames.
    pub fn frame_count(&self) -> u64 {
        self.frames.len() as u64
    }

    /// These frames.
    pub fn frames(&self) -> impl Iterator<Item = PhysicalAddress> {
        self.frames.keys().copied()
    }

    /// Bytes in them that compressed pages take.
    pub fn used_bytes(&self) -> u64 {
        self.frames.values().flat_map(BTreeMap::values).map(|length| *length as u64).sum()
    }

    /// Puts a compressed page into a frame, a new one if there is no room. `None`: there is no frame.
    pub fn put(
        &mut self,
        meter: &mut Meter<'_>,
        allocator: &mut FrameAllocator,
        bytes: &[u8],
    ) -> Result<Option<Slot>, HostError> {
        meter.lookup(1);
        let found = self.find_room(bytes.len());
        let Some((frame, offset)) =
            found.or_else(|| Some((allocator.allocate(FrameOwner::Compressed)?, 0)))
        else {
            return Ok(None);
        };
        meter.write_bytes(PhysicalAddress(frame.0 + offset as u64), bytes)?;
        meter.store_state(2);
        self.frames.entry(frame).or_default().insert(offset, bytes.len());
        Ok(Some(Slot { frame, offset, length: bytes.len() }))
    }

    fn find_room(&self, length: usize) -> Option<(PhysicalAddress, usize)> {
        self.frames.iter().find_map(|(frame, pages)| Some((*frame, gap(pages, length)?)))
    }

    /// The content of a page.
    pub fn read(meter: &mut Meter<'_>, slot: Slot) -> Result<Vec<u8>, HostError> {
        let mut bytes = vec![0; slot.length];
        let place = PhysicalAddress(slot.frame.0 + slot.offset as u64);
        meter.read_bytes(place, &mut bytes)?;
        meter.assume_each(assumed::DECOMPRESS_BYTE, PAGE_BYTES as u64);
        Ok(expand(&bytes))
    }

    /// Gives the place of a page up. Tells whether its frame is free now.
    pub fn remove(&mut self, allocator: &mut FrameAllocator, slot: Slot) -> bool {
        let Some(pages) = self.frames.get_mut(&slot.frame) else { return false };
        pages.remove(&slot.offset);
        let empty = pages.is_empty();
        if empty {
            self.frames.remove(&slot.frame);
            allocator.release(slot.frame);
        }
        empty
    }
}

/// The bytes of a page from its compressed form, which [`compress`] has made.
pub fn expand(bytes: &[u8]) -> Vec<u8> {
    let mut content = lz4_flex::block::decompress(bytes, PAGE_BYTES).unwrap_or_default();
    content.resize(PAGE_BYTES, 0);
    content
}

impl Slot {
    /// Where its bytes are, for a look of the simulator's: the offset in the frame and the length.
    pub fn range(self) -> (usize, usize) {
        (self.offset, self.length)
    }
}

/// The lowest offset of a gap between pages that is long enough.
fn gap(pages: &BTreeMap<usize, usize>, length: usize) -> Option<usize> {
    let mut start = 0;
    for (offset, used) in pages {
        if offset - start >= length {
            return Some(start);
        }
        start = offset + used;
    }
    (PAGE_BYTES - start >= length).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_gap_that_is_large_enough_is_taken() {
        let pages = BTreeMap::from([(0, 1000), (1500, 1000), (3000, 500)]);
        assert_eq!(gap(&pages, 500), Some(1000));
        assert_eq!(gap(&pages, 501), Some(3500));
        assert_eq!(gap(&pages, 597), None);
        assert_eq!(gap(&BTreeMap::new(), 4096), Some(0));
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let content: Vec<u8> = (0..PAGE_BYTES).map(|n| (n / 7 % 13) as u8).collect();
        assert_eq!(expand(&lz4_flex::block::compress(&content)), content);
    }
}
