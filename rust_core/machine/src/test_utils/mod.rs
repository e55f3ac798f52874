//! Helpers for tests, in this crate and in those that build on it: the guest's side of virtio, and
//! a reader of device trees, an assembler for small programs, ELF files around raw code, and costs.

mod costs;
mod device_tree;
mod elf;
mod program;
mod virtio_driver;

pub use costs::telling_costs;
pub use device_tree::{TreeNode, parse_device_tree};
pub use elf::elf_with_section;
pub use program::{Forward, Label, Program};
pub use virtio_driver::{Descriptor, QueueLayout, VirtioDriver};
