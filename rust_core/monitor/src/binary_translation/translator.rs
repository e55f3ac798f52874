//! From a run of the guest's code to translated code.
//!
//! Translation goes on from instruction to instruction until one that goes elsewhere for certain,
//! the end of the page, or a limit. Innocuous instructions are copied; those whose result depends
//! on where they are get the guest's addresses; what is sensitive is inlined or calls the monitor.

use super::emitter::{Action, Emitter, Fix, from_float, immediate, length_of, op, to_float};
use super::inline::inline;
use super::registers::{SECOND_SPILL, SECOND_TEMPORARY, SPILL, TARGET, TEMPORARY};
use crate::instruction::{CsrAccess, Sensitive, sensitive};
use crate::supervisor::csr;
use dcsim_hart::isa::{Extension, Flow, Opcode, Register, decode, instruction_length};
use dcsim_hart::{Op, Privilege};

/// The most instructions of the guest in a block.
const LONGEST_BLOCK: usize = 32;

/// The most bytes of the guest's code that a block is made from.
pub(super) const MOST_SOURCE_BYTES: usize = LONGEST_BLOCK * 4;

/// `fflags`, `frm` and `fcsr`.
const FLOAT_CSRS: std::ops::RangeInclusive<u16> = 1..=3;

const ZERO: Register = Register::R0;

/// Whether the block goes on.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Goes {
    On,
    Away,
}

/// A block that is being translated.
#[derive(Debug, Default)]
struct Translator {
    code: Emitter,
    /// The code is the kernel's: its virtual registers are in reach.
    is_kernel: bool,
    /// Branches that wait for the end of the block: where they are, what they are, where they go.
    branches: Vec<(usize, Op, u64)>,
    /// The floating-point registers are the guest's.
    float_is_open: bool,
    translated: usize,
}

/// A translated block, and how many instructions of the guest are in it.
#[derive(Debug)]
pub(super) struct Translation {
    /// The code.
    pub(super) code: Emitter,
    /// Instructions of the guest.
    pub(super) instructions: usize,
}

/// Translates the code in `bytes`, which the guest executes at `start` in a mode. It has at least one whole
/// instruction.
pub(super) fn translate(bytes: &[u8], start: u64, mode: Privilege) -> Translation {
    let is_kernel = mode == Privilege::Supervisor;
    let mut translator = Translator { is_kernel, ..Translator::default() };
    let mut done = 0;
    let mut goes = Goes::On;
    while goes == Goes::On && translator.translated < LONGEST_BLOCK {
        let Some(bits) = bits_at(&bytes[done..]) else { break };
        let length = instruction_length(bits as u16) as u64;
        goes = translator.instruction(start.wrapping_add(done as u64), bits, length);
        done += length as usize;
    }
    let next = start.wrapping_add(done as u64);
    translator.finish((goes == Goes::On).then_some(next));
    Translation { code: translator.code, instructions: translator.translated }
}

/// Translates one instruction that accesses memory, to be executed alone.
pub(super) fn translate_single(bits: u32, pc: u64) -> Emitter {
    let mut translator = Translator::default();
    let length = length_of(bits);
    translator.instruction(pc, bits, length);
    translator.code.guest = pc.wrapping_add(length);
    translator.close_float();
    translator.code.call(Action::Stepped);
    translator.code
}

/// The instruction that bytes begin with, if it is there whole.
pub(super) fn bits_at(bytes: &[u8]) -> Option<u32> {
    let low = u16::from_le_bytes(*bytes.first_chunk()?);
    if instruction_length(low) == 2 {
        return Some(u32::from(low));
    }
    Some(u32::from_le_bytes(*bytes.first_chunk()?))
}

impl Translator {
    fn instruction(&mut self, pc: u64, bits: u32, length: u64) -> Goes {
        self.translated += 1;
        let next = pc.wrapping_add(length);
        (self.code.guest, self.code.bits, self.code.fix) = (pc, bits, Fix::None);
        let Some(op) = decode(bits) else { return self.call(Goes::Away) };
        if is_float(&op) {
            return self.float(bits, length);
        }
        match op.opcode {
            Opcode::Auipc => self.address(op.rd, pc.wrapping_add_signed(op.imm), next),
            Opcode::Jal => self.jump(&op, pc, next),
            Opcode::Jalr => self.jump_register(&op, next),
            Opcode::Ecall => self.call(Goes::On),
            _ if op.opcode.row().flow == Flow::Branch => self.branch(&op, pc),
            _ => match sensitive(bits) {
                Some(Sensitive::Csr(access)) => self.csr(&access, bits, length),
                Some(Sensitive::WaitForInterrupt | Sensitive::AddressFence { .. }) => {
                    self.call(Goes::On)
                }
                Some(Sensitive::SupervisorReturn) => self.call(Goes::Away),
                None if matches!(op.opcode, Opcode::Ebreak | Opcode::Mret) => self.call(Goes::Away),
                None => {
                    self.code.copy(bits, length);
                    Goes::On
                }
            },
        }
    }

    /// The monitor emulates the instruction.
    fn call(&mut self, goes: Goes) -> Goes {
        self.close_float();
        self.code.call(Action::Call);
        goes
    }

