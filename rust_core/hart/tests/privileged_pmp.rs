//! Physical memory protection: matching, priority, locks, and what it applies to.

mod privileged_world;

use dcsim_hart::{Exception, Privilege, Signal, Width};
use privileged_world::{DEVICE, PRIVILEGES, RAM, World, csr, status, trap};

const R: u64 = 1;
const W: u64 = 2;
const X: u64 = 4;
const TOR: u64 = 1 << 3;
const NA4: u64 = 2 << 3;
const NAPOT: u64 = 3 << 3;
const L: u64 = 1 << 7;

/// Programs an entry.
fn program(world: &mut World, entry: u16, address: u64, configuration: u64) {
    world.write(csr::PMPADDR0 + entry, address);
    let register = csr::PMPCFG0 + entry / 8 * 2;
    let shift = 8 * (entry % 8);
    let others = world.read(register) & !(0xff << shift);
    world.write(register, others | configuration << shift);
}

/// A NAPOT address register for a range of `size` bytes.
fn napot(base: u64, size: u64) -> u64 {
    base >> 2 | (size / 8 - 1)
}

fn may_load(world: &mut World, address: u64, width: Width) -> bool {
    match world.load(address, width) {
        Ok(_) => true,
        refused => {
            assert_eq!(refused, trap(Exception::LoadAccessFault, address));
            false
        }
    }
}

#[test]
fn without_entries_only_machine_mode_has_access() {
    for privilege in PRIVILEGES {
        let mut world = World::new();
        world.hart.set_privilege(privilege);
        let allowed = privilege == Privilege::Machine;
        assert_eq!(world.load(RAM, Width::Double).is_ok(), allowed);
        assert_eq!(world.store(RAM, Width::Double, 1).is_ok(), allowed);
        assert_eq!(world.fetch(RAM).is_ok(), allowed);
    }
}

#[test]
fn each_right_is_checked_for_its_kind_of_access() {
    for privilege in PRIVILEGES {
        for rights in [0, R, R | W, X, R | X, R | W | X] {
            for lock in [0, L] {
                let mut world = World::new();
                program(&mut world, 0, napot(RAM, 1 << 20), NAPOT | rights | lock);
                world.hart.set_privilege(privilege);
                let free = privilege == Privilege::Machine && lock == 0;
                let allowed = |right| free || rights & right != 0;
                assert_eq!(world.load(RAM, Width::Word).is_ok(), allowed(R));
                assert_eq!(world.store(RAM, Width::Word, 0).is_ok(), allowed(W));
                assert_eq!(world.fetch(RAM).is_ok(), allowed(X));
            }
        }
    }
}

#[test]
fn faults_carry_the_address_and_the_kind() {
    let mut world = World::new();
    world.hart.set_privilege(Privilege::User);
    assert_eq!(world.load(RAM, Width::Half), trap(Exception::LoadAccessFault, RAM));
    assert_eq!(world.store(RAM + 8, Width::Half, 0), trap(Exception::StoreAccessFault, RAM + 8));
    assert_eq!(world.fetch(RAM + 2), trap(Exception::InstructionAccessFault, RAM + 2));
}

#[test]
fn address_modes_cover_their_ranges() {
    // Mode, address register, first and last covered byte; entry 1 follows an entry 0 at RAM.
    let cases = [
        (NA4, (RAM + 0x40) >> 2, RAM + 0x40, RAM + 0x43),
        (NAPOT, napot(RAM + 0x40, 8), RAM + 0x40, RAM + 0x47),
        (NAPOT, napot(RAM + 0x1000, 0x1000), RAM + 0x1000, RAM + 0x1fff),
        (TOR, (RAM + 0x20) >> 2, RAM, RAM + 0x1f),
    ];
    for (mode, address, first, last) in cases {
        let mut world = World::new();
        program(&mut world, 0, RAM >> 2, 0);
        program(&mut world, 1, address, mode | R);
        world.hart.set_privilege(Privilege::Supervisor);
        assert!(may_load(&mut world, first, Width::Byte));
        assert!(may_load(&mut world, last, Width::Byte));
        assert!(first == RAM || !may_load(&mut world, first - 1, Width::Byte));
        assert!(!may_load(&mut world, last + 1, Width::Byte));
    }
}

