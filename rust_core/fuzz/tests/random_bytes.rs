//! Random bytes as a program: nothing panics, nothing hangs, nothing grows.

use dcsim_fuzz::core;
use dcsim_fuzz::random::Random;
use dcsim_hart::isa::{INSTRUCTIONS, Opcode, encode};
use dcsim_hart::op::Op;
use dcsim_hart::{Stop, Timing};

const SEEDS: u64 = 100_000;
const MEMORY_BYTES: u64 = 32 << 10;
const CYCLES: u64 = 1_000;
/// More than one run holds, far less than what a leak of a page a run would add up to (400 MB).
const GROWTH_BYTES: u64 = 64 << 20;

/// Half of the programs are plain noise; in the others most words are instructions of the table
/// with random operands, which get further before they trap.
fn program(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(MEMORY_BYTES as usize);
    for _ in 0..MEMORY_BYTES / 4 {
        let word = if seed % 2 == 0 || random.once_in(8) {
            random.bits() as u32
        } else {
            likely(&mut random)
        };
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn likely(random: &mut Random) -> u32 {
    let row = &INSTRUCTIONS[random.below(INSTRUCTIONS.len() as u64) as usize];
    // A wait ends a run at once, and a run should get somewhere.
    let opcode = if row.opcode == Opcode::Wfi { Opcode::Addi } else { row.opcode };
    encode(&Op::new(opcode, 4)) | random.bits() as u32 & !opcode.row().pattern.mask
}

fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn random_programs_end_at_their_deadline_and_leave_nothing_behind() {
    let mut retired = 0;
    let mut before = None;
    for seed in 0..SEEDS {
        let outcome = core::run(&program(seed), MEMORY_BYTES, Timing::uniform(), CYCLES);
        let ended = matches!(outcome.stop, Stop::Deadline | Stop::WaitForInterrupt | Stop::Bus);
        assert!(ended, "seed {seed}: {:?}", outcome.stop);
        assert!(outcome.hart.clock.cycles <= CYCLES, "seed {seed} ran past its deadline");
        retired += outcome.hart.counters.instructions;
        if seed == SEEDS / 10 {
            before = resident_bytes();
        }
    }
    assert!(retired > SEEDS, "programs execute something");
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        assert!(after < before + GROWTH_BYTES, "the process grew from {before} to {after} bytes");
    }
}

#[test]
fn cutting_a_random_program_at_random_cycles_changes_nothing() {
    for seed in 0..2_000 {
        let mut random = Random::new(!seed);
        let mut cuts: Vec<u64> = (0..5).map(|_| random.below(CYCLES)).collect();
        cuts.push(CYCLES);
        cuts.sort_unstable();
        let program = program(seed);
        let whole = core::run(&program, MEMORY_BYTES, Timing::uniform(), CYCLES);
        let cut = core::run_in_cuts(&program, MEMORY_BYTES, Timing::uniform(), &cuts);
        assert_eq!(whole.stop, cut.stop, "seed {seed}");
        assert_eq!(format!("{:?}", whole.hart), format!("{:?}", cut.hart), "seed {seed}");
    }
}
