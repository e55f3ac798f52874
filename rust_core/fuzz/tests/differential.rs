//! Thousands of generated instruction sequences give the same registers, flags, traps and memory
//! here and on QEMU.
#![allow(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]

use dcsim_fuzz::differential::{self, Verdict};
use dcsim_fuzz::image::Plan;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Where `DCSIM_REQUIRE_QEMU` is set, as in continuous integration, the tests fail without a QEMU
/// instead of being skipped with a line that says why.
#[expect(clippy::print_stderr, reason = "a test that is skipped has nowhere else to say so")]
fn compare(name: &str, plan: Plan) {
    if let Err(reason) = differential::usable() {
        assert!(std::env::var_os("DCSIM_REQUIRE_QEMU").is_none(), "{reason}");
        eprintln!("{name}: not compared with QEMU: {reason}");
        return;
    }
    match differential::compare(plan, &folder(name)).unwrap() {
        Verdict::Agreed => {}
        Verdict::Differed(difference) => panic!("{plan:?}: {difference}"),
    }
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
