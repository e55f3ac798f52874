//! Thousands of generated instruction sequences give the same registers and flags here and on QEMU.

use dcsim_fuzz::image::{Plan, RECORD_WORDS, SCRATCH_BYTES, build};
use dcsim_fuzz::{core, qemu, report};
use dcsim_hart::{Stop, Timing};
use std::path::PathBuf;

/// QEMU's bare `rv64i` processor, to which single extensions are added, is there from this version
/// on; older ones always have extensions that the core lacks, so what is illegal differs.
const LEAST_QEMU: u32 = 9;

const MEMORY_BYTES: u64 = 64 << 20;
const CYCLES: u64 = 10_000_000_000;

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether there is a QEMU to compare with. Where `DCSIM_REQUIRE_QEMU` is set, as in continuous
/// integration, the tests fail without one instead of being skipped.
fn usable_qemu() -> Result<(), String> {
    match qemu::version()? {
        LEAST_QEMU.. => Ok(()),
        version => Err(format!("QEMU {version} is older than {LEAST_QEMU}: see LEAST_QEMU")),
    }
}

fn compare(name: &str, plan: Plan) {
    if let Err(reason) = usable_qemu() {
        assert!(std::env::var_os("DCSIM_REQUIRE_QEMU").is_none(), "{reason}");
        return eprintln!("skipped: {reason}");
    }
    let image = build(plan);
    let outcome = core::run(&image.bytes, MEMORY_BYTES, Timing::uniform(), CYCLES);
    assert_eq!(outcome.stop, Stop::Bus, "the program ends by itself");
    let theirs = qemu::run(&image.bytes, &folder(name)).unwrap();
    if let Some(difference) = report::first_difference(&image, &outcome.printed, &theirs) {
        panic!("{plan:?}: {difference}");
    }
    let records = plan.sequences * RECORD_WORDS * 8;
    assert_eq!(outcome.printed.len(), records + SCRATCH_BYTES, "all that there is was compared");
}

#[test]
fn short_sequences_agree_with_qemu() {
    compare("short", Plan { seed: 1, sequences: 3000, units: 12 });
}

#[test]
fn long_sequences_agree_with_qemu() {
    compare("long", Plan { seed: 2, sequences: 300, units: 400 });
}
