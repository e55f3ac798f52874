//! Helpers for tests, in this crate and in those that build on it: the guest's side of virtio.

mod virtio_driver;

pub use virtio_driver::{Descriptor, QueueLayout, VirtioDriver};
