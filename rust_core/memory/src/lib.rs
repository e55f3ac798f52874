//! Physical memory of simulated machines, over one store of reference-counted pages.
//!
//! A [`PageStore`] holds 4 KiB pages with reference counts. [`Frames`] is the physical memory of one
//! machine: a table from frame number to page. Many frames, of one machine or of several, may name
//! the same page; the first write through one of them gives that frame a copy of its own
//! (copy-on-write). So a clone of a machine, a snapshot, page sharing and the never-touched zero
//! page are one mechanism. [`Memory`] joins the two for the length of an access.
//!
//! # Contract with software TLBs
//!
//! A translation cache may keep the offset of a page in [`PageStore::bytes`] and access the bytes
//! there directly, under two rules:
//!
//! * an offset for *writing* comes from [`Memory::writable_offset`]: then the page is exclusive to
//!   the frame, marked dirty and free of code marks;
//! * all offsets end when [`Frames::generation`] changes. Whatever breaks the first rule, or gives
//!   a frame another page, changes it.
//!
//! A stale offset can therefore at worst read a wrong page of the store: it is never undefined
//! behaviour, and this crate has no `unsafe`.

mod address;
mod error;
mod frames;
mod memory;
mod store;
mod witness;

pub use address::PhysicalAddress;
pub use error::MemoryError;
pub use frames::Frames;
pub use memory::Memory;
pub use store::{PageId, PageStore, StoreFull};
pub use witness::{Use, Witness};

/// Bytes of a page, and of a frame.
pub const PAGE_BYTES: usize = 4096;
