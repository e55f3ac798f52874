//! Runs every ELF file of a folder that speaks the `tohost` protocol, as the RISC-V instruction
//! tests do, in machine mode at the start of memory.
//!
//! ```text
//! isa_tests <folder> [cycles]
//! ```
//!
//! A test ends by writing to its symbol `tohost`: 1 for success, otherwise the number of the case
//! that failed, shifted left by one, plus 1. Where `<test>.reference_output` lies beside, the
//! memory between the symbols `begin_signature` and `end_signature` is compared with it, four
//! bytes a line. Each test gets a line, and the total one more; the exit code is 1 if any failed.

use dcsim_machine::loader::symbol_address;
use dcsim_machine::{BoardConfig, Machine, MachineConfig, MachineStop};
use dcsim_memory::{PageStore, PhysicalAddress};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const RAM_BYTES: u64 = 64 << 20;
const DEFAULT_CYCLES: u64 = 50_000_000;
/// How often `tohost` is looked at.
const STEP_CYCLES: u64 = 10_000;

/// A test on its machine.
struct Run {
    machine: Machine,
    store: PageStore,
}

impl Run {
    fn new(image: &[u8]) -> Result<Self, Box<dyn Error>> {
        let board = BoardConfig { ram_bytes: RAM_BYTES, ..BoardConfig::default() };
        let config = MachineConfig { board, firmware: None, ..MachineConfig::default() };
        let mut run = Self { machine: Machine::new(config), store: PageStore::new(2 * RAM_BYTES) };
        run.machine.boot(&mut run.store, image, "")?;
        Ok(run)
    }

    /// Runs until the test writes its result.
    fn result(&mut self, tohost: u64, cycles: u64) -> Result<u64, Box<dyn Error>> {
        let mut until = 0;
        while until < cycles {
            until += STEP_CYCLES;
            if self.machine.run(&mut self.store, until) == MachineStop::StoreFull {
                return Err("the page store is full".into());
            }
            let memory = self.machine.memory(&mut self.store);
            let value = memory.read_u64(PhysicalAddress(tohost))?;
            if value != 0 {
                return Ok(value);
            }
        }
        Err(format!("no result after {cycles} cycles").into())
    }

    /// The signature, in the format of the reference files.
    fn signature(&mut self, begin: u64, end: u64) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        let memory = self.machine.memory(&mut self.store);
        for address in (begin..end).step_by(4) {
            writeln!(text, "{:08x}", memory.read_u32(PhysicalAddress(address))?)?;
        }
        Ok(text)
    }
}

fn run_test(path: &Path, image: &[u8], cycles: u64) -> Result<(), Box<dyn Error>> {
    let mut run = Run::new(image)?;
    let tohost = symbol_address(image, "tohost").ok_or("no symbol `tohost`")?;
    let result = run.result(tohost, cycles)?;
    if result != 1 {
        return Err(format!("case {} failed (tohost {result:#x})", result >> 1).into());
    }
    let reference = path.with_extension("reference_output");
    if !reference.exists() {
        return Ok(());
    }
    let symbol = |name| symbol_address(image, name).ok_or(format!("no symbol `{name}`"));
    let signature = run.signature(symbol("begin_signature")?, symbol("end_signature")?)?;
    let expected = std::fs::read_to_string(reference)?;
    if expected.split_whitespace().eq(signature.split_whitespace()) {
        return Ok(());
    }
    std::fs::write(path.with_extension("signature"), &signature)?;
    Err("the signature differs from the reference".into())
}

/// A file with its content.
type TestFile = (PathBuf, Vec<u8>);

/// The ELF files of a folder, by name.
fn tests(folder: &str) -> Result<Vec<TestFile>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let image = std::fs::read(&path)?;
            if image.starts_with(b"\x7fELF") {
                found.push((path, image));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let cycles = arguments.next().map_or(Ok(DEFAULT_CYCLES), |text| text.parse())?;
    let tests = tests(&folder)?;
    let mut output = std::io::stdout().lock();
    let mut failed = 0;
    for (path, image) in &tests {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match run_test(path, image, cycles) {
            Ok(()) => writeln!(output, "ok   {name}")?,
            Err(error) => {
                failed += 1;
                writeln!(output, "FAIL {name}: {error}")?;
            }
        }
    }
    writeln!(output, "{} of {} passed", tests.len() - failed, tests.len())?;
    Ok(if failed == 0 && !tests.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
