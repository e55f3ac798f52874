//! How a run is cut into pieces changes nothing.
//!
//! Random programs run in supervisor mode under Sv39 with small TLBs and every kind of cost, with
//! timer interrupts of both levels, traps, device accesses, self-modifying code and fences. Each
//! is run in one piece, in random pieces, instruction by instruction, and with an engine that
//! forgets everything between pieces; the states at the end must be the same.

mod machine;
mod program;

use machine::{Machine, Way};

const PROGRAMS: u64 = 60;
const CYCLES: u64 = 30_000;

/// Runs every program in one piece and in this way. Some get caught in a corner; most must not.
fn check(way: Way) {
    let mut eventful = 0;
    for seed in 0..PROGRAMS {
        let mut whole = Machine::new(seed);
        whole.run(Way::Whole, CYCLES);
        let mut other = Machine::new(seed);
        other.run(way, CYCLES);
        let (expected, found) = (whole.state(), other.state());
        assert_eq!(found, expected, "program {seed}, {way:?}");
        eventful += u64::from(whole.is_eventful());
    }
    assert!(eventful > PROGRAMS / 2, "only {eventful} programs meet what they should");
}

#[test]
fn random_pieces() {
    check(Way::Pieces);
}

#[test]
fn instruction_by_instruction() {
    check(Way::Steps);
}

#[test]
fn with_a_new_engine_for_each_piece() {
    check(Way::Forgetful);
}
