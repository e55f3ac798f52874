//! The Linux kernel's boot header (Documentation/arch/riscv/boot-image-header.rst), 64 bytes:
//!
//! ```text
//! 0x00  code0, code1      0x18  flags (bit 0: big-endian)
//! 0x08  text offset       0x30  "RISCV\0\0\0"
//! 0x10  image size        0x38  "RSC\x05"
//! ```

use super::{Format, ImageError, Piece, Plan};
use crate::board::map;

const HEADER_BYTES: usize = 64;
const TEXT_OFFSET: usize = 0x08;
const IMAGE_SIZE: usize = 0x10;
const FLAGS: usize = 0x18;
const MAGIC: usize = 0x38;
const FLAG_BIG_ENDIAN: u64 = 1;
/// The kernel must lie at a multiple of this.
const ALIGNMENT: u64 = 2 << 20;

/// Whether these bytes have the header.
pub fn is_linux_image(image: &[u8]) -> bool {
    image.get(MAGIC..MAGIC + 4) == Some(b"RSC\x05")
}

/// Reads a kernel. It goes to the start of memory plus its text offset.
pub fn read(image: &[u8]) -> Result<Plan<'_>, ImageError> {
    if image.len() < HEADER_BYTES {
        return Err(ImageError::Truncated("the boot header"));
    }
    if field(image, FLAGS) & FLAG_BIG_ENDIAN != 0 {
        return Err(ImageError::WrongMachine("a big-endian kernel".to_string()));
    }
    let offset = field(image, TEXT_OFFSET);
    if !offset.is_multiple_of(ALIGNMENT) {
        return Err(ImageError::Malformed("a text offset that is no multiple of 2 MiB"));
    }
    // The size counts what the kernel clears behind its file; an old kernel says 0.
    let memory_bytes = field(image, IMAGE_SIZE).max(image.len() as u64);
    let address = map::MEMORY_BASE
        .checked_add(offset)
        .ok_or(ImageError::OutsideMemory { address: offset, length: memory_bytes })?;
    let pieces = vec![Piece { address, bytes: image, memory_bytes }];
    Ok(Plan { format: Format::LinuxImage, entry: address, pieces })
}

fn field(image: &[u8], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&image[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}
