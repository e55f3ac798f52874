//! The instruction table.
//!
//! One row for every instruction of RV64IMAFDC, Zicsr, Zifencei, Zba, Zbb, Zbs, of the privileged
//! architecture and of the hypervisor extension; a hart has those of its profile. `for_each_instruction!` hands all rows to another macro; everything
//! that depends on the instruction set is generated in this way or reads the rows through
//! [`Opcode::row`].
//!
//! A 32-bit row is: variant, mnemonic, extension, operand format, fixed bits, cost class, flow.
//! A 16-bit row is: variant, mnemonic, operand format, fixed bits, the instruction it stands for,
//! and which operands are reserved. Every 16-bit instruction is exactly one 32-bit instruction.

use super::class::InstructionClass;
use super::compressed::{CompressedFormat, Reserved};
use super::format::Format;
#[allow(clippy::wildcard_imports, reason = "the vocabulary of the rows")]
use super::pattern::{major::*, *};

/// The extension that defines an instruction.
#[allow(missing_docs, reason = "the names are the specification's")]
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Extension {
    I,
    M,
    A,
    F,
    D,
    C,
    Zicsr,
    Zifencei,
    Zba,
    Zbb,
    Zbs,
    Privileged,
    H,
}

/// Where execution goes after an instruction that does not trap.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// To the next instruction or to a target that the instruction gives.
    Branch,
    /// To a target that the instruction gives.
    Jump,
    /// To the next instruction, but fetched anew; or into a trap, or back from one.
    End,
}

