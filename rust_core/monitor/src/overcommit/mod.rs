//! More memory for guests than the host has: the mechanisms.
//!
//! A page of a guest is *absent* (it was never touched, or given back: it reads as zeros), in a
//! frame of its own, in a frame that it *shares* with pages of the same content, or *swapped* out.
//! Which pages go where and when is the caller's.
//!
//! * [`shared_frames`]: frames in which several pages lie;
//! * [`content`]: hashes and comparisons of pages; [`index`]: where content was seen before;
//! * [`back_map`]: which entries of tables lead to a frame;
//! * [`swap`]: where the content of swapped pages is; [`compressed`]: pages kept compressed;
//! * [`samples`]: pages whose next access is noticed.

pub mod back_map;
pub mod compressed;
pub mod content;
pub mod index;
pub mod samples;
pub mod shared_frames;
pub mod swap;
