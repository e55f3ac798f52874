//! Random bytes as programs, on harts whose registers make them get somewhere.
//!
//! Half of the programs are plain noise; in the others most words are instructions of the table
//! with random operands. Registers point into memory, most traps go to handlers that skip what
//! trapped, and most harts run below machine mode, on page tables of random but likely entries.
//! Nothing keeps a program from overwriting any of this. Costs, TLB sizes and the data cache are
//! random as well.

use crate::assembler::{Assembler, csr, immediate, store};
use crate::core::{MSIP, MTIMECMP, Machine, Pace, State};
use crate::layout::{MEMORY, PAGE, UART, number};
use crate::random::Random;
use dcsim_hart::isa::{Extension, Opcode, Register, encode};
use dcsim_hart::op::Op;
use dcsim_hart::{DataCacheShape, InstructionClass, IsaProfile, Privilege, Stop, Timing, TlbShape};

/// Bytes of memory of the machine that the programs run on.
pub const MEMORY_BYTES: u64 = PAGES * PAGE;

const PAGES: u64 = 8;
/// Pages of the program proper, which repeat to fill the memory up to the tables.
const FRESH_PAGES: u64 = 1;
/// The page that is the root of all page tables, and any level of them.
const TABLE_PAGE: u64 = PAGES - 1;
const TABLE_FRAME: u64 = (MEMORY >> 12) + TABLE_PAGE;
/// Entries of the table that are sure to be there: the table itself, and all memory for each of
/// the lower privileges.
const AGAIN: u64 = 4;
const SUPERVISOR_ENTRY: u64 = 5;
const USER_ENTRY: u64 = 6;
/// Offsets in memory of the trap handlers.
const MACHINE_HANDLER: u64 = (TABLE_PAGE - 1) * PAGE;
const SUPERVISOR_HANDLER: u64 = MACHINE_HANDLER + 0x100;
/// Registers that the engine must be exact about: time, counts, interrupts, translation.
const CONTROL: [u16; 24] = [
    number::FCSR,
    number::SSTATUS,
    number::SIE,
    number::STVEC,
    number::SIP,
    number::STIMECMP,
    number::SATP,
    number::MSTATUS,
    number::MEDELEG,
    number::MIDELEG,
    number::MIE,
    number::MIP,
    number::MTVEC,
    number::MENVCFG,
    number::MCOUNTINHIBIT,
    number::MEPC,
    number::SEPC,
    number::PMPCFG0,
    number::PMPADDR0,
    number::MCYCLE,
    number::MINSTRET,
    number::CYCLE,
    number::TIME,
    number::INSTRET,
];
/// Registers of devices.
const DEVICES: [u64; 3] = [UART, MSIP, MTIMECMP];
/// What the handlers return to where a fetch failed.
const HOME: Register = Register::R28;

/// Starts the machine anew with the program and the registers that `seed` names.
pub fn start(machine: &mut Machine, seed: u64) {
    let mut random = Random::new(seed);
    let program = program(&mut random, seed.is_multiple_of(2));
    machine.restart(&program, MEMORY, timing(&mut random));
    let setup = Setup::random(&mut random);
    set_control(machine, &mut random, setup);
    set_registers(machine, &mut random, setup);
}

/// How long a program runs.
pub const CYCLES: u64 = 1_000;

/// Runs the program of `seed` at this pace, and tells what there is at the end.
pub fn run(machine: &mut Machine, seed: u64, pace: Pace<'_>) -> (Stop, State) {
    start(machine, seed);
    let stop = machine.run_on(CYCLES, pace);
    (stop, machine.state())
}

