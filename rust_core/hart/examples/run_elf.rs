//! Runs bare-metal ELF programs on one hart and reports how they end.
//!
//! A program ends by writing to its symbol `tohost`, as the RISC-V conformance programs do: 1 is
//! success, any other value is failure. `--firmware` starts it in supervisor mode instead, with two
//! calls of the supervisor binary interface: writing a byte to the console, and power-off, which
//! is success. `--timing` also prints how fast the host executed it.
//!
//! ```text
//! cargo run --release -p dcsim-hart --example run_elf -- \
//!     [--firmware] [--timing] [--cycles N] PROGRAM...
//! ```

#![allow(clippy::print_stdout, clippy::cast_precision_loss)]

use dcsim_hart::{
    Engine, Exception, Hart, HostedModes, Interpreter, IsaProfile, NoDevices, Ports, Privilege,
    Stop, Timing, TlbShape, TrapRecord,
};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};
use std::process::ExitCode;

const BASE: u64 = 0x8000_0000;
const MEMORY_BYTES: u64 = 64 << 20;
/// Cycles between two looks at `tohost`.
const SLICE_CYCLES: u64 = 100_000;

/// The little-endian number at an offset.
fn number(bytes: &[u8], offset: u64, length: usize) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let field = bytes.get(start..start + length)?;
    Some(field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// What the runner needs of an ELF64 file.
struct Program<'a> {
    bytes: &'a [u8],
}

impl Program<'_> {
    fn entry(&self) -> Option<u64> {
        (self.bytes.get(..5)? == b"\x7fELF\x02").then(|| number(self.bytes, 24, 8))?
    }

    /// Copies the loadable segments to memory.
    fn load(&self, memory: &mut Memory<'_>) -> Option<()> {
        let (headers, size) = (number(self.bytes, 32, 8)?, number(self.bytes, 54, 2)?);
        for index in 0..number(self.bytes, 56, 2)? {
            let header = headers + index * size;
            if number(self.bytes, header, 4)? == 1 {
                let start = number(self.bytes, header + 8, 8)? as usize;
                let length = number(self.bytes, header + 32, 8)? as usize;
                let address = PhysicalAddress(number(self.bytes, header + 24, 8)?);
                memory.write(address, self.bytes.get(start..start + length)?).ok()?;
            }
        }
        Some(())
    }

    /// The address of a symbol.
    fn symbol(&self, name: &str) -> Option<u64> {
        let (headers, size) = (number(self.bytes, 40, 8)?, number(self.bytes, 58, 2)?);
        let section = |index: u64| headers + index * size;
        let mut tables = (0..number(self.bytes, 60, 2)?).map(section);
        let table = tables.find(|at| number(self.bytes, at + 4, 4) == Some(2))?;
        let names = number(self.bytes, section(number(self.bytes, table + 40, 4)?) + 24, 8)?;
        let start = number(self.bytes, table + 24, 8)?;
        (0..number(self.bytes, table + 32, 8)? / 24).map(|index| start + index * 24).find_map(
            |at| {
                let text = (names + number(self.bytes, at, 4)?) as usize;
                let found =
                    self.bytes.get(text..)?.strip_prefix(name.as_bytes())?.first() == Some(&0);
                found.then(|| number(self.bytes, at + 8, 8))?
            },
        )
    }
}

struct Outcome {
    verdict: Option<u64>,
    hart: Hart,
    seconds: f64,
}

struct Options {
    firmware: bool,
    timing: bool,
    most_cycles: u64,
}

/// A hart about to start the program: in machine mode, or as firmware leaves it.
fn start(entry: u64, firmware: bool) -> Hart {
    let shape = TlbShape { entries: 64, ways: 4 };
    let timing = Timing { itlb: shape, dtlb: shape, ..Timing::uniform() };
    let mut hart = Hart::new(0, IsaProfile::Rv64gc, timing);
    hart.reset(entry);
    if firmware {
        hart.hosted = HostedModes { machine: true, supervisor: false };
        hart.write_csr(0x302, 0xb1ff);
        hart.write_csr(0x306, 7);
        hart.write_csr(0x3b0, u64::MAX);
        hart.write_csr(0x3a0, 0x1f);
        hart.set_privilege(Privilege::Supervisor);
    }
    hart
}

/// Plays machine mode. The verdict if the program has ended.
fn answer(hart: &mut Hart, record: &TrapRecord) -> Option<u64> {
    const CONSOLE: u64 = 0x4442_434e;
    if record.cause != Exception::EcallFromSupervisor.code() {
        return Some(record.cause << 32);
    }
    if hart.x[17] != CONSOLE {
        return Some(1);
    }
    print!("{}", char::from(hart.x[10] as u8));
    hart.write_csr(0x341, record.pc + 4);
    hart.mret().err().map(|_| 0)
}

fn run(program: &Program<'_>, options: &Options) -> Option<Outcome> {
    let mut store = PageStore::new(2 * MEMORY_BYTES);
    let mut frames = Frames::new(PhysicalAddress(BASE), MEMORY_BYTES / 4096);
    let mut bus = NoDevices;
    let memory = Memory { store: &mut store, frames: &mut frames };
    let mut ports = Ports { memory, bus: &mut bus };
    program.load(&mut ports.memory)?;
    let tohost = program.symbol("tohost").map(PhysicalAddress);
    let mut hart = start(program.entry()?, options.firmware);
    let mut engine = Interpreter::new();
    let started = std::time::Instant::now();
    let mut verdict = None;
    while verdict.is_none() && hart.clock.cycles < options.most_cycles {
        let until = hart.clock.cycles + SLICE_CYCLES;
        verdict = match engine.run(&mut hart, &mut ports, until) {
            Stop::Deadline => {
                let value = tohost.and_then(|address| ports.memory.read_u64(address).ok());
                value.filter(|value| *value != 0)
            }
            Stop::Trap(record) => answer(&mut hart, &record),
            _ => break,
        };
    }
    Some(Outcome { verdict, hart, seconds: started.elapsed().as_secs_f64() })
}

fn report(path: &str, outcome: Option<&Outcome>, timing: bool) -> bool {
    let verdict = outcome.and_then(|outcome| outcome.verdict);
    let passed = verdict == Some(1);
    let text = match verdict {
        Some(1) => "pass".to_owned(),
        Some(value) => format!("FAIL, tohost = {value:#x}"),
        None => format!("FAIL, stuck at {:#x?}", outcome.map(|outcome| outcome.hart.pc)),
    };
    println!("{path}: {text}");
    if let (true, Some(outcome)) = (timing, outcome) {
        let count = outcome.hart.counters.instructions;
        println!("  {count} instructions, {:.1} MIPS", count as f64 / outcome.seconds / 1e6);
    }
    passed
}

/// Takes a flag out of the arguments.
fn take_flag(arguments: &mut Vec<String>, flag: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != flag);
    arguments.len() != before
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let firmware = take_flag(&mut arguments, "--firmware");
    let timing = take_flag(&mut arguments, "--timing");
    let mut options = Options { firmware, timing, most_cycles: 1 << 40 };
    if let Some(position) = arguments.iter().position(|argument| argument == "--cycles") {
        let number = arguments.get(position + 1).and_then(|text| text.parse().ok());
        options.most_cycles = number.unwrap_or(0);
        arguments.drain(position..arguments.len().min(position + 2));
    }
    let failures = arguments.iter().filter(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        let outcome = run(&Program { bytes: &bytes }, &options);
        !report(path, outcome.as_ref(), options.timing)
    });
    if failures.count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
