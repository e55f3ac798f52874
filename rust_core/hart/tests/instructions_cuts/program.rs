//! Random programs.

use dcsim_hart::Op;
use dcsim_hart::isa::{Opcode, Register, encode};

/// A small generator of repeatable numbers (the constants are Marsaglia's xorshift64).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        let mut numbers = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            numbers.next();
        }
        numbers
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What registers hold throughout: the data, the device, an instruction to patch, its patch.
pub const DATA: Register = Register::R8;
pub const DEVICE: Register = Register::R29;
pub const PATCHED: Register = Register::R16;
pub const PATCH: Register = Register::R17;
/// The data plus 4, for misaligned doubleword atomics.
pub const MISALIGNED: Register = Register::R9;
/// The page after the data that is not mapped.
pub const UNMAPPED: Register = Register::R18;

const ZERO: Register = Register::R0;

fn op(opcode: Opcode, rd: Register, rs1: Register, rs2: Register, imm: i64) -> u32 {
    encode(&Op { rd, rs1, rs2, imm, ..Op::new(opcode, 4) })
}

/// The trap handler of machine mode: sets the timer, or skips the four bytes of the instruction.
pub fn machine_handler() -> Vec<u32> {
    use Opcode::*;
    let (a, b) = (Register::R30, Register::R31);
    vec![
        op(Csrrs, a, ZERO, ZERO, 0x342),
        op(Blt, ZERO, a, ZERO, 20),
        op(Csrrs, b, ZERO, ZERO, 0x341),
        op(Addi, b, b, ZERO, 4),
        op(Csrrw, ZERO, b, ZERO, 0x341),
        op(Mret, ZERO, ZERO, ZERO, 0),
        op(Csrrs, b, ZERO, ZERO, 0xc01),
        op(Addi, b, b, ZERO, 61),
        op(Sd, ZERO, DEVICE, b, 0),
        op(Mret, ZERO, ZERO, ZERO, 0),
    ]
}

/// The timer handler of supervisor mode.
pub fn supervisor_handler() -> Vec<u32> {
    use Opcode::*;
    let a = Register::R28;
    vec![
        op(Csrrs, a, ZERO, ZERO, 0xc01),
        op(Addi, a, a, ZERO, 37),
        op(Csrrw, ZERO, a, ZERO, 0x14d),
        op(Sret, ZERO, ZERO, ZERO, 0),
    ]
}

/// A program of this many bytes that loops for ever: halfwords in order.
pub fn random(numbers: &mut Numbers, bytes: usize) -> Vec<u16> {
    let mut code = Vec::new();
    while code.len() * 2 + 8 < bytes {
        if numbers.below(3) == 0 {
            code.push(short(numbers));
        } else {
            let word = long(numbers);
            code.extend([word as u16, (word >> 16) as u16]);
        }
    }
    let back = op(Opcode::Jal, ZERO, ZERO, ZERO, -(code.len() as i64 * 2));
    code.extend([back as u16, (back >> 16) as u16]);
    code
}

fn scratch(numbers: &mut Numbers) -> Register {
    const SCRATCH: [u32; 9] = [0, 5, 6, 7, 10, 11, 12, 13, 14];
    Register::from_bits(SCRATCH[numbers.below(9) as usize])
}

/// `c.addi`, `c.mv`, `c.add` or `c.ld` on registers that may change.
fn short(numbers: &mut Numbers) -> u16 {
    let register = 10 + numbers.below(5) as u16;
    let other = 10 + numbers.below(5) as u16;
    match numbers.below(4) {
        0 => 0x0001 | register << 7 | (numbers.below(32) as u16) << 2,
        1 => 0x8002 | register << 7 | other << 2,
        2 => 0x9002 | register << 7 | other << 2,
        _ => 0x6000 | (register - 8) << 2 | (numbers.below(8) as u16) << 10,
    }
}

fn long(numbers: &mut Numbers) -> u32 {
    let (rd, rs1, rs2) = (scratch(numbers), scratch(numbers), scratch(numbers));
    let offset = numbers.below(4096) as i64 - 2048;
    match numbers.below(24) {
        0..=4 => arithmetic(numbers, (rd, rs1, rs2), offset),
        5..=8 => memory(numbers, (rd, rs2), offset),
        9..=11 => branch(numbers, (rs1, rs2)),
        12 => op(Opcode::Jal, rd, ZERO, ZERO, 4 + 4 * numbers.below(2) as i64),
        13 => atomic(numbers, (rd, rs2)),
        14 | 15 => csr(numbers, (rd, rs1)),
        16 => trap(numbers),
        17 => device(numbers, (rd, rs2)),
        18 => fence(numbers),
        19 => op(Opcode::Sw, ZERO, PATCHED, PATCH, 0),
        20 => op(Opcode::Xor, PATCH, PATCH, Register::R15, 0),
        _ => float(numbers, (rd, rs1, rs2), offset),
    }
}

