//! Control and status registers, environment calls, returns, waiting, fences, illegal encodings.

use crate::privileged_world::{csr, status};
use crate::support::{A0, A2, CODE, DATA, Machine, VECTOR, ZERO, op};
use dcsim_hart::isa::Opcode::{self, *};
use dcsim_hart::isa::{Register, encode};
use dcsim_hart::{Exception, Op, Privilege, Stop};

const MSCRATCH: i64 = 0x340;
/// What `mscratch` holds before each case.
const BEFORE: u64 = 0b1100;

/// An access to `mscratch` with 0b1010 in the register, or 10 as the immediate: what it holds then.
const CSR: &[(Opcode, u64)] = &[
    (Csrrw, 0b1010),
    (Csrrs, 0b1110),
    (Csrrc, 0b0100),
    (Csrrwi, 0b1010),
    (Csrrsi, 0b1110),
    (Csrrci, 0b0100),
];

pub fn opcodes() -> Vec<Opcode> {
    let others = [Ecall, Ebreak, Mret, Sret, Wfi, Fence, FenceI, SfenceVma];
    CSR.iter().map(|case| case.0).chain(others).collect()
}

fn csr_op(opcode: Opcode) -> Op {
    // In the immediate forms `rs1` is the immediate: a0 is number 10.
    Op { rs2: ZERO, rs3: ZERO, ..op(opcode, MSCRATCH) }
}

#[test]
fn csr_instructions_read_then_write() {
    for (opcode, expected) in CSR {
        let mut machine = Machine::new();
        machine.world.write(MSCRATCH as u16, BEFORE);
        machine.set(A0, 0b1010);
        machine.execute(&csr_op(*opcode));
        assert_eq!(machine.get(A2), BEFORE, "{opcode:?}");
        assert_eq!(machine.world.read(MSCRATCH as u16), *expected, "{opcode:?}");
    }
}

/// With `x0` or 0, CSRRS and CSRRC do not write: so they may read a read-only register.
#[test]
fn set_and_clear_of_nothing_only_read() {
    const MHARTID: i64 = 0xf14;
    for opcode in [Csrrs, Csrrc, Csrrsi, Csrrci] {
        let mut machine = Machine::new();
        machine.set(A2, 5);
        machine.execute(&Op { rs1: ZERO, ..op(opcode, MHARTID) });
        assert_eq!((machine.trap(), machine.get(A2)), (None, 0), "{opcode:?}");
        let write = op(opcode, MHARTID);
        machine.execute(&write);
        let expected = (Exception::IllegalInstruction.code(), u64::from(encode(&write)));
        assert_eq!(machine.trap(), Some(expected), "{opcode:?}");
    }
}

#[test]
fn counters_count_what_came_before() {
    const MCYCLE: i64 = 0xb00;
    const MINSTRET: i64 = 0xb02;
    let mut machine = Machine::new();
    for _ in 0..3 {
        machine.execute(&op(Addi, 0));
    }
    machine.execute(&Op { rs1: ZERO, ..op(Csrrs, MINSTRET) });
    assert_eq!(machine.get(A2), 3);
    // Its own cycle has been charged when the instruction reads the clock.
    machine.execute(&Op { rs1: ZERO, ..op(Csrrs, MCYCLE) });
    assert_eq!(machine.get(A2), 5);
}

#[test]
fn environment_calls_name_their_mode_and_do_not_retire() {
    for (privilege, cause) in [
        (Privilege::User, Exception::EcallFromUser),
        (Privilege::Supervisor, Exception::EcallFromSupervisor),
        (Privilege::Machine, Exception::EcallFromMachine),
    ] {
        let mut machine = Machine::new();
        machine.world.write(csr::PMPADDR0, u64::MAX);
        machine.world.write(csr::PMPCFG0, 0x1f);
        machine.world.hart.set_privilege(privilege);
        machine.execute(&Op::new(Ecall, 4));
        assert_eq!(machine.trap(), Some((cause.code(), 0)));
        assert_eq!(machine.world.read(csr::MEPC), CODE);
        assert_eq!(machine.world.hart.counters.instructions, 0);
        assert_eq!(machine.world.hart.privilege, Privilege::Machine);
    }
}

#[test]
fn breakpoints_have_their_address_as_value() {
    let mut machine = Machine::new();
    machine.execute(&Op::new(Ebreak, 4));
    assert_eq!(machine.trap(), Some((Exception::Breakpoint.code(), CODE)));
    let mut machine = Machine::new();
    machine.execute_word(0x9002);
    assert_eq!(machine.trap(), Some((Exception::Breakpoint.code(), CODE)));
}

