//! A look from outside at shadow tables: whether they name frames of their VM only.
//!
//! It reads the tables as hardware does and asks the owners' table of the host's frames
//! ([`FrameAllocator::owner_of`]), of which the code that fills the tables knows nothing. For
//! tests; it costs the guest nothing.

use super::entry::{VALID, address, is_leaf};
use crate::allocator::{FrameAllocator, FrameOwner};
use crate::ids::VmId;
use dcsim_memory::{Memory, PhysicalAddress};

/// The entries of a table that are valid, with their numbers.
pub(super) fn entries<'a>(
    memory: &'a Memory<'_>,
    table: PhysicalAddress,
) -> impl Iterator<Item = (usize, u64)> + 'a {
    let page = memory.frames.page_id(table).map(|page| memory.store.page(page));
    let words = page.into_iter().flat_map(|page| page.as_chunks::<8>().0.iter());
    let entries = words.map(|word| u64::from_le_bytes(*word)).enumerate();
    entries.filter(|(_, entry)| entry & VALID != 0)
}

/// Checks a table at a level, and all below it.
pub(super) fn check_tree(
    memory: &Memory<'_>,
    owners: &FrameAllocator,
    vm: VmId,
    table: PhysicalAddress,
    level: u32,
) -> Result<(), String> {
    let owner = owners.owner_of(table);
    if owner != Some(FrameOwner::Shadow { vm }) {
        return Err(format!("the frame {table:?} is a shadow table of {vm}, but is {owner:?}"));
    }
    for (index, entry) in entries(memory, table) {
        let target = address(entry);
        match (is_leaf(entry), level) {
            (false, 1..) => check_tree(memory, owners, vm, target, level - 1)?,
            (true, 0) => check_leaf(owners, vm, target)?,
            _ => {
                return Err(format!(
                    "entry {index} of {table:?}, {entry:#x}, is none of level {level}"
                ));
            }
        }
    }
    Ok(())
}

fn check_leaf(owners: &FrameAllocator, vm: VmId, target: PhysicalAddress) -> Result<(), String> {
    match owners.owner_of(target) {
        Some(FrameOwner::Guest { vm: owner, .. }) if owner == vm => Ok(()),
        other => Err(format!("{vm} reaches the frame {target:?}, which is {other:?}")),
    }
}
