//! Units of a case: instructions about guests, with what they need before them.

use super::case::{Case, HS, MACHINE, USER, VS, VU};
use super::layout::{SCRATCH, SCRATCH_PAGES};
use super::registers::hnumber::{HSTATUS, HTINST, HVIP, MTVAL2, VSSTATUS};
use super::registers::{PRINTED, WRITTEN, is_pending};
use super::tables::Target;
use crate::assembler::{address, csr, immediate, register, store};
use crate::encoding;
use crate::layout::{PAGE, number};
use crate::random::Random;
use crate::sequence::{any_register, other_than, words};
use crate::values;
use dcsim_hart::isa::{Extension, InstructionClass, Opcode, Register};
use dcsim_hart::op::Op;

use Opcode::{
    Csrrc, Csrrs, Csrrw, Ebreak, Ecall, FaddD, FsgnjD, HfenceGvma, HfenceVvma, HlvB, HlvBu, HlvD,
    HlvH, HlvHu, HlvW, HlvWu, HlvxHu, HlvxWu, HsvB, HsvD, HsvH, HsvW, Jalr, Lb, Lbu, Ld, Lh, Lhu,
    Lw, Lwu, Sb, Sd, SfenceVma, Sh, Sret, Sw, Wfi,
};

const LOADS: [Opcode; 7] = [Lb, Lbu, Lh, Lhu, Lw, Lwu, Ld];
const STORES: [Opcode; 4] = [Sb, Sh, Sw, Sd];
const GUEST_LOADS: [Opcode; 9] = [HlvB, HlvBu, HlvH, HlvHu, HlvW, HlvWu, HlvD, HlvxHu, HlvxWu];
const GUEST_STORES: [Opcode; 4] = [HsvB, HsvH, HsvW, HsvD];

/// `mstatus.MPRV`, with a previous mode of VS or VU.
const MPRV: u64 = 1 << 17 | 1 << 39;
const MPP_SHIFT: u32 = 11;
const TSR: u64 = 1 << 22;
/// `mstatus.TW` and `hstatus.VTW`: waiting traps.
const TW: u64 = 1 << 21;
const VTW: u64 = 1 << 21;
const COUNTERS: [u16; 3] = [number::CYCLE, number::TIME, number::INSTRET];

/// What a case does first. Machine mode accesses memory in a guest's place.
pub fn prologue(random: &mut Random, case: &Case, here: u64) -> Vec<u8> {
    if case.mode != MACHINE {
        return Vec::new();
    }
    let rd = Register::R5;
    let mut ops = address(rd, here, MPRV | random.below(2) << MPP_SHIFT);
    // The previous mode was machine mode; clear it before it is set.
    let clear = address(Register::R6, here + 4 * ops.len() as u64, 3 << MPP_SHIFT);
    ops.extend(clear);
    ops.push(csr(Csrrc, Register::R0, number::MSTATUS, Register::R6));
    ops.push(csr(Csrrs, Register::R0, number::MSTATUS, rd));
    words(&ops)
}

/// Any unit; `here` is its address in the mode that the case starts in.
pub fn generate(random: &mut Random, case: &Case, here: u64) -> Vec<u8> {
    match random.below(20) {
        0..6 => access(random, case, here),
        6..10 => guest_access(random, case, here),
        10 => fence(random),
        11..13 => read(random, case),
        13..16 => write(random, case, here),
        16 => trap(random, case),
        17 => landing(random, case, here),
        18 => words(&[float(random)]),
        _ => words(&[arithmetic(random)]),
    }
}

/// Loads and stores: of a guest, or in its place; elsewhere of memory as it is.
fn access(random: &mut Random, case: &Case, here: u64) -> Vec<u8> {
    let is_store = random.once_in(2);
    let target = if case.mode == HS || case.mode == USER {
        SCRATCH + random.below(SCRATCH_PAGES * PAGE / 8) * 8
    } else {
        guest_target(random, case, is_store)
    };
    let base = other_than(random, &[Register::R0]);
    let op = if is_store {
        store(random.pick(&STORES), any_register(random), base, 0)
    } else {
        immediate(random.pick(&LOADS), any_register(random), base, 0)
    };
    with_address(base, here, target, op)
}

/// The instructions by which HS mode accesses a guest's memory. HLVX only where it may not be executed:
/// QEMU 10 has it raise the exceptions of a fetch.
fn guest_access(random: &mut Random, case: &Case, here: u64) -> Vec<u8> {
    let is_store = random.once_in(3);
    let target = guest_target(random, case, is_store);
    let base = other_than(random, &[Register::R0]);
    let op = if is_store {
        store(random.pick(&GUEST_STORES), any_register(random), base, 0)
    } else {
        let opcodes = if case.mode.1 { &GUEST_LOADS[..] } else { &GUEST_LOADS[..7] };
        register(random.pick(opcodes), any_register(random), base, Register::R0)
    };
    with_address(base, here, target, op)
}

