//! Guests that give memory to their host, under every technique.

use crate::support::{Cell, MIB, Model, Outcome, config, monitored_cells};
use dcsim_machine::DiskImage;
use dcsim_machine::random::Random;
use dcsim_monitor::{Balloon, Host, VmConfig, VmId};

fn ballooned(cell: Cell, memory_bytes: u64, bootargs: &str) -> VmConfig {
    VmConfig { balloon: true, ..config(cell, memory_bytes, bootargs) }
}

fn balloon(host: &Host, vm: VmId) -> Balloon {
    host.balloon(vm).unwrap().unwrap()
}

/// The frames of a host that somebody holds, by who it is.
fn held(host: &Host, vms: &[VmId]) -> u64 {
    vms.iter().map(|vm| host.frame_usage(*vm).unwrap().total()).sum()
}

#[test]
fn a_guest_gives_what_its_host_asks_for() {
    for cell in monitored_cells() {
        let mut model = Model::of(cell.technique, 1, 64 * MIB);
        let vm = model.add(ballooned(cell, 16 * MIB, "init=idle seconds=1 period=100"), None);
        model.host.set_balloon_target(&mut model.store, vm, 2000).unwrap();
        model.take_turns();
        model.play_until(100_000_000);
        let given = balloon(&model.host, vm);
        assert_eq!((given.target_pages, given.actual_pages), (2000, 2000), "{cell:?}");
        model.host.set_balloon_target(&mut model.store, vm, 500).unwrap();
        model.play_until(400_000_000);
        let given = balloon(&model.host, vm);
        assert_eq!((given.actual_pages, given.inflated_pages), (500, 2000), "{cell:?}");
        assert_eq!((given.deflated_pages, given.refused_pages), (1500, 0), "{cell:?}");
        model.play();
        assert!(model.outcomes()[0].console.contains("result idle naps=10"));
    }
}

/// Plays a guest that has to page, whose host wants more and less of its memory in turn. Without
/// `seed` it wants nothing.
fn play_moving(cell: Cell, program: &str, seed: Option<u64>) -> (Outcome, u64) {
    let mut model = Model::of(cell.technique, 1, 32 * MIB);
    let arguments = format!("kernel.swap_pages=1500 kernel.tick_ms=1 init={program}");
    let disk = Some(DiskImage::new(8 * MIB));
    let vm = model.add(ballooned(cell, 8 * MIB, &arguments), disk);
    let mut random = Random::new(seed.unwrap_or(0));
    model.take_turns();
    for turn in 1..=40 {
        if seed.is_some() {
            let target = random.below(1500);
            model.host.set_balloon_target(&mut model.store, vm, target).unwrap();
        }
        model.play_until(turn * 4_000_000);
        let host = &model.host;
        assert_eq!(host.frame_count() - host.free_frame_count(), held(host, &[vm]), "{cell:?}");
        if turn % 8 == 0 {
            model.host.audit(&mut model.store).unwrap();
        }
    }
    model.host.set_balloon_target(&mut model.store, vm, 0).unwrap();
    model.play();
    let freed = balloon(&model.host, vm).freed_frames;
    (model.outcomes().remove(0), freed)
}

#[test]
fn a_balloon_that_moves_changes_nothing_that_a_guest_computes() {
    let program = "suite parallel=1 run=swapper:size=3145728:passes=2,chase:size=1048576:steps=20000,\
                   forkwait:n=2:pages=64,files:files=4";
    for (number, cell) in monitored_cells().into_iter().enumerate() {
        let (still, none) = play_moving(cell, program, None);
        let (moving, freed) = play_moving(cell, program, Some(number as u64 + 1));
        assert_eq!((still.code, none), (Some(0), 0), "{cell:?}");
        assert!(freed > 100, "{cell:?}: {freed} frames were freed");
        assert_eq!(moving.code, Some(0), "{cell:?}: {}", moving.console);
        let lines = |outcome: &Outcome| {
            let mut lines: Vec<_> = outcome.console.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&moving), lines(&still), "{cell:?}");
    }
}

#[test]
fn what_a_guest_gives_another_gets_and_nobody_else_reaches() {
    for cell in monitored_cells().into_iter().step_by(2) {
        // One guest fills most of the host, and gives; the other needs more than was left.
        let mut model = Model::of(cell.technique, 1, 20 * MIB);
        model.host.guard_frames(200);
        let first = "init=suite run=swapper:size=10485760:passes=1,idle:seconds=1:period=10";
        let giver = model.add(ballooned(cell, 16 * MIB, first), None);
        model.take_turns();
        model.play_until(60_000_000);
        let before = model.host.free_frame_count();
        model.host.set_balloon_target(&mut model.store, giver, 3200).unwrap();
        model.play_until(200_000_000);
        assert_eq!(balloon(&model.host, giver).actual_pages, 3200, "{cell:?}");
        assert!(model.host.free_frame_count() > before + 2000, "{cell:?}");
        model.add(config(cell, 16 * MIB, "init=swapper size=10485760 passes=2"), None);
        model.turn_ns = 10_000_000;
        model.play();
        assert_eq!(model.memory_exits, 0, "{cell:?}");
        for outcome in model.outcomes() {
            assert!(outcome.code == Some(0) && outcome.console.contains("wrong=0"), "{cell:?}");
        }
    }
}

