//! Units of system instructions: registers that can be told apart safely, and traps.

use crate::assembler::{csr, immediate};
use crate::layout::number;
use crate::random::Random;
use crate::sequence::{any_register, words};
use crate::world::World;
use dcsim_hart::Privilege;
use dcsim_hart::isa::{Opcode, Register};
use dcsim_hart::op::Op;

/// CSRs that hold what is written to them and change nothing else: `fflags`, `frm`, `fcsr`,
/// `stval`, `mtval`, and `sscratch` where the handler does not need it. Not `sepc` and `mepc`: their
/// lowest bit is always zero, but QEMU 10 keeps what was written to it.
const HOLDING: [u16; 6] = [0x001, 0x002, 0x003, 0x143, 0x343, number::SSCRATCH];

/// `mstatus.SUM` and `mstatus.MXR`, as the upper immediate of LUI.
const ACCESS_BITS: [i64; 2] = [1 << 18, 1 << 19];

/// Access to a control and status register.
pub fn csr_access(random: &mut Random, world: &World) -> Vec<u8> {
    match random.below(4) {
        0 if world.privilege == Privilege::Supervisor => change_access(random),
        2 if world.privilege != Privilege::User => change_interrupts(random, world),
        1 if world.privilege == Privilege::User => read_any(random),
        _ => write_holding(random, world),
    }
}

fn write_holding(random: &mut Random, world: &World) -> Vec<u8> {
    let opcodes = [
        Opcode::Csrrw,
        Opcode::Csrrs,
        Opcode::Csrrc,
        Opcode::Csrrwi,
        Opcode::Csrrsi,
        Opcode::Csrrci,
    ];
    let free =
        if world.privilege == Privilege::Supervisor { HOLDING.len() - 1 } else { HOLDING.len() };
    let number = random.pick(&HOLDING[..free]);
    words(&[csr(random.pick(&opcodes), any_register(random), number, any_register(random))])
}

/// Sets or clears one of the bits that permit supervisor mode more.
fn change_access(random: &mut Random) -> Vec<u8> {
    let register = Register::from_bits(1 + random.below(31) as u32);
    let opcode = random.pick(&[Opcode::Csrrs, Opcode::Csrrc]);
    words(&[
        Op { rd: register, imm: random.pick(&ACCESS_BITS), ..Op::new(Opcode::Lui, 4) },
        csr(opcode, any_register(random), number::SSTATUS, register),
    ])
}

/// Raises, enables or delegates the software interrupt of supervisor mode, or the contrary.
fn change_interrupts(random: &mut Random, world: &World) -> Vec<u8> {
    let supervisor = [(number::SIP, 2), (number::SIE, 2), (number::SSTATUS, 2)];
    let machine = [(number::MIP, 2), (number::MIE, 2), (number::MSTATUS, 8), (number::MIDELEG, 2)];
    let (register, bits) = match world.privilege {
        Privilege::Supervisor => random.pick(&supervisor),
        _ => random.pick(&machine),
    };
    let opcode = random.pick(&[Opcode::Csrrsi, Opcode::Csrrsi, Opcode::Csrrci]);
    words(&[csr(opcode, any_register(random), register, Register::from_bits(bits))])
}

/// Reads a register of any number, which is illegal for almost all.
fn read_any(random: &mut Random) -> Vec<u8> {
    words(&[csr(Opcode::Csrrs, any_register(random), random.below(4096) as u16, Register::R0)])
}

/// An instruction whose only effect is a trap, or none at all: a call, a breakpoint, or one that
/// needs more privilege than there is. Not MRET, for which QEMU 10 gives the bits of an earlier
/// instruction as the trap value; nor WFI, for which it gives a wrong address at the end of a page.
pub fn trap(random: &mut Random, world: &World) -> Vec<u8> {
    match (random.below(4), world.privilege) {
        (0, _) => 0x9002_u16.to_le_bytes().to_vec(),
        (1, Privilege::User) => words(&[Op::new(Opcode::Sret, 4)]),
        (2, _) => fence(random),
        _ => words(&[Op::new(random.pick(&[Opcode::Ecall, Opcode::Ebreak]), 4)]),
    }
}

fn fence(random: &mut Random) -> Vec<u8> {
    let (rs1, rs2) = (any_register(random), any_register(random));
    let op = immediate(Opcode::SfenceVma, Register::R0, rs1, 0);
    words(&[Op { rs2, ..op }])
}
