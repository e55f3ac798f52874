//! Checks the floating-point operations against a folder of test vectors: a line for each file,
//! then the total; fails on any mismatch.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/float_support/vectors.rs"]
mod vectors;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: float_vectors <folder>");
        return ExitCode::from(2);
    };
    let reports = match vectors::run_folder(Path::new(&folder)) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    for report in &reports {
        println!("{report}");
    }
    let vectors: u64 = reports.iter().map(|report| report.vectors).sum();
    let mismatches: u64 = reports.iter().map(|report| report.mismatches).sum();
    println!("total: {} files, {vectors} vectors, {mismatches} mismatches", reports.len());
    if mismatches == 0 && vectors != 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
