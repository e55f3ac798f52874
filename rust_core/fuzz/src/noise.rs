//! Random bytes as programs, on harts whose registers make them get somewhere.
//!
//! Half of the programs are plain noise; in the others most words are instructions of the table
//! with random operands. Registers point into memory, traps are sent back into it, and every
//! second hart runs below machine mode, half of these on page tables of random but likely entries.
//! Costs, TLB sizes and the data cache are random as well.

use crate::core::{Machine, Pace, State};
use crate::layout::{BASE, PAGE, number};
use crate::random::Random;
use dcsim_hart::isa::{INSTRUCTIONS, Opcode, encode};
use dcsim_hart::op::Op;
use dcsim_hart::{DataCacheShape, InstructionClass, Privilege, Stop, Timing, TlbShape};

/// Bytes of memory of the machine that the programs run on.
pub const MEMORY_BYTES: u64 = PAGES * PAGE;

const PAGES: u64 = 8;
/// Pages of the program proper, which repeat to fill the memory up to the tables.
const FRESH_PAGES: u64 = 2;
/// The page that is the root of all page tables, and any level of them.
const TABLE_PAGE: u64 = PAGES - 1;
const TABLE_FRAME: u64 = (BASE >> 12) + TABLE_PAGE;

/// Starts the machine anew with the program and the registers that `seed` names.
pub fn start(machine: &mut Machine, seed: u64) {
    let mut random = Random::new(seed);
    let program = program(&mut random, seed.is_multiple_of(2));
    machine.restart(&program, timing(&mut random));
    set_registers(machine, &mut random);
    set_control(machine, &mut random);
}

/// How long a program runs.
pub const CYCLES: u64 = 2_000;

/// Runs the program of `seed` at this pace, and tells what there is at the end.
pub fn run(machine: &mut Machine, seed: u64, pace: Pace<'_>) -> (Stop, State) {
    start(machine, seed);
    let stop = machine.run_on(CYCLES, pace);
    (stop, machine.state())
}

/// Whether the program of `seed` comes to the same end in one run, in pieces that end at random
/// cycles, and one instruction after the other.
pub fn agree(machine: &mut Machine, seed: u64) -> Result<(), String> {
    let mut random = Random::new(!seed);
    let mut cuts: Vec<u64> = (0..8).map(|_| random.below(CYCLES)).collect();
    cuts.sort_unstable();
    let whole = run(machine, seed, Pace::Whole);
    for pace in [Pace::Cuts(&cuts), Pace::Steps] {
        let other = run(machine, seed, pace);
        if other != whole {
            return Err(format!("random bytes of seed {seed}, {pace:?}: {other:?}, not {whole:?}"));
        }
    }
    Ok(())
}

fn program(random: &mut Random, plain: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MEMORY_BYTES as usize);
    for _ in 0..FRESH_PAGES * PAGE / 4 {
        let word = if plain || random.once_in(8) { random.bits() as u32 } else { likely(random) };
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    while (bytes.len() as u64) < TABLE_PAGE * PAGE {
        bytes.extend_from_within(bytes.len() - (FRESH_PAGES * PAGE) as usize..);
    }
    bytes.truncate((TABLE_PAGE * PAGE) as usize);
    (0..PAGE / 8).for_each(|_| bytes.extend_from_slice(&table_entry(random).to_le_bytes()));
    bytes
}

fn likely(random: &mut Random) -> u32 {
    let row = &INSTRUCTIONS[random.below(INSTRUCTIONS.len() as u64) as usize];
    // A wait mostly ends a run, and a run should get somewhere.
    let is_wait = row.opcode == Opcode::Wfi && !random.once_in(16);
    let opcode = if is_wait { Opcode::Addi } else { row.opcode };
    encode(&Op::new(opcode, 4)) | random.bits() as u32 & !opcode.row().pattern.mask
}

/// An entry that maps a page of the memory or all of it, or points to the table page again.
fn table_entry(random: &mut Random) -> u64 {
    let frame = (BASE >> 12) + random.below(PAGES);
    let accessed_and_dirty = if random.once_in(4) { random.bits() & 0xc0 } else { 0xc0 };
    let marks = random.bits() & 0x330 | accessed_and_dirty;
    match random.below(8) {
        0..3 => (BASE >> 12) << 10 | 0xf | marks,
        3..6 => TABLE_FRAME << 10 | 1 | random.bits() & 0x320,
        6 => frame << 10 | marks | random.bits() & 0xf,
        _ => random.bits(),
    }
}

