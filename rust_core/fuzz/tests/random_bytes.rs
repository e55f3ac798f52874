//! Random bytes as a program: nothing panics, nothing hangs, nothing grows, and how execution is
//! divided changes nothing.

use dcsim_fuzz::core::{Machine, Pace};
use dcsim_fuzz::noise::{CYCLES, MEMORY_BYTES, agree, run, start};
use dcsim_hart::Stop;

const SEEDS: u64 = 100_000;
/// More than any single instruction costs.
const LATENESS: u64 = 1_000;
/// More than one run holds, far less than what a leak of a page a run would add up to (400 MB).
const GROWTH_BYTES: u64 = 64 << 20;

fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn random_programs_end_at_their_deadline_and_leave_nothing_behind() {
    let mut machine = Machine::new(MEMORY_BYTES);
    let mut retired = 0;
    let mut before = None;
    for seed in 0..SEEDS {
        start(&mut machine, seed);
        let stop = machine.run_on(CYCLES, Pace::Whole);
        let ended = matches!(stop, Stop::Deadline | Stop::WaitForInterrupt | Stop::Bus);
        assert!(ended, "seed {seed}: {stop:?}");
        let cycles = machine.hart.clock.cycles;
        assert!(cycles < CYCLES + LATENESS, "seed {seed} ran past its deadline: {cycles}");
        assert_eq!(machine.hart.x[0], 0, "seed {seed}");
        retired += machine.hart.counters.instructions;
        if seed == SEEDS / 10 {
            before = resident_bytes();
        }
    }
    assert!(retired > 200 * SEEDS, "programs execute something: {retired} instructions");
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        assert!(after < before + GROWTH_BYTES, "the process grew from {before} to {after} bytes");
    }
}

#[test]
fn a_used_machine_gives_what_a_new_one_gives() {
    let mut used = Machine::new(MEMORY_BYTES);
    for seed in 0..2_000 {
        let mut new = Machine::new(MEMORY_BYTES);
        let (before, after) = (run(&mut used, seed, Pace::Whole), run(&mut new, seed, Pace::Whole));
        assert_eq!(before, after, "seed {seed}");
    }
}

#[test]
fn dividing_a_random_program_changes_nothing() {
    let mut machine = Machine::new(MEMORY_BYTES);
    for seed in 0..3_000 {
        agree(&mut machine, seed).unwrap();
    }
}

#[test]
fn programs_meet_scarcity() {
    let mut machine = Machine::new(MEMORY_BYTES);
    let all = (MEMORY_BYTES / 4096) as usize;
    let given_back = |seed| {
        run(&mut machine, seed, Pace::Scarce);
        all - machine.hoarded_pages()
    };
    let pages: usize = (0..300).map(given_back).sum();
    assert!(pages > 150, "{pages} pages copied");
}

#[test]
fn cutting_a_random_program_at_every_cycle_changes_nothing() {
    let mut machine = Machine::new(MEMORY_BYTES);
    let cuts: Vec<u64> = (0..CYCLES).collect();
    for seed in 0..400 {
        let whole = run(&mut machine, seed, Pace::Whole);
        assert_eq!(run(&mut machine, seed, Pace::Cuts(&cuts)), whole, "seed {seed}");
    }
}
