//! The virtual-machine monitor: techniques, shadow paging, exits and the ledger of cycles.

mod allocator;
mod config;
mod guest_pages;
mod ids;
mod ledger;
mod profile;
mod reason;
mod supervisor;
mod shadow { pub mod asid; pub mod entry; pub mod view; }
mod trap_and_emulate { pub mod instruction; }
pub use allocator::FrameUsage;
