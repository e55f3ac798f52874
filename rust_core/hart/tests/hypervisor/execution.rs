//! Guests as an engine executes them: which instructions are virtual ones, the floating-point
//! status of both levels, and a monitor that plays HS mode.
//!
//! Expected values are those of the hypervisor extension: "Trap Cause Codes", "Hypervisor
//! Instructions" and "Virtual Supervisor Status Register".

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::{Engine, Exception, HostedModes, Interpreter, Op, Privilege, Stop};
use dcsim_memory::PhysicalAddress;

const CODE: u64 = RAM + 0x1000;
const MACHINE_HANDLER: u64 = RAM + 0x2000;

fn put(world: &mut World, address: u64, op: &Op) {
    world.memory().write_u32(PhysicalAddress(address), encode(op)).unwrap();
}

/// Executes an instruction; gives the cause of its trap to machine mode, if it trapped.
fn execute(world: &mut World, op: &Op) -> Option<u64> {
    world.hart.pc = CODE;
    world.write(csr::MTVEC, MACHINE_HANDLER);
    put(world, CODE, op);
    let retired = world.hart.counters.instructions;
    world.with(|hart, ports| Interpreter::new().step(hart, ports));
    let trapped = world.hart.counters.instructions == retired;
    if trapped {
        assert_eq!((mode(world), world.hart.pc), (M_MODE, MACHINE_HANDLER));
    }
    trapped.then(|| world.read(csr::MCAUSE))
}

const ILLEGAL: Option<u64> = Some(2);
const VIRTUAL: Option<u64> = Some(22);

/// A guest's memory instruction with a legal address in `a0`.
fn with_address(opcode: Opcode) -> Op {
    Op { rs1: Register::R10, ..Op::new(opcode, 4) }
}

#[test]
fn loads_and_stores_for_the_guest_are_for_hs_mode() {
    let opcodes = [
        Opcode::HlvB,
        Opcode::HlvBu,
        Opcode::HlvH,
        Opcode::HlvHu,
        Opcode::HlvxHu,
        Opcode::HlvW,
        Opcode::HlvWu,
        Opcode::HlvxWu,
        Opcode::HlvD,
        Opcode::HsvB,
        Opcode::HsvH,
        Opcode::HsvW,
        Opcode::HsvD,
    ];
    for opcode in opcodes {
        for from in MODES {
            for hu in [0, hstatus::HU] {
                let mut world = world();
                world.hart.x[10] = RAM + DATA;
                world.write(hcsr::HSTATUS, hu);
                enter(&mut world, from);
                let expected = match from {
                    VS_MODE | VU_MODE => VIRTUAL,
                    U_MODE if hu == 0 => ILLEGAL,
                    _ => None,
                };
                let outcome = execute(&mut world, &with_address(opcode));
                assert_eq!(outcome, expected, "{opcode:?} {from:?}");
                let word = u64::from(encode(&with_address(opcode)));
                assert!(outcome.is_none() || world.read(csr::MTVAL) == word);
            }
        }
    }
}

/// Fences and returns in every mode, with every bit that has them trap.
#[test]
fn fences_and_returns_trap_as_the_bits_of_each_level_say() {
    let traps = status::TVM | status::TSR;
    let guest_traps = hstatus::VTVM | hstatus::VTSR;
    for from in MODES {
        for (host, guest) in [(0, 0), (traps, 0), (0, guest_traps)] {
            let expected = |opcode| match (opcode, from) {
                (Opcode::Mret, _) => {
                    if from == M_MODE {
                        None
                    } else {
                        ILLEGAL
                    }
                }
                (_, U_MODE) => ILLEGAL,
                (_, VU_MODE) | (Opcode::HfenceVvma | Opcode::HfenceGvma, VS_MODE) => VIRTUAL,
                (Opcode::HfenceVvma, _) => None,
                (_, HS_MODE) if host != 0 => ILLEGAL,
                (_, VS_MODE) if guest != 0 => VIRTUAL,
                _ => None,
            };
            let opcodes = [
                Opcode::HfenceVvma,
                Opcode::HfenceGvma,
                Opcode::SfenceVma,
                Opcode::Sret,
                Opcode::Mret,
            ];
            for opcode in opcodes {
                let mut world = world();
                world.set(csr::MSTATUS, host);
                world.set(hcsr::HSTATUS, guest);
                enter(&mut world, from);
                let outcome = execute(&mut world, &Op::new(opcode, 4));
                assert_eq!(outcome, expected(opcode), "{opcode:?} {from:?} {host:x} {guest:x}");
            }
        }
    }
}

