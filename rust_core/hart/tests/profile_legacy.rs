//! The legacy profiles: what they do where the architecture has user mode trap, and that nothing
//! else differs.
//!
//! Expected outcomes are those of the profiles' documentation.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

mod privileged_world;

use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::{Exception, Hart, Interpreter, IsaProfile, Op, Privilege, Timing};
use dcsim_memory::PhysicalAddress;
use privileged_world::{RAM, World, csr, status};

const CODE: u64 = RAM + 0x1000;
const VECTOR: u64 = RAM + 0x2000;
/// What the destination holds before.
const BEFORE: u64 = 0x5555;

const WRITES: [Opcode; 2] = [Opcode::Csrrw, Opcode::Csrrwi];
const CHANGES: [Opcode; 4] = [Opcode::Csrrs, Opcode::Csrrc, Opcode::Csrrsi, Opcode::Csrrci];

/// What an instruction did.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// It trapped as an illegal instruction.
    Trapped,
    /// It retired; the destination held this afterwards.
    Retired(u64),
}

fn world(profile: IsaProfile, privilege: Privilege) -> World {
    let mut world = World::of(Hart::new(0, profile, Timing::uniform()));
    world.write(csr::PMPADDR0, u64::MAX);
    world.write(csr::PMPCFG0, 0x1f);
    world.write(csr::MTVEC, VECTOR);
    world.write(csr::STVEC, 0x1234_5000);
    world.write(csr::SSTATUS, status::SUM | status::SPIE);
    world.hart.set_privilege(privilege);
    world.hart.pc = CODE;
    world.hart.x[10] = status::SIE;
    world.hart.x[12] = BEFORE;
    world
}

fn execute(world: &mut World, op: &Op) -> Outcome {
    let word = encode(op);
    world.memory().write_u32(PhysicalAddress(CODE), word).unwrap();
    let before = world.hart.counters;
    world.with(|hart, ports| Interpreter::new().step(hart, ports));
    if world.hart.counters.instructions == before.instructions {
        assert_eq!(world.hart.pc, VECTOR);
        assert_eq!(world.read(csr::MCAUSE), Exception::IllegalInstruction.code());
        assert_eq!(world.read(csr::MTVAL), u64::from(word));
        return Outcome::Trapped;
    }
    assert_eq!(world.hart.pc, CODE + 4);
    Outcome::Retired(world.hart.x[12])
}

/// A CSR instruction with `a2` or `x0` as the destination and `a0`, or 10, as the source; or with
/// nothing as the source.
fn csr_op(opcode: Opcode, number: u16, reads: bool, has_source: bool) -> Op {
    let rd = if reads { Register::R12 } else { Register::R0 };
    let rs1 = if has_source { Register::R10 } else { Register::R0 };
    Op { rd, rs1, imm: number.into(), ..Op::new(opcode, 4) }
}

/// What user mode makes of an access to a supervisor register.
fn expected(profile: IsaProfile, op: &Op, value: u64) -> Outcome {
    let number = op.imm as u16;
    let reads = op.rd != Register::R0;
    let writes = WRITES.contains(&op.opcode) || op.rs1 != Register::R0;
    let is_silent = profile != IsaProfile::Rv64gc && profile != IsaProfile::Rv64gch;
    let is_shown = [csr::SSTATUS, csr::SATP, csr::STVEC].contains(&number);
    if profile == IsaProfile::Rv64gcLegacy && reads && is_shown {
        Outcome::Retired(value)
    } else if is_silent && !reads && writes && number == csr::SSTATUS {
        Outcome::Retired(BEFORE)
    } else {
        Outcome::Trapped
    }
}

#[test]
fn user_accesses_to_privileged_registers_do_what_the_profile_says() {
    let numbers = (0x100..0x1000).filter(|number| number >> 8 & 3 != 0);
    for profile in IsaProfile::ALL {
        for number in numbers.clone() {
            let world = world(profile, Privilege::User);
            let Some(value) = world.hart.read_csr(number) else { continue };
            check_accesses(profile, number, value);
        }
    }
}

