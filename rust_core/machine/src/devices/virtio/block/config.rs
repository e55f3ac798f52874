//! The configuration space and features of the block device (sections 5.2.3 and 5.2.4).

use super::super::queue::MAXIMUM_SIZE;
use crate::disk_image::SECTOR_BYTES;

/// Features: `SEG_MAX`, `BLK_SIZE`, `FLUSH`, `DISCARD`, `WRITE_ZEROES`.
pub const FEATURES: u64 = 1 << 2 | 1 << 6 | 1 << 9 | 1 << 13 | 1 << 14;

/// Ranges in one discard or write-zeroes request.
pub const MAXIMUM_DISCARD_SEGMENTS: u32 = 1;

const CONFIG_BYTES: usize = 60;

/// The configuration space of a disk with this many sectors.
pub fn config(sectors: u64) -> Vec<u8> {
    let mut bytes = vec![0; CONFIG_BYTES];
    let mut put = |offset: usize, value: &[u8]| {
        bytes[offset..offset + value.len()].copy_from_slice(value);
    };
    let most_sectors = u32::try_from(sectors).unwrap_or(u32::MAX).to_le_bytes();
    let one_segment = MAXIMUM_DISCARD_SEGMENTS.to_le_bytes();
    put(0, &sectors.to_le_bytes()); // capacity
    put(12, &(u32::from(MAXIMUM_SIZE) - 2).to_le_bytes()); // seg_max: header and status go off
    put(20, &(SECTOR_BYTES as u32).to_le_bytes()); // blk_size
    put(36, &most_sectors); // max_discard_sectors
    put(40, &one_segment); // max_discard_seg
    put(44, &8u32.to_le_bytes()); // discard_sector_alignment: a 4 KiB block
    put(48, &most_sectors); // max_write_zeroes_sectors
    put(52, &one_segment); // max_write_zeroes_seg
    put(56, &[1]); // write_zeroes_may_unmap
    bytes
}