#[test]
fn free_pages_that_are_reported_give_their_frames_back() {
    for cell in monitored_cells() {
        let program = "init=suite run=swapper:size=8388608:passes=1,idle:seconds=1:period=100,\
                       swapper:size=8388608:passes=2";
        let freed_and_free = |free_page_reporting| {
            let mut model = Model::of(cell.technique, 1, 32 * MIB);
            let config = VmConfig { free_page_reporting, ..ballooned(cell, 16 * MIB, program) };
            let vm = model.add(config, None);
            model.take_turns();
            model.play_until(500_000_000);
            let told = balloon(&model.host, vm);
            let free = model.host.free_frame_count();
            model.play();
            let outcome = model.outcomes().remove(0);
            assert_eq!(outcome.console.matches("wrong=0").count(), 2, "{cell:?}");
            (told.reported_pages, told.freed_frames, free)
        };
        let (reported, freed, free) = freed_and_free(true);
        let (nothing, none, less) = freed_and_free(false);
        assert_eq!((nothing, none), (0, 0), "{cell:?}");
        assert!(reported >= 2048 && freed >= 2048 && free >= less + 2048, "{cell:?}");
    }
}

#[test]
fn statistics_come_when_they_are_asked_for() {
    let cell = monitored_cells()[0];
    let mut model = Model::of(cell.technique, 1, 64 * MIB);
    let vm = model.add(ballooned(cell, 16 * MIB, "init=idle seconds=1 period=100"), None);
    assert!(!model.host.ask_balloon_statistics(&mut model.store, vm).unwrap(), "no driver yet");
    model.take_turns();
    model.play_until(50_000_000);
    let told = balloon(&model.host, vm);
    assert_eq!((told.statistics[&5], told.statistics_updates), (16 * MIB, 1));
    assert!(model.host.ask_balloon_statistics(&mut model.store, vm).unwrap());
    assert!(!model.host.ask_balloon_statistics(&mut model.store, vm).unwrap(), "not twice");
    model.play_until(100_000_000);
    let first = balloon(&model.host, vm);
    model.host.set_balloon_target(&mut model.store, vm, 1000).unwrap();
    model.play_until(250_000_000);
    assert!(model.host.ask_balloon_statistics(&mut model.store, vm).unwrap());
    model.play_until(400_000_000);
    let last = balloon(&model.host, vm);
    assert_eq!(last.statistics_updates, 3);
    // What is free went down by what was given.
    assert_eq!(first.statistics[&4] - last.statistics[&4], 1000 * 4096);
}

#[test]
fn a_balloon_moves_with_its_vm() {
    for cell in monitored_cells() {
        let mut model = Model::of(cell.technique, 1, 64 * MIB);
        let settings = ballooned(cell, 16 * MIB, "init=idle seconds=1 period=100");
        let vm = model.add(settings.clone(), None);
        model.host.set_balloon_target(&mut model.store, vm, 2000).unwrap();
        model.take_turns();
        model.play_until(150_000_000);
        model.host.unload(&mut model.store, 0).unwrap();
        let state = model.host.save_vm(&mut model.store, vm).unwrap();
        model.host.destroy_vm(&mut model.store, vm).unwrap();
        let mut there = Model::of(cell.technique, 1, 64 * MIB);
        std::mem::swap(&mut there.store, &mut model.store);
        there.now_ns = model.now_ns;
        let moved = there.host.restore_vm(&mut there.store, settings, &state, None).unwrap();
        there.adopt(moved);
        assert_eq!(balloon(&there.host, moved).actual_pages, 2000, "{cell:?}");
        there.host.set_balloon_target(&mut there.store, moved, 100).unwrap();
        there.play();
        let end = balloon(&there.host, moved);
        assert_eq!((end.actual_pages, end.deflated_pages), (100, 1900), "{cell:?}");
        assert!(there.outcomes()[0].console.contains("result idle naps=10"), "{cell:?}");
    }
}

#[test]
fn a_guest_that_refuses_or_has_no_driver_gives_nothing() {
    for (choice, driver) in [("refuse", true), ("off", false)] {
        let cell = monitored_cells()[0];
        let mut model = Model::of(cell.technique, 1, 64 * MIB);
        let arguments = format!("kernel.balloon={choice} init=idle seconds=1 period=100");
        let vm = model.add(ballooned(cell, 16 * MIB, &arguments), None);
        model.host.set_balloon_target(&mut model.store, vm, 2000).unwrap();
        model.play();
        let end = balloon(&model.host, vm);
        assert_eq!((end.actual_pages, end.inflated_pages, end.freed_frames), (0, 0, 0));
        assert_eq!(end.statistics_updates, u64::from(driver));
    }
}