/// Costs that are all different, TLBs of a few entries, and now and then a data cache.
fn timing(random: &mut Random) -> Timing {
    let mut timing = Timing::uniform();
    if random.once_in(2) {
        return timing;
    }
    timing.class_cycles = [0; InstructionClass::COUNT].map(|_: u32| 1 + random.below(9) as u32);
    timing.trap_cycles = random.below(30);
    timing.return_cycles = random.below(30);
    timing.walk_reference_cycles = random.below(20);
    timing.device_access_cycles = random.below(50);
    timing.misaligned_cycles = random.below(5);
    timing.itlb = tlb(random);
    timing.dtlb = tlb(random);
    timing.data_cache = random.once_in(2).then(|| DataCacheShape {
        bytes: 512 << random.below(3),
        line_bytes: 16 << random.below(3),
        ways: 1 + random.below(2) as usize,
        miss_cycles: random.below(40),
    });
    timing
}

fn tlb(random: &mut Random) -> TlbShape {
    let ways = 1 << random.below(3);
    TlbShape { entries: ways << random.below(3), ways }
}

fn set_registers(machine: &mut Machine, random: &mut Random) {
    for register in 1..32 {
        machine.hart.x[register] = match random.below(4) {
            0 => random.bits(),
            1 => random.bits() >> random.below(64),
            _ => memory_address(random),
        };
        machine.hart.f[register] = random.bits() | if random.once_in(2) { !0 << 32 } else { 0 };
    }
}

/// An address in the memory, of which those at the edges of pages are the most interesting.
fn memory_address(random: &mut Random) -> u64 {
    let near_edge = random.below(PAGES + 1) * PAGE + random.below(32);
    let offset = if random.once_in(2) { near_edge } else { random.below(MEMORY_BYTES) };
    (BASE - 16).wrapping_add(offset)
}

fn set_control(machine: &mut Machine, random: &mut Random) {
    // Everything is allowed, except that once in a while a range of its own comes first.
    let mut pairs = vec![(number::PMPADDR0 + 1, u64::MAX), (number::PMPCFG0, 0x1f00)];
    if random.once_in(8) {
        pairs[1].1 |= random.bits() & 0x1f;
        pairs.push((number::PMPADDR0, memory_address(random) >> 2 | random.bits() & 0xff));
    }
    for vector in [number::MTVEC, number::STVEC, number::MEPC, number::SEPC] {
        pairs.push((vector, memory_address(random) & !3));
    }
    let masks = [number::MEDELEG, number::MIDELEG, number::MIE, number::MCOUNTEREN];
    pairs.extend(masks.map(|mask| (mask, random.bits())));
    pairs.push((number::SCOUNTEREN, random.bits()));
    pairs.push((number::MENVCFG, random.bits()));
    pairs.push((number::STIMECMP, random.below(20)));
    pairs.push((number::FCSR, random.below(0x100)));
    pairs.push((number::MSTATUS, random.bits() | 0x2000));
    let mode = random.pick(&[0, 8, 8, 9]);
    pairs.push((number::SATP, mode << 60 | random.below(4) << 44 | TABLE_FRAME));
    for (register, value) in pairs {
        machine.hart.write_csr(register, value);
    }
    machine.set_timer(if random.once_in(2) { random.below(20) } else { u64::MAX });
    set_mode(machine, random, mode);
}

fn set_mode(machine: &mut Machine, random: &mut Random, mode: u64) {
    let levels = [Privilege::Machine, Privilege::Supervisor, Privilege::User];
    let privilege = random.pick(&levels);
    machine.hart.hosted.machine = random.once_in(8);
    machine.hart.hosted.supervisor = random.once_in(8);
    machine.hart.pc = match (privilege, mode) {
        (Privilege::Machine, _) | (_, 0) => BASE,
        _ => random.bits() & 0x3f_ffff_fffe,
    };
    machine.hart.set_privilege(privilege);
}
