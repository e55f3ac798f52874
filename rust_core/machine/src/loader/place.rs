//! Writing a plan and a device tree to memory.

use super::{ImageError, Piece, Plan};
use crate::board::map::{self, Region};
use crate::guest_memory::GuestMemory;

/// The device tree lies at a multiple of this; the kernel asks for 8.
const TREE_ALIGNMENT: u64 = 4096;
/// The device tree ends below this, so that every kernel can map it early.
const TREE_CEILING: u64 = 0xc000_0000;
const CHUNK_BYTES: usize = 4096;

/// Where everything went.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Placement {
    /// The physical address of the first instruction.
    pub entry: u64,
    /// The physical address of the device tree.
    pub device_tree: u64,
}

/// Writes an image and a device tree to a machine's memory of `ram_bytes`.
pub fn load(
    memory: &mut dyn GuestMemory,
    ram_bytes: u64,
    plan: &Plan<'_>,
    tree: &[u8],
) -> Result<Placement, ImageError> {
    let ram = Region { base: map::MEMORY_BASE, bytes: ram_bytes };
    plan.check(ram)?;
    let device_tree = device_tree_address(ram, plan.end(), tree.len() as u64)?;
    for piece in &plan.pieces {
        write_piece(memory, piece)?;
    }
    memory.write(device_tree, tree)?;
    Ok(Placement { entry: plan.entry, device_tree })
}

/// The place for a device tree of `length` bytes: as high in memory as it can be, above the image.
pub fn device_tree_address(ram: Region, image_end: u64, length: u64) -> Result<u64, ImageError> {
    let top = ram.base.saturating_add(ram.bytes).min(TREE_CEILING.max(ram.base));
    let place = top.checked_sub(length).map(|place| place - place % TREE_ALIGNMENT);
    match place {
        Some(place) if place >= image_end.max(ram.base) => Ok(place),
        _ => Err(ImageError::NoRoomForDeviceTree { length }),
    }
}

/// The place for an initial RAM disk of `length` bytes: below the device tree, above the image.
pub fn initrd_address(image_end: u64, device_tree: u64, length: u64) -> Result<u64, ImageError> {
    let place = device_tree.checked_sub(length).map(|place| place - place % TREE_ALIGNMENT);
    place.filter(|place| *place >= image_end).ok_or(ImageError::NoRoomForInitrd { length })
}

/// Writes bytes to memory.
pub fn write(memory: &mut dyn GuestMemory, address: u64, bytes: &[u8]) -> Result<(), ImageError> {
    for (index, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
        memory.write(address + (index * CHUNK_BYTES) as u64, chunk)?;
    }
    Ok(())
}

fn write_piece(memory: &mut dyn GuestMemory, piece: &Piece<'_>) -> Result<(), ImageError> {
    write(memory, piece.address, piece.bytes)?;
    let mut position = piece.bytes.len() as u64;
    while position < piece.memory_bytes {
        let length = (piece.memory_bytes - position).min(CHUNK_BYTES as u64) as usize;
        clear(memory, piece.address + position, length)?;
        position += length as u64;
    }
    Ok(())
}

/// Makes bytes zero. Memory that is zero already is left alone, so that it takes no pages.
fn clear(memory: &mut dyn GuestMemory, address: u64, length: usize) -> Result<(), ImageError> {
    let mut chunk = [0; CHUNK_BYTES];
    let chunk = &mut chunk[..length];
    memory.read(address, chunk)?;
    if chunk.iter().any(|byte| *byte != 0) {
        chunk.fill(0);
        memory.write(address, chunk)?;
    }
    Ok(())
}
