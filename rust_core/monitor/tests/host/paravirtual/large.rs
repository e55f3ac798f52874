//! Large pages of a guest whose memory lies in large pages of the host's.

use super::cell;
use crate::support::{MIB, Model, Outcome, config, run_alone};
use dcsim_monitor::TechniqueKind::BareMetal;
use dcsim_monitor::{HostError, VmConfig};

const CHASE: &str = "init=chase size=4194304 steps=20000 pages=large";

fn run(large_pages: bool, bootargs: &str) -> Outcome {
    run_alone(VmConfig { large_pages, ..config(cell(), 16 * MIB, bootargs) }, None)
}

#[test]
fn what_programs_compute_is_the_same() {
    for bootargs in [CHASE, "init=forkwait n=2 pages=12 large=1", "init=suite"] {
        let bare = run_alone(config(BareMetal, 16 * MIB, bootargs), None);
        let large = run(true, bootargs);
        assert_eq!((&large.console, large.code), (&bare.console, Some(0)), "{bootargs}");
    }
}

/// The chase has 65,536 slots in 1024 pages of 4 KiB; the TLB has 32 entries. With small pages 31 of
/// 32 accesses to random slots miss: one for each slot as it is shuffled, one for each step. With
/// large ones what is left is the kernel's, which fills and digests these pages through its window.
#[test]
fn a_large_page_takes_one_entry_of_the_tlb() {
    let [small, large] = [false, true].map(|large| run(large, CHASE).counters.dtlb_misses);
    assert!(small > (65_536 + 20_000) / 32 * 31 && large < 4 * 1024, "{small} {large}");
}

#[test]
fn a_guest_that_may_have_them_is_refused_where_it_would_not() {
    let mut model = Model::new(1, 64 * MIB);
    let guest =
        |large_pages| VmConfig { large_pages, ..config(cell(), 16 * MIB, "init=idle seconds=1") };
    let vm = model.add(guest(true), None);
    model.take_turns();
    model.play_until(2_000_000);
    model.host.unload(&mut model.store, 0).unwrap();
    let mut state = model.host.save_vm(&mut model.store, vm).unwrap();
    let refused = model.host.restore_vm(&mut model.store, guest(false), &state, None).unwrap_err();
    let HostError::State(why) = refused else { panic!("{refused}") };
    assert!(why.contains("large_pages: true"), "{why}");
    model.host.restore_vm(&mut model.store, guest(true), &state, None).unwrap();
    state.release(&mut model.store);
}
