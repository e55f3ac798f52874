//! A guest that knows its monitor computes what it computes on bare metal.

use super::{cell, exits};
use crate::support::{MIB, Model, config, run_alone};
use dcsim_machine::DiskImage;
use dcsim_monitor::TechniqueKind::BareMetal;
use dcsim_monitor::{MarkUpdates, VmConfig};

/// Every program, with its arguments, and the size of its disk.
const CASES: [(&str, u64); 13] = [
    ("init=integer iterations=20", 0),
    ("init=float steps=500", 0),
    ("init=chase size=262144 steps=20000", 0),
    ("init=chase size=4194304 steps=2000 pages=large", 0),
    ("init=syscalls n=500", 0),
    ("init=faults n=6 pages=48", 0),
    ("init=forkwait n=5 pages=8", 0),
    ("init=files", 4 * MIB),
    ("init=server fixed=1+30 disk=64", 4 * MIB),
    ("init=idle seconds=1 period=100", 0),
    ("kernel.swap_pages=512 init=swapper size=1048576 passes=2", 4 * MIB),
    ("init=trespass", 0),
    ("kernel.console=sbi init=suite parallel=1", 4 * MIB),
];

fn assert_same(bootargs: &str, disk_bytes: u64, mark_updates: MarkUpdates) {
    let run = |cell| {
        let disk = (disk_bytes > 0).then(|| DiskImage::new(disk_bytes));
        let config = VmConfig { mark_updates, ..config(cell, 16 * MIB, bootargs) };
        run_alone(config, disk)
    };
    let (bare, direct) = (run(BareMetal.into()), run(cell()));
    assert_eq!(direct.console, bare.console, "{bootargs}");
    assert_eq!((direct.code, bare.code), (Some(0), Some(0)), "{bootargs}");
    assert!(bare.console.contains("digest"), "{bootargs}");
    assert!(exits(&direct, "hypercall_apply") > 0 && exits(&direct, "sfence_vma") == 0);
}

#[test]
fn every_program_ends_as_on_bare_metal() {
    for (bootargs, disk_bytes) in CASES {
        assert_same(bootargs, disk_bytes, MarkUpdates::Hardware);
    }
}

#[test]
fn harts_that_do_not_mark_page_table_entries() {
    assert_same("init=forkwait n=3 pages=8", 0, MarkUpdates::Fault);
}

#[test]
fn typed_lines_arrive_as_events() {
    for bootargs in ["kernel.console=virtio init=echo", "init=echo"] {
        let mut model = Model::new(1, 64 * MIB);
        let config = VmConfig { console: true, ..config(cell(), 16 * MIB, bootargs) };
        let vm = model.add(config, None);
        model.take_turns();
        model.play_until(20_000_000);
        model.host.console_input(&mut model.store, vm, b"typed\nend\n").unwrap();
        model.play();
        let outcome = model.outcomes().remove(0);
        assert!(outcome.console.contains("\necho typed\n"), "{}", outcome.console);
    }
}
