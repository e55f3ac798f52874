//! The content of a disk: sparse, copied on first write, cheap to clone.
//!
//! Blocks of 4 KiB are reference-counted, in chunks of 512 that are reference-counted themselves:
//! a clone of a terabyte disk copies one small table, and the first write to a shared block copies
//! that block. A block that was never written, or was written with zeros, takes no space.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a block, the unit of copying.
pub const BLOCK_BYTES: usize = 4096;

/// Bytes of a sector, the unit of addressing of block devices.
pub const SECTOR_BYTES: u64 = 512;

const CHUNK_BLOCKS: usize = 512;
const CHUNK_BYTES: u64 = (CHUNK_BLOCKS * BLOCK_BYTES) as u64;

type Block = Arc<[u8; BLOCK_BYTES]>;
type Chunk = Vec<Option<Block>>;

/// Why a disk could not be accessed.
#[derive(Copy, Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DiskError {
    /// The access passes the end of the disk.
    #[error("{length} bytes at {offset} pass the end of a disk of {size_bytes} bytes")]
    PastEnd {
        /// First byte of the access.
        offset: u64,
        /// Length of the access in bytes.
        length: u64,
        /// Size of the disk in bytes.
        size_bytes: u64,
    },
}

/// The content of a disk.
#[derive(Clone, Debug, Default)]
pub struct DiskImage {
    size_bytes: u64,
    chunks: BTreeMap<u64, Arc<Chunk>>,
}

impl DiskImage {
    /// A disk of zeros.
    pub fn new(size_bytes: u64) -> Self {
        Self { size_bytes, chunks: BTreeMap::new() }
    }

    /// A disk that starts with `content` and holds zeros behind it.
    pub fn with_content(size_bytes: u64, content: &[u8]) -> Result<Self, DiskError> {
        let mut disk = Self::new(size_bytes);
        disk.write(0, content)?;
        Ok(disk)
    }

    /// The size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The number of whole sectors.
    pub fn sectors(&self) -> u64 {
        self.size_bytes / SECTOR_BYTES
    }

    /// Bytes of the blocks that are not all zero.
    pub fn allocated_bytes(&self) -> u64 {
        let blocks = self.chunks.values().flat_map(|chunk| chunk.iter()).flatten().count();
        (blocks * BLOCK_BYTES) as u64
    }

    /// Fills `buffer` from `offset` upwards.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.check(offset, buffer.len() as u64)?;
        for piece in Pieces::new(offset, buffer.len() as u64) {
            let target = &mut buffer[piece.done..piece.done + piece.length];
            match self.block(piece.offset) {
                Some(block) => target.copy_from_slice(&block[piece.within()]),
                None => target.fill(0),
            }
        }
        Ok(())
    }

    /// Writes `bytes` from `offset` upwards.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.check(offset, bytes.len() as u64)?;
        for piece in Pieces::new(offset, bytes.len() as u64) {
            self.write_piece(piece, &bytes[piece.done..piece.done + piece.length]);
        }
        Ok(())
    }

    /// Makes `length` bytes from `offset` zero and gives back the blocks that lie in them whole.
    pub fn discard(&mut self, offset: u64, length: u64) -> Result<(), DiskError> {
        self.check(offset, length)?;
        let mut position = offset;
        while position < offset + length {
            let chunk_end = (position / CHUNK_BYTES + 1) * CHUNK_BYTES;
            let end = chunk_end.min(offset + length);
            if self.chunks.contains_key(&(position / CHUNK_BYTES)) {
                self.discard_in_chunk(position, end);
            }
            position = end;
        }
        Ok(())
    }

    fn discard_in_chunk(&mut self, start: u64, end: u64) {
        const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
        if end - start == CHUNK_BYTES {
            self.chunks.remove(&(start / CHUNK_BYTES));
            return;
        }
        for piece in Pieces::new(start, end - start) {
            if self.block(piece.offset).is_some() {
                self.write_piece(piece, &ZEROS[..piece.length]);
            }
        }
    }

    fn check(&self, offset: u64, length: u64) -> Result<(), DiskError> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size_bytes => Ok(()),
            _ => Err(DiskError::PastEnd { offset, length, size_bytes: self.size_bytes }),
        }
    }

    fn block(&self, offset: u64) -> Option<&Block> {
        self.chunks.get(&(offset / CHUNK_BYTES))?[block_index(offset)].as_ref()
    }

    fn write_piece(&mut self, piece: Piece, bytes: &[u8]) {
        let is_zero = bytes.iter().all(|byte| *byte == 0);
        if is_zero && self.block(piece.offset).is_none() {
            return;
        }
        let chunk = self.chunks.entry(piece.offset / CHUNK_BYTES).or_insert_with(empty_chunk);
        let slot = &mut Arc::make_mut(chunk)[block_index(piece.offset)];
        if is_zero && piece.length == BLOCK_BYTES {
            *slot = None;
            return;
        }
        let block = slot.get_or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
        Arc::make_mut(block)[piece.within()].copy_from_slice(bytes);
    }
}