/// Whether the program of `seed` comes to the same end in one run, in pieces that end at random
/// cycles, one instruction after the other, and where pages are scarce.
pub fn agree(machine: &mut Machine, seed: u64) -> Result<(), String> {
    let mut random = Random::new(!seed);
    let mut cuts: Vec<u64> = (0..8).map(|_| random.below(CYCLES)).collect();
    cuts.sort_unstable();
    let whole = run(machine, seed, Pace::Whole);
    for pace in [Pace::Cuts(&cuts), Pace::Steps, Pace::Scarce] {
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
    for (offset, handler) in [
        (MACHINE_HANDLER, handler(number::MCAUSE, number::MEPC, Opcode::Mret)),
        (SUPERVISOR_HANDLER, handler(number::SCAUSE, number::SEPC, Opcode::Sret)),
    ] {
        bytes[offset as usize..][..handler.len()].copy_from_slice(&handler);
    }
    for index in 0..PAGE / 8 {
        let entry = match index {
            AGAIN => TABLE_FRAME << 10 | 1,
            SUPERVISOR_ENTRY => (MEMORY >> 12) << 10 | 0xcf,
            USER_ENTRY => (MEMORY >> 12) << 10 | 0xdf,
            _ => table_entry(random),
        };
        bytes.extend_from_slice(&entry.to_le_bytes());
    }
    bytes
}

/// Goes on four bytes further, or at home if the fetch failed.
fn handler(cause: u16, pc: u16, back: Opcode) -> Vec<u8> {
    use Register::{R0, R30, R31};
    let mut code = Assembler::new(0);
    code.op(csr(Opcode::Csrrs, R31, cause, R0));
    code.op(csr(Opcode::Csrrs, R30, pc, R0));
    code.op(immediate(Opcode::Addi, R30, R30, 4));
    code.op(immediate(Opcode::Addi, R31, R31, -12));
    code.op(store(Opcode::Beq, R0, R31, 12));
    code.op(immediate(Opcode::Addi, R31, R31, 11));
    code.op(store(Opcode::Bne, R0, R31, 8));
    code.op(immediate(Opcode::Addi, R30, HOME, 0));
    code.op(csr(Opcode::Csrrw, R0, pc, R30));
    code.op(Op::new(back, 4));
    code.finish()
}

fn likely(random: &mut Random) -> u32 {
    let rows = IsaProfile::Rv64gc.instructions();
    let row = &rows[random.below(rows.len() as u64) as usize];
    // A wait mostly ends a run, and a run should get somewhere.
    let is_wait = row.opcode == Opcode::Wfi && !random.once_in(16);
    let opcode = if is_wait { Opcode::Addi } else { row.opcode };
    let free = !opcode.row().pattern.mask;
    let word = encode(&Op::new(opcode, 4)) | random.bits() as u32 & free;
    if opcode.row().extension == Extension::Zicsr && !random.once_in(4) {
        return word << 12 >> 12 | u32::from(random.pick(&CONTROL)) << 20;
    }
    word
}

/// An entry that maps a page of the memory or all of it, or points to the table page again.
fn table_entry(random: &mut Random) -> u64 {
    let frame = (MEMORY >> 12) + random.below(PAGES);
    let accessed_and_dirty = if random.once_in(4) { random.bits() & 0xc0 } else { 0xc0 };
    let marks = random.bits() & 0x330 | accessed_and_dirty;
    match random.below(8) {
        0..3 => (MEMORY >> 12) << 10 | 0xf | marks,
        3..6 => TABLE_FRAME << 10 | 1 | random.bits() & 0x320,
        6 => frame << 10 | marks | random.bits() & 0xf,
        _ => random.bits(),
    }
}

/// Costs that are all different, TLBs of a few entries, and now and then a data cache.
fn timing(random: &mut Random) -> Timing {
    let mut timing = Timing::uniform();
    timing.timebase_hz = timing.hz / random.pick(&[1, 7, 100]);
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

/// How a hart is set up.
#[derive(Clone, Copy, Debug)]
struct Setup {
    privilege: Privilege,
    /// Of `satp`.
    mode: u64,
}

impl Setup {
    fn random(random: &mut Random) -> Self {
        let levels = [Privilege::Machine, Privilege::Supervisor, Privilege::User];
        Self { privilege: random.pick(&levels), mode: random.pick(&[0, 8, 8, 9]) }
    }

    /// Where `privilege` finds an offset in the memory.
    fn address(self, privilege: Privilege, offset: u64) -> u64 {
        let entry = match privilege {
            Privilege::User => USER_ENTRY,
            _ => SUPERVISOR_ENTRY,
        };
        match (privilege, self.mode) {
            (Privilege::Machine, _) | (_, 0) => MEMORY.wrapping_add(offset),
            (_, 8) => (entry << 30).wrapping_add(offset),
            _ => (AGAIN << 39 | entry << 30).wrapping_add(offset),
        }
    }

    /// An address in the memory, of which those at the edges of pages are the most interesting.
    fn data_address(self, random: &mut Random) -> u64 {
        let near_edge = random.below(PAGES + 1) * PAGE + random.below(32);
        let offset = if random.once_in(2) { near_edge } else { random.below(MEMORY_BYTES) };
        self.address(self.privilege, offset.wrapping_sub(16))
    }
}

fn set_registers(machine: &mut Machine, random: &mut Random, setup: Setup) {
    for register in 1..32 {
        machine.hart.x[register] = match random.below(4) {
            0 => random.bits(),
            1 => random.bits() >> random.below(64),
            _ if random.once_in(24) => random.pick(&DEVICES),
            _ => setup.data_address(random),
        };
        machine.hart.f[register] = random.bits() | if random.once_in(2) { !0 << 32 } else { 0 };
    }
    machine.hart.x[HOME.index()] = setup.address(setup.privilege, random.below(PAGE) & !1);
    machine.hart.pc = setup.address(setup.privilege, 0);
    machine.hart.set_privilege(setup.privilege);
}

fn set_control(machine: &mut Machine, random: &mut Random, setup: Setup) {
    let mut pairs = protection(random);
    let mut vector = |privilege, handler| {
        let handler = setup.address(privilege, handler);
        if random.once_in(8) { setup.data_address(random) & !2 } else { handler }
    };
    pairs.push((number::MTVEC, vector(Privilege::Machine, MACHINE_HANDLER)));
    pairs.push((number::STVEC, vector(Privilege::Supervisor, SUPERVISOR_HANDLER)));
    for register in [number::MEPC, number::SEPC] {
        pairs.push((register, setup.data_address(random)));
    }
    let masks = [number::MEDELEG, number::MIDELEG, number::MIE, number::MENVCFG];
    pairs.extend(masks.map(|mask| (mask, random.bits())));
    let counters = [number::MCOUNTEREN, number::SCOUNTEREN];
    pairs.extend(counters.map(|mask| (mask, random.bits())));
    let timing = machine.hart.timing();
    let end = 1 + CYCLES * timing.timebase_hz / timing.hz;
    pairs.push((number::STIMECMP, random.below(end)));
    pairs.push((number::FCSR, random.below(0x100)));
    pairs.push((number::MSTATUS, random.bits() | 0x2000));
    pairs.push((number::SATP, setup.mode << 60 | random.below(4) << 44 | TABLE_FRAME));
    for (register, value) in pairs {
        machine.hart.write_csr(register, value);
    }
    machine.set_timer(if random.once_in(2) { random.below(end) } else { u64::MAX });
    machine.hart.hosted.machine = random.once_in(8);
    machine.hart.hosted.supervisor = random.once_in(8);
}

/// Everything is allowed, except that once in a while a range of its own comes first.
fn protection(random: &mut Random) -> Vec<(u16, u64)> {
    let all = (number::PMPADDR0 + 1, u64::MAX);
    if !random.once_in(8) {
        return vec![all, (number::PMPCFG0, 0x1f00)];
    }
    let range = MEMORY.wrapping_add(random.below(MEMORY_BYTES)) >> 2 | random.bits() & 0xff;
    vec![all, (number::PMPADDR0, range), (number::PMPCFG0, 0x1f00 | random.bits() & 0x1f)]
}
