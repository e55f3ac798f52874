//! Time passes whatever a program does: a run always comes to its deadline.

mod privileged_world;

use dcsim_hart::{Engine, Interpreter, Stop};
use privileged_world::World;

/// A trap vector that cannot be fetched from traps again, for ever, with nothing retired. Each
/// attempt costs what an illegal instruction costs, so the deadline comes even where trap entry is
/// free.
#[test]
fn a_fetch_that_fails_takes_time() {
    let mut world = World::new();
    let cost =
        u64::from(world.hart.timing().class_cycles[dcsim_hart::InstructionClass::System as usize]);
    world.hart.pc = 0;
    let until = 10 * cost;
    let stop = world.with(|hart, ports| Interpreter::new().run(hart, ports, until));
    assert_eq!(stop, Stop::Deadline);
    assert_eq!((world.hart.clock.cycles, world.hart.counters.exceptions), (until, 10));
    assert_eq!(world.hart.counters.instructions, 0);
}
