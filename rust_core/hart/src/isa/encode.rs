//! From decoded instructions back to instruction words.

use super::compressed;
use super::format::RegisterField;
use super::register::Register;
use super::table::Compressed;
use crate::op::Op;

/// The 32-bit encoding of an instruction; operands that it does not have, and immediate bits that
/// do not fit, are lost.
pub fn encode(op: &Op) -> u32 {
    let row = op.opcode.row();
    let fields = row.format.fields();
    let register = |field, register: Register, low: u32| match field {
        RegisterField::Absent => 0,
        RegisterField::Integer | RegisterField::Float => register.bits() << low,
    };
    row.pattern.value
        | register(fields.rd, op.rd, 7)
        | register(fields.rs1, op.rs1, 15)
        | register(fields.rs2, op.rs2, 20)
        | register(fields.rs3, op.rs3, 27)
        | fields.immediate.insert(op.imm)
}

/// The 16-bit encoding of an instruction under this name, if these operands have one.
pub fn encode_compressed(name: Compressed, op: &Op) -> Option<u16> {
    compressed::compress(name.row(), op)
}
