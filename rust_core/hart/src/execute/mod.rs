//! What each instruction does: one short function for each.
//!
//! Integer instructions are functions of their operands alone; the engine reads and writes the
//! registers. Floating-point and system instructions work on the hart.

// The engine's loop is one function: whatever is on its fast path must become part of it.
#![allow(clippy::inline_always)]

pub(crate) mod atomic;
pub(crate) mod bits;
pub(crate) mod branch;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod memory;
pub(crate) mod multiply;
pub(crate) mod system;
