//! Shadow paging: page tables that translate guest-virtual straight to host-physical addresses.
//!
//! * [`entry`]: the format of entries;
//! * [`view`]: what user mode, supervisor mode and SUM may access, as separate trees;
//! * [`guest_walk`]: what the guest's own tables say;
//! * [`tree`]: the tables of one view;
//! * [`spaces`]: the trees of a VM, used as a TLB of the guest;
//! * [`traced`]: tables that are kept in step with the guest's, whose stores to them are traced;
//! * [`Shadow`]: either of these;
//! * [`asid`]: identifiers that keep trees apart in the pCPU's TLB;
//! * `code`: code that a monitor made from the guest's;
//! * [`active`]: making a pCPU translate through a tree;
//! * [`resolve`]: what a page fault means, and what is done about it.

pub mod active;
pub mod asid;
pub(crate) mod audit;
mod code;
pub mod entry;
pub mod guest_walk;
mod of_vm;
pub mod resolve;
pub mod spaces;
pub mod traced;
mod traced_store;
pub mod tree;
pub mod view;

pub use code::Original;
pub use of_vm::Shadow;
