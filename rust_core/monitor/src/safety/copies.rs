//! That what a guest must not write does not change while it executes.
//!
//! Copies of the bytes themselves are compared, so no path by which they might change is left out.

use super::owners::OwnerTable;
use crate::allocator::FrameOwner;
use crate::ids::VmId;
use dcsim_memory::{Memory, PAGE_BYTES, PageId, PhysicalAddress};
use std::collections::BTreeMap;

/// What frames hold that nobody has written.
static ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// Bits that harts set in tables that they walk.
const MARKS: u64 = 0xc0;

/// The content of frames at one moment; of those left out it was zeros.
#[derive(Debug)]
pub struct Copies {
    vm: VmId,
    content: BTreeMap<PhysicalAddress, Box<[u8; PAGE_BYTES]>>,
}

impl Copies {
    /// Copies what the guest of a VM must not write.
    pub fn take(memory: &Memory<'_>, owners: &OwnerTable, vm: VmId) -> Self {
        let copied = foreign(owners, vm).filter_map(|(frame, _)| {
            let page = memory.frames.page_id(frame).filter(|page| *page != PageId::ZERO)?;
            Some((frame, Box::new(memory.store.page(page).try_into().ok()?)))
        });
        Self { vm, content: copied.collect() }
    }

    /// Compares memory with the copies. In the tables that stand for the guest's own, harts set
    /// accessed and dirty bits.
    pub fn compare(&self, memory: &Memory<'_>, owners: &OwnerTable) -> Result<(), String> {
        for (frame, owner) in foreign(owners, self.vm) {
            let ignored = if owner == Some(FrameOwner::Shadow { vm: self.vm }) { MARKS } else { 0 };
            let page = memory.frames.page_id(frame).unwrap_or(PageId::ZERO);
            let before = match self.content.get(&frame) {
                Some(copy) => &**copy,
                None if page == PageId::ZERO => continue,
                None => &ZEROS,
            };
            if !is_same(before, memory.store.page(page), ignored) {
                return Err(format!(
                    "{frame:?} of {owner:?} has changed while the guest of {} executed",
                    self.vm
                ));
            }
        }
        Ok(())
    }
}

fn foreign(
    owners: &OwnerTable,
    vm: VmId,
) -> impl Iterator<Item = (PhysicalAddress, Option<FrameOwner>)> {
    let is_own = move |owner| matches!(owner, Some(FrameOwner::Guest { vm: of, .. }) if of == vm);
    owners.iter().filter(move |(_, owner)| !is_own(*owner))
}

fn is_same(before: &[u8], after: &[u8], ignored: u64) -> bool {
    if ignored == 0 || before == after {
        return before == after;
    }
    let words = |bytes: &[u8]| -> Vec<u64> {
        bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word) | ignored).collect()
    };
    words(before) == words(after)
}
