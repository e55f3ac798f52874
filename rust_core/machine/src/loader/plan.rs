//! What an image wants: which bytes go where, and where execution begins.

use super::{ImageError, elf, linux_image};
use crate::board::map::{self, Region};

/// The kind of an image.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Format {
    /// An ELF executable.
    Elf,
    /// A Linux kernel with its boot header.
    LinuxImage,
    /// Bytes for [`map::KERNEL_BASE`], entered at the first.
    Raw,
}

/// A run of addresses: bytes of the file, then zeros.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Piece<'a> {
    /// The first physical address.
    pub address: u64,
    /// What goes there.
    pub bytes: &'a [u8],
    /// Bytes of memory, at least as many as there are in the file.
    pub memory_bytes: u64,
}

impl Piece<'_> {
    /// The first address behind the piece; `None` past the end of the address space.
    pub fn end(&self) -> Option<u64> {
        self.address.checked_add(self.memory_bytes)
    }
}

/// An image, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan<'a> {
    /// What the image is.
    pub format: Format,
    /// The physical address of the first instruction.
    pub entry: u64,
    /// What goes where.
    pub pieces: Vec<Piece<'a>>,
}

impl<'a> Plan<'a> {
    /// Reads an image of any known format.
    pub fn read(image: &'a [u8]) -> Result<Self, ImageError> {
        if image.is_empty() {
            return Err(ImageError::Empty);
        }
        if elf::is_elf(image) {
            return elf::read(image);
        }
        if linux_image::is_linux_image(image) {
            return linux_image::read(image);
        }
        Ok(Self::raw(image, map::KERNEL_BASE))
    }

    /// Bytes that go to one address and are entered there.
    pub fn raw(bytes: &'a [u8], address: u64) -> Self {
        let memory_bytes = bytes.len() as u64;
        let pieces = vec![Piece { address, bytes, memory_bytes }];
        Self { format: Format::Raw, entry: address, pieces }
    }

    /// The first address behind all pieces.
    pub fn end(&self) -> u64 {
        self.pieces.iter().filter_map(Piece::end).max().unwrap_or(0)
    }

    /// Refuses unless every piece lies in `memory`, none overlaps another, and the entry point is
    /// in one of them.
    pub fn check(&self, memory: Region) -> Result<(), ImageError> {
        for piece in &self.pieces {
            if memory.offset_of(piece.address, piece.memory_bytes).is_none() {
                let (address, length) = (piece.address, piece.memory_bytes);
                return Err(ImageError::OutsideMemory { address, length });
            }
        }
        let mut sorted: Vec<&Piece<'_>> = self.pieces.iter().collect();
        sorted.sort_by_key(|piece| piece.address);
        for pair in sorted.windows(2) {
            if pair[0].end().is_none_or(|end| end > pair[1].address) {
                return Err(ImageError::Overlap { address: pair[1].address });
            }
        }
        let holds_entry =
            |piece: &Piece<'_>| (piece.address..piece.end().unwrap_or(0)).contains(&self.entry);
        if self.pieces.iter().any(holds_entry) {
            return Ok(());
        }
        Err(ImageError::EntryOutside { address: self.entry })
    }
}
