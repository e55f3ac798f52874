//! What is in a page: its hash, and whether it is the same as another's.

use crate::assumed;
use crate::error::HostError;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};
use xxhash_rust::xxh64::xxh64;

/// Doublewords of a page.
const WORDS: u64 = PAGE_BYTES as u64 / 8;

/// A page of zeros.
const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// The hash of the page in a frame, 64 bits.
pub fn hash(meter: &mut Meter<'_>, frame: PhysicalAddress) -> Result<u64, HostError> {
    let mut content = [0; PAGE_BYTES];
    meter.read_bytes(frame, &mut content)?;
    meter.assume_each(assumed::HASH_WORD, WORDS);
    Ok(xxh64(&content, 0))
}

/// Whether a hash may be that of a page of zeros.
pub fn is_hash_of_zeros(hash: u64) -> bool {
    hash == xxh64(&ZEROS, 0)
}

/// Whether the pages in two frames are the same: they are compared up to the first difference.
pub fn is_same(
    meter: &mut Meter<'_>,
    one: PhysicalAddress,
    other: PhysicalAddress,
) -> Result<bool, HostError> {
    for offset in (0..PAGE_BYTES as u64).step_by(8) {
        let first = meter.load(PhysicalAddress(one.0 + offset))?;
        let second = meter.load(PhysicalAddress(other.0 + offset))?;
        meter.assume(assumed::COMPARE_WORD);
        if first != second {
            return Ok(false);
        }
    }
    Ok(true)
}
