//! A machine that runs a random program in one way or another.

// A failure of a helper is a failure of the test.
#![allow(clippy::unwrap_used)]

use crate::program::{self, Numbers};
use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::{
    Bus, BusError, DataCacheShape, Engine, Hart, InstructionClass, Interpreter, InterruptLines,
    IsaProfile, Op, Ports, Privilege, Signal, Stop, Timing, TlbShape, Width,
};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};

const RAM: u64 = 0x8000_0000;
const PAGES: u64 = 64;
const DEVICE: u64 = 0x1000_0000;
const MACHINE_HANDLER: u64 = RAM;
const SUPERVISOR_HANDLER: u64 = RAM + 0x1000;
/// The program goes over three pages.
const CODE: u64 = RAM + 0x2000;
const CODE_BYTES: usize = 0x2400;
/// Inside the program: an instruction that the program overwrites.
const PATCHED: u64 = CODE + 0x100;
const DATA: u64 = RAM + 0x9000;
const UNMAPPED: u64 = RAM + 0xc000;
const TABLES: u64 = RAM + 0x20_000;

/// How a program is run.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Whole,
    Pieces,
    Steps,
    Forgetful,
}

/// A timer, and registers that remember.
struct Device {
    timer: u64,
    value: u64,
    /// The cycles of all accesses, mixed into one number.
    trace: u64,
}

impl Device {
    fn note(&mut self, now_cycles: u64) {
        self.trace = self.trace.wrapping_mul(31).wrapping_add(now_cycles);
    }
}

impl Bus for Device {
    fn load(
        &mut self,
        _: &mut Memory<'_>,
        _: u64,
        _: Width,
        now_cycles: u64,
    ) -> Result<u64, BusError> {
        self.note(now_cycles);
        Ok(self.value)
    }

    fn store(
        &mut self,
        _: &mut Memory<'_>,
        address: u64,
        _: Width,
        value: u64,
        now_cycles: u64,
    ) -> Result<Signal, BusError> {
        self.note(now_cycles);
        match address - DEVICE {
            0 => {
                self.timer = value;
                return Ok(Signal::Interrupts);
            }
            8 => self.value = value,
            _ => return Ok(Signal::Stop),
        }
        Ok(Signal::None)
    }

    fn interrupt_lines(&self, _: usize) -> InterruptLines {
        InterruptLines { machine_timer_compare: self.timer, ..InterruptLines::default() }
    }
}

fn timing(numbers: &mut Numbers) -> Timing {
    let shape = TlbShape { entries: 4, ways: 1 + numbers.below(2) as usize };
    let mut class_cycles = [0; InstructionClass::COUNT];
    class_cycles.fill_with(|| 1 + numbers.below(5) as u32);
    let cache = DataCacheShape { bytes: 1024, line_bytes: 64, ways: 2, miss_cycles: 11 };
    Timing {
        timebase_hz: 100_000_000,
        class_cycles,
        trap_cycles: numbers.below(9),
        return_cycles: numbers.below(9),
        walk_reference_cycles: numbers.below(9),
        itlb: shape,
        dtlb: shape,
        device_access_cycles: 13,
        misaligned_cycles: 3,
        data_cache: (numbers.below(3) == 0).then_some(cache),
        ..Timing::uniform()
    }
}

pub struct Machine {
    store: PageStore,
    frames: Frames,
    device: Device,
    hart: Hart,
    numbers: Numbers,
}

impl Machine {
    pub fn new(seed: u64) -> Self {
        let mut numbers = Numbers::new(seed);
        let mut machine = Self {
            store: PageStore::new(4 << 20),
            frames: Frames::new(PhysicalAddress(RAM), PAGES),
            device: Device { timer: 100, value: 5, trace: 0 },
            hart: Hart::new(0, IsaProfile::Rv64gc, timing(&mut numbers)),
            numbers,
        };
        machine.write_program();
        machine.write_tables();
        machine.start();
        machine
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        memory.write(PhysicalAddress(address), bytes).unwrap();
    }

    fn write_words(&mut self, address: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(address, &bytes);
    }

    fn write_program(&mut self) {
        self.write_words(MACHINE_HANDLER, &program::machine_handler());
        self.write_words(SUPERVISOR_HANDLER, &program::supervisor_handler());
        let code = program::random(&mut self.numbers, CODE_BYTES);
        let bytes: Vec<u8> = code.iter().flat_map(|halfword| halfword.to_le_bytes()).collect();
        self.write(CODE, &bytes);
        let data: Vec<u8> = (0..0x2000).map(|_| self.numbers.next() as u8).collect();
        self.write(DATA - 0x800, &data);
    }

