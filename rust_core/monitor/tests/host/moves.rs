//! VMs that are saved, moved and restored.

use crate::support::{Cell, LIMIT_NS, MIB, Model, assisted_profile, config, monitored_cells};
use dcsim_machine::DiskImage;
use dcsim_monitor::TechniqueKind::{BareMetal, TrapAndEmulate};
use dcsim_monitor::{Host, VmState};

const BOOTARGS: &str = "init=suite";

/// Plays the guest until `at_ns` and then until its disk is at rest; takes it out.
fn play_and_save(model: &mut Model, at_ns: u64, console: &mut String) -> Option<VmState> {
    let vm = model.vms[0];
    model.take_turns();
    let mut end_ns = at_ns;
    model.play_until(end_ns);
    while model.requests_under_way() > 0 || model.host.in_flight(vm).unwrap() > 0 {
        end_ns += 10_000;
        model.play_until(end_ns);
    }
    model.host.unload(&mut model.store, 0).unwrap();
    // What nobody has read yet would go along.
    console.push_str(&model.outcomes()[0].console);
    let state = model.host.save_vm(&mut model.store, vm).ok();
    if state.is_none() {
        // An event that the model has not seen: a little later it has.
        model.host.load(&mut model.store, 0, vm, model.now_ns).unwrap();
    }
    state
}

/// Runs the suite under each technique of the list in turn, for a while each.
fn relay(cells: &[Cell]) -> String {
    let mut model = Model::with_profile(assisted_profile(), 1, 64 * MIB);
    model.add(config(cells[0], 16 * MIB, BOOTARGS), Some(DiskImage::new(4 * MIB)));
    let mut console = String::new();
    for cell in &cells[1..] {
        let mut at_ns = model.now_ns + 1_700_000;
        let state = loop {
            if let Some(state) = play_and_save(&mut model, at_ns, &mut console) {
                break state;
            }
            at_ns += 10_000;
            model.host.unload(&mut model.store, 0).unwrap();
        };
        model = move_to(model, state, *cell);
    }
    model.play();
    console + &model.outcomes()[0].console
}

/// Restores a state on a new host and compares every byte.
fn move_to(from: Model, mut state: VmState, cell: Cell) -> Model {
    let mut model = Model::with_profile(assisted_profile(), 1, 64 * MIB);
    model.store = from.store;
    model.now_ns = from.now_ns;
    let target = config(cell, 16 * MIB, BOOTARGS);
    let vm = model.host.restore_vm(&mut model.store, target, &state, None).unwrap();
    let mut arrived = model.host.save_vm(&mut model.store, vm).unwrap();
    assert_eq!(arrived.differences(&state, &model.store), Vec::<String>::new());
    assert_eq!(arrived.digest(&model.store), state.digest(&model.store));
    arrived.release(&mut model.store);
    state.release(&mut model.store);
    model.adopt(vm);
    model
}

#[test]
fn a_guest_that_changes_hosts_and_techniques_notices_nothing() {
    let bare = Cell::from(BareMetal);
    let alone = relay(&[bare]);
    assert!(alone.contains("result suite failed=0"), "{alone}");
    assert_eq!(relay(&[bare, bare]), alone);
    let all = monitored_cells();
    for (cell, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        assert_eq!(relay(&[*cell, *cell, *next]), alone, "{cell:?}");
        assert_eq!(relay(&[*next, bare, *cell]), alone, "{cell:?}");
    }
}

#[test]
fn a_state_survives_its_byte_form() {
    let mut model = Model::new(1, 64 * MIB);
    model.add(config(TrapAndEmulate, 16 * MIB, "init=integer iterations=20"), None);
    let mut state = play_and_save(&mut model, 300_000, &mut String::new()).unwrap();
    let bytes = state.to_bytes(&model.store);
    let mut read = VmState::from_bytes(&mut model.store, &bytes).unwrap();
    assert!(read.differences(&state, &model.store).is_empty());
    assert!(state.content_pages() > 20 && state.zero_pages() > 3000, "{}", state.zero_pages());
    state.release(&mut model.store);
    let mut host = Host::new(crate::support::profile(), 1, 64 * MIB).unwrap();
    let target = config(BareMetal, 16 * MIB, "");
    let vm = host.restore_vm(&mut model.store, target, &read, None).unwrap();
    read.release(&mut model.store);
    host.load(&mut model.store, 0, vm, model.now_ns).unwrap();
    while host.run(&mut model.store, LIMIT_NS).unwrap().kind.name() != "shutdown" {}
    let console = String::from_utf8(host.console_output(vm).unwrap()).unwrap();
    assert!(console.ends_with("kernel: power off, status 0\n"), "{console}");
}

#[test]
fn a_vm_with_a_request_in_flight_or_on_a_pcpu_is_not_saved() {
    let mut model = Model::new(1, 64 * MIB);
    let disk = Some(DiskImage::new(4 * MIB));
    let vm = model.add(config(TrapAndEmulate, 16 * MIB, "init=files"), disk);
    model.take_turns();
    assert!(model.host.save_vm(&mut model.store, vm).is_err());
    while model.requests_under_way() == 0 {
        model.play_until(model.now_ns + 1_000);
    }
    model.host.unload(&mut model.store, 0).unwrap();
    let refused = model.host.save_vm(&mut model.store, vm).unwrap_err().to_string();
    assert!(refused.contains("in flight"), "{refused}");
}

#[test]
fn dirty_pages_are_those_that_the_guest_wrote() {
    let mut model = Model::new(1, 64 * MIB);
    let vm = model.add(config(TrapAndEmulate, 16 * MIB, "init=integer iterations=200"), None);
    let dirty = |model: &mut Model| model.host.take_dirty_pages(vm).unwrap();
    assert_eq!(dirty(&mut model), Vec::<u64>::new(), "loading is no writing of the guest");
    model.take_turns();
    model.play_until(1_000_000);
    let boot = dirty(&mut model);
    assert!(boot.len() > 20, "{}", boot.len());
    model.play_until(2_000_000);
    // By now the program computes, in a few pages of its own.
    let later = dirty(&mut model);
    assert!(!later.is_empty() && later.len() < 10, "{later:?}");
    assert_eq!(dirty(&mut model), Vec::<u64>::new());
}