#[test]
fn environment_calls_name_their_mode() {
    let causes = [(U_MODE, 8), (HS_MODE, 9), (VS_MODE, 10), (M_MODE, 11), (VU_MODE, 8)];
    for (from, cause) in causes {
        let mut world = world();
        enter(&mut world, from);
        assert_eq!(execute(&mut world, &Op::new(Opcode::Ecall, 4)), Some(cause), "{from:?}");
    }
}

/// `csrrw` of an HS register from a guest is a virtual instruction with its bits as the value.
#[test]
fn csr_instructions_report_their_bits() {
    let op = Op { imm: hcsr::HSTATUS.into(), ..Op::new(Opcode::Csrrw, 4) };
    for from in [VS_MODE, VU_MODE] {
        let mut world = world();
        enter(&mut world, from);
        assert_eq!(execute(&mut world, &op), VIRTUAL);
        assert_eq!(world.read(csr::MTVAL), u64::from(encode(&op)));
    }
}

const OFF: u64 = 0;
const DIRTY: u64 = 3;

fn float_states(world: &World) -> (u64, u64) {
    (world.read(csr::MSTATUS) >> 13 & 3, world.read(hcsr::VSSTATUS) >> 13 & 3)
}

/// In a guest the unit is on if both levels have it on; changing its state makes both dirty, and
/// only reading it makes neither.
#[test]
fn the_floating_point_unit_is_under_both_levels() {
    let changes = Op { rd: Register::R1, ..Op::new(Opcode::FmvDX, 4) };
    let reads = Op { rd: Register::R5, ..Op::new(Opcode::FmvXD, 4) };
    for (op, is_change) in [(changes, true), (reads, false)] {
        for host in 0..4 {
            for guest in 0..4 {
                for from in [VS_MODE, VU_MODE, HS_MODE] {
                    let mut world = world();
                    world.write(csr::MSTATUS, host << 13);
                    world.write(hcsr::VSSTATUS, guest << 13);
                    enter(&mut world, from);
                    let is_on = host != OFF && (guest != OFF || !from.1);
                    let outcome = execute(&mut world, &op);
                    assert_eq!(outcome, if is_on { None } else { ILLEGAL }, "{host} {guest}");
                    let expected = match (is_on && is_change, from.1) {
                        (true, true) => (DIRTY, DIRTY),
                        (true, false) => (DIRTY, guest),
                        (false, _) => (host, guest),
                    };
                    assert_eq!(float_states(&world), expected, "{host} {guest} {from:?}");
                }
            }
        }
    }
}

/// What a guest reads and writes of its status while the unit is in use is its own.
#[test]
fn a_guest_sees_its_own_floating_point_status() {
    let read = Op { rd: Register::R5, imm: csr::SSTATUS.into(), ..Op::new(Opcode::Csrrs, 4) };
    let load = Op { rd: Register::R1, ..Op::new(Opcode::FmvDX, 4) };
    let clear = Op { rs1: Register::R11, imm: csr::SSTATUS.into(), ..Op::new(Opcode::Csrrc, 4) };
    let program = [read, load, clear, read, load];
    let mut world = world();
    world.write(csr::MSTATUS, 1 << 13);
    world.write(hcsr::VSSTATUS, 2 << 13);
    world.write(csr::MTVEC, MACHINE_HANDLER);
    world.hart.hosted = HostedModes { machine: true, supervisor: false };
    world.hart.x[11] = 2 << 13;
    for (place, op) in program.iter().enumerate() {
        put(&mut world, CODE + 4 * place as u64, op);
    }
    put(&mut world, CODE + 4 * program.len() as u64, &Op::new(Opcode::Ecall, 4));
    enter(&mut world, VS_MODE);
    world.hart.pc = CODE;
    let stop = world.with(|hart, ports| Interpreter::new().run(hart, ports, 4));
    // Clean, then dirtied, then set to initial: the host's stays dirty.
    assert_eq!((stop, world.hart.x[5] >> 13 & 3), (Stop::Deadline, 1));
    assert_eq!(float_states(&world), (3, 1));
    let stop = world.with(|hart, ports| Interpreter::new().run(hart, ports, 100));
    assert!(matches!(stop, Stop::Trap(record) if record.cause == 10), "{stop:?}");
    assert_eq!(float_states(&world), (3, 3));
}

