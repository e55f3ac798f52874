//! What the operations of a kernel cost that knows its monitor, and what it leaves for.

use super::{cell, exits};
use crate::support::{Cell, MIB, cause, config, profile, run_alone};
use dcsim_monitor::TechniqueKind::{BareMetal, FourRings};

/// Cycles of one round of an operation, as the guest's own stopwatch measures them.
fn cycles(cell: Cell, operation: &str, rounds: u64) -> f64 {
    let bootargs = format!("init=nanobench op={operation} rounds={rounds}");
    let outcome = run_alone(config(cell, 16 * MIB, &bootargs), None);
    let line = outcome.console.lines().find(|line| line.starts_with("nano ")).unwrap();
    let each = line.split("each=").nth(1).unwrap();
    each.parse().unwrap()
}

#[test]
fn a_null_system_call_costs_what_it_costs_on_bare_metal() {
    let bare = cycles(BareMetal.into(), "syscall", 2000);
    let direct = cycles(cell(), "syscall", 2000);
    assert!((direct / bare - 1.0).abs() < 0.05, "{direct} {bare}");
}

#[test]
fn forks_and_page_faults_cost_more_than_on_bare_metal_and_less_than_behind_shadow_tables() {
    for (operation, rounds) in [("forkwait", 20), ("pagefault", 200)] {
        let [bare, direct, shadow] = [BareMetal.into(), cell(), FourRings.into()]
            .map(|cell| cycles(cell, operation, rounds));
        assert!(bare < direct && direct < shadow, "{operation}: {bare} {direct} {shadow}");
    }
}

/// One entry alone is where batches do not help: the call is all that it costs.
#[test]
fn the_change_of_one_entry_costs_a_call() {
    let [bare, direct] = [BareMetal.into(), cell()].map(|cell| cycles(cell, "ptemod", 500));
    let timing = profile().timing;
    let transitions = u32::try_from(timing.trap_cycles + timing.return_cycles).unwrap();
    let transitions = f64::from(transitions);
    assert!(direct > bare + transitions && direct < bare + 10.0 * transitions, "{direct} {bare}");
}

#[test]
fn a_running_system_leaves_for_nothing_but_what_it_calls_for() {
    let outcome = run_alone(config(cell(), 16 * MIB, "init=syscalls n=1000"), None);
    for reason in ["system_call", "sret", "csr_access", "sfence_vma", "timer", "guest_page_fault"] {
        assert_eq!(exits(&outcome, reason), 0, "{reason}");
    }
    assert!(cause(&outcome, "handler:hypercall_apply") > 0);
    assert!(cause(&outcome, "handler:window_fill") > 0);
}
