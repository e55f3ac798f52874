//! What an engine does between instructions: deadlines, interrupts, changed code, want of room.

// A failure of a helper is a failure of its test.
#![allow(clippy::unwrap_used)]

mod privileged_world;

use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::{
    Bus, BusError, Engine, Exception, Hart, HostedModes, InstructionClass, Interpreter,
    InterruptLines, IsaProfile, Op, Ports, Privilege, Signal, Stop, Timing, TrapRecord, Width,
};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};
use privileged_world::{DEVICE, RAM, World, csr, status};

const CODE: u64 = RAM + 0x1000;
const DATA: u64 = RAM + 0x8000;
const VECTOR: u64 = RAM + 0x2000;
const A0: Register = Register::R10;
const A1: Register = Register::R11;

/// `addi a0, a0, imm`.
fn count(imm: i64) -> u32 {
    encode(&Op { rd: A0, rs1: A0, imm, ..Op::new(Opcode::Addi, 4) })
}

/// `j offset`.
fn jump(offset: i64) -> u32 {
    encode(&Op { imm: offset, ..Op::new(Opcode::Jal, 4) })
}

/// A load or store of `a1` at `a0`.
fn access(opcode: Opcode) -> u32 {
    encode(&Op { rd: A1, rs1: A0, rs2: A1, ..Op::new(opcode, 4) })
}

fn write_words(world: &mut World, address: u64, words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    world.memory().write(PhysicalAddress(address), &bytes).unwrap();
}

/// A machine with a program at `CODE`.
fn world_with(timing: Timing, words: &[u32]) -> World {
    let mut world = World::with_timing(timing);
    world.write(csr::MTVEC, VECTOR);
    write_words(&mut world, CODE, words);
    world.hart.pc = CODE;
    world
}

fn run(world: &mut World, engine: &mut Interpreter, until_cycles: u64) -> Stop {
    world.with(|hart, ports| engine.run(hart, ports, until_cycles))
}

/// Cycles 3 for arithmetic, 5 for jumps.
fn slow_timing() -> Timing {
    let mut timing = Timing::uniform();
    timing.class_cycles[InstructionClass::Alu as usize] = 3;
    timing.class_cycles[InstructionClass::Jump as usize] = 5;
    timing
}

#[test]
fn the_last_instruction_of_a_run_starts_before_its_end() {
    let mut world = world_with(slow_timing(), &[count(1), count(1), jump(-8)]);
    let mut engine = Interpreter::new();
    // Instructions start at 0, 3, 6, 11, 14, 17, 22, ...
    let expected = [(1, 3), (3, 3), (4, 6), (7, 11), (11, 11), (12, 14), (22, 22), (23, 25)];
    for (until, cycles) in expected {
        assert_eq!(run(&mut world, &mut engine, until), Stop::Deadline);
        assert_eq!(world.hart.clock.cycles, cycles, "until {until}");
    }
    assert_eq!(world.hart.counters.instructions, 7);
}

#[test]
fn a_run_that_has_no_time_does_nothing() {
    let mut world = world_with(Timing::uniform(), &[count(1)]);
    let mut engine = Interpreter::new();
    assert_eq!(run(&mut world, &mut engine, 0), Stop::Deadline);
    assert_eq!((world.hart.pc, world.hart.x[10]), (CODE, 0));
}

/// The timer interrupt is taken before the first instruction that starts at or after its cycle.
#[test]
fn a_timer_interrupt_comes_at_its_cycle() {
    for cycle in 0..40 {
        let timing = Timing { timebase_hz: 1_000_000_000, ..slow_timing() };
        let mut world = world_with(timing, &[count(1), count(1), jump(-8)]);
        world.device.lines.machine_timer_compare = cycle;
        world.write(csr::MIE, 1 << 7);
        world.write(csr::MSTATUS, status::MIE);
        world.hart.hosted = HostedModes { machine: true, supervisor: false };
        let stop = run(&mut world, &mut Interpreter::new(), u64::MAX);
        let starts = (0..).flat_map(|round| [0, 3, 6].map(|start| 11 * round + start));
        let (number, start) = starts.enumerate().find(|(_, start)| *start >= cycle).unwrap();
        let record = TrapRecord {
            to: Privilege::Machine,
            from: Privilege::Machine,
            from_virtual: false,
            cause: 1 << 63 | 7,
            value: 0,
            pc: CODE + 4 * (number as u64 % 3),
        };
        assert_eq!(stop, Stop::Trap(record), "cycle {cycle}");
        assert_eq!(world.hart.clock.cycles, start);
        assert_eq!(world.hart.counters.instructions, number as u64);
    }
}

/// A device that raises its interrupt line when it is written.
#[derive(Default)]
struct Bell {
    lines: InterruptLines,
}

impl Bus for Bell {
    fn store(
        &mut self,
        _: &mut Memory<'_>,
        _: u64,
        _: Width,
        _: u64,
        _: u64,
    ) -> Result<Signal, BusError> {
        self.lines.machine_external = true;
        Ok(Signal::Interrupts)
    }

