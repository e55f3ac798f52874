//! Runs bare-metal ELF programs on one hart, from machine mode, and reports how they end.
//!
//! A program ends by writing to its symbol `tohost`, as the RISC-V conformance programs do: 1 is
//! success, any other value is failure. `--timing` also prints how fast the host executed it.
//!
//! ```text
//! cargo run --release -p dcsim-hart --example run_elf -- [--timing] [--cycles N] PROGRAM...
//! ```

#![allow(clippy::print_stdout)]

use dcsim_hart::{
    Bus, BusError, Engine, Hart, Interpreter, InterruptLines, IsaProfile, Ports, Signal, Stop,
    Timing, Width,
};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};
use std::process::ExitCode;

const BASE: u64 = 0x8000_0000;
const MEMORY_BYTES: u64 = 64 << 20;
/// Cycles between two looks at `tohost`.
const SLICE_CYCLES: u64 = 100_000;

/// A machine without devices.
struct NoDevices;

impl Bus for NoDevices {
    fn load(&mut self, _: &mut Memory<'_>, _: u64, _: Width, _: u64) -> Result<u64, BusError> {
        Err(BusError)
    }

    fn store(
        &mut self,
        _: &mut Memory<'_>,
        _: u64,
        _: Width,
        _: u64,
        _: u64,
    ) -> Result<Signal, BusError> {
        Err(BusError)
    }

    fn interrupt_lines(&self, _: usize) -> InterruptLines {
        InterruptLines::default()
    }
}

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
        let tables = (0..number(self.bytes, 60, 2)?).map(section);
        let table = tables.filter(|at| number(self.bytes, at + 4, 4) == Some(2)).next()?;
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

fn run(program: &Program<'_>, most_cycles: u64) -> Option<Outcome> {
    let mut store = PageStore::new(2 * MEMORY_BYTES);
    let mut frames = Frames::new(PhysicalAddress(BASE), MEMORY_BYTES / 4096);
    let mut bus = NoDevices;
    let memory = Memory { store: &mut store, frames: &mut frames };
    let mut ports = Ports { memory, bus: &mut bus };
    program.load(&mut ports.memory)?;
    let tohost = PhysicalAddress(program.symbol("tohost")?);
    let mut hart = Hart::new(0, IsaProfile::Rv64gc, Timing::uniform());
    hart.reset(program.entry()?);
    let mut engine = Interpreter::new();
    let started = std::time::Instant::now();
    let mut verdict = None;
    while verdict.is_none() && hart.clock.cycles < most_cycles {
        let until = hart.clock.cycles + SLICE_CYCLES;
        if engine.run(&mut hart, &mut ports, until) != Stop::Deadline {
            break;
        }
        verdict = ports.memory.read_u64(tohost).ok().filter(|value| *value != 0);
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
        let count = outcome.hart.counters.instructions as f64;
        println!("  {count} instructions, {:.1} MIPS", count / outcome.seconds / 1e6);
    }
    passed
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let timing = arguments.iter().position(|argument| argument == "--timing");
    if let Some(position) = timing {
        arguments.remove(position);
    }
    let mut most_cycles = 1 << 40;
    if let Some(position) = arguments.iter().position(|argument| argument == "--cycles") {
        most_cycles = arguments.get(position + 1).and_then(|text| text.parse().ok()).unwrap_or(0);
        arguments.drain(position..=position + 1);
    }
    let failures = arguments.iter().filter(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        let outcome = run(&Program { bytes: &bytes }, most_cycles);
        !report(path, outcome.as_ref(), timing.is_some())
    });
    if failures.count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
