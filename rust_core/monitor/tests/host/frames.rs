//! Frames that are short: on purpose, and because the host is small.

use crate::support::{Cell, LIMIT_NS, MIB, Model, cause, config, monitored_cells};
use dcsim_machine::DiskImage;
use dcsim_monitor::TechniqueKind::{BareMetal, FourRings, Paravirtual, TrapAndEmulate};
use dcsim_monitor::{ExitKind, FrameUsage, HostError, PagingKind};

fn busy(cell: Cell, every: u64) -> Model {
    let mut model = Model::of(cell.technique, 2, 64 * MIB);
    model.turn_ns = 700_000;
    model.add(config(cell, 8 * MIB, "init=faults n=2 pages=16"), None);
    let files = config(cell, 8 * MIB, "init=files files=2 size=5000");
    model.add(files, Some(DiskImage::new(MIB)));
    model.add(config(cell, 8 * MIB, "kernel.console=sbi init=forkwait n=2"), None);
    model.host.fail_frame_allocations(every);
    model.play();
    model
}

#[test]
fn failing_every_nth_allocation_changes_no_result() {
    for cell in monitored_cells() {
        let mut whole = busy(cell, 0);
        assert_eq!(whole.memory_exits, 0);
        let (log, outcomes) = (whole.log.clone(), whole.outcomes());
        for every in [2, 3, 7, 100] {
            let mut failing = busy(cell, every);
            assert!(failing.memory_exits > 0);
            assert_eq!(failing.log, log, "{cell:?} every {every}");
            assert_eq!(failing.outcomes(), outcomes, "{cell:?} every {every}");
        }
    }
}

#[test]
fn shadow_tables_are_reclaimed_when_frames_are_short() {
    // A second stage is small, and only one: there is nothing to be reclaimed from a guest that runs.
    let shadows = monitored_cells().into_iter().filter(|cell| cell.paging != PagingKind::Nested);
    shadows.for_each(assert_tables_are_reclaimed);
}

fn assert_tables_are_reclaimed(cell: Cell) {
    let bootargs = "init=forkwait n=6 pages=16";
    let run = |frames: u64| {
        let mut model = Model::of(cell.technique, 1, frames * 4096);
        model.add(config(cell, 8 * MIB, bootargs), None);
        model.play();
        assert_eq!(model.memory_exits, 0);
        model.outcomes().remove(0)
    };
    let roomy = run(4096);
    let most = roomy.usage.total();
    // The guest pages and the monitor's, a tree in use and a reserve have to fit.
    let tight = run(roomy.usage.guest + roomy.usage.monitor + 16);
    assert_eq!(tight.console, roomy.console);
    assert!(tight.usage.total() < most);
    // Of tables that follow the guest's own, those of processes that have ended go first.
    let again = cause(&tight, "handler:shadow_fill") > cause(&roomy, "handler:shadow_fill");
    assert!(again || cell.paging == PagingKind::ShadowTraced, "{cell:?}");
}

#[test]
fn a_vm_on_no_pcpu_gives_its_shadow_tables_up() {
    monitored_cells().into_iter().for_each(assert_tables_are_given_up);
}

fn assert_tables_are_given_up(cell: Cell) {
    let play = |frames: u64| {
        let mut model = Model::of(cell.technique, 1, frames * 4096);
        model.turn_ns = 400_000;
        for _ in 0..2 {
            model.add(config(cell, 8 * MIB, "init=forkwait n=3 pages=8"), None);
        }
        model.play();
        assert_eq!(model.memory_exits, 0);
        model.outcomes()
    };
    let roomy = play(4096);
    let needed = |usage: &FrameUsage| usage.guest + usage.monitor;
    // Room for the pages of both, and for the tables of one.
    let frames = roomy.iter().map(|outcome| needed(&outcome.usage)).sum::<u64>() + 14;
    let tight = play(frames);
    for (tight, roomy) in tight.iter().zip(&roomy) {
        assert_eq!(tight.console, roomy.console);
    }
}

#[test]
fn a_host_serves_a_monitor_again_after_a_bare_metal_guest() {
    let mut model = Model::new(1, 8 * MIB);
    let kernel = crate::support::kernel();
    for technique in [TrapAndEmulate, FourRings, BareMetal, FourRings, TrapAndEmulate] {
        let memory_bytes = if technique == BareMetal { 8 * MIB } else { 6 * MIB };
        let config = config(technique, memory_bytes, "init=integer iterations=1");
        let (host, store) = (&mut model.host, &mut model.store);
        let vm = host.create_vm(store, config, &kernel, None).unwrap();
        host.load(store, 0, vm, 0).unwrap();
        while host.run(store, LIMIT_NS).unwrap().kind.name() != "shutdown" {}
        let console = String::from_utf8(host.console_output(vm).unwrap()).unwrap();
        assert!(console.contains("result integer"), "{technique:?}: {console}");
        host.unload(store, 0).unwrap();
        host.destroy_vm(store, vm).unwrap();
    }
}

