//! The core against QEMU: the same image on both.

use crate::core::{self, TakenTrap};
use crate::image::{Image, Plan, build};
use crate::layout::RECORD_WORDS;
use crate::{qemu, report};
use dcsim_hart::Stop;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// More than any image needs.
const CYCLES: u64 = 1_000_000_000;

/// QEMU's bare `rv64i` processor, to which single extensions are added, is there from this version
/// on; older ones always have extensions that the core lacks, so what is illegal differs.
const LEAST_QEMU: u32 = 9;

/// What came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Both printed the same.
    Agreed,
    /// They did not: the first sequence after which they differ, in words.
    Differed(String),
}

/// Whether there is a QEMU to compare with, or why not.
pub fn usable() -> Result<(), String> {
    match qemu::version()? {
        LEAST_QEMU.. => Ok(()),
        version => Err(format!("QEMU {version} is older than {LEAST_QEMU}")),
    }
}

/// Generates an image and runs it on both. QEMU's files go to `folder`.
pub fn compare(plan: Plan, folder: &Path) -> io::Result<Verdict> {
    let image = build(plan);
    let (stop, machine) = core::run(&image.bytes, CYCLES);
    if stop != Stop::Bus {
        return Ok(Verdict::Differed(format!("the program did not end by itself: {stop:?}")));
    }
    let theirs = qemu::run(&image.bytes, folder)?;
    let Some(mut text) = report::first_difference(&image, machine.printed(), &theirs) else {
        let expected = plan.sequences * RECORD_WORDS * 8;
        return if theirs.len() == expected {
            Ok(Verdict::Agreed)
        } else {
            Err(io::Error::other(format!("{} bytes printed, not {expected}", theirs.len())))
        };
    };
    text.push_str(&first_different_trap(&image, folder)?);
    Ok(Verdict::Differed(text))
}

/// The first trap that only one of them took, in words.
fn first_different_trap(image: &Image, folder: &Path) -> io::Result<String> {
    let ours = core::traps(&image.bytes, CYCLES);
    let theirs = qemu::traps(&image.bytes, folder)?;
    let count = ours.len().max(theirs.len());
    let mut text = String::new();
    match (0..count).find(|at| ours.get(*at) != theirs.get(*at)) {
        None => text.push_str("  all traps are the same\n"),
        Some(at) => {
            let (here, there) = (show(ours.get(at)), show(theirs.get(at)));
            let _ = writeln!(text, "  trap {at}: {here} here, {there} there");
        }
    }
    Ok(text)
}

fn show(trap: Option<&TakenTrap>) -> String {
    trap.map_or_else(
        || "none".to_owned(),
        |[cause, pc, value]| format!("cause {cause} at {pc:#x} with {value:#x}"),
    )
}