    /// A floating-point instruction: with the guest's registers.
    fn float(&mut self, bits: u32, length: u64) -> Goes {
        if !self.float_is_open {
            self.code.call(Action::OpenFloat);
            self.float_is_open = true;
        }
        self.code.copy(bits, length);
        Goes::On
    }

    fn close_float(&mut self) {
        if std::mem::take(&mut self.float_is_open) {
            self.code.call(Action::CloseFloat);
        }
    }

    fn csr(&mut self, access: &CsrAccess, bits: u32, length: u64) -> Goes {
        if access.number == csr::TIME && !access.writes() {
            self.code.copy(bits, length);
            return Goes::On;
        }
        self.close_float();
        if !self.is_kernel || !inline(&mut self.code, access) {
            self.code.call(Action::Call);
        }
        Goes::On
    }

    /// A result that depends on where the instruction is.
    fn address(&mut self, rd: Register, value: u64, next: u64) -> Goes {
        self.code.result(rd, value, next);
        Goes::On
    }

    fn jump(&mut self, op: &Op, pc: u64, next: u64) -> Goes {
        self.close_float();
        let target = pc.wrapping_add_signed(op.imm);
        if op.rd != ZERO {
            self.code.result(op.rd, next, target);
            self.code.guest = target;
        }
        self.code.call(Action::Exit { target, retires: op.rd == ZERO });
        Goes::Away
    }

    /// The target goes to a register of its own, which translated code looks up.
    fn jump_register(&mut self, jump: &Op, next: u64) -> Goes {
        self.close_float();
        let code = &mut self.code;
        code.op(&to_float(SPILL, TEMPORARY));
        code.op(&to_float(SECOND_SPILL, SECOND_TEMPORARY));
        code.op(&immediate(Opcode::Addi, TEMPORARY, jump.rs1, jump.imm));
        code.fix = Fix::Restore(TEMPORARY, SPILL);
        code.op(&immediate(Opcode::Andi, TEMPORARY, TEMPORARY, -2));
        code.retiring(&to_float(TARGET, TEMPORARY));
        let link = (jump.rd != ZERO).then_some((jump.rd, next));
        code.fix = Fix::Jump(link);
        if let Some((rd, value)) = link {
            self.link(rd, value);
        }
        self.dispatch();
        Goes::Away
    }

    /// The link register, or the place that it will be restored from.
    fn link(&mut self, rd: Register, value: u64) {
        let spill = [(TEMPORARY, SPILL), (SECOND_TEMPORARY, SECOND_SPILL)]
            .into_iter()
            .find_map(|(register, spill)| (register == rd).then_some(spill));
        let register = if spill.is_some() { SECOND_TEMPORARY } else { rd };
        for op in super::emitter::constant(register, value) {
            self.code.op(&op);
        }
        if let Some(spill) = spill {
            self.code.op(&to_float(spill, SECOND_TEMPORARY));
        }
    }

    /// To the entry for the target, ten of whose bits choose it.
    fn dispatch(&mut self) {
        let code = &mut self.code;
        code.op(&immediate(Opcode::Slli, TEMPORARY, TEMPORARY, 53));
        code.op(&immediate(Opcode::Srli, TEMPORARY, TEMPORARY, 52));
        code.dispatches.push(code.here());
        code.op(&immediate(Opcode::Auipc, SECOND_TEMPORARY, ZERO, 0));
        code.op(&op(Opcode::Add, TEMPORARY, TEMPORARY, SECOND_TEMPORARY));
        code.op(&immediate(Opcode::Jalr, ZERO, TEMPORARY, 0));
    }

    /// Where the branch is taken, it goes to an exit at the end of the block.
    fn branch(&mut self, op: &Op, pc: u64) -> Goes {
        self.close_float();
        self.branches.push((self.code.here(), *op, pc.wrapping_add_signed(op.imm)));
        self.code.retiring(&Op { imm: 0, ..*op });
        Goes::On
    }

    fn finish(&mut self, next: Option<u64>) {
        self.code.fix = Fix::None;
        self.code.bits = 0;
        if let Some(target) = next {
            self.code.guest = target;
            self.close_float();
            self.code.call(Action::Exit { target, retires: false });
        }
        for (offset, branch, target) in std::mem::take(&mut self.branches) {
            self.code.guest = target;
            self.code.branch_here(offset, &branch);
            self.code.call(Action::Exit { target, retires: false });
        }
    }
}

fn is_float(op: &Op) -> bool {
    let row = op.opcode.row();
    let csr = row.flow == Flow::Next
        && row.extension == Extension::Zicsr
        && FLOAT_CSRS.contains(&(op.imm as u16));
    csr || matches!(row.extension, Extension::F | Extension::D)
}

/// Code that compares the target of an indirect jump with `target`: falls through if it is that,
/// with the temporaries restored. Returns the code and where its branch to the next comparison is.
pub(super) fn compare(code: &mut Emitter, target: u64) -> (usize, Op) {
    code.fix = Fix::Jump(None);
    code.op(&from_float(TEMPORARY, TARGET));
    for op in super::emitter::constant(SECOND_TEMPORARY, target) {
        code.op(&op);
    }
    let branch = op(Opcode::Bne, ZERO, TEMPORARY, SECOND_TEMPORARY);
    let at = code.here();
    code.op(&branch);
    code.op(&from_float(TEMPORARY, SPILL));
    code.op(&from_float(SECOND_TEMPORARY, SECOND_SPILL));
    (at, branch)
}