#[test]
fn a_host_without_frames_says_so_and_goes_on_when_there_are_some() {
    let mut model = Model::new(2, 8 * MIB);
    let hungry = "init=chase size=4194304 steps=1000";
    let first = model.add(config(TrapAndEmulate, 16 * MIB, hungry), None);
    let second = model.add(config(TrapAndEmulate, 16 * MIB, hungry), None);
    model.take_turns();
    let exit = loop {
        let exit = model.host.run(&mut model.store, 1_000_000_000).unwrap();
        if exit.kind == ExitKind::Memory {
            break exit;
        }
    };
    // The same step fails again, at the same time, for as long as nothing is given back.
    for _ in 0..3 {
        assert_eq!(model.host.run(&mut model.store, 1_000_000_000).unwrap(), exit);
    }
    let (starved, other) = if exit.vm == Some(first) { (first, second) } else { (second, first) };
    let pcpu = usize::from(starved == first);
    assert_eq!(model.host.unload(&mut model.store, pcpu).unwrap(), other.into());
    model.host.destroy_vm(&mut model.store, other).unwrap();
    let next = model.host.run(&mut model.store, 2_000_000_000).unwrap();
    assert_ne!(next.kind, ExitKind::Memory);
}

/// The model counts whenever VMs take turns; here it is seen what is counted, and that one that is
/// lost would be missed.
#[test]
fn every_frame_is_somebodys() {
    for cell in monitored_cells().into_iter().chain([Cell::from(Paravirtual)]) {
        let mut model = Model::of(cell.technique, 1, 64 * MIB);
        let vm = model.add(config(cell, 8 * MIB, "init=forkwait n=2"), None);
        model.play();
        let census = model.host.count_frames(&mut model.store).unwrap();
        let usage = model.host.frame_usage(vm).unwrap();
        assert_eq!(census.total(), 64 * MIB / 4096, "{cell:?}");
        assert_eq!((census.pages, census.tables), (usage.guest, usage.shadow + usage.monitor));
        assert_eq!(census.free, model.host.free_frame_count());

        model.host.lose_frame(vm);
        let lost = model.host.count_frames(&mut model.store).unwrap_err();
        assert!(matches!(lost, HostError::Frames(_)), "{lost}");
        assert!(lost.to_string().contains("is lost: it was given to Monitor"), "{lost}");
    }
    let mut model = Model::new(1, 64 * MIB);
    model.add(config(BareMetal, 8 * MIB, "init=forkwait n=2"), None);
    model.play();
    let census = model.host.count_frames(&mut model.store).unwrap();
    assert_eq!((census.pages, census.free), (8 * MIB / 4096, 56 * MIB / 4096));
}

#[test]
fn everything_is_given_back() {
    for cell in monitored_cells() {
        let mut model = Model::of(cell.technique, 1, 64 * MIB);
        let vm = model.add(config(cell, 8 * MIB, "init=forkwait n=2"), None);
        model.play();
        model.host.destroy_vm(&mut model.store, vm).unwrap();
        assert_eq!(model.host.free_frame_count(), model.host.frame_count(), "{cell:?}");
        assert_eq!(model.store.used_bytes(), 0, "{cell:?}");
    }

    let mut model = Model::new(1, 64 * MIB);
    let vm = model.add(config(BareMetal, 8 * MIB, "init=forkwait n=2"), None);
    assert_eq!(model.host.free_frame_count(), (64 - 8) * MIB / 4096);
    model.play();
    model.host.destroy_vm(&mut model.store, vm).unwrap();
    assert_eq!(model.host.free_frame_count(), model.host.frame_count());
    assert_eq!(model.store.used_bytes(), 0);
}

#[test]
fn a_vm_that_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let mut model = Model::new(1, MIB);
    let kernel = crate::support::kernel();
    for technique in [BareMetal, TrapAndEmulate] {
        let config = config(technique, 4096 * MIB, "init=idle");
        let refused = model.host.create_vm(&mut model.store, config, &kernel, None);
        assert!(matches!(refused, Err(HostError::Memory { .. })), "{refused:?}");
    }
    assert_eq!(model.host.free_frame_count(), model.host.frame_count());
    let owner = config(BareMetal, MIB, "");
    let refused = model.host.create_vm(&mut model.store, owner, &kernel, None);
    assert!(matches!(refused, Err(HostError::Image(_))), "{refused:?}");
    assert_eq!(model.host.free_frame_count(), model.host.frame_count());
    assert_eq!(model.store.used_bytes(), 0);
}

#[test]
fn a_bare_machine_has_one_guest() {
    let mut model = Model::new(1, 64 * MIB);
    model.add(config(BareMetal, 8 * MIB, "init=idle"), None);
    let kernel = crate::support::kernel();
    let config = config(TrapAndEmulate, 8 * MIB, "init=idle");
    assert!(model.host.create_vm(&mut model.store, config, &kernel, None).is_err());
}
