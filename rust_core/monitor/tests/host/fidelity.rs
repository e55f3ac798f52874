//! A guest cannot tell trap-and-emulate from bare metal: every program prints the same lines, the
//! digests of its memory included, and ends with the same status.

use crate::support::{Cell, MIB, Model, cells, config, monitored_cells, run_alone};
use dcsim_machine::DiskImage;
use dcsim_monitor::TechniqueKind::BareMetal;
use dcsim_monitor::{MarkUpdates, VmConfig};

fn assert_same(bootargs: &str, disk_bytes: u64) {
    assert_same_with(bootargs, disk_bytes, MarkUpdates::Hardware);
}

fn assert_same_with(bootargs: &str, disk_bytes: u64, mark_updates: MarkUpdates) {
    let run = |cell: Cell| {
        let disk = (disk_bytes > 0).then(|| DiskImage::new(disk_bytes));
        let config = VmConfig { mark_updates, ..config(cell, 16 * MIB, bootargs) };
        run_alone(config, disk)
    };
    let bare = run(BareMetal.into());
    assert_eq!(bare.code, Some(0), "{}", bare.console);
    assert!(bare.console.contains("digest"), "{}", bare.console);
    for cell in monitored_cells() {
        let emulated = run(cell);
        assert_eq!(emulated.console, bare.console, "{cell:?}");
        assert_eq!(emulated.code, bare.code, "{cell:?}");
        let handled = emulated.causes.iter().any(|(cause, _)| cause.starts_with("handler:"));
        assert!(handled, "{cell:?} was not under a monitor");
    }
}

#[test]
fn integers() {
    assert_same("init=integer iterations=20", 0);
}

#[test]
fn floating_point() {
    assert_same("init=float steps=500", 0);
}

#[test]
fn pointer_chase() {
    assert_same("init=chase size=262144 steps=20000", 0);
}

#[test]
fn system_calls() {
    assert_same("init=syscalls n=500", 0);
}

#[test]
fn page_faults() {
    assert_same("init=faults n=6 pages=48", 0);
}

#[test]
fn fork_and_wait() {
    assert_same("init=forkwait n=5 pages=8", 0);
}

#[test]
fn files_on_the_disk() {
    assert_same("init=files", 4 * MIB);
}

#[test]
fn a_server_with_a_fixed_list_of_requests() {
    assert_same("init=server fixed=1+30 disk=64", 4 * MIB);
}

#[test]
fn an_idle_guest() {
    assert_same("init=idle seconds=1 period=100", 0);
}

#[test]
fn swapping_in_the_guest() {
    assert_same("kernel.swap_pages=512 init=swapper size=1048576 passes=2", 4 * MIB);
}

#[test]
fn offences_of_user_programs() {
    assert_same("init=trespass", 0);
}

#[test]
fn processes_beside_each_other() {
    assert_same("init=suite parallel=1", 4 * MIB);
}

#[test]
fn the_console_through_the_firmware() {
    assert_same("kernel.console=sbi init=integer iterations=1", 0);
}

#[test]
fn the_virtio_console() {
    let program = "init=suite run=integer:iterations=1,forkwait:n=2";
    let serial = run_alone(config(BareMetal, 16 * MIB, program), None);
    for cell in cells() {
        let bootargs = format!("kernel.console=virtio {program}");
        let config = VmConfig { console: true, ..config(cell, 16 * MIB, &bootargs) };
        let virtio = run_alone(config, None);
        assert_eq!((virtio.code, virtio.console), (Some(0), serial.console.clone()));
    }
}

#[test]
fn typed_lines_reach_the_console_in_use() {
    for bootargs in ["kernel.console=virtio init=echo", "init=echo"] {
        for cell in cells() {
            let mut model = Model::of(cell.technique, 1, 64 * MIB);
            let config = VmConfig { console: true, ..config(cell, 16 * MIB, bootargs) };
            let vm = model.add(config, None);
            model.take_turns();
            model.play_until(20_000_000);
            model.host.console_input(&mut model.store, vm, b"typed\nend\n").unwrap();
            model.play();
            let outcome = model.outcomes().remove(0);
            assert!(outcome.console.contains("\necho typed\n"), "{}", outcome.console);
        }
    }
}

#[test]
fn harts_that_do_not_mark_page_table_entries() {
    assert_same_with("init=forkwait n=3 pages=8", 0, MarkUpdates::Fault);
}

/// Without interrupts all techniques execute the same instructions, one by one.
#[test]
fn instructions_are_counted_alike() {
    let run = |cell: Cell| {
        let mut model = Model::of(cell.technique, 1, 64 * MIB);
        let bootargs = "kernel.tick_ms=100000 init=chase steps=5000";
        let vm = model.add(config(cell, 16 * MIB, bootargs), None);
        model.host.withhold_steal_time(vm);
        model.play();
        model.outcomes().remove(0)
    };
    let bare = run(BareMetal.into());
    assert_eq!(bare.counters.emulated_instructions, 0);
    for cell in monitored_cells() {
        let emulated = run(cell);
        assert_eq!(emulated.counters.instructions(), bare.counters.instructions(), "{cell:?}");
        assert!(emulated.counters.emulated_instructions > 0, "{cell:?}");
    }
}
