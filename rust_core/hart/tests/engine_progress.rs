//! A run always comes to its deadline, and an instruction that has begun to its end.

mod privileged_world;

use dcsim_hart::{Engine, Interpreter, Privilege, Stop, Timing};
use privileged_world::{A, D, R, RAM, V, W, World, X};

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

/// A store begins in time, its walk takes the clock past the end of the run, and there is no room
/// for the page that it writes. Once there is, it completes: not a second time charged, and not
/// left for the next run.
#[test]
fn a_store_that_waits_for_room_has_begun() {
    let outcome = |scarce: bool| {
        let timing = Timing { walk_reference_cycles: 100, ..Timing::uniform() };
        let mut world = World::open_with_timing(timing);
        let root = world.new_table();
        world.map_page(root, RAM, RAM, V | R | X | A);
        world.map_page(root, 0x5000, RAM + 0x5000, V | R | W | A | D);
        world.use_sv39(root, 1);
        world.poke(RAM, 0x0062_b023); // sd t1, 0(t0)
        (world.hart.x[5], world.hart.x[6], world.hart.pc) = (0x5000, 9, RAM);
        world.hart.set_privilege(Privilege::Supervisor);
        let mut hoard = Vec::new();
        while scarce && let Ok(page) = world.store.insert(&[1; 4096]) {
            hoard.push(page);
        }
        let mut engine = Interpreter::new();
        let until = 302; // the walk of the fetch, and the instruction before its own walk
        let mut stop = world.with(|hart, ports| engine.run(hart, ports, until));
        if let Some(page) = hoard.pop() {
            assert_eq!(stop, Stop::StoreFull);
            assert!(world.hart.clock.cycles > until);
            world.store.release(page);
            stop = world.with(|hart, ports| engine.run(hart, ports, until));
        }
        (stop, world.hart.clock, world.hart.counters, world.hart.pc, world.peek(RAM + 0x5000))
    };
    let plenty = outcome(false);
    assert_eq!((plenty.0, plenty.1.cycles, plenty.4), (Stop::Deadline, 601, 9));
    assert_eq!(outcome(true), plenty);
}
