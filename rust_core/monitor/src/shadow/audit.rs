//! A look from outside at shadow tables: whether they name frames of their VM only.
//!
//! It reads the tables as hardware does and asks the owners' table of the host's frames
//! ([`FrameAllocator::owner_of`]), of which the code that fills the tables knows nothing. For
//! tests; it costs the guest nothing.

use super::entry::{READ, VALID, WRITE, address, is_leaf, span};
use crate::allocator::{FrameAllocator, FrameOwner};
use crate::ids::VmId;
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress};

/// The entries of a table that are valid, with their numbers.
pub(crate) fn valid_entries<'a>(
    memory: &'a Memory<'_>,
    table: PhysicalAddress,
) -> impl Iterator<Item = (usize, u64)> + 'a {
    let page = memory.frames.page_id(table).map(|page| memory.store.page(page));
    let words = page.into_iter().flat_map(|page| page.as_chunks::<8>().0.iter());
    let entries = words.map(|word| u64::from_le_bytes(*word)).enumerate();
    entries.filter(|(_, entry)| entry & VALID != 0)
}

/// Shows every leaf of a table at a level, and of all below it, with its place.
pub(crate) fn for_each_leaf(
    memory: &Memory<'_>,
    table: PhysicalAddress,
    level: u32,
    visit: &mut dyn FnMut(PhysicalAddress, u64),
) {
    for (index, entry) in valid_entries(memory, table) {
        if is_leaf(entry) {
            visit(PhysicalAddress(table.0 + index as u64 * 8), entry);
        } else if level > 0 {
            for_each_leaf(memory, address(entry), level - 1, visit);
        }
    }
}

/// Checks a table at a level, and all below it.
pub(crate) fn check_tree(
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
    for (index, entry) in valid_entries(memory, table) {
        let target = address(entry);
        match (is_leaf(entry), level) {
            (false, 1..) => check_tree(memory, owners, vm, target, level - 1)?,
            (true, 0 | 1) => pages_of(target, level)
                .try_for_each(|target| check_leaf(owners, vm, target, entry))?,
            _ => {
                return Err(format!(
                    "entry {index} of {table:?}, {entry:#x}, is none of level {level}"
                ));
            }
        }
    }
    Ok(())
}

/// The small pages behind a leaf of a level.
fn pages_of(target: PhysicalAddress, level: u32) -> impl Iterator<Item = PhysicalAddress> {
    (0..span(level)).step_by(PAGE_BYTES).map(move |offset| PhysicalAddress(target.0 + offset))
}

/// A leaf leads to the guest's memory, or to code that the monitor made for it and that it may only
/// execute.
fn check_leaf(
    owners: &FrameAllocator,
    vm: VmId,
    target: PhysicalAddress,
    entry: u64,
) -> Result<(), String> {
    match owners.owner_of(target) {
        Some(FrameOwner::Guest { vm: owner, .. }) if owner == vm => Ok(()),
        Some(FrameOwner::Code { vm: owner }) if owner == vm && entry & (READ | WRITE) == 0 => {
            Ok(())
        }
        Some(FrameOwner::Shared) if entry & WRITE == 0 && is_sharer(owners, vm, target) => Ok(()),
        other => Err(format!("{vm} reaches the frame {target:?}, which is {other:?}")),
    }
}

/// Whether a page of a VM lies in a shared frame.
fn is_sharer(owners: &FrameAllocator, vm: VmId, frame: PhysicalAddress) -> bool {
    owners.shared().pages_in(frame).any(|(sharer, _)| sharer == vm)
}

#[cfg(test)]
mod tests {
    use super::super::entry::{ACCESSED, READ, USER, compose};
    use super::*;
    use dcsim_memory::{Frames, PageStore};

    const BASE: PhysicalAddress = PhysicalAddress(0x8000_0000);
    const VM: VmId = VmId(1);
    const LEAF: u64 = VALID | READ | USER | ACCESSED;

    fn frame(number: u64) -> PhysicalAddress {
        PhysicalAddress(BASE.0 + number * PAGE_BYTES as u64)
    }

    /// Three levels of tables in frames 0 to 2, a page of the VM's in frame 3, one of another VM's
    /// in frame 4, a record of the monitor's in frame 5, and nobody's frame 6; frame 7 has a page of
    /// the VM's and one of another's, frame 8 only such of others'. `seed` spoils it.
    fn check(seed: impl FnOnce(&mut Memory<'_>)) -> Result<(), String> {
        let mut owners = FrameAllocator::new(BASE, 9);
        for _ in 0..3 {
            owners.allocate(FrameOwner::Shadow { vm: VM });
        }
        owners.allocate(FrameOwner::Guest { vm: VM, page: 0 });
        owners.allocate(FrameOwner::Guest { vm: VmId(2), page: 0 });
        owners.allocate(FrameOwner::Monitor { vm: VM });
        let free = owners.allocate(FrameOwner::Monitor { vm: VM }).unwrap();
        for page in 1..3 {
            let shared = owners.allocate(FrameOwner::Guest { vm: VmId(2), page }).unwrap();
            owners.share(shared, page);
        }
        owners.join(frame(7), VM, 1);
        owners.release(free);
        let (mut store, mut frames) = (PageStore::new(1 << 20), Frames::new(BASE, 9));
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        memory.write_u64(frame(0), compose(frame(1), VALID)).unwrap();
        memory.write_u64(frame(1), compose(frame(2), VALID)).unwrap();
        memory.write_u64(frame(2), compose(frame(3), LEAF)).unwrap();
        seed(&mut memory);
        check_tree(&memory, &owners, VM, frame(0), 2)
    }

    #[test]
    fn a_tree_that_names_frames_of_its_vm_is_in_order() {
        assert_eq!(check(|_| {}), Ok(()));
    }

    #[test]
    fn a_shared_frame_may_be_read_by_those_in_it() {
        let place = PhysicalAddress(frame(2).0 + 8);
        let leaf = compose(frame(7), LEAF);
        assert_eq!(check(|memory| memory.write_u64(place, leaf).unwrap()), Ok(()));
    }

    #[test]
    fn every_hole_is_found() {
        let holes = [
            // A shared frame to be written, and one that no page of the VM's is in.
            (frame(2), compose(frame(7), LEAF | WRITE)),
            (frame(2), compose(frame(8), LEAF)),
            // Another VM's page, a record of the monitor's, nobody's frame, a table as a page.
            (frame(2), compose(frame(4), LEAF)),
            (frame(2), compose(frame(5), LEAF)),
            (frame(2), compose(frame(6), LEAF)),
            (frame(2), compose(frame(2), LEAF)),
            (frame(2), compose(PhysicalAddress(0x1000), LEAF)),
            // A page of the guest's as a table, and a page where a table has to be.
            (frame(1), compose(frame(3), VALID)),
            (frame(0), compose(frame(3), LEAF)),
            (frame(2), compose(frame(3), VALID)),
        ];
        for (place, entry) in holes {
            let place = PhysicalAddress(place.0 + 8);
            assert!(check(|memory| memory.write_u64(place, entry).unwrap()).is_err());
        }
    }
}
