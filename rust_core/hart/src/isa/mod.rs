//! The instruction set: one table, and what is derived from it.
//!
//! [`table`] lists every instruction once. The decoder, the encoder, the disassembler and the
//! classes for cost and statistics are all read from it, so they cannot drift apart.

mod class;

pub use class::InstructionClass;