/// Equal content, however it came about.
impl PartialEq for DiskImage {
    fn eq(&self, other: &Self) -> bool {
        let covers = |left: &Self, right: &Self| {
            left.blocks().all(|(number, block)| {
                let offset = number * BLOCK_BYTES as u64;
                match right.block(offset) {
                    Some(theirs) => Arc::ptr_eq(block, theirs) || block == theirs,
                    None => block.iter().all(|byte| *byte == 0),
                }
            })
        };
        self.size_bytes == other.size_bytes && covers(self, other) && covers(other, self)
    }
}

impl Eq for DiskImage {}

impl DiskImage {
    /// The blocks that take space, with their numbers, ascending.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, &Arc<[u8; BLOCK_BYTES]>)> {
        self.chunks.iter().flat_map(|(chunk_number, chunk)| {
            chunk.iter().enumerate().filter_map(move |(index, block)| {
                let number = chunk_number * CHUNK_BLOCKS as u64 + index as u64;
                block.as_ref().map(|block| (number, block))
            })
        })
    }
}

fn empty_chunk() -> Arc<Chunk> {
    Arc::new(vec![None; CHUNK_BLOCKS])
}

fn block_index(offset: u64) -> usize {
    (offset % CHUNK_BYTES) as usize / BLOCK_BYTES
}

/// The part of an access that lies within one block.
#[derive(Copy, Clone, Debug)]
struct Piece {
    /// Where it starts on the disk.
    offset: u64,
    /// How many bytes of the access lie before it.
    done: usize,
    length: usize,
}

impl Piece {
    fn within(self) -> std::ops::Range<usize> {
        let start = (self.offset % BLOCK_BYTES as u64) as usize;
        start..start + self.length
    }
}

/// Cuts an access at block boundaries.
#[derive(Debug)]
struct Pieces {
    next: u64,
    start: u64,
    end: u64,
}

impl Pieces {
    fn new(offset: u64, length: u64) -> Self {
        Self { next: offset, start: offset, end: offset + length }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let offset = self.next;
        if offset == self.end {
            return None;
        }
        let block_end = (offset / BLOCK_BYTES as u64 + 1) * BLOCK_BYTES as u64;
        self.next = block_end.min(self.end);
        let length = (self.next - offset) as usize;
        Some(Piece { offset, done: (offset - self.start) as usize, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_disk_reads_as_zeros_and_takes_no_space() {
        let disk = DiskImage::new(1 << 40);
        let mut buffer = [1; 16];
        disk.read((1 << 40) - 16, &mut buffer).unwrap();
        assert_eq!(buffer, [0; 16]);
        assert_eq!(disk.allocated_bytes(), 0);
        assert_eq!(disk.sectors(), 1 << 31);
    }

    #[test]
    fn writes_may_cross_blocks_and_chunks() {
        let mut disk = DiskImage::new(2 * CHUNK_BYTES);
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * BLOCK_BYTES).map(|x: u8| x | 1).collect();
        let offset = CHUNK_BYTES - BLOCK_BYTES as u64 - 7;
        disk.write(offset, &bytes).unwrap();
        let mut buffer = vec![0; bytes.len()];
        disk.read(offset, &mut buffer).unwrap();
        assert_eq!(buffer, bytes);
        assert_eq!(disk.allocated_bytes(), 4 * BLOCK_BYTES as u64);
    }

    #[test]
    fn an_access_past_the_end_changes_nothing() {
        let mut disk = DiskImage::new(1000);
        assert!(disk.write(999, &[1, 2]).is_err());
        assert!(disk.write(u64::MAX, &[1]).is_err());
        assert!(disk.read(1001, &mut []).is_err());
        assert!(disk.discard(1, u64::MAX).is_err());
        assert_eq!(disk, DiskImage::new(1000));
    }

    #[test]
    fn a_clone_shares_until_one_side_writes() {
        let mut disk = DiskImage::with_content(8192, b"first").unwrap();
        let copy = disk.clone();
        disk.write(0, b"other").unwrap();
        let mut buffer = [0; 5];
        copy.read(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"first");
        assert_ne!(disk, copy);
    }

    #[test]
    fn a_block_of_zeros_is_given_back() {
        let mut disk = DiskImage::with_content(3 * CHUNK_BYTES, &[7; 3 * BLOCK_BYTES]).unwrap();
        disk.write(0, &[0; BLOCK_BYTES]).unwrap();
        disk.discard(BLOCK_BYTES as u64, 3 * CHUNK_BYTES - BLOCK_BYTES as u64).unwrap();
        assert_eq!(disk.allocated_bytes(), 0);
        assert_eq!(disk, DiskImage::new(3 * CHUNK_BYTES));
    }

    #[test]
    fn discarding_part_of_a_block_zeroes_that_part() {
        let mut disk = DiskImage::with_content(BLOCK_BYTES as u64, &[7; 8]).unwrap();
        disk.discard(2, 4).unwrap();
        let mut buffer = [1; 8];
        disk.read(0, &mut buffer).unwrap();
        assert_eq!(buffer, [7, 7, 0, 0, 0, 0, 7, 7]);
    }
}
