//! From instruction words to assembler text.

use super::decode::{decode, decode_compressed};
use super::format::{Format, RegisterField};
use super::register::Register;
use super::table::Compressed;
use crate::op::Op;

const ROUNDING_MODES: [&str; 8] = ["rne", "rtz", "rdn", "rup", "rmm", "5", "6", "dyn"];

/// The assembler text of the instruction at `pc`. A 16-bit instruction is shown under its own name
/// with the operands of the instruction that it stands for.
pub fn disassemble(word: u32, pc: u64) -> String {
    let Some(op) = decode(word) else {
        return format!("illegal {word:#x}");
    };
    let mnemonic =
        compressed_name(word).map_or(op.opcode.row().mnemonic, |name| name.row().mnemonic);
    let operands = operands(&op, pc).join(", ");
    if operands.is_empty() { mnemonic.to_owned() } else { format!("{mnemonic} {operands}") }
}

fn compressed_name(word: u32) -> Option<Compressed> {
    (word & 3 != 3).then(|| decode_compressed(word as u16)).flatten().map(|(name, _)| name)
}

fn register_name(field: RegisterField, register: Register) -> &'static str {
    match field {
        RegisterField::Float => register.float_name(),
        RegisterField::Integer | RegisterField::Absent => register.integer_name(),
    }
}

fn operands(op: &Op, pc: u64) -> Vec<String> {
    let fields = op.opcode.row().format.fields();
    let rd = register_name(fields.rd, op.rd).to_owned();
    let rs1 = register_name(fields.rs1, op.rs1).to_owned();
    let rs2 = register_name(fields.rs2, op.rs2).to_owned();
    let rs3 = || register_name(fields.rs3, op.rs3).to_owned();
    let imm = || op.imm.to_string();
    let target = || format!("{:#x}", pc.wrapping_add_signed(op.imm));
    let memory = || format!("{}({rs1})", op.imm);
    let rounding = || ROUNDING_MODES[(op.imm & 7) as usize].to_owned();
    match op.opcode.row().format {
        Format::None => vec![],
        Format::Upper => vec![rd, format!("{:#x}", op.imm >> 12 & 0xf_ffff)],
        Format::Jump => vec![rd, target()],
        Format::JumpRegister | Format::Load | Format::FloatLoad => vec![rd, memory()],
        Format::Branch => vec![rs1, rs2, target()],
        Format::Store | Format::FloatStore => vec![rs2, memory()],
        Format::Immediate | Format::Shift | Format::ShiftWord => vec![rd, rs1, imm()],
        Format::Register | Format::FloatRegister | Format::FloatCompare => vec![rd, rs1, rs2],
        Format::Unary | Format::MoveToInteger | Format::MoveToFloat => vec![rd, rs1],
        Format::Fence => vec![fence_set(op.imm >> 4), fence_set(op.imm)],
        Format::Csr => vec![rd, format!("{:#x}", op.imm), rs1],
        Format::CsrImmediate => vec![rd, format!("{:#x}", op.imm), op.rs1.bits().to_string()],
        Format::Atomic => vec![rd, rs2, format!("({rs1})")],
        Format::LoadReserved | Format::GuestLoad => vec![rd, format!("({rs1})")],
        Format::GuestStore => vec![rs2, format!("({rs1})")],
        Format::FenceTranslation => vec![rs1, rs2],
        Format::FloatRounded => vec![rd, rs1, rs2, rounding()],
        Format::FloatFused => vec![rd, rs1, rs2, rs3(), rounding()],
        Format::FloatUnaryRounded | Format::FloatToInteger | Format::IntegerToFloat => {
            vec![rd, rs1, rounding()]
        }
    }
}

/// The accesses that a fence orders: device input and output, reads, writes.
fn fence_set(bits: i64) -> String {
    let names = [(8, 'i'), (4, 'o'), (2, 'r'), (1, 'w')];
    let set: String =
        names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| name).collect();
    if set.is_empty() { "0".to_owned() } else { set }
}
