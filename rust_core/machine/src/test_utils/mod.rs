//! Helpers for tests, in this crate and in those that build on it: the guest's side of virtio, and
//! a reader of device trees, and an assembler for small programs.

mod device_tree;
mod program;
mod virtio_driver;

pub use device_tree::{TreeNode, parse_device_tree};
pub use program::{Forward, Label, Program};
pub use virtio_driver::{Descriptor, QueueLayout, VirtioDriver};