macro_rules! for_each_instruction {
    ($callback:ident) => {
        $callback! {
            base {
                Lui, "lui", I, Upper, only(LUI), Alu, Next;
                Auipc, "auipc", I, Upper, only(AUIPC), Alu, Next;
                Jal, "jal", I, Jump, only(JAL), Jump, Jump;
                Jalr, "jalr", I, JumpRegister, funct3(JALR, 0), Jump, Jump;
                Beq, "beq", I, Branch, funct3(BRANCH, 0), Branch, Branch;
                Bne, "bne", I, Branch, funct3(BRANCH, 1), Branch, Branch;
                Blt, "blt", I, Branch, funct3(BRANCH, 4), Branch, Branch;
                Bge, "bge", I, Branch, funct3(BRANCH, 5), Branch, Branch;
                Bltu, "bltu", I, Branch, funct3(BRANCH, 6), Branch, Branch;
                Bgeu, "bgeu", I, Branch, funct3(BRANCH, 7), Branch, Branch;
                Lb, "lb", I, Load, funct3(LOAD, 0), Load, Next;
                Lh, "lh", I, Load, funct3(LOAD, 1), Load, Next;
                Lw, "lw", I, Load, funct3(LOAD, 2), Load, Next;
                Ld, "ld", I, Load, funct3(LOAD, 3), Load, Next;
                Lbu, "lbu", I, Load, funct3(LOAD, 4), Load, Next;
                Lhu, "lhu", I, Load, funct3(LOAD, 5), Load, Next;
                Lwu, "lwu", I, Load, funct3(LOAD, 6), Load, Next;
                Sb, "sb", I, Store, funct3(STORE, 0), Store, Next;
                Sh, "sh", I, Store, funct3(STORE, 1), Store, Next;
                Sw, "sw", I, Store, funct3(STORE, 2), Store, Next;
                Sd, "sd", I, Store, funct3(STORE, 3), Store, Next;
                Addi, "addi", I, Immediate, funct3(OP_IMM, 0), Alu, Next;
                Slti, "slti", I, Immediate, funct3(OP_IMM, 2), Alu, Next;
                Sltiu, "sltiu", I, Immediate, funct3(OP_IMM, 3), Alu, Next;
                Xori, "xori", I, Immediate, funct3(OP_IMM, 4), Alu, Next;
                Ori, "ori", I, Immediate, funct3(OP_IMM, 6), Alu, Next;
                Andi, "andi", I, Immediate, funct3(OP_IMM, 7), Alu, Next;
                Slli, "slli", I, Shift, funct6(OP_IMM, 1, 0x00), Alu, Next;
                Srli, "srli", I, Shift, funct6(OP_IMM, 5, 0x00), Alu, Next;
                Srai, "srai", I, Shift, funct6(OP_IMM, 5, 0x10), Alu, Next;
                Add, "add", I, Register, funct7(OP, 0, 0x00), Alu, Next;
                Sub, "sub", I, Register, funct7(OP, 0, 0x20), Alu, Next;
                Sll, "sll", I, Register, funct7(OP, 1, 0x00), Alu, Next;
                Slt, "slt", I, Register, funct7(OP, 2, 0x00), Alu, Next;
                Sltu, "sltu", I, Register, funct7(OP, 3, 0x00), Alu, Next;
                Xor, "xor", I, Register, funct7(OP, 4, 0x00), Alu, Next;
                Srl, "srl", I, Register, funct7(OP, 5, 0x00), Alu, Next;
                Sra, "sra", I, Register, funct7(OP, 5, 0x20), Alu, Next;
                Or, "or", I, Register, funct7(OP, 6, 0x00), Alu, Next;
                And, "and", I, Register, funct7(OP, 7, 0x00), Alu, Next;
                Addiw, "addiw", I, Immediate, funct3(OP_IMM_32, 0), Alu, Next;
                Slliw, "slliw", I, ShiftWord, funct7(OP_IMM_32, 1, 0x00), Alu, Next;
                Srliw, "srliw", I, ShiftWord, funct7(OP_IMM_32, 5, 0x00), Alu, Next;
                Sraiw, "sraiw", I, ShiftWord, funct7(OP_IMM_32, 5, 0x20), Alu, Next;
                Addw, "addw", I, Register, funct7(OP_32, 0, 0x00), Alu, Next;
                Subw, "subw", I, Register, funct7(OP_32, 0, 0x20), Alu, Next;
                Sllw, "sllw", I, Register, funct7(OP_32, 1, 0x00), Alu, Next;
                Srlw, "srlw", I, Register, funct7(OP_32, 5, 0x00), Alu, Next;
                Sraw, "sraw", I, Register, funct7(OP_32, 5, 0x20), Alu, Next;
                Fence, "fence", I, Fence, funct3(MISC_MEM, 0), Fence, Next;
                Ecall, "ecall", I, None, exact(0x0000_0073), System, End;
                Ebreak, "ebreak", I, None, exact(0x0010_0073), System, End;

                FenceI, "fence.i", Zifencei, Immediate, funct3(MISC_MEM, 1), Fence, End;

                Csrrw, "csrrw", Zicsr, Csr, funct3(SYSTEM, 1), Csr, Next;
                Csrrs, "csrrs", Zicsr, Csr, funct3(SYSTEM, 2), Csr, Next;
                Csrrc, "csrrc", Zicsr, Csr, funct3(SYSTEM, 3), Csr, Next;
                Csrrwi, "csrrwi", Zicsr, CsrImmediate, funct3(SYSTEM, 5), Csr, Next;
                Csrrsi, "csrrsi", Zicsr, CsrImmediate, funct3(SYSTEM, 6), Csr, Next;
                Csrrci, "csrrci", Zicsr, CsrImmediate, funct3(SYSTEM, 7), Csr, Next;

                Mul, "mul", M, Register, funct7(OP, 0, 0x01), Multiply, Next;
                Mulh, "mulh", M, Register, funct7(OP, 1, 0x01), Multiply, Next;
                Mulhsu, "mulhsu", M, Register, funct7(OP, 2, 0x01), Multiply, Next;
                Mulhu, "mulhu", M, Register, funct7(OP, 3, 0x01), Multiply, Next;
                Div, "div", M, Register, funct7(OP, 4, 0x01), Divide, Next;
                Divu, "divu", M, Register, funct7(OP, 5, 0x01), Divide, Next;
                Rem, "rem", M, Register, funct7(OP, 6, 0x01), Divide, Next;
                Remu, "remu", M, Register, funct7(OP, 7, 0x01), Divide, Next;
                Mulw, "mulw", M, Register, funct7(OP_32, 0, 0x01), Multiply, Next;
                Divw, "divw", M, Register, funct7(OP_32, 4, 0x01), Divide, Next;
                Divuw, "divuw", M, Register, funct7(OP_32, 5, 0x01), Divide, Next;
                Remw, "remw", M, Register, funct7(OP_32, 6, 0x01), Divide, Next;
                Remuw, "remuw", M, Register, funct7(OP_32, 7, 0x01), Divide, Next;

                LrW, "lr.w", A, LoadReserved, load_reserved(2), Atomic, Next;
                ScW, "sc.w", A, Atomic, amo(2, 0x03), Atomic, Next;
                AmoswapW, "amoswap.w", A, Atomic, amo(2, 0x01), Atomic, Next;
                AmoaddW, "amoadd.w", A, Atomic, amo(2, 0x00), Atomic, Next;
                AmoxorW, "amoxor.w", A, Atomic, amo(2, 0x04), Atomic, Next;
                AmoandW, "amoand.w", A, Atomic, amo(2, 0x0c), Atomic, Next;
                AmoorW, "amoor.w", A, Atomic, amo(2, 0x08), Atomic, Next;
                AmominW, "amomin.w", A, Atomic, amo(2, 0x10), Atomic, Next;
                AmomaxW, "amomax.w", A, Atomic, amo(2, 0x14), Atomic, Next;
                AmominuW, "amominu.w", A, Atomic, amo(2, 0x18), Atomic, Next;
                AmomaxuW, "amomaxu.w", A, Atomic, amo(2, 0x1c), Atomic, Next;
                LrD, "lr.d", A, LoadReserved, load_reserved(3), Atomic, Next;
                ScD, "sc.d", A, Atomic, amo(3, 0x03), Atomic, Next;
                AmoswapD, "amoswap.d", A, Atomic, amo(3, 0x01), Atomic, Next;
                AmoaddD, "amoadd.d", A, Atomic, amo(3, 0x00), Atomic, Next;
                AmoxorD, "amoxor.d", A, Atomic, amo(3, 0x04), Atomic, Next;
                AmoandD, "amoand.d", A, Atomic, amo(3, 0x0c), Atomic, Next;
                AmoorD, "amoor.d", A, Atomic, amo(3, 0x08), Atomic, Next;
                AmominD, "amomin.d", A, Atomic, amo(3, 0x10), Atomic, Next;
                AmomaxD, "amomax.d", A, Atomic, amo(3, 0x14), Atomic, Next;
                AmominuD, "amominu.d", A, Atomic, amo(3, 0x18), Atomic, Next;
                AmomaxuD, "amomaxu.d", A, Atomic, amo(3, 0x1c), Atomic, Next;

                Flw, "flw", F, FloatLoad, funct3(LOAD_FP, 2), Load, Next;
                Fsw, "fsw", F, FloatStore, funct3(STORE_FP, 2), Store, Next;
                FmaddS, "fmadd.s", F, FloatFused, fused(MADD, 0), FloatFma, Next;
                FmsubS, "fmsub.s", F, FloatFused, fused(MSUB, 0), FloatFma, Next;
                FnmsubS, "fnmsub.s", F, FloatFused, fused(NMSUB, 0), FloatFma, Next;
                FnmaddS, "fnmadd.s", F, FloatFused, fused(NMADD, 0), FloatFma, Next;
                FaddS, "fadd.s", F, FloatRounded, float(0x00), FloatAdd, Next;
                FsubS, "fsub.s", F, FloatRounded, float(0x04), FloatAdd, Next;
                FmulS, "fmul.s", F, FloatRounded, float(0x08), FloatMultiply, Next;
                FdivS, "fdiv.s", F, FloatRounded, float(0x0c), FloatDivide, Next;
                FsqrtS, "fsqrt.s", F, FloatUnaryRounded, float_unary(0x2c, 0), FloatSqrt, Next;
                FsgnjS, "fsgnj.s", F, FloatRegister, funct7(OP_FP, 0, 0x10), FloatMove, Next;
                FsgnjnS, "fsgnjn.s", F, FloatRegister, funct7(OP_FP, 1, 0x10), FloatMove, Next;
                FsgnjxS, "fsgnjx.s", F, FloatRegister, funct7(OP_FP, 2, 0x10), FloatMove, Next;
                FminS, "fmin.s", F, FloatRegister, funct7(OP_FP, 0, 0x14), FloatAdd, Next;
                FmaxS, "fmax.s", F, FloatRegister, funct7(OP_FP, 1, 0x14), FloatAdd, Next;
                FleS, "fle.s", F, FloatCompare, funct7(OP_FP, 0, 0x50), FloatAdd, Next;
                FltS, "flt.s", F, FloatCompare, funct7(OP_FP, 1, 0x50), FloatAdd, Next;
                FeqS, "feq.s", F, FloatCompare, funct7(OP_FP, 2, 0x50), FloatAdd, Next;
                FcvtWS, "fcvt.w.s", F, FloatToInteger, float_unary(0x60, 0), FloatConvert, Next;
                FcvtWuS, "fcvt.wu.s", F, FloatToInteger, float_unary(0x60, 1), FloatConvert, Next;
                FcvtLS, "fcvt.l.s", F, FloatToInteger, float_unary(0x60, 2), FloatConvert, Next;
                FcvtLuS, "fcvt.lu.s", F, FloatToInteger, float_unary(0x60, 3), FloatConvert, Next;
                FcvtSW, "fcvt.s.w", F, IntegerToFloat, float_unary(0x68, 0), FloatConvert, Next;
                FcvtSWu, "fcvt.s.wu", F, IntegerToFloat, float_unary(0x68, 1), FloatConvert, Next;
                FcvtSL, "fcvt.s.l", F, IntegerToFloat, float_unary(0x68, 2), FloatConvert, Next;
                FcvtSLu, "fcvt.s.lu", F, IntegerToFloat, float_unary(0x68, 3), FloatConvert, Next;
                FmvXW, "fmv.x.w", F, MoveToInteger, funct12(OP_FP, 0, 0xe00), FloatMove, Next;
                FclassS, "fclass.s", F, MoveToInteger, funct12(OP_FP, 1, 0xe00), FloatMove, Next;
                FmvWX, "fmv.w.x", F, MoveToFloat, funct12(OP_FP, 0, 0xf00), FloatMove, Next;

                Fld, "fld", D, FloatLoad, funct3(LOAD_FP, 3), Load, Next;
                Fsd, "fsd", D, FloatStore, funct3(STORE_FP, 3), Store, Next;
                FmaddD, "fmadd.d", D, FloatFused, fused(MADD, 1), FloatFma, Next;
                FmsubD, "fmsub.d", D, FloatFused, fused(MSUB, 1), FloatFma, Next;
                FnmsubD, "fnmsub.d", D, FloatFused, fused(NMSUB, 1), FloatFma, Next;
                FnmaddD, "fnmadd.d", D, FloatFused, fused(NMADD, 1), FloatFma, Next;
                FaddD, "fadd.d", D, FloatRounded, float(0x01), FloatAdd, Next;
                FsubD, "fsub.d", D, FloatRounded, float(0x05), FloatAdd, Next;
                FmulD, "fmul.d", D, FloatRounded, float(0x09), FloatMultiply, Next;
                FdivD, "fdiv.d", D, FloatRounded, float(0x0d), FloatDivide, Next;
                FsqrtD, "fsqrt.d", D, FloatUnaryRounded, float_unary(0x2d, 0), FloatSqrt, Next;
                FsgnjD, "fsgnj.d", D, FloatRegister, funct7(OP_FP, 0, 0x11), FloatMove, Next;
                FsgnjnD, "fsgnjn.d", D, FloatRegister, funct7(OP_FP, 1, 0x11), FloatMove, Next;
                FsgnjxD, "fsgnjx.d", D, FloatRegister, funct7(OP_FP, 2, 0x11), FloatMove, Next;
                FminD, "fmin.d", D, FloatRegister, funct7(OP_FP, 0, 0x15), FloatAdd, Next;
                FmaxD, "fmax.d", D, FloatRegister, funct7(OP_FP, 1, 0x15), FloatAdd, Next;
                FleD, "fle.d", D, FloatCompare, funct7(OP_FP, 0, 0x51), FloatAdd, Next;
                FltD, "flt.d", D, FloatCompare, funct7(OP_FP, 1, 0x51), FloatAdd, Next;
                FeqD, "feq.d", D, FloatCompare, funct7(OP_FP, 2, 0x51), FloatAdd, Next;
                FcvtSD, "fcvt.s.d", D, FloatUnaryRounded, float_unary(0x20, 1), FloatConvert, Next;
                FcvtDS, "fcvt.d.s", D, FloatUnaryRounded, float_unary(0x21, 0), FloatConvert, Next;
                FcvtWD, "fcvt.w.d", D, FloatToInteger, float_unary(0x61, 0), FloatConvert, Next;
                FcvtWuD, "fcvt.wu.d", D, FloatToInteger, float_unary(0x61, 1), FloatConvert, Next;
                FcvtLD, "fcvt.l.d", D, FloatToInteger, float_unary(0x61, 2), FloatConvert, Next;
                FcvtLuD, "fcvt.lu.d", D, FloatToInteger, float_unary(0x61, 3), FloatConvert, Next;
                FcvtDW, "fcvt.d.w", D, IntegerToFloat, float_unary(0x69, 0), FloatConvert, Next;
                FcvtDWu, "fcvt.d.wu", D, IntegerToFloat, float_unary(0x69, 1), FloatConvert, Next;
                FcvtDL, "fcvt.d.l", D, IntegerToFloat, float_unary(0x69, 2), FloatConvert, Next;
                FcvtDLu, "fcvt.d.lu", D, IntegerToFloat, float_unary(0x69, 3), FloatConvert, Next;
                FmvXD, "fmv.x.d", D, MoveToInteger, funct12(OP_FP, 0, 0xe20), FloatMove, Next;
                FclassD, "fclass.d", D, MoveToInteger, funct12(OP_FP, 1, 0xe20), FloatMove, Next;
                FmvDX, "fmv.d.x", D, MoveToFloat, funct12(OP_FP, 0, 0xf20), FloatMove, Next;

                AddUw, "add.uw", Zba, Register, funct7(OP_32, 0, 0x04), Alu, Next;
                Sh1add, "sh1add", Zba, Register, funct7(OP, 2, 0x10), Alu, Next;
                Sh2add, "sh2add", Zba, Register, funct7(OP, 4, 0x10), Alu, Next;
                Sh3add, "sh3add", Zba, Register, funct7(OP, 6, 0x10), Alu, Next;
                Sh1addUw, "sh1add.uw", Zba, Register, funct7(OP_32, 2, 0x10), Alu, Next;
                Sh2addUw, "sh2add.uw", Zba, Register, funct7(OP_32, 4, 0x10), Alu, Next;
                Sh3addUw, "sh3add.uw", Zba, Register, funct7(OP_32, 6, 0x10), Alu, Next;
                SlliUw, "slli.uw", Zba, Shift, funct6(OP_IMM_32, 1, 0x02), Alu, Next;

                Andn, "andn", Zbb, Register, funct7(OP, 7, 0x20), Alu, Next;
                Orn, "orn", Zbb, Register, funct7(OP, 6, 0x20), Alu, Next;
                Xnor, "xnor", Zbb, Register, funct7(OP, 4, 0x20), Alu, Next;
                Clz, "clz", Zbb, Unary, funct12(OP_IMM, 1, 0x600), Alu, Next;
                Ctz, "ctz", Zbb, Unary, funct12(OP_IMM, 1, 0x601), Alu, Next;
                Cpop, "cpop", Zbb, Unary, funct12(OP_IMM, 1, 0x602), Alu, Next;
                Clzw, "clzw", Zbb, Unary, funct12(OP_IMM_32, 1, 0x600), Alu, Next;
                Ctzw, "ctzw", Zbb, Unary, funct12(OP_IMM_32, 1, 0x601), Alu, Next;
                Cpopw, "cpopw", Zbb, Unary, funct12(OP_IMM_32, 1, 0x602), Alu, Next;
                Min, "min", Zbb, Register, funct7(OP, 4, 0x05), Alu, Next;
                Minu, "minu", Zbb, Register, funct7(OP, 5, 0x05), Alu, Next;
                Max, "max", Zbb, Register, funct7(OP, 6, 0x05), Alu, Next;
                Maxu, "maxu", Zbb, Register, funct7(OP, 7, 0x05), Alu, Next;
                SextB, "sext.b", Zbb, Unary, funct12(OP_IMM, 1, 0x604), Alu, Next;
                SextH, "sext.h", Zbb, Unary, funct12(OP_IMM, 1, 0x605), Alu, Next;
                ZextH, "zext.h", Zbb, Unary, funct12(OP_32, 4, 0x080), Alu, Next;
                Rol, "rol", Zbb, Register, funct7(OP, 1, 0x30), Alu, Next;
                Ror, "ror", Zbb, Register, funct7(OP, 5, 0x30), Alu, Next;
                Rori, "rori", Zbb, Shift, funct6(OP_IMM, 5, 0x18), Alu, Next;
                Rolw, "rolw", Zbb, Register, funct7(OP_32, 1, 0x30), Alu, Next;
                Rorw, "rorw", Zbb, Register, funct7(OP_32, 5, 0x30), Alu, Next;
                Roriw, "roriw", Zbb, ShiftWord, funct7(OP_IMM_32, 5, 0x30), Alu, Next;
                OrcB, "orc.b", Zbb, Unary, funct12(OP_IMM, 5, 0x287), Alu, Next;
                Rev8, "rev8", Zbb, Unary, funct12(OP_IMM, 5, 0x6b8), Alu, Next;

                Bclr, "bclr", Zbs, Register, funct7(OP, 1, 0x24), Alu, Next;
                Bclri, "bclri", Zbs, Shift, funct6(OP_IMM, 1, 0x12), Alu, Next;
                Bext, "bext", Zbs, Register, funct7(OP, 5, 0x24), Alu, Next;
                Bexti, "bexti", Zbs, Shift, funct6(OP_IMM, 5, 0x12), Alu, Next;
                Binv, "binv", Zbs, Register, funct7(OP, 1, 0x34), Alu, Next;
                Binvi, "binvi", Zbs, Shift, funct6(OP_IMM, 1, 0x1a), Alu, Next;
                Bset, "bset", Zbs, Register, funct7(OP, 1, 0x14), Alu, Next;
                Bseti, "bseti", Zbs, Shift, funct6(OP_IMM, 1, 0x0a), Alu, Next;

                Sret, "sret", Privileged, None, exact(0x1020_0073), System, End;
                Mret, "mret", Privileged, None, exact(0x3020_0073), System, End;
                Wfi, "wfi", Privileged, None, exact(0x1050_0073), System, End;
                SfenceVma, "sfence.vma", Privileged, FenceTranslation, fence(0x09), Fence, End;

                HlvB, "hlv.b", H, GuestLoad, funct12(SYSTEM, 4, 0x600), Load, Next;
                HlvBu, "hlv.bu", H, GuestLoad, funct12(SYSTEM, 4, 0x601), Load, Next;
                HlvH, "hlv.h", H, GuestLoad, funct12(SYSTEM, 4, 0x640), Load, Next;
                HlvHu, "hlv.hu", H, GuestLoad, funct12(SYSTEM, 4, 0x641), Load, Next;
                HlvxHu, "hlvx.hu", H, GuestLoad, funct12(SYSTEM, 4, 0x643), Load, Next;
                HlvW, "hlv.w", H, GuestLoad, funct12(SYSTEM, 4, 0x680), Load, Next;
                HlvWu, "hlv.wu", H, GuestLoad, funct12(SYSTEM, 4, 0x681), Load, Next;
                HlvxWu, "hlvx.wu", H, GuestLoad, funct12(SYSTEM, 4, 0x683), Load, Next;
                HlvD, "hlv.d", H, GuestLoad, funct12(SYSTEM, 4, 0x6c0), Load, Next;
                HsvB, "hsv.b", H, GuestStore, guest_store(0x31), Store, Next;
                HsvH, "hsv.h", H, GuestStore, guest_store(0x33), Store, Next;
                HsvW, "hsv.w", H, GuestStore, guest_store(0x35), Store, Next;
                HsvD, "hsv.d", H, GuestStore, guest_store(0x37), Store, Next;
                HfenceVvma, "hfence.vvma", H, FenceTranslation, fence(0x11), Fence, End;
                HfenceGvma, "hfence.gvma", H, FenceTranslation, fence(0x31), Fence, End;
            }
            compressed {
                CAddi4spn, "c.addi4spn", AddressOnStack, compressed(0, 0), Addi, ZeroImmediate;
                CFld, "c.fld", LoadDouble, compressed(0, 1), Fld, Nothing;
                CLw, "c.lw", LoadWord, compressed(0, 2), Lw, Nothing;
                CLd, "c.ld", LoadDouble, compressed(0, 3), Ld, Nothing;
                CFsd, "c.fsd", StoreDouble, compressed(0, 5), Fsd, Nothing;
                CSw, "c.sw", StoreWord, compressed(0, 6), Sw, Nothing;
                CSd, "c.sd", StoreDouble, compressed(0, 7), Sd, Nothing;
                CNop, "c.nop", Immediate, compressed_rd(1, 0, 0), Addi, Nothing;
                CAddi, "c.addi", Immediate, compressed(1, 0), Addi, RdZero;
                CAddiw, "c.addiw", Immediate, compressed(1, 1), Addiw, RdZero;
                CLi, "c.li", LoadImmediate, compressed(1, 2), Addi, Nothing;
                CAddi16sp, "c.addi16sp", MoveStack, compressed_rd(1, 3, 2), Addi, ZeroImmediate;
                CLui, "c.lui", LoadUpper, compressed(1, 3), Lui, RdTwoOrZeroImmediate;
                CSrli, "c.srli", ShiftShort, compressed_alu_immediate(0), Srli, Nothing;
                CSrai, "c.srai", ShiftShort, compressed_alu_immediate(1), Srai, Nothing;
                CAndi, "c.andi", ImmediateShort, compressed_alu_immediate(2), Andi, Nothing;
                CSub, "c.sub", RegisterShort, compressed_alu(0x23, 0), Sub, Nothing;
                CXor, "c.xor", RegisterShort, compressed_alu(0x23, 1), Xor, Nothing;
                COr, "c.or", RegisterShort, compressed_alu(0x23, 2), Or, Nothing;
                CAnd, "c.and", RegisterShort, compressed_alu(0x23, 3), And, Nothing;
                CSubw, "c.subw", RegisterShort, compressed_alu(0x27, 0), Subw, Nothing;
                CAddw, "c.addw", RegisterShort, compressed_alu(0x27, 1), Addw, Nothing;
                CJ, "c.j", Jump, compressed(1, 5), Jal, Nothing;
                CBeqz, "c.beqz", BranchZero, compressed(1, 6), Beq, Nothing;
                CBnez, "c.bnez", BranchZero, compressed(1, 7), Bne, Nothing;
                CSlli, "c.slli", Shift, compressed(2, 0), Slli, Nothing;
                CFldsp, "c.fldsp", StackLoadDouble, compressed(2, 1), Fld, Nothing;
                CLwsp, "c.lwsp", StackLoadWord, compressed(2, 2), Lw, RdZero;
                CLdsp, "c.ldsp", StackLoadDouble, compressed(2, 3), Ld, RdZero;
                CJr, "c.jr", JumpRegister, compressed_jump_register(8), Jalr, Rs1Zero;
                CMv, "c.mv", Move, compressed_register(8), Add, Rs2Zero;
                CEbreak, "c.ebreak", None, compressed_exact(0x9002), Ebreak, Nothing;
                CJalr, "c.jalr", CallRegister, compressed_jump_register(9), Jalr, Rs1Zero;
                CAdd, "c.add", Register, compressed_register(9), Add, Rs2Zero;
                CFsdsp, "c.fsdsp", StackStoreDouble, compressed(2, 5), Fsd, Nothing;
                CSwsp, "c.swsp", StackStoreWord, compressed(2, 6), Sw, Nothing;
                CSdsp, "c.sdsp", StackStoreDouble, compressed(2, 7), Sd, Nothing;
            }
        }
    };
}