fn choose<T: Copy>(numbers: &mut Numbers, choices: &[T]) -> T {
    choices[numbers.below(choices.len() as u64) as usize]
}

fn arithmetic(
    numbers: &mut Numbers,
    (rd, rs1, rs2): (Register, Register, Register),
    imm: i64,
) -> u32 {
    use Opcode::*;
    let opcode = choose(
        numbers,
        &[Add, Sub, Xor, Mul, Div, Remu, Sltu, Sh2add, Addi, Andi, Addiw, Slti, Auipc, Lui],
    );
    let imm = if matches!(opcode, Auipc | Lui) { imm << 12 } else { imm };
    op(opcode, rd, rs1, rs2, imm)
}

/// Mostly aligned loads and stores; some misaligned, some across pages, some refused.
fn memory(numbers: &mut Numbers, (rd, rs2): (Register, Register), offset: i64) -> u32 {
    use Opcode::*;
    let aligned = if numbers.below(4) == 0 { offset } else { offset & !7 };
    let base = if numbers.below(12) == 0 { UNMAPPED } else { DATA };
    let opcode = choose(numbers, &[Ld, Lw, Lbu, Lh, Ld, Sd, Sw, Sb, Sd]);
    op(opcode, rd, base, rs2, aligned)
}

fn branch(numbers: &mut Numbers, (rs1, rs2): (Register, Register)) -> u32 {
    use Opcode::*;
    let opcode = choose(numbers, &[Beq, Bne, Blt, Bge, Bltu, Bgeu]);
    op(opcode, ZERO, rs1, rs2, 4 + 2 * numbers.below(12) as i64)
}

fn atomic(numbers: &mut Numbers, (rd, rs2): (Register, Register)) -> u32 {
    use Opcode::*;
    let base = if numbers.below(6) == 0 { MISALIGNED } else { DATA };
    let opcode = choose(numbers, &[AmoaddD, AmoswapW, AmomaxuD, LrD, ScD]);
    let rs2 = if opcode == LrD { ZERO } else { rs2 };
    op(opcode, rd, base, rs2, 0)
}

/// Counters, scratch, interrupt enables, and the timer.
fn csr(numbers: &mut Numbers, (rd, rs1): (Register, Register)) -> u32 {
    use Opcode::*;
    match numbers.below(7) {
        0 => op(Csrrs, rd, ZERO, ZERO, 0xc00),
        1 => op(Csrrs, rd, ZERO, ZERO, 0xc01),
        2 => op(Csrrs, rd, ZERO, ZERO, 0xc02),
        3 => op(Csrrw, rd, rs1, ZERO, 0x140),
        4 | 5 => op(Csrrsi, rd, Register::R2, ZERO, 0x100),
        _ => op(Csrrci, rd, Register::R2, ZERO, 0x100),
    }
}

fn trap(numbers: &mut Numbers) -> u32 {
    use Opcode::*;
    match numbers.below(4) {
        0 => op(Ecall, ZERO, ZERO, ZERO, 0),
        1 => op(Ebreak, ZERO, ZERO, ZERO, 0),
        2 => op(Mret, ZERO, ZERO, ZERO, 0),
        _ => 0xffff_ffff,
    }
}

fn device(numbers: &mut Numbers, (rd, rs2): (Register, Register)) -> u32 {
    use Opcode::*;
    match numbers.below(4) {
        0 => op(Ld, rd, DEVICE, ZERO, 8),
        1 => op(Sd, ZERO, DEVICE, rs2, 8),
        // The timer interrupt is pending at once.
        2 => op(Sd, ZERO, DEVICE, ZERO, 0),
        _ => op(Sd, ZERO, DEVICE, rs2, 16),
    }
}

fn fence(numbers: &mut Numbers) -> u32 {
    use Opcode::*;
    match numbers.below(4) {
        0 => op(FenceI, ZERO, ZERO, ZERO, 0),
        1 => op(SfenceVma, ZERO, ZERO, ZERO, 0),
        2 => op(SfenceVma, ZERO, DATA, ZERO, 0),
        _ => op(Fence, ZERO, ZERO, ZERO, 0xff),
    }
}

fn float(
    numbers: &mut Numbers,
    (rd, rs1, rs2): (Register, Register, Register),
    offset: i64,
) -> u32 {
    use Opcode::*;
    match numbers.below(5) {
        0 => op(Fld, rd, DATA, ZERO, offset & !7),
        1 => op(Fsd, ZERO, DATA, rs2, offset & !7),
        2 => op(FaddD, rd, rs1, rs2, 7),
        3 => op(FmulS, rd, rs1, rs2, numbers.below(7) as i64),
        _ => op(FcvtLD, rd, rs1, ZERO, 1),
    }
}
