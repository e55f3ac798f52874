//! The core against QEMU: the same image on both.

use crate::core::{self, TakenTrap};
use crate::image::{Image, Plan, build};
use crate::layout::RECORD_WORDS;
use crate::{qemu, report};
use dcsim_hart::{IsaProfile, Stop};
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
    qemu::at_least(LEAST_QEMU)
}

/// Generates an image and runs it on both. QEMU's files go to `folder`.
pub fn compare(plan: Plan, folder: &Path) -> io::Result<Verdict> {
    let image = build(plan);
    let expected = plan.sequences * RECORD_WORDS * 8;
    judge(IsaProfile::Rv64gc, &image.bytes, folder, expected, |ours, theirs| {
        let Some(text) = report::first_difference(&image, ours, theirs) else { return Ok(None) };
        Ok(Some(text + &first_different_trap(&image, folder)?))
    })
}

/// Runs an image on both; `difference` tells how their outputs differ, which ought to have as many bytes as
/// `expected`.
pub(crate) fn judge(
    isa: IsaProfile,
    image: &[u8],
    folder: &Path,
    expected: usize,
    difference: impl FnOnce(&[u8], &[u8]) -> io::Result<Option<String>>,
) -> io::Result<Verdict> {
    let (stop, machine) = core::run(isa, image, CYCLES);
    if stop != Stop::Bus {
        return Ok(Verdict::Differed(format!("the program did not end by itself: {stop:?}")));
    }
    let theirs = qemu::run(isa, image, folder)?;
    match difference(machine.printed(), &theirs)? {
        Some(text) => Ok(Verdict::Differed(text)),
        None if theirs.len() == expected => Ok(Verdict::Agreed),
        None => Err(io::Error::other(format!("{} bytes printed, not {expected}", theirs.len()))),
    }
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
