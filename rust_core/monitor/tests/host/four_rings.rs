//! The guest kernel in supervisor mode: what leaves for the monitor, and where it is refused.

use crate::support::{LIMIT_NS, MIB, Model, config, kernel, profile, run_alone};
use dcsim_hart::IsaProfile;
use dcsim_monitor::TechniqueKind::{FourRings, TrapAndEmulate};
use dcsim_monitor::{ExitReason, HardwareProfile, Host, HostError, TechniqueKind};

fn exits(technique: TechniqueKind, bootargs: &str, reason: ExitReason) -> u64 {
    let outcome = run_alone(config(technique, 16 * MIB, bootargs), None);
    outcome.counters.exits().find(|(found, _)| *found == reason).map_or(0, |(_, count)| count)
}

#[test]
fn system_calls_reach_the_kernel_directly_and_its_returns_trap() {
    let calls = "init=syscalls n=500";
    assert!(exits(TrapAndEmulate, calls, ExitReason::SystemCall) >= 500);
    assert_eq!(exits(FourRings, calls, ExitReason::SystemCall), 0);
    assert!(exits(FourRings, calls, ExitReason::SupervisorReturn) >= 500);
}

#[test]
fn timers_interrupt_the_guest_without_its_monitor() {
    let long = "kernel.tick_ms=1 init=integer iterations=200";
    assert!(exits(TrapAndEmulate, long, ExitReason::Timer) > 0);
    assert_eq!(exits(FourRings, long, ExitReason::Timer), 0);
    assert!(exits(FourRings, long, ExitReason::SupervisorReturn) > 5);
}

#[test]
fn a_device_s_interrupt_reaches_a_kernel_that_runs_as_well_as_one_that_waits() {
    let disk = dcsim_machine::DiskImage::new(4 * MIB);
    let outcome = run_alone(config(FourRings, 16 * MIB, "init=suite parallel=1"), Some(disk));
    let reasons: Vec<_> = outcome.counters.exits().map(|(reason, _)| reason).collect();
    assert!(reasons.contains(&ExitReason::ExternalInterrupt), "{reasons:?}");
    assert!(reasons.contains(&ExitReason::WaitForInterrupt), "{reasons:?}");
}

#[test]
fn a_part_that_cannot_trap_supervisor_mode_is_refused() {
    for isa in [IsaProfile::Rv64gcLegacy, IsaProfile::Rv64gcLegacySilent] {
        let profile = HardwareProfile { isa, ..profile() };
        let mut host = Host::new(profile, 1, 64 * MIB).unwrap();
        let mut store = dcsim_memory::PageStore::new(64 * MIB);
        let refused = host.create_vm(&mut store, config(FourRings, 16 * MIB, ""), &kernel(), None);
        let Err(HostError::Refused(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains("TVM, TW and TSR"), "{message}");
    }
}

/// Guests under monitors at different levels share a pCPU.
#[test]
fn both_levels_of_monitors_take_turns_on_a_pcpu() {
    let alone = run_alone(config(TrapAndEmulate, 8 * MIB, "init=forkwait n=4 pages=4"), None);
    let mut model = Model::new(1, 64 * MIB);
    model.turn_ns = 300_000;
    for technique in [FourRings, TrapAndEmulate, FourRings] {
        model.add(config(technique, 8 * MIB, "init=forkwait n=4 pages=4"), None);
    }
    model.play();
    assert!(model.now_ns < LIMIT_NS);
    for outcome in model.outcomes() {
        assert_eq!(outcome.console, alone.console);
    }
}
