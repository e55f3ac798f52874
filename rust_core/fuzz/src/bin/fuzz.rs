//! Keeps generating programs and comparing.
//!
//! ```text
//! fuzz [--seconds <n>] [--images <n>] [--sequences <n>] [--units <n>] [--seed <n>]
//! ```
//!
//! Each round takes the next seed: it compares the core with QEMU on an image of `--sequences`
//! sequences, of `--units` units or a random number, with and without translation in turn, and on as
//! many cases of guests and what runs them; and it runs random bytes whole, in pieces and one
//! instruction after the other. It ends after `--images` rounds or `--seconds` seconds (60 if neither is
//! given). The exit code is 1 if anything differed; the plan that is printed then repeats it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use dcsim_fuzz::core::Machine;
use dcsim_fuzz::differential::{self, Verdict};
use dcsim_fuzz::guest;
use dcsim_fuzz::image::Plan;
use dcsim_fuzz::noise;
use dcsim_fuzz::random::Random;
use std::env;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Random-byte programs in a round.
const NOISE: u64 = 200;

struct Options {
    seconds: Option<u64>,
    images: Option<u64>,
    sequences: usize,
    units: Option<usize>,
    seed: u64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { seconds: None, images: None, sequences: 400, units: None, seed: 1 };
        while let Some(name) = arguments.next() {
            let text = arguments.next().ok_or(format!("{name} needs a number"))?;
            let value: u64 = text.parse().map_err(|_| format!("{name}: {text} is no number"))?;
            match name.as_str() {
                "--seconds" => options.seconds = Some(value),
                "--images" => options.images = Some(value),
                "--sequences" => options.sequences = value as usize,
                "--units" => options.units = Some(value as usize),
                "--seed" => options.seed = value,
                _ => return Err(format!("there is no option {name}")),
            }
        }
        if options.seconds.is_none() && options.images.is_none() {
            options.seconds = Some(60);
        }
        Ok(options)
    }

    fn plan(&self, seed: u64) -> Plan {
        let mut random = Random::new(!seed);
        let units = self.units.unwrap_or_else(|| random.pick(&[4, 12, 40, 120, 300]));
        Plan { seed, sequences: self.sequences, units, translated: !seed.is_multiple_of(4) }
    }

    fn is_over(&self, rounds: u64, elapsed: Duration) -> bool {
        self.images.is_some_and(|images| rounds >= images)
            || self.seconds.is_some_and(|seconds| elapsed.as_secs() >= seconds)
    }
}

/// What differed in a round, if anything.
fn round(plan: Plan, machine: &mut Machine, folder: &Path) -> Result<Option<String>, String> {
    for seed in plan.seed * NOISE..(plan.seed + 1) * NOISE {
        if let Err(difference) = noise::agree(machine, seed) {
            return Ok(Some(difference));
        }
    }
    let difference = compare(plan, folder, differential::compare)?;
    if difference.is_some() || guest::compare::usable().is_err() {
        return Ok(difference);
    }
    // The first trap ends a case, so long ones are no better.
    let units = plan.units.min(12);
    let plan = guest::image::Plan { seed: plan.seed, cases: plan.sequences, units };
    compare(plan, folder, guest::compare::compare)
}

/// What differs on the core and on QEMU.
fn compare<P: Copy + Debug>(
    plan: P,
    folder: &Path,
    compare: fn(P, &Path) -> io::Result<Verdict>,
) -> Result<Option<String>, String> {
    match compare(plan, folder).map_err(|error| format!("{plan:?}: {error}"))? {
        Verdict::Agreed => Ok(None),
        Verdict::Differed(difference) => Ok(Some(format!("{plan:?}: {difference}"))),
    }
}

fn run(options: &Options, folder: &Path) -> Result<bool, String> {
    differential::usable()?;
    if let Err(reason) = guest::compare::usable() {
        eprintln!("fuzz: guests are not compared: {reason}");
    }
    let mut machine = Machine::new(noise::MEMORY_BYTES);
    let start = Instant::now();
    let mut units = 0;
    for rounds in 0.. {
        if options.is_over(rounds, start.elapsed()) {
            break;
        }
        let plan = options.plan(options.seed + rounds);
        if let Some(difference) = round(plan, &mut machine, folder)? {
            println!("{difference}");
            return Ok(false);
        }
        units += plan.units * plan.sequences;
        let seconds = start.elapsed().as_secs();
        println!("{seconds:>6} s  seed {}  {units} units, no difference", plan.seed);
    }
    Ok(true)
}

fn main() -> ExitCode {
    let folder = env::temp_dir().join(format!("dcsim-fuzz-{}", std::process::id()));
    let outcome = Options::parse(env::args().skip(1)).and_then(|options| {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        run(&options, &folder)
    });
    match outcome {
        Ok(agreed) => {
            // What differed can be looked at in the files.
            let removed = !agreed || std::fs::remove_dir_all(&folder).is_ok();
            if agreed && removed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => {
            eprintln!("fuzz: {message}");
            ExitCode::from(2)
        }
    }
}
