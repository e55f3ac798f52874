//! Virtio devices on the memory-mapped transport (Virtio 1.2, sections 2 and 4.2).
//!
//! `transport` holds the registers and the interrupt of a slot, `queue` the split virtqueues, and
//! each kind of device has a folder. A slot without a device reads as device 0.
//!
//! Work that takes simulated time is cut in two. The doorbell takes descriptor chains off the
//! queue, checks them and makes a [`DeviceRequest`]; data moves, and the guest is told, when the
//! request is completed. Work that takes none (entropy, console, sent packets) is done at the
//! doorbell.
//!
//! Whatever a device does to guest memory it reserves first. When the host cannot provide a page,
//! the device has changed nothing and does the same work again later.

pub mod balloon;
mod behaviour;
pub mod block;
pub mod console;
mod device;
pub mod entropy;
#[cfg(test)]
mod hostile_test;
pub mod network;
pub mod queue;
mod request;
pub mod transport;

pub use behaviour::{Behaviour, DeviceHost, Work};
pub use device::{DeviceState, VirtioDevice};
pub use request::{BalloonOperation, Completion, DeviceRequest, IoStatus, RequestTag};
pub use transport::{Transport, TransportState};
