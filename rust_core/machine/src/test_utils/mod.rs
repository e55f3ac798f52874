//! Helpers for tests, in this crate and in those that build on it: the guest's side of virtio, and
//! a reader of device trees.

mod device_tree;
mod virtio_driver;

pub use device_tree::{TreeNode, parse_device_tree};
pub use virtio_driver::{Descriptor, QueueLayout, VirtioDriver};
