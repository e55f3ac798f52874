//! The guest in the modes of the hypervisor extension: what leaves for the monitor, what it costs,
//! and where it is refused.

use crate::support::{
    Cell, LIMIT_NS, MIB, Model, Outcome, assisted_profile, config, kernel, profile, run_alone,
};
use dcsim_hart::SecondStage;
use dcsim_machine::DiskImage;
use dcsim_monitor::TechniqueKind::{BareMetal, FourRings, HardwareAssisted, TrapAndEmulate};
use dcsim_monitor::{ExitReason, HardwareProfile, Host, HostError, PagingKind, VmConfig};

fn exits(outcome: &Outcome, reason: ExitReason) -> u64 {
    outcome.counters.exits().find(|(found, _)| *found == reason).map_or(0, |(_, count)| count)
}

fn play(bootargs: &str, disk: Option<DiskImage>) -> Outcome {
    run_alone(config(HardwareAssisted, 16 * MIB, bootargs), disk)
}

#[test]
fn what_belongs_to_the_guest_does_not_leave_it() {
    let outcome =
        play("kernel.tick_ms=1 init=suite run=syscalls:n=500,forkwait:n=3,faults:n=2", None);
    for reason in [
        ExitReason::CsrAccess,
        ExitReason::SupervisorReturn,
        ExitReason::AddressFence,
        ExitReason::SystemCall,
        ExitReason::GuestPageFault,
        ExitReason::ShadowFill,
        ExitReason::Timer,
    ] {
        assert_eq!(exits(&outcome, reason), 0, "{reason:?}");
    }
    assert!(exits(&outcome, ExitReason::SecondStageFill) > 100);
}

#[test]
fn devices_are_the_monitor_s() {
    let outcome = play("init=suite parallel=1", Some(DiskImage::new(4 * MIB)));
    for reason in [
        ExitReason::MmioVirtio,
        ExitReason::MmioNotify,
        ExitReason::MmioInterrupt,
        ExitReason::ExternalInterrupt,
        ExitReason::WaitForInterrupt,
    ] {
        assert!(exits(&outcome, reason) > 0, "{reason:?}");
    }
}

/// Without a second stage the guest's page tables are the monitor's affair, and nothing else is.
#[test]
fn shadow_tables_stand_in_for_a_second_stage() {
    let cell = Cell { technique: HardwareAssisted, paging: PagingKind::ShadowTraced };
    let part = HardwareProfile { second_stage: SecondStage::BareOnly, ..assisted_profile() };
    let mut model = Model::with_profile(part, 1, 64 * MIB);
    model.add(config(cell, 16 * MIB, "init=forkwait n=5 pages=8"), None);
    model.play();
    let outcome = model.outcomes().remove(0);
    let nested = play("init=forkwait n=5 pages=8", None);
    assert_eq!(outcome.console, nested.console);
    for reason in [ExitReason::CsrAccess, ExitReason::AddressFence, ExitReason::TracedWrite] {
        assert!(exits(&outcome, reason) > 0, "{reason:?}");
    }
    for reason in [ExitReason::SystemCall, ExitReason::SupervisorReturn, ExitReason::Timer] {
        assert_eq!(exits(&outcome, reason), 0, "{reason:?}");
    }
}

/// One entry of the second stage for 2 MiB: fewer fills, and walks that end a level earlier.
#[test]
fn large_pages_of_the_host_take_fewer_fills_and_shorter_walks() {
    let chase = "init=chase size=4194304 pages=large steps=20000";
    let small = play(chase, None);
    let large = VmConfig { large_pages: true, ..config(HardwareAssisted, 16 * MIB, chase) };
    let mut model = Model::of(HardwareAssisted, 1, 64 * MIB);
    model.host.audit_steps(true);
    model.add(large, None);
    model.play();
    let large = model.outcomes().remove(0);
    assert_eq!(large.console, small.console);
    assert!(exits(&large, ExitReason::SecondStageFill) <= 8);
    assert_eq!(large.usage.guest, 16 * MIB / 4096);
    // Large at both stages, the chase has no misses at all to speak of.
    assert!(large.counters.dtlb_misses * 4 < small.counters.dtlb_misses);
}

#[test]
fn large_pages_that_no_table_could_have_are_refused() {
    let config = VmConfig { large_pages: true, ..config(FourRings, 16 * MIB, "") };
    let mut host = Host::new(profile(), 1, 64 * MIB).unwrap();
    let mut store = dcsim_memory::PageStore::new(64 * MIB);
    let refused = host.create_vm(&mut store, config, &kernel(), None);
    let Err(HostError::Refused(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("write `nested` or `direct` paging"), "{message}");
}

/// Each of a guest's pages is filled once, however often processes come and go.
#[test]
fn pages_are_filled_at_their_first_touch_only() {
    let outcome = play("init=forkwait n=40 pages=16", None);
    let fills = exits(&outcome, ExitReason::SecondStageFill);
    assert!(fills <= outcome.usage.guest, "{fills} fills of {} pages", outcome.usage.guest);
}

/// The kernel's instructions and its system calls run at the speed of a bare machine. What is
/// dearer are walks through two stages, and the exits.
#[test]
fn the_guest_s_own_cycles_are_those_of_bare_metal() {
    let bootargs = "init=syscalls n=20000";
    let bare = run_alone(config(BareMetal, 16 * MIB, bootargs), None);
    let assisted = play(bootargs, None);
    let guest = |outcome: &Outcome| {
        outcome.causes.iter().find(|(cause, _)| cause == "guest").map_or(0, |(_, cycles)| *cycles)
    };
    let (bare, assisted) = (guest(&bare), guest(&assisted));
    assert!(assisted.abs_diff(bare) * 100 < bare, "{assisted} against {bare}");
}

#[test]
fn hardware_without_the_extension_or_its_second_stage_is_refused() {
    let bare_only = HardwareProfile { second_stage: SecondStage::BareOnly, ..assisted_profile() };
    for (profile, reason) in [(profile(), "hypervisor extension"), (bare_only, "second stage")] {
        let mut host = Host::new(profile, 1, 64 * MIB).unwrap();
        let mut store = dcsim_memory::PageStore::new(64 * MIB);
        let config = config(HardwareAssisted, 16 * MIB, "");
        let refused = host.create_vm(&mut store, config, &kernel(), None);
        let Err(HostError::Refused(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains(reason), "{message}");
    }
}

/// Guests with and without assistance share a pCPU.
#[test]
fn all_levels_of_monitors_take_turns_on_a_pcpu() {
    let bootargs = "init=forkwait n=4 pages=4";
    let alone = run_alone(config(TrapAndEmulate, 8 * MIB, bootargs), None);
    let mut model = Model::with_profile(assisted_profile(), 1, 64 * MIB);
    model.turn_ns = 300_000;
    for technique in [HardwareAssisted, TrapAndEmulate, HardwareAssisted, FourRings] {
        model.add(config(technique, 8 * MIB, bootargs), None);
    }
    model.play();
    assert!(model.now_ns < LIMIT_NS);
    for outcome in model.outcomes() {
        assert_eq!(outcome.console, alone.console);
    }
}
