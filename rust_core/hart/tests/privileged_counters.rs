//! The counters as the program sees them: enables, writes, inhibition.
//!
//! Expected values are those of the unprivileged architecture, "Zicntr", and the privileged
//! architecture, "Hardware Performance Monitor" and the two sections after it.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

mod privileged_world;

use dcsim_hart::{CsrOp, Privilege};
use privileged_world::{World, csr};

#[test]
fn counters_need_their_enable_bit_at_each_level() {
    for (bit, number) in [(1, 0xc00), (2, 0xc01), (4, 0xc02)] {
        for (machine, supervisor) in [(0, 0), (0, bit), (bit, 0), (bit, bit)] {
            let mut world = World::new();
            world.write(csr::MCOUNTEREN, machine);
            world.write(0x106, supervisor);
            let mut legal = |privilege| world.access(privilege, number, CsrOp::Read).is_ok();
            assert!(legal(Privilege::Machine));
            assert_eq!(legal(Privilege::Supervisor), machine != 0);
            assert_eq!(legal(Privilege::User), machine != 0 && supervisor != 0);
        }
    }
}

#[test]
fn time_follows_the_clock() {
    let mut world = World::new();
    world.hart.clock.cycles = 12_345;
    assert_eq!(world.read(0xc00), 12_345);
    assert_eq!(world.read(0xc01), 123);
}

/// Executes a register access as an engine does: cycles first, then the effect, then it retires.
fn execute(world: &mut World, number: u16, op: CsrOp) -> u64 {
    world.hart.clock.cycles += 1;
    let (old, _) = world.access(Privilege::Machine, number, op).unwrap();
    world.hart.counters.instructions += 1;
    old
}

#[test]
fn a_write_of_minstret_takes_effect_after_the_writing_instruction() {
    let mut world = World::new();
    world.hart.counters.instructions = 1000;
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Write(5)), 1000);
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), 5);
    assert_eq!(execute(&mut world, 0xc02, CsrOp::Read), 6);
    execute(&mut world, 0xb02, CsrOp::Write(u64::MAX));
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), u64::MAX);
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), 0);
}

#[test]
fn mcycle_goes_on_from_what_was_written() {
    let mut world = World::new();
    world.hart.clock.cycles = 700;
    execute(&mut world, 0xb00, CsrOp::Write(0));
    assert_eq!(execute(&mut world, 0xb00, CsrOp::Read), 1);
    assert_eq!(execute(&mut world, 0xc00, CsrOp::Read), 2);
    assert_eq!(world.hart.clock.cycles, 703, "the simulator's clock is another matter");
}

#[test]
fn inhibited_counters_stand_still_and_can_be_written() {
    let mut world = World::new();
    execute(&mut world, 0xb02, CsrOp::Write(10));
    execute(&mut world, 0x320, CsrOp::Write(4));
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), 11, "the inhibiting instruction counts");
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Write(20)), 11);
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), 20);
    execute(&mut world, 0x320, CsrOp::Write(0));
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), 20);
    assert_eq!(execute(&mut world, 0xb02, CsrOp::Read), 21);

    execute(&mut world, 0x320, CsrOp::Write(1));
    let stopped = execute(&mut world, 0xb00, CsrOp::Read);
    assert_eq!(execute(&mut world, 0xb00, CsrOp::Read), stopped);
    execute(&mut world, 0x320, CsrOp::Write(0));
    assert_eq!(execute(&mut world, 0xb00, CsrOp::Read), stopped + 1);
}