pub(crate) use for_each_instruction;

/// What the table says of a 32-bit instruction.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The name of the instruction.
    pub opcode: Opcode,
    /// The assembler's name.
    pub mnemonic: &'static str,
    /// The extension that defines it.
    pub extension: Extension,
    /// Its operands.
    pub format: Format,
    /// Its fixed bits.
    pub pattern: Pattern,
    /// What it costs.
    pub class: InstructionClass,
    /// Where execution goes after it.
    pub flow: Flow,
}

/// What the table says of a 16-bit instruction.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct CompressedRow {
    /// The name of the instruction.
    pub name: Compressed,
    /// The assembler's name.
    pub mnemonic: &'static str,
    /// Its operands.
    pub format: CompressedFormat,
    /// Its fixed bits.
    pub pattern: Pattern,
    /// The instruction that it stands for.
    pub opcode: Opcode,
    /// The operands that make the encoding a reserved one, or another row's.
    pub reserved: Reserved,
}

macro_rules! define {
    (
        base { $($name:ident, $text:literal, $extension:ident, $format:ident, $pattern:expr,
                 $class:ident, $flow:ident;)* }
        compressed { $($short:ident, $short_text:literal, $short_format:ident, $short_pattern:expr,
                       $base:ident, $reserved:ident;)* }
    ) => {
        /// The name of a 32-bit instruction.
        #[allow(missing_docs, reason = "the names are the specification's")]
        #[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u16)]
        pub enum Opcode { $($name),* }

        /// The name of a 16-bit instruction.
        #[allow(missing_docs, reason = "the names are the specification's")]
        #[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Compressed { $($short),* }

        /// All 32-bit instructions, in the order of [`Opcode`].
        pub static INSTRUCTIONS: &[Row] = &[$(Row {
            opcode: Opcode::$name,
            mnemonic: $text,
            extension: Extension::$extension,
            format: Format::$format,
            pattern: $pattern,
            class: InstructionClass::$class,
            flow: Flow::$flow,
        }),*];

        /// All 16-bit instructions, in the order of [`Compressed`].
        pub static COMPRESSED: &[CompressedRow] = &[$(CompressedRow {
            name: Compressed::$short,
            mnemonic: $short_text,
            format: CompressedFormat::$short_format,
            pattern: $short_pattern,
            opcode: Opcode::$base,
            reserved: Reserved::$reserved,
        }),*];
    };
}

for_each_instruction!(define);

impl Opcode {
    /// The row of the table.
    #[inline]
    pub fn row(self) -> &'static Row {
        &INSTRUCTIONS[self as usize]
    }
}

impl Compressed {
    /// The row of the table.
    #[inline]
    pub fn row(self) -> &'static CompressedRow {
        &COMPRESSED[self as usize]
    }
}