#[test]
fn the_first_range_starts_at_zero_and_empty_ranges_match_nothing() {
    let mut world = World::new();
    program(&mut world, 0, (RAM + 0x1000) >> 2, TOR | R);
    program(&mut world, 1, RAM >> 2, TOR | R | W);
    world.hart.set_privilege(Privilege::User);
    assert!(may_load(&mut world, RAM, Width::Double));
    assert!(world.store(RAM, Width::Double, 0).is_err());
    assert!(!may_load(&mut world, RAM + 0x1000, Width::Double));
}

#[test]
fn all_ones_cover_everything() {
    let mut world = World::new();
    program(&mut world, 0, u64::MAX, NAPOT | R);
    world.hart.set_privilege(Privilege::User);
    assert!(may_load(&mut world, RAM, Width::Double));
    assert!(may_load(&mut world, DEVICE, Width::Double));
}

#[test]
fn the_lowest_matching_entry_decides_and_must_match_whole() {
    let mut world = World::new();
    program(&mut world, 0, (RAM + 0xc) >> 2, NA4 | R | W | X);
    program(&mut world, 1, napot(RAM, 1 << 20), NAPOT | R);
    world.hart.set_privilege(Privilege::User);
    assert_eq!(world.store(RAM + 0xc, Width::Word, 0), Ok(Signal::None));
    assert!(world.store(RAM + 0x10, Width::Word, 0).is_err());
    assert!(may_load(&mut world, RAM + 0xc, Width::Word));
    assert!(!may_load(&mut world, RAM + 0x8, Width::Double), "half of it in entry 0");
    assert!(may_load(&mut world, RAM, Width::Double));

    world.hart.set_privilege(Privilege::Machine);
    assert!(!may_load(&mut world, RAM + 0x8, Width::Double), "in machine mode too");
}

#[test]
fn a_page_with_several_protections_is_checked_at_every_access() {
    let mut world = World::new();
    program(&mut world, 0, napot(RAM, 16), NAPOT | R);
    program(&mut world, 1, napot(RAM, 1 << 20), NAPOT | R | W | X);
    world.hart.set_privilege(Privilege::User);
    for _ in 0..2 {
        assert_eq!(world.store(RAM + 16, Width::Double, 0), Ok(Signal::None));
        assert!(world.store(RAM + 8, Width::Double, 0).is_err());
        assert!(world.fetch(RAM + 16).is_ok());
        assert!(world.fetch(RAM + 14).is_err());
    }
}

#[test]
fn a_change_counts_at_once() {
    let mut world = World::open();
    world.hart.set_privilege(Privilege::User);
    assert!(may_load(&mut world, RAM, Width::Word));
    assert!(world.fetch(RAM).is_ok());
    world.write(csr::PMPCFG0, NAPOT | W | R);
    assert!(world.fetch(RAM).is_err());
    world.write(csr::PMPADDR0, napot(RAM + 0x1000, 0x1000));
    assert!(!may_load(&mut world, RAM, Width::Word));
}

#[test]
fn mprv_checks_data_but_not_fetches_for_the_previous_mode() {
    let mut world = World::new();
    world.write(csr::MSTATUS, status::MPRV);
    assert!(!may_load(&mut world, RAM, Width::Word));
    assert!(world.fetch(RAM).is_ok());
    world.write(csr::MSTATUS, status::MPRV | status::MPP);
    assert!(may_load(&mut world, RAM, Width::Word));
}

#[test]
fn the_last_entry_is_as_good_as_the_first() {
    let mut world = World::new();
    program(&mut world, 15, napot(RAM, 0x1000), NAPOT | R);
    world.hart.set_privilege(Privilege::User);
    assert!(may_load(&mut world, RAM, Width::Word));
    assert!(!may_load(&mut world, RAM + 0x1000, Width::Word));
}
