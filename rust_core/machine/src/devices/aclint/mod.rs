//! The core-local interruptor: software interrupts between harts, and the machine timer.

mod device;
mod state;

pub use device::Aclint;
pub use state::AclintState;
