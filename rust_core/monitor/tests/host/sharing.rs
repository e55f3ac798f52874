//! Pages of the same content in one frame, under real guests.

use crate::support::{Cell, MIB, Model, config, monitored_cells};
use dcsim_machine::DiskImage;
use dcsim_monitor::host::{Scan, ScanReport};
use dcsim_monitor::overcommit::index::Finding;
use dcsim_monitor::overcommit::swap::Tier;
use dcsim_monitor::{Host, VmId};

fn scan(model: &mut Model, pcpu: usize, vm: VmId, finding: Finding) -> ScanReport {
    let scan = Scan { first_page: 0, pages: u64::MAX, finding, most_sharers: 256 };
    model.host.scan_pages(&mut model.store, pcpu, vm, &scan).unwrap()
}

/// Every frame is either free, or counted for one VM, or for pages of several.
pub fn check_frames(host: &Host, vms: &[VmId]) {
    let held: u64 = vms.iter().map(|vm| host.frame_usage(*vm).unwrap().total()).sum();
    let shared = host.shared_frames().frame_count() + host.compression().frames;
    assert_eq!(host.free_frame_count() + held + shared, host.frame_count());
    let sharing: u64 = vms.iter().map(|vm| host.frame_usage(*vm).unwrap().shared).sum();
    assert_eq!(sharing, host.shared_frames().page_count());
}

fn guests(cell: Cell, pcpus: usize) -> Model {
    let mut model = Model::of(cell.technique, pcpus, 64 * MIB);
    model.turn_ns = 700_000;
    model.host.guard_frames(64);
    model.add(config(cell, 8 * MIB, "init=faults n=2 pages=16"), None);
    let files = config(cell, 8 * MIB, "init=files files=2 size=5000");
    model.add(files, Some(DiskImage::new(MIB)));
    model.add(config(cell, 8 * MIB, "kernel.console=sbi init=forkwait n=2"), None);
    model
}

fn consoles(model: &mut Model) -> Vec<String> {
    model.outcomes().into_iter().map(|outcome| outcome.console).collect()
}

/// Swaps a few of a VM's resident pages.
fn swap_some(model: &mut Model, vm: VmId, seed: u64) {
    let (host, store) = (&mut model.host, &mut model.store);
    for number in 0..8 {
        let resident = host.resident_pages(store, vm).unwrap();
        let nth = (seed * 7919 + number * 104_729) % resident;
        let page = host.resident_page(store, vm, nth).unwrap();
        let tier = if number % 2 == 0 { Tier::Outside } else { Tier::Compressed };
        host.swap_out(store, 0, (vm, page), tier, None).unwrap();
    }
}

/// Plays with a scan of one VM after another every 150 microseconds, and with pages swapped.
fn play_scanned(model: &mut Model, finding: Finding) -> u64 {
    model.take_turns();
    let (mut shared, mut turn) = (0, 0);
    while !model.has_ended() {
        model.play_until(model.now_ns + 150_000);
        let vm = model.vms[turn % model.vms.len()];
        if turn % 4 == 1 {
            swap_some(model, vm, turn as u64);
        }
        shared += scan(model, turn % 2, vm, finding).shared;
        turn += 1;
        if turn.is_multiple_of(model.vms.len()) {
            model.host.end_scan_pass();
        }
        check_frames(&model.host, &model.vms);
        model.host.audit(&mut model.store).unwrap();
    }
    model.play();
    shared
}

#[test]
fn guests_do_not_notice_that_their_pages_are_shared_and_swapped() {
    for (number, cell) in monitored_cells().into_iter().enumerate() {
        let mut alone = guests(cell, 2);
        alone.play();
        let expected = consoles(&mut alone);
        let finding = [Finding::Hints, Finding::Unstable][number % 2];
        let mut scanned = guests(cell, 2);
        let shared = play_scanned(&mut scanned, finding);
        assert!(shared > 100, "{cell:?} {finding:?} {shared}");
        assert!(scanned.swap_ins > 0, "{cell:?} {finding:?}");
        assert_eq!(consoles(&mut scanned), expected, "{cell:?} {finding:?}");
    }
}