fn guest_target(random: &mut Random, case: &Case, is_store: bool) -> u64 {
    let may_store = |target| matches!(target, Target::Scratch | Target::Nothing);
    case.target(random, |target| !is_store || may_store(target)).0
}

fn with_address(base: Register, here: u64, target: u64, op: Op) -> Vec<u8> {
    let mut ops = address(base, here, target);
    ops.push(op);
    words(&ops)
}

/// The kinds of fences, of everything or of what some register says.
fn fence(random: &mut Random) -> Vec<u8> {
    let opcode = random.pick(&[HfenceVvma, HfenceGvma, SfenceVma]);
    let (rs1, rs2) = (any_register(random), any_register(random));
    words(&[register(opcode, Register::R0, rs1, rs2)])
}

/// Reads a register. Of the counters only whether they may be read.
fn read(random: &mut Random, case: &Case) -> Vec<u8> {
    if random.once_in(4) {
        return words(&[csr(Csrrs, Register::R0, random.pick(&COUNTERS), Register::R0)]);
    }
    let number = pick(random, &PRINTED, |number| is_readable(case, *number));
    words(&[csr(Csrrs, any_register(random), number, Register::R0)])
}

/// One of the choices that is wanted, of which there must be one.
fn pick<T: Copy>(random: &mut Random, choices: &[T], wanted: impl Fn(&T) -> bool) -> T {
    loop {
        let choice = random.pick(choices);
        if wanted(&choice) {
            return choice;
        }
    }
}

/// Whether QEMU 10 and the specification agree on who may access a register, and what it does. In VU mode
/// it calls an access to a supervisor register illegal instead of virtual; in VS mode it lets `mideleg`
/// govern `sie` and `sip`.
fn is_comparable(case: &Case, number: u16) -> bool {
    let is_supervisors = number >> 8 & 3 == 1;
    match case.mode {
        VU => !is_supervisors,
        VS => !matches!(number, number::SIE | number::SIP),
        _ => true,
    }
}

/// Whether it also shows the value that the specification says: see the registers that are not compared
/// in [`super::compare`].
fn is_readable(case: &Case, number: u16) -> bool {
    let not = [number::MSTATUS, number::MIDELEG, HVIP, HTINST, MTVAL2, VSSTATUS];
    let is_guests_status = case.mode == VS && number == number::SSTATUS;
    is_comparable(case, number) && !not.contains(&number) && !is_guests_status
}

fn write(random: &mut Random, case: &Case, here: u64) -> Vec<u8> {
    let row = pick(random, &WRITTEN, |row| {
        is_comparable(case, row.number)
            && !(case.has_external_interrupt() && is_pending(row.number))
    });
    let value = values::integer(random) & row.mask;
    let base = other_than(random, &[Register::R0]);
    let opcode = random.pick(&[Csrrw, Csrrs, Csrrc]);
    let read = if is_readable(case, row.number) { any_register(random) } else { Register::R0 };
    with_address(base, here, value, csr(opcode, read, row.number, base))
}

/// What ends a case, or returns into another mode. Not MRET, for which QEMU 10 gives the bits of an
/// earlier instruction as the trap value; SRET not in VU mode, where that calls it illegal instead of
/// virtual, and in VS mode not with `mstatus.TSR`, which there is no business of a guest's; and WFI only where it must trap, not where it may wait.
fn trap(random: &mut Random, case: &Case) -> Vec<u8> {
    let waiting_traps = case.value(number::MSTATUS) & TW != 0 || case.value(HSTATUS) & VTW != 0;
    let opcode = match random.pick(&[Ecall, Ebreak, Sret, Sret, Wfi]) {
        Wfi if !(case.mode == VS && waiting_traps) => Ecall,
        Sret if case.mode == VU || (case.mode == VS && case.value(number::MSTATUS) & TSR != 0) => {
            Ecall
        }
        other => other,
    };
    words(&[Op::new(opcode, 4)])
}

/// A call of a page that may not be executable.
fn landing(random: &mut Random, case: &Case, here: u64) -> Vec<u8> {
    let (target, _) = case.target(random, |target| target == Target::Landing);
    let base = other_than(random, &[Register::R0]);
    with_address(base, here, target + 2, immediate(Jalr, Register::R1, base, 0))
}

/// Changes a floating-point register, if the unit is on at both levels.
fn float(random: &mut Random) -> Op {
    let opcode = random.pick(&[FaddD, FsgnjD]);
    register(opcode, any_register(random), any_register(random), any_register(random))
}

fn arithmetic(random: &mut Random) -> Op {
    encoding::any(random, |row| {
        row.class == InstructionClass::Alu
            && row.extension == Extension::I
            && encoding::is_plain(row)
    })
}
