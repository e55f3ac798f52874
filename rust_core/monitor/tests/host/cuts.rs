//! Where a run is cut changes nothing.

use crate::support::{Cell, MIB, Model, config, monitored_cells};
use dcsim_machine::DiskImage;
use dcsim_machine::random::Random;
use dcsim_monitor::TechniqueKind::BareMetal;

/// Three VMs that take turns on two pCPUs, every millisecond.
fn crowd(cell: Cell) -> Model {
    let mut model = Model::of(cell.technique, 2, 64 * MIB);
    model.turn_ns = 1_000_000;
    model.add(config(cell, 8 * MIB, "init=forkwait n=4 pages=4"), None);
    let files = config(cell, 8 * MIB, "init=files files=2 size=5000");
    model.add(files, Some(DiskImage::new(MIB)));
    model.add(config(cell, 8 * MIB, "init=float steps=300"), None);
    model
}

#[test]
fn cutting_runs_at_random_points_changes_no_byte() {
    for cell in monitored_cells() {
        assert_cuts_change_nothing(cell);
    }
}

fn assert_cuts_change_nothing(cell: Cell) {
    let mut whole = crowd(cell);
    whole.play();
    for (seed, longest_ns) in [(1, 300), (2, 5_000), (3, 200_000)] {
        let mut random = Random::new(seed);
        let mut cut = crowd(cell);
        cut.play_cut(&mut || 1 + random.below(longest_ns));
        assert_eq!(cut.log, whole.log, "{cell:?} seed {seed}");
        assert_eq!(cut.outcomes(), whole.outcomes(), "{cell:?} seed {seed}");
        let digests = |model: &mut Model| {
            let vms = model.vms.clone();
            vms.into_iter()
                .map(|vm| model.host.save_vm(&mut model.store, vm).unwrap().digest(&model.store))
                .collect::<Vec<_>>()
        };
        assert_eq!(digests(&mut cut), digests(&mut whole), "{cell:?} seed {seed}");
        whole = crowd(cell);
        whole.play();
    }
}

#[test]
fn cutting_runs_changes_nothing_on_bare_metal() {
    let play = |longest_ns: u64| {
        let mut model = Model::new(1, 16 * MIB);
        let disk = Some(DiskImage::new(MIB));
        model.add(config(BareMetal, 8 * MIB, "init=files files=2 size=5000"), disk);
        let mut random = Random::new(longest_ns);
        model.play_cut(&mut || 1 + random.below(longest_ns));
        (model.log.clone(), model.outcomes())
    };
    assert_eq!(play(300), play(u64::MAX));
}
