//! Jumps and branches, in both lengths.

use crate::support::{A0, A1, A2, CODE, Machine, ZERO, op};
use dcsim_hart::Op;
use dcsim_hart::isa::Opcode::{self, *};
use dcsim_hart::isa::{Compressed, Register};

const ONES: u64 = u64::MAX;

/// A branch, its sources, and whether it is taken.
const BRANCHES: &[(Opcode, u64, u64, bool)] = &[
    (Beq, 5, 5, true),
    (Beq, 5, 1 << 32 | 5, false),
    (Bne, 5, 5, false),
    (Bne, 5, 6, true),
    (Blt, ONES, 0, true),
    (Blt, 0, ONES, false),
    (Blt, 5, 5, false),
    (Bge, 0, ONES, true),
    (Bge, ONES, 0, false),
    (Bge, 5, 5, true),
    (Bltu, ONES, 0, false),
    (Bltu, 0, ONES, true),
    (Bltu, 5, 5, false),
    (Bgeu, 0, ONES, false),
    (Bgeu, ONES, 0, true),
    (Bgeu, 5, 5, true),
];

pub fn opcodes() -> Vec<Opcode> {
    BRANCHES.iter().map(|case| case.0).chain([Jal, Jalr]).collect()
}

fn after_branch(opcode: Opcode, a: u64, b: u64, offset: i64) -> u64 {
    let mut machine = Machine::new();
    machine.set(A0, a);
    machine.set(A1, b);
    machine.execute(&op(opcode, offset));
    assert_eq!(machine.world.hart.counters.instructions, 1);
    machine.world.hart.pc
}

#[test]
fn branches_go_both_ways_to_the_ends_of_their_range() {
    for (opcode, a, b, taken) in BRANCHES {
        for offset in [-4096, -2, 0, 2, 4094] {
            let target = if *taken { CODE.wrapping_add_signed(offset) } else { CODE + 4 };
            assert_eq!(after_branch(*opcode, *a, *b, offset), target, "{opcode:?} {a:#x} {b:#x}");
        }
    }
}

#[test]
fn jal_links_the_next_instruction() {
    for offset in [-(1 << 20), -2, 0, 2, 4094, (1 << 20) - 2] {
        let mut machine = Machine::new();
        machine.execute(&op(Jal, offset));
        assert_eq!(machine.world.hart.pc, CODE.wrapping_add_signed(offset));
        assert_eq!(machine.get(A2), CODE + 4);
        let mut machine = Machine::new();
        machine.execute(&Op { rd: ZERO, ..op(Jal, offset) });
        assert_eq!(machine.world.hart.pc, CODE.wrapping_add_signed(offset));
        assert_eq!(machine.get(ZERO), 0);
    }
}

#[test]
fn jalr_clears_the_lowest_bit_of_the_target() {
    for (base, offset, target) in [(0x100, 1, 0x100), (0x101, 1, 0x102), (0, -1, ONES - 1)] {
        for rd in [A2, ZERO] {
            let mut machine = Machine::new();
            machine.set(A0, base);
            machine.execute(&Op { rd, ..op(Jalr, offset) });
            assert_eq!(machine.world.hart.pc, target);
            assert_eq!(machine.get(rd), if rd == A2 { CODE + 4 } else { 0 });
        }
    }
}

#[test]
fn jalr_reads_its_source_before_it_links() {
    let mut machine = Machine::new();
    machine.set(A0, CODE + 0x40);
    machine.execute(&Op { rd: A0, ..op(Jalr, 4) });
    assert_eq!(machine.world.hart.pc, CODE + 0x44);
    assert_eq!(machine.get(A0), CODE + 4);
}

/// A 16-bit instruction is two bytes long: what it links and where it goes on.
#[test]
fn short_jumps_and_branches() {
    let jump = |name, op: Op, a0: u64| {
        let mut machine = Machine::new();
        machine.set(A0, a0);
        machine.execute_short(name, &op);
        (machine.world.hart.pc, machine.get(Register::R1))
    };
    let bare = |opcode| Op::new(opcode, 4);
    let jr = Op { rs1: A0, ..bare(Jalr) };
    let branch = |opcode, imm| Op { rs1: A0, imm, ..bare(opcode) };
    let cases = [
        (jump(Compressed::CJ, Op { imm: -2048, ..bare(Jal) }, 0), (CODE - 2048, 0)),
        (jump(Compressed::CJ, Op { imm: 2046, ..bare(Jal) }, 0), (CODE + 2046, 0)),
        (jump(Compressed::CJr, jr, 0x8001), (0x8000, 0)),
        (jump(Compressed::CJalr, Op { rd: Register::R1, ..jr }, 0x8001), (0x8000, CODE + 2)),
        (jump(Compressed::CBeqz, branch(Beq, -256), 0), (CODE - 256, 0)),
        (jump(Compressed::CBeqz, branch(Beq, -256), 1), (CODE + 2, 0)),
        (jump(Compressed::CBnez, branch(Bne, 254), 1), (CODE + 254, 0)),
        (jump(Compressed::CBnez, branch(Bne, 254), 0), (CODE + 2, 0)),
    ];
    for (result, expected) in cases {
        assert_eq!(result, expected);
    }
}

/// Instructions of four bytes may start at any even address, also across a page.
#[test]
fn an_instruction_may_cross_a_page() {
    let mut machine = Machine::new();
    machine.world.hart.pc = CODE + 0xffe;
    machine.set(A0, 5);
    machine.execute(&op(Addi, 2047));
    assert_eq!(machine.get(A2), 2052);
    assert_eq!(machine.world.hart.pc, CODE + 0x1002);
    machine.world.hart.pc = CODE + 0xffe;
    machine.execute(&op(Jal, -0x1002));
    assert_eq!(machine.world.hart.pc, CODE - 4);
    assert_eq!(machine.get(A2), CODE + 0x1002);
}
