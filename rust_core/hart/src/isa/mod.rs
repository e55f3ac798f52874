//! The instruction set: one table, and what is derived from it.
//!
//! [`INSTRUCTIONS`] lists every instruction once. The decoder, the encoder, the disassembler and
//! the classes for cost and statistics are all read from it, so they cannot drift apart.

mod class;
mod compressed;
mod decode;
mod disassemble;
mod encode;
mod format;
mod pattern;
mod register;
mod table;

pub use class::InstructionClass;
pub use compressed::{CompressedFormat, Reserved};
pub use decode::{decode, decode_compressed, find, instruction_length};
pub use disassemble::disassemble;
pub use encode::{encode, encode_compressed};
pub use format::{Fields, Format, ImmediateField, RegisterField};
pub use pattern::Pattern;
pub use register::Register;
pub(crate) use table::for_each_instruction;
pub use table::{
    COMPRESSED, Compressed, CompressedRow, Extension, Flow, INSTRUCTIONS, Opcode, Row,
};