    fn interrupt_lines(&self, _: usize) -> InterruptLines {
        self.lines
    }
}

#[test]
fn an_interrupt_that_a_store_raises_comes_before_the_next_instruction() {
    let program = [count(0), access(Opcode::Sd), count(1), count(1)];
    let mut world = world_with(Timing::uniform(), &program);
    world.hart.x[10] = DEVICE;
    world.hart.hosted = HostedModes { machine: true, supervisor: false };
    world.write(csr::MIE, 1 << 11);
    world.write(csr::MSTATUS, status::MIE);
    let mut bell = Bell::default();
    let memory = Memory { store: &mut world.store, frames: &mut world.frames };
    let mut ports = Ports { memory, bus: &mut bell };
    let stop = Interpreter::new().run(&mut world.hart, &mut ports, 100);
    let Stop::Trap(record) = stop else { panic!("{stop:?}") };
    assert_eq!((record.cause, record.pc), ((1 << 63) + 11, CODE + 8));
    assert_eq!(world.hart.counters.instructions, 2);
}

#[test]
fn a_device_can_stop_the_run_after_the_store() {
    let mut world = world_with(Timing::uniform(), &[access(Opcode::Sd), count(1), count(1)]);
    world.hart.x[10] = DEVICE;
    world.device.signal = Some(Signal::Stop);
    let stop = run(&mut world, &mut Interpreter::new(), 100);
    assert_eq!((stop, world.hart.pc), (Stop::Bus, CODE + 4));
    assert_eq!((world.hart.clock.cycles, world.hart.counters.instructions), (1, 1));
}

#[test]
fn a_trap_into_a_hosted_mode_ends_the_run() {
    let ecall = encode(&Op::new(Opcode::Ecall, 4));
    let mut world = world_with(Timing::uniform(), &[count(1), ecall]);
    world.hart.hosted = HostedModes { machine: true, supervisor: false };
    let stop = run(&mut world, &mut Interpreter::new(), 100);
    let Stop::Trap(record) = stop else { panic!("{stop:?}") };
    assert_eq!((record.cause, record.pc), (Exception::EcallFromMachine.code(), CODE + 4));
    assert_eq!(world.hart.counters.instructions, 1);
}

/// A store to the instructions that follow it is seen by them, without a fence.
#[test]
fn code_that_is_written_is_executed_at_once() {
    let store = access(Opcode::Sw);
    let mut world = world_with(Timing::uniform(), &[count(0), store, count(1), jump(-12)]);
    let mut engine = Interpreter::new();
    world.hart.x[10] = CODE + 8;
    world.hart.x[11] = count(16).into();
    run(&mut world, &mut engine, 3);
    assert_eq!(world.hart.x[10], CODE + 24);
    // Again, now that the block is decoded and the page known as code.
    world.hart.x[10] = CODE + 8;
    world.hart.x[11] = count(32).into();
    run(&mut world, &mut engine, 7);
    assert_eq!(world.hart.x[10], CODE + 40);
}

#[test]
fn code_that_others_write_between_runs_is_executed() {
    let mut world = world_with(Timing::uniform(), &[count(1), jump(-4)]);
    let mut engine = Interpreter::new();
    run(&mut world, &mut engine, 10);
    write_words(&mut world, CODE, &[count(100)]);
    world.hart.x[10] = 0;
    run(&mut world, &mut engine, 20);
    assert_eq!(world.hart.x[10], 500);
}

/// A clone shares pages, and with them decoded blocks, until it writes.
#[test]
fn a_clone_keeps_its_own_code() {
    let mut world = world_with(Timing::uniform(), &[count(1), jump(-4)]);
    let mut engine = Interpreter::new();
    run(&mut world, &mut engine, 10);
    let mut frames = world.frames.clone_shared(&mut world.store);
    let mut clone = world.hart.clone();
    clone.forget_pages();
    let mut run_clone = |store: &mut PageStore, engine: &mut Interpreter, until, patch| {
        let mut memory = Memory { store, frames: &mut frames };
        if patch {
            memory.write_u32(PhysicalAddress(CODE), count(100)).unwrap();
        }
        let mut device = privileged_world::Device::default();
        engine.run(&mut clone, &mut Ports { memory, bus: &mut device }, until);
        clone.x[10]
    };
    assert_eq!(run_clone(&mut world.store, &mut engine, 20, false), 10);
    assert_eq!(run_clone(&mut world.store, &mut engine, 30, true), 510);
    run(&mut world, &mut engine, 20);
    assert_eq!(world.hart.x[10], 10);
}

