//! Boots a kernel on a bare machine and shows its console.
//!
//! ```text
//! boot <kernel> [key=value ...] [-- command line of the kernel]
//!   memory=<MiB>  harts=<n>  seconds=<simulated seconds>  disk=<MiB of zeros>  network=yes
//!   input=<text typed at the start>  initrd=<file>
//! ```
//!
//! The disk takes 100 microseconds for a request; packets go nowhere. The exit code is the
//! machine's, or 124 if the time is up.

use dcsim_hart::Timing;
use dcsim_machine::{
    BoardConfig, DeviceRequest, DiskImage, IoStatus, Machine, MachineConfig, MachineStop,
    PowerEvent, RequestTag,
};
use dcsim_memory::PageStore;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

const DISK_NS: u64 = 100_000;
const CONSOLE_NS: u64 = 10_000_000;
/// Cycles of an interrupt from one hart to another.
const EPOCH_CYCLES: u64 = 1000;
const TIME_IS_UP: u8 = 124;

/// What the command line asks for.
struct Options {
    kernel: Vec<u8>,
    initrd: Vec<u8>,
    board: BoardConfig,
    input: String,
    end_ns: u64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let kernel = std::fs::read(arguments.next().ok_or("which kernel?")?)?;
        let board = BoardConfig { ram_bytes: 64 << 20, ..BoardConfig::default() };
        let (initrd, input) = (Vec::new(), String::new());
        let mut options = Self { kernel, initrd, board, input, end_ns: 60_000_000_000 };
        for argument in arguments.by_ref().take_while(|argument| argument != "--") {
            options.set(&argument)?;
        }
        options.board.bootargs = arguments.collect::<Vec<_>>().join(" ");
        Ok(options)
    }

    fn set(&mut self, argument: &str) -> Result<(), Box<dyn Error>> {
        let (key, value) = argument.split_once('=').ok_or("an option is key=value")?;
        match key {
            "memory" => self.board.ram_bytes = value.parse::<u64>()? << 20,
            "harts" => self.board.harts = value.parse()?,
            "seconds" => self.end_ns = value.parse::<u64>()? * 1_000_000_000,
            "disk" => self.board.disk = Some(DiskImage::new(value.parse::<u64>()? << 20)),
            "network" => self.board.network = value == "yes",
            "initrd" => self.initrd = std::fs::read(value)?,
            "input" => self.input = value.to_string(),
            _ => return Err(format!("unknown option {key}").into()),
        }
        Ok(())
    }
}

/// A machine with a disk behind it.
struct World {
    machine: Machine,
    store: PageStore,
    /// Requests that the disk is working on, by the time at which they are done.
    disk: BTreeMap<(u64, u64), RequestTag>,
}

impl World {
    /// Runs until the machine switches itself off or the time is up.
    fn run(&mut self, end_ns: u64) -> Result<Option<PowerEvent>, Box<dyn Error>> {
        let mut now_ns = 0;
        while now_ns < end_ns {
            let next_disk = self.disk.keys().next().map_or(u64::MAX, |(at_ns, _)| *at_ns);
            let until_ns = next_disk.min(now_ns + CONSOLE_NS).min(end_ns);
            match self.run_until(until_ns) {
                MachineStop::Deadline => now_ns = until_ns,
                MachineStop::Requests => self.take_requests(),
                MachineStop::Power(event) => return Ok(Some(event)),
                MachineStop::StoreFull => return Err("the page store is full".into()),
            }
            self.complete(now_ns)?;
            self.show_console()?;
        }
        Ok(None)
    }

    fn run_until(&mut self, until_ns: u64) -> MachineStop {
        let until = self.machine.hart(0).map_or(0, |hart| hart.clock.cycles_at_ns(until_ns));
        self.machine.run(&mut self.store, until)
    }

    fn take_requests(&mut self) {
        let hz = self.machine.config().timing.hz;
        let now_ns = u128::from(self.machine.now_cycles()) * 1_000_000_000 / u128::from(hz);
        for request in self.machine.take_requests() {
            if let DeviceRequest::Block { tag, .. }
            | DeviceRequest::Flush { tag }
            | DeviceRequest::Discard { tag, .. }
            | DeviceRequest::Balloon { tag, .. } = request
            {
                self.disk.insert((now_ns as u64 + DISK_NS, tag.0), tag);
            }
        }
    }

    fn complete(&mut self, now_ns: u64) -> Result<(), Box<dyn Error>> {
        while let Some(entry) = self.disk.first_entry().filter(|entry| entry.key().0 <= now_ns) {
            self.machine.complete(&mut self.store, entry.remove(), IoStatus::Done)?;
        }
        Ok(())
    }

    fn show_console(&mut self) -> Result<(), Box<dyn Error>> {
        let mut output = std::io::stdout().lock();
        output.write_all(&self.machine.board_mut().console_output())?;
        Ok(output.flush()?)
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let store = PageStore::new(2 * options.board.ram_bytes);
    let bootargs = options.board.bootargs.clone();
    let board = options.board.clone();
    let timing = Timing { ipi_cycles: EPOCH_CYCLES, ..Timing::uniform() };
    let machine = Machine::new(MachineConfig { board, timing, ..MachineConfig::default() });
    let mut world = World { machine, store, disk: BTreeMap::new() };
    let Options { kernel, initrd, .. } = &options;
    world.machine.boot_with_initrd(&mut world.store, kernel, initrd, &bootargs)?;
    world.machine.console_input(&mut world.store, options.input.as_bytes())?;

    let begin = Instant::now();
    let event = world.run(options.end_ns)?;
    world.show_console()?;
    report(&world, begin)?;
    Ok(match event {
        Some(PowerEvent::Off { code }) => ExitCode::from(code as u8),
        Some(PowerEvent::Reset) => ExitCode::SUCCESS,
        None => ExitCode::from(TIME_IS_UP),
    })
}

fn report(world: &World, begin: Instant) -> std::io::Result<()> {
    let microseconds = begin.elapsed().as_micros().max(1);
    let mut error = std::io::stderr().lock();
    for hart in (0..).map_while(|number| world.machine.hart(number)) {
        let instructions = hart.counters.instructions;
        let speed = u128::from(instructions) / microseconds;
        writeln!(
            error,
            "hart {}: pc {:#x}, {instructions} instructions, {} cycles, {speed} million/s",
            hart.id, hart.pc, hart.clock.cycles
        )?;
    }
    writeln!(error, "pages: {} KiB", world.store.used_bytes() / 1024)
}
