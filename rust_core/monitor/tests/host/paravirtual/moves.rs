//! A guest that knows its monitor keeps its page tables when it moves, is cut, or has to wait.

use super::{cell, profile_with};
use crate::support::{MIB, Model, config, kernel};
use dcsim_hart::IsaProfile;
use dcsim_machine::DiskImage;
use dcsim_machine::random::Random;
use dcsim_monitor::TechniqueKind::{BareMetal, BinaryTranslation, FourRings, TrapAndEmulate};
use dcsim_monitor::{HostError, VmState};

const BOOTARGS: &str = "init=suite";

/// One for each mode that the kernel can be in.
const MODES: [IsaProfile; 2] = [IsaProfile::Rv64gc, IsaProfile::Rv64gcLegacy];

fn model(isa: IsaProfile, memory_bytes: u64) -> Model {
    let mut model = Model::with_profile(profile_with(isa), 1, memory_bytes);
    model.add(config(cell(), 16 * MIB, BOOTARGS), Some(DiskImage::new(4 * MIB)));
    model
}

/// Plays for a while, and saves the VM once its disk is idle.
fn save_after(model: &mut Model, pause_ns: u64, console: &mut String) -> VmState {
    let mut at_ns = model.now_ns + pause_ns;
    loop {
        model.take_turns();
        model.play_until(at_ns);
        model.host.unload(&mut model.store, 0).unwrap();
        let vm = model.vms[0];
        if model.requests_under_way() == 0 && model.host.settled(vm).unwrap() {
            // What nobody has read yet would go along.
            console.push_str(&model.outcomes()[0].console);
            return model.host.save_vm(&mut model.store, vm).unwrap();
        }
        at_ns += 10_000;
    }
}

/// Restores a state on a host where other frames are free.
fn move_to(isa: IsaProfile, mut from: Model, mut state: VmState) -> Model {
    let mut to = Model::with_profile(profile_with(isa), 1, 128 * MIB);
    let old = from.vms[0];
    from.host.destroy_vm(&mut from.store, old).unwrap();
    to.store = from.store;
    to.now_ns = from.now_ns;
    let other = config(TrapAndEmulate, 4 * MIB, "init=idle");
    to.host.create_vm(&mut to.store, other, &kernel(), None).unwrap();
    let target = config(cell(), 16 * MIB, BOOTARGS);
    let vm = to.host.restore_vm(&mut to.store, target, &state, None).unwrap();
    let mut arrived = to.host.save_vm(&mut to.store, vm).unwrap();
    assert_eq!(arrived.differences(&state, &to.store), Vec::<String>::new());
    arrived.release(&mut to.store);
    state.release(&mut to.store);
    to.adopt(vm);
    to
}

#[test]
fn a_guest_that_changes_hosts_goes_on() {
    MODES.into_iter().for_each(change_hosts);
}

fn change_hosts(isa: IsaProfile) {
    let mut alone = model(isa, 64 * MIB);
    alone.play();
    let expected = alone.outcomes().remove(0).console;
    assert!(expected.contains("result suite failed=0"), "{expected}");

    let mut moving = model(isa, 64 * MIB);
    let mut console = String::new();
    for pause_ns in [1_700_000, 900_000, 2_300_000] {
        let state = save_after(&mut moving, pause_ns, &mut console);
        moving = move_to(isa, moving, state);
    }
    moving.play();
    let outcome = moving.outcomes().remove(0);
    assert_eq!((outcome.code, console + &outcome.console), (Some(0), expected));
}

#[test]
fn a_saved_guest_is_refused_where_its_interface_is_not_and_others_where_it_is() {
    let mut direct = model(IsaProfile::Rv64gc, 64 * MIB);
    let mut state = save_after(&mut direct, 1_000_000, &mut String::new());
    let mut bare = Model::new(1, 64 * MIB);
    bare.add(config(BareMetal, 16 * MIB, "init=idle seconds=1"), None);
    let mut other = save_after(&mut bare, 1_000_000, &mut String::new());
    let refused =
        |error: HostError| matches!(&error, HostError::State(why) if why.contains("paravirtual"));
    for technique in [TrapAndEmulate, FourRings] {
        let target = config(technique, 16 * MIB, "");
        let restored = direct.host.restore_vm(&mut direct.store, target, &state, None);
        assert!(refused(restored.unwrap_err()));
    }
    let target = config(cell(), 16 * MIB, "");
    assert!(refused(direct.host.restore_vm(&mut direct.store, target, &other, None).unwrap_err()));
    state.release(&mut direct.store);
    other.release(&mut bare.store);
}

#[test]
fn a_kernel_without_the_interface_is_refused_saying_why() {
    let mut model = Model::new(1, 64 * MIB);
    let config = config(cell(), 16 * MIB, "");
    let refused = model.host.create_vm(&mut model.store, config, &[0x13; 64], None);
    let why = refused.unwrap_err().to_string();
    assert!(why.contains(".note.dcsim") && why.contains("source"), "{why}");
    assert_eq!(model.host.free_frame_count(), model.host.frame_count());
}

/// Three VMs, one of which has a monitor of another kind, on two pCPUs.
fn crowd(isa: IsaProfile, every: u64) -> Model {
    let mut model = Model::with_profile(profile_with(isa), 2, 64 * MIB);
    model.turn_ns = 700_000;
    model.add(config(cell(), 8 * MIB, "init=forkwait n=4 pages=4"), None);
    let files = config(cell(), 8 * MIB, "init=files files=2 size=5000");
    model.add(files, Some(DiskImage::new(MIB)));
    let other = if isa.can_trap_supervisor() { FourRings } else { BinaryTranslation };
    model.add(config(other, 8 * MIB, "init=float steps=300"), None);
    model.host.fail_frame_allocations(every);
    model
}

#[test]
fn cutting_runs_changes_no_byte() {
    MODES.into_iter().for_each(cut_runs);
}

fn cut_runs(isa: IsaProfile) {
    let mut whole = crowd(isa, 0);
    whole.play();
    let (log, outcomes) = (whole.log.clone(), whole.outcomes());
    for (seed, longest_ns) in [(1, 300), (2, 5_000), (3, 200_000)] {
        let mut random = Random::new(seed);
        let mut cut = crowd(isa, 0);
        cut.play_cut(&mut || 1 + random.below(longest_ns));
        assert_eq!(cut.log, log, "seed {seed}");
        assert_eq!(cut.outcomes(), outcomes, "seed {seed}");
    }
}

#[test]
fn failing_every_nth_allocation_changes_no_result() {
    MODES.into_iter().for_each(fail_allocations);
}

fn fail_allocations(isa: IsaProfile) {
    let mut whole = crowd(isa, 0);
    whole.play();
    let (log, outcomes) = (whole.log.clone(), whole.outcomes());
    for every in [2, 3, 7, 100] {
        let mut failing = crowd(isa, every);
        failing.play();
        assert!(failing.memory_exits > 0);
        assert_eq!(failing.log, log, "every {every}");
        assert_eq!(failing.outcomes(), outcomes, "every {every}");
    }
}

#[test]
fn everything_is_given_back() {
    let mut model = Model::new(1, 64 * MIB);
    let vm = model.add(config(cell(), 8 * MIB, "init=forkwait n=2"), None);
    model.play();
    model.host.destroy_vm(&mut model.store, vm).unwrap();
    assert_eq!(model.host.free_frame_count(), model.host.frame_count());
    assert_eq!(model.store.used_bytes(), 0);
}