/// A guest that counts in VS mode, calls the monitor and goes on: the monitor plays HS mode.
#[test]
fn a_monitor_runs_a_guest() {
    let mut guest = Guest::new(SV39, SV39);
    guest.map_first(PAGE, 0, CODE - RAM, V | R | X | A);
    let program = [
        Op { rd: Register::R10, rs1: Register::R10, imm: 5, ..Op::new(Opcode::Addi, 4) },
        Op::new(Opcode::Ecall, 4),
        Op { imm: -8, ..Op::new(Opcode::Jal, 4) },
    ];
    for (place, op) in program.iter().enumerate() {
        put(&mut guest.world, CODE + 4 * place as u64, op);
    }
    let world = &mut guest.world;
    world.write(csr::MEDELEG, u64::MAX);
    world.hart.hosted = HostedModes { machine: false, supervisor: true };
    enter(world, HS_MODE);
    world.write(csr::SEPC, PAGE);
    world.write(csr::SSTATUS, status::SPP);
    world.write(hcsr::HSTATUS, hstatus::SPV);
    world.hart.sret().unwrap();
    let mut engine = Interpreter::new();
    for round in 1..=3 {
        let stop = world.with(|hart, ports| engine.run(hart, ports, u64::MAX));
        let Stop::Trap(record) = stop else { panic!("{stop:?}") };
        let call = Exception::EcallFromVirtualSupervisor.code();
        assert_eq!((record.cause, record.from_virtual, record.pc), (call, true, PAGE + 4));
        assert_eq!((world.hart.x[10], mode(world)), (5 * round, HS_MODE));
        assert_eq!(record.to, Privilege::Supervisor);
        world.write(csr::SEPC, record.pc + 4);
        world.hart.sret().unwrap();
    }
}

/// Cutting a guest's run into pieces changes nothing.
#[test]
fn a_guests_run_can_be_cut_anywhere() {
    let run = |step: u64| {
        let mut guest = Guest::new(SV39, SV39);
        guest.map_first(PAGE, 0, CODE - RAM, V | R | W | X | A | D);
        let program = [
            Op { rd: Register::R1, rs1: Register::R10, ..Op::new(Opcode::FmvDX, 4) },
            Op { rd: Register::R10, rs1: Register::R10, imm: 5, ..Op::new(Opcode::Addi, 4) },
            Op { rd: Register::R5, imm: csr::SSTATUS.into(), ..Op::new(Opcode::Csrrs, 4) },
            Op { rs1: Register::R12, rs2: Register::R5, imm: 0x100, ..Op::new(Opcode::Sd, 4) },
            Op { imm: -16, ..Op::new(Opcode::Jal, 4) },
        ];
        for (place, op) in program.iter().enumerate() {
            put(&mut guest.world, CODE + 4 * place as u64, op);
        }
        let world = &mut guest.world;
        world.write(csr::MSTATUS, 1 << 13);
        world.write(hcsr::VSSTATUS, 2 << 13);
        world.hart.x[12] = PAGE;
        world.hart.pc = PAGE;
        let mut until = 0;
        while until < 500 {
            until = (until + step).min(500);
            world.with(|hart, ports| Interpreter::new().run(hart, ports, until));
        }
        (world.hart.x, world.hart.pc, world.hart.counters, float_states(world))
    };
    let whole = run(500);
    for step in [1, 2, 7] {
        assert_eq!(run(step), whole, "{step}");
    }
}