#[test]
fn mret_goes_back_to_where_the_trap_came_from() {
    let mut machine = Machine::new();
    machine.world.write(csr::MEPC, DATA);
    machine.world.write(csr::MSTATUS, status::MPP_S | status::MPIE);
    machine.execute(&Op::new(Mret, 4));
    let hart = &machine.world.hart;
    assert_eq!((hart.pc, hart.privilege), (DATA, Privilege::Supervisor));
    assert_eq!(hart.counters.instructions, 1);
}

#[test]
fn sret_goes_back_to_where_the_trap_came_from() {
    let mut machine = Machine::new();
    machine.world.write(csr::SEPC, DATA);
    machine.execute(&Op::new(Sret, 4));
    let hart = &machine.world.hart;
    assert_eq!((hart.pc, hart.privilege), (DATA, Privilege::User));
}

#[test]
fn returns_are_illegal_below_their_mode() {
    for (opcode, privilege) in [
        (Mret, Privilege::Supervisor),
        (Mret, Privilege::User),
        (Sret, Privilege::User),
        (SfenceVma, Privilege::User),
        (Wfi, Privilege::User),
    ] {
        let mut machine = Machine::new();
        machine.world.write(csr::PMPADDR0, u64::MAX);
        machine.world.write(csr::PMPCFG0, 0x1f);
        machine.world.hart.set_privilege(privilege);
        machine.execute(&Op::new(opcode, 4));
        let bits = u64::from(encode(&Op::new(opcode, 4)));
        assert_eq!(machine.trap(), Some((Exception::IllegalInstruction.code(), bits)));
    }
}

#[test]
fn wfi_waits_unless_something_is_pending() {
    let mut machine = Machine::new();
    let word = encode(&Op::new(Wfi, 4));
    machine.world.memory().write_u32(dcsim_memory::PhysicalAddress(CODE), word).unwrap();
    let mut engine = dcsim_hart::Interpreter::new();
    let stop = machine.world.with(|hart, ports| engine.step(hart, ports));
    assert_eq!(stop, Some(Stop::WaitForInterrupt));
    assert_eq!(machine.world.hart.pc, CODE + 4);
    assert_eq!(machine.world.hart.counters.instructions, 1);

    // Pending and enabled in `mie` is enough, with `mstatus.MIE` clear.
    machine.world.write(csr::MIE, 1 << 1);
    machine.world.write(csr::MIP, 1 << 1);
    machine.world.hart.pc = CODE;
    let stop = machine.world.with(|hart, ports| engine.step(hart, ports));
    assert_eq!((stop, machine.world.hart.pc), (None, CODE + 4));
}

/// Fences do nothing that a program on one hart could see here, whatever their operands.
#[test]
fn fences_complete() {
    let fence = Op { rd: Register::R5, rs1: Register::R6, ..Op::new(Fence, 4) };
    let instructions = [
        Op { imm: 0xff, ..Op::new(Fence, 4) },
        Op { imm: 0x833, ..fence },
        Op { rd: Register::R5, imm: -1, ..Op::new(FenceI, 4) },
        Op::new(SfenceVma, 4),
        Op { rs1: Register::R6, rs2: Register::R5, ..Op::new(SfenceVma, 4) },
    ];
    for instruction in instructions {
        let mut machine = Machine::new();
        machine.set(Register::R5, 77);
        machine.execute(&instruction);
        assert_eq!((machine.trap(), machine.get(Register::R5)), (None, 77), "{instruction:?}");
        assert_eq!(machine.world.hart.pc, CODE + 4);
        assert_eq!(machine.world.hart.counters.instructions, 1);
    }
}

/// The value is the instruction: 16 bits of it if it is a short one.
#[test]
fn illegal_encodings_trap_with_their_bits() {
    for (word, value) in [
        (0xffff_ffff, 0xffff_ffff),
        (0x0000_0000, 0),
        (0xabcd_8000, 0x8000),
        (0x0000_707b, 0x0000_707b),
        (0xc000_1073, 0xc000_1073),
        (0x0000_8002, 0x8002),
    ] {
        let mut machine = Machine::new();
        machine.execute_word(word);
        let expected = (Exception::IllegalInstruction.code(), value);
        assert_eq!(machine.trap(), Some(expected), "{word:#x}");
        assert_eq!(machine.world.read(csr::MEPC), CODE);
        assert_eq!(machine.world.hart.clock.cycles, 1);
        assert_eq!(machine.world.hart.pc, VECTOR);
    }
}

/// The parts of an illegal instruction that crosses a page make its value.
#[test]
fn an_illegal_instruction_across_a_page_has_all_its_bits() {
    let mut machine = Machine::new();
    machine.world.hart.pc = CODE + 0xffe;
    machine.execute_word(0xc000_1073);
    let expected = (Exception::IllegalInstruction.code(), 0xc000_1073);
    assert_eq!(machine.trap(), Some(expected));
}