/// Where only a part of a page may be executed, execution goes on there and traps outside.
#[test]
fn a_page_may_be_executable_in_part() {
    let mut world = world_with(Timing::uniform(), &[count(1), count(1), count(1), count(1)]);
    // One region: the 8 bytes at CODE, for all privileges (NAPOT, X R W).
    world.write(csr::PMPADDR0, CODE >> 2);
    world.write(csr::PMPCFG0, 0x1f);
    world.write(csr::MEDELEG, 0);
    world.hart.hosted = HostedModes { machine: true, supervisor: false };
    world.hart.set_privilege(Privilege::User);
    let stop = run(&mut world, &mut Interpreter::new(), 100);
    let Stop::Trap(record) = stop else { panic!("{stop:?}") };
    assert_eq!(record.cause, Exception::InstructionAccessFault.code());
    assert_eq!((record.pc, record.value), (CODE + 8, CODE + 8));
    assert_eq!((world.hart.x[10], world.hart.counters.instructions), (2, 2));
}

/// The second half of an instruction that crosses a page is fetched from the second page.
#[test]
fn a_crossing_instruction_faults_at_its_second_half() {
    let mut world = world_with(Timing::uniform(), &[]);
    let last = RAM + (privileged_world::PAGES - 1) * 4096;
    write_words(&mut world, last + 4092, &[u32::from(count(1) as u16) << 16 | 1]);
    world.hart.hosted = HostedModes { machine: true, supervisor: false };
    world.hart.pc = last + 4092;
    let stop = run(&mut world, &mut Interpreter::new(), 100);
    let Stop::Trap(record) = stop else { panic!("{stop:?}") };
    assert_eq!(record.cause, Exception::InstructionAccessFault.code());
    assert_eq!((record.pc, record.value), (last + 4094, last + 4096));
    assert_eq!(world.hart.counters.instructions, 1);
}

/// A store that finds no room in the page store stops the run and is made again later; in the end
/// the cost is what it would have been.
#[test]
fn an_instruction_that_finds_no_room_starts_again() {
    let program = [count(8), access(Opcode::Sd), access(Opcode::AmoaddD), count(8), jump(0)];
    let outcome = |is_full: bool| {
        // Two pages: the program, and one more.
        let mut store = PageStore::new(3 * 4096);
        let mut frames = Frames::new(PhysicalAddress(RAM), 16);
        let mut hart = Hart::new(0, IsaProfile::Rv64gc, slow_timing());
        let mut device = privileged_world::Device::default();
        let mut engine = Interpreter::new();
        let bytes: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut memory = Memory { store: &mut store, frames: &mut frames };
        memory.write(PhysicalAddress(CODE), &bytes).unwrap();
        hart.reset(CODE);
        hart.x[10] = DATA - 8;
        hart.x[11] = 3;
        if is_full {
            let other = store.insert(&[1; 4096]).unwrap();
            let memory = Memory { store: &mut store, frames: &mut frames };
            let mut ports = Ports { memory, bus: &mut device };
            for _ in 0..2 {
                assert_eq!(engine.run(&mut hart, &mut ports, 40), Stop::StoreFull);
                assert_eq!(
                    (hart.pc, hart.clock.cycles, hart.counters.instructions),
                    (CODE + 4, 3, 1)
                );
            }
            store.release(other);
        }
        let memory = Memory { store: &mut store, frames: &mut frames };
        let mut ports = Ports { memory, bus: &mut device };
        assert_eq!(engine.run(&mut hart, &mut ports, 40), Stop::Deadline);
        let value = ports.memory.read_u64(PhysicalAddress(DATA)).unwrap();
        (hart.x, hart.clock, hart.counters, value)
    };
    assert_eq!(outcome(true), outcome(false));
    assert_eq!(outcome(false).3, 6);
}

/// One engine serves harts that cost differently.
#[test]
fn costs_are_those_of_the_hart() {
    let mut engine = Interpreter::new();
    for (timing, cycles) in [(Timing::uniform(), 2), (slow_timing(), 8), (Timing::uniform(), 2)] {
        let mut world = world_with(timing, &[count(1), jump(0)]);
        let mut steps = 0;
        while steps < 2 {
            assert_eq!(world.with(|hart, ports| engine.step(hart, ports)), None);
            steps += 1;
        }
        assert_eq!(world.hart.clock.cycles, cycles);
    }
}

/// A branch out of the middle of a block, taken or not, leaves the accounts right.
#[test]
fn leaving_a_block_early_takes_back_the_rest() {
    let branch = |opcode| encode(&Op { rs1: A0, imm: 12, ..Op::new(opcode, 4) });
    let nothing = encode(&Op { rd: A1, rs1: A1, imm: 1, ..Op::new(Opcode::Addi, 4) });
    for (opcode, cycles, instructions) in [(Opcode::Beq, 4, 2), (Opcode::Bne, 10, 4)] {
        let program = [branch(opcode), nothing, nothing, nothing, jump(0)];
        let mut world = world_with(slow_timing(), &program);
        let mut engine = Interpreter::new();
        run(&mut world, &mut engine, cycles);
        assert_eq!(world.hart.pc, CODE + 16, "{opcode:?}");
        assert_eq!(world.hart.clock.cycles, cycles);
        assert_eq!(world.hart.counters.instructions, instructions);
    }
}
