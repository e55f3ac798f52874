//! Thousands of generated instruction sequences give the same registers, flags, traps and memory
//! here and on QEMU.
#![allow(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]

use dcsim_fuzz::differential::{self, Verdict};
use dcsim_fuzz::guest;
use dcsim_fuzz::image::Plan;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Where `DCSIM_REQUIRE_QEMU` is set, as in continuous integration, the tests fail without a QEMU
/// instead of being skipped with a line that says why.
#[expect(clippy::print_stderr, reason = "a test that is skipped has nowhere else to say so")]
fn compare_by<P: Copy + Debug>(
    name: &str,
    plan: P,
    usable: Result<(), String>,
    compare: fn(P, &Path) -> io::Result<Verdict>,
) {
    if let Err(reason) = usable {
        assert!(std::env::var_os("DCSIM_REQUIRE_QEMU").is_none(), "{reason}");
        eprintln!("{name}: not compared with QEMU: {reason}");
        return;
    }
    match compare(plan, &folder(name)).unwrap() {
        Verdict::Agreed => {}
        Verdict::Differed(difference) => panic!("{plan:?}: {difference}"),
    }
}

fn compare(name: &str, plan: Plan) {
    compare_by(name, plan, differential::usable(), differential::compare);
}

fn compare_guests(name: &str, plan: guest::image::Plan) {
    compare_by(name, plan, guest::compare::usable(), guest::compare::compare);
}

#[test]
fn short_sequences_agree_with_qemu() {
    compare("short", Plan { seed: 1, sequences: 1500, units: 12, translated: false });
}

#[test]
fn long_sequences_agree_with_qemu() {
    compare("long", Plan { seed: 2, sequences: 150, units: 400, translated: false });
}

#[test]
fn short_translated_sequences_agree_with_qemu() {
    compare("short-translated", Plan { seed: 3, sequences: 1000, units: 12, translated: true });
}

#[test]
fn long_translated_sequences_agree_with_qemu() {
    compare("long-translated", Plan { seed: 4, sequences: 150, units: 300, translated: true });
}

#[test]
fn guests_and_what_runs_them_agree_with_qemu() {
    compare_guests("guests", guest::image::Plan { seed: 5, cases: 2000, units: 3 });
}

#[test]
fn longer_runs_of_guests_agree_with_qemu() {
    compare_guests("long-guests", guest::image::Plan { seed: 6, cases: 400, units: 10 });
}
