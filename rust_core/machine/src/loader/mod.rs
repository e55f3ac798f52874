//! Loading a kernel: ELF, Linux `Image`, or raw bytes; and the device tree beside it.
//!
//! An image is first read into a plan (where which bytes go), the plan is checked against the
//! machine's memory, and only then memory is written. Images are hostile input: whatever they say
//! about sizes and places is checked, and nothing is allocated on their word.

mod elf;
mod error;
mod linux_image;
mod place;
mod plan;
#[cfg(test)]
mod tests;

pub use elf::{has_section, symbol_address};
pub use error::ImageError;
pub use place::{Placement, device_tree_address, initrd_address, load, write};
pub use plan::{Format, Piece, Plan};
