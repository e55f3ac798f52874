//! Plays hostile guests until enough of their instructions have been executed.
//!
//! ```text
//! hostile [--instructions <n>] [--seed <n>] [--length-ns <n>] [--threads <n>] [--cell <name>]
//! ```
//!
//! Without `--cell`, every technique plays with every way of paging on all hardware that it works on,
//! and every reason for an exit that there is must come. A failure names its cell and its seed, and
//! how to play it again; the exit code is 1 then.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use dcsim_fuzz::hostile::campaign::{Goal, Totals, run};
use dcsim_fuzz::hostile::cell::Cell;
use std::env;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

/// Instructions that are executed where nothing else is said.
const INSTRUCTIONS: u64 = 1_000_000_000;

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Goal, bool), String> {
    let threads = available_parallelism().map_or(1, usize::from);
    let mut goal = Goal {
        instructions: INSTRUCTIONS,
        first_seed: 0,
        batch: 16,
        length_ns: 1_500_000,
        cells: Cell::all(),
        threads,
    };
    let mut all = true;
    while let Some(name) = arguments.next() {
        let text = arguments.next().ok_or(format!("{name} needs a value"))?;
        if name == "--cell" {
            let cell = Cell::named(&text);
            goal.cells = vec![cell.ok_or_else(|| format!("there is no cell {text}"))?];
            (goal.batch, all) = (1, false);
            continue;
        }
        let value: u64 = text.parse().map_err(|_| format!("{name}: {text} is no number"))?;
        match name.as_str() {
            "--instructions" => goal.instructions = value,
            "--seed" => goal.first_seed = value,
            "--length-ns" => goal.length_ns = value,
            "--threads" => goal.threads = value as usize,
            _ => return Err(format!("there is no option {name}")),
        }
    }
    Ok((goal, all))
}

fn report(goal: &Goal, totals: &Totals, all: bool) -> bool {
    print!("{}", totals.describe(&goal.cells));
    println!("{} guests executed {} instructions", totals.plays, totals.instructions);
    let missing = if all { totals.missing(&goal.cells) } else { Vec::new() };
    for (cell, reason) in &missing {
        println!("{cell}: no exit for {}", reason.name());
    }
    totals.instructions >= goal.instructions && missing.is_empty()
}

fn main() -> ExitCode {
    let (goal, all) = match parse(env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("hostile: {message}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    let progress = |totals: &Totals| {
        let seconds = start.elapsed().as_secs();
        let (seed, instructions) = (totals.next_seed, totals.instructions);
        println!("{seconds:>6} s  seeds up to {seed}: {instructions} instructions, no breach");
    };
    match run(&goal, progress) {
        Ok(totals) if report(&goal, &totals, all) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            println!("{}, seed {}: {}", failure.cell, failure.seed, failure.what);
            println!(
                "again: cargo run --release --package dcsim-fuzz --bin hostile -- \
                 --cell {} --seed {} --length-ns {} --instructions 1",
                failure.cell, failure.seed, goal.length_ns
            );
            ExitCode::FAILURE
        }
    }
}