    /// Maps everything to itself in pages of 4 KiB, but one; some entries not accessed yet.
    fn write_tables(&mut self) {
        let pointer = |table: u64| table >> 2 | 1;
        self.write_entry(TABLES, RAM >> 30, pointer(TABLES + 0x1000));
        self.write_entry(TABLES + 0x1000, 0, pointer(TABLES + 0x2000));
        self.write_entry(TABLES, 0, pointer(TABLES + 0x3000));
        // The device: a page of 2 MiB.
        self.write_entry(TABLES + 0x3000, DEVICE >> 21, DEVICE >> 2 | 0xc7);
        for page in 0..PAGES {
            let address = RAM + page * 4096;
            let marks = if self.numbers.below(2) == 0 { 0xc0 } else { 0 };
            if address != UNMAPPED {
                self.write_entry(TABLES + 0x2000, page, address >> 2 | 0xf | marks);
            }
        }
    }

    fn write_entry(&mut self, table: u64, index: u64, entry: u64) {
        self.write(table + index % 512 * 8, &entry.to_le_bytes());
    }

    fn start(&mut self) {
        let hart = &mut self.hart;
        for (number, value) in [
            (0x305, MACHINE_HANDLER),
            (0x105, SUPERVISOR_HANDLER),
            (0x306, 7),
            (0x30a, 1 << 63 | 1 << 61),
            (0x303, 1 << 5),
            (0x304, 1 << 5 | 1 << 7),
            (0x14d, 50),
            (0x3b0, u64::MAX),
            (0x3a0, 0x1f),
            (0x180, 8 << 60 | TABLES >> 12),
            (0x300, 1 << 13 | 1 << 1),
        ] {
            hart.write_csr(number, value);
        }
        let addi = |imm| encode(&Op { rd: Register::R10, imm, ..Op::new(Opcode::Addi, 4) });
        for (register, value) in [
            (program::DATA, DATA),
            (program::MISALIGNED, DATA + 4),
            (program::UNMAPPED, UNMAPPED + 0x800),
            (program::DEVICE, DEVICE),
            (program::PATCHED, PATCHED),
            (program::PATCH, addi(1).into()),
            (Register::R15, (addi(1) ^ addi(2)).into()),
        ] {
            hart.x[register.index()] = value;
        }
        hart.pc = CODE;
        hart.set_privilege(Privilege::Supervisor);
    }

    /// Runs until the clock has reached `cycles`.
    pub fn run(&mut self, way: Way, cycles: u64) {
        let mut engine = Interpreter::new();
        while self.hart.clock.cycles < cycles {
            let now = self.hart.clock.cycles;
            let piece = match way {
                Way::Whole | Way::Steps => cycles,
                Way::Pieces | Way::Forgetful => cycles.min(now + self.numbers.below(400)),
            };
            if let Way::Forgetful = way {
                engine = Interpreter::new();
                self.hart.forget_pages();
            }
            let memory = Memory { store: &mut self.store, frames: &mut self.frames };
            let mut ports = Ports { memory, bus: &mut self.device };
            let stop = match way {
                Way::Steps => engine.step(&mut self.hart, &mut ports),
                _ => Some(engine.run(&mut self.hart, &mut ports, piece)),
            };
            assert!(matches!(stop, None | Some(Stop::Deadline | Stop::Bus)), "{stop:?}");
        }
    }

    /// Everything that a program or its host can see.
    pub fn state(&mut self) -> String {
        let mut memory = vec![0; (PAGES * 4096) as usize];
        Memory { store: &mut self.store, frames: &mut self.frames }
            .read(PhysicalAddress(RAM), &mut memory)
            .unwrap();
        let digest = memory
            .iter()
            .fold(0u64, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let hart = &self.hart;
        format!(
            "{:#x?}\n{:#x?}\n{:#x} {:?} {:?}\n{:?}\n{:?}\n{:?}\ntrace {:#x} memory {digest:#x}",
            hart.x,
            hart.f,
            hart.pc,
            hart.privilege,
            hart.clock,
            hart.counters,
            hart.csrs,
            hart.reservation,
            self.device.trace,
        )
    }

    /// Whether the program has met what the test is about.
    pub fn is_eventful(&self) -> bool {
        let counters = &self.hart.counters;
        counters.instructions > 1000
            && counters.exceptions > 5
            && counters.interrupts > 5
            && counters.itlb_misses > 5
            && counters.dtlb_misses > 5
    }
}