fn check_accesses(profile: IsaProfile, number: u16, value: u64) {
    for opcode in WRITES.into_iter().chain(CHANGES) {
        for (reads, has_source) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut world = world(profile, Privilege::User);
            let op = csr_op(opcode, number, reads, has_source);
            let outcome = execute(&mut world, &op);
            assert_eq!(outcome, expected(profile, &op, value), "{profile:?} {op:?}");
            if matches!(outcome, Outcome::Retired(_)) {
                assert_eq!(world.read(number), value, "nothing is written: {op:?}");
            }
        }
    }
}

#[test]
fn a_fence_of_user_mode_does_nothing_or_traps() {
    for profile in IsaProfile::ALL {
        let mut world = world(profile, Privilege::User);
        let expected = match profile {
            IsaProfile::Rv64gc | IsaProfile::Rv64gch => Outcome::Trapped,
            _ => Outcome::Retired(BEFORE),
        };
        assert_eq!(execute(&mut world, &Op::new(Opcode::SfenceVma, 4)), expected, "{profile:?}");
    }
}

/// A translation that user mode has used is still there after its fence.
#[test]
fn a_dropped_fence_flushes_nothing() {
    let mut world = world(IsaProfile::Rv64gcLegacySilent, Privilege::User);
    let root = world.new_table();
    let (v, r, u, a) = (1, 2, 16, 64);
    let slot = world.map_page(root, 0x5000, RAM, v | r | u | a);
    world.use_sv39(root, 0);
    let read = |world: &mut World| {
        world.with(|hart, ports| hart.load(ports, 0x5000, dcsim_hart::Width::Double)).is_ok()
    };
    assert!(read(&mut world));
    world.poke(slot, 0);
    world.hart.sfence_vma(None, None).unwrap();
    assert!(read(&mut world));
    world.hart.set_privilege(Privilege::Supervisor);
    world.hart.sfence_vma(None, None).unwrap();
    world.hart.set_privilege(Privilege::User);
    assert!(!read(&mut world));
}

#[test]
fn supervisor_mode_writes_and_reads_as_on_rv64gc() {
    for profile in IsaProfile::ALL {
        let mut world = world(profile, Privilege::Supervisor);
        let before = world.read(csr::SSTATUS);
        let op = csr_op(Opcode::Csrrs, csr::SSTATUS, true, true);
        assert_eq!(execute(&mut world, &op), Outcome::Retired(before));
        assert_eq!(world.read(csr::SSTATUS), before | status::SIE);
    }
}

#[test]
fn other_privileged_instructions_still_trap_in_user_mode() {
    for profile in IsaProfile::ALL {
        for opcode in [Opcode::Mret, Opcode::Sret, Opcode::Wfi] {
            let mut world = world(profile, Privilege::User);
            assert_eq!(execute(&mut world, &Op::new(opcode, 4)), Outcome::Trapped);
        }
    }
}

#[test]
fn a_legacy_monitor_cannot_have_supervisor_instructions_trap() {
    let traps = status::TVM | status::TW | status::TSR;
    for profile in IsaProfile::ALL {
        let mut world = world(profile, Privilege::Machine);
        world.set(csr::MSTATUS, traps);
        let can = matches!(profile, IsaProfile::Rv64gc | IsaProfile::Rv64gch);
        assert_eq!(world.read(csr::MSTATUS) & traps, if can { traps } else { 0 }, "{profile:?}");
    }
}

#[test]
fn only_rv64gch_has_the_hypervisor_letter() {
    for profile in IsaProfile::ALL {
        let world = world(profile, Privilege::Machine);
        let has = world.read(0x301) >> (b'H' - b'A') & 1 != 0;
        assert_eq!(has, profile == IsaProfile::Rv64gch);
    }
}

#[test]
fn profiles_have_their_names() {
    let names = IsaProfile::ALL.map(IsaProfile::name);
    assert_eq!(names, ["rv64gc", "rv64gch", "rv64gc-legacy-silent", "rv64gc-legacy"]);
    for profile in IsaProfile::ALL {
        assert_eq!(IsaProfile::from_name(profile.name()), Some(profile));
    }
    assert_eq!(IsaProfile::from_name("rv32"), None);
}
