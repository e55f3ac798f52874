//! A hole that is made in a monitor on purpose is noticed: a check left out in each technique.

use dcsim_fuzz::hostile::campaign::play_once;
use dcsim_fuzz::hostile::cell::Cell;
use dcsim_fuzz::hostile::neighbour::Neighbour;
use dcsim_fuzz::hostile::play::Plan;
use dcsim_hart::IsaProfile;
use dcsim_monitor::PagingKind::{self, Direct, Nested, ShadowTlb, ShadowTraced};
use dcsim_monitor::TechniqueKind::{
    self, BinaryTranslation, FourRings, HardwareAssisted, Paravirtual, TrapAndEmulate,
};
use dcsim_monitor::holes::{Hole, open};

/// Kernels that are played until one gets through.
const MOST: u64 = 300;

/// The hole is found in this cell, and the kernel that found it finds nothing where there is none.
fn expect_found(hole: Hole, technique: TechniqueKind, paging: PagingKind) {
    let isa = if technique == HardwareAssisted { IsaProfile::Rv64gch } else { IsaProfile::Rv64gc };
    let cell = Cell { technique, paging, isa };
    let alike = Neighbour::on(isa).into_iter().filter(|neighbour| neighbour.cell == cell);
    let neighbours: Vec<_> = alike.collect();
    let plan = |seed| Plan { cell, seed, length_ns: 600_000, guarded: true };
    // Odd seeds are played once.
    let found = (1..2 * MOST).step_by(2).find_map(|seed| {
        let _open = open(hole);
        // What goes wrong later because of it does not count.
        let failure = play_once(plan(seed), &neighbours).err();
        failure.filter(|failure| failure.what.contains("not its own")).map(|_| seed)
    });
    let Some(seed) = found else { panic!("{hole:?} stays unnoticed under {cell}") };
    let closed = play_once(plan(seed), &neighbours);
    assert!(closed.is_ok(), "{closed:?}");
}

#[test]
fn a_shadow_entry_without_a_check_is_noticed() {
    for (technique, paging) in [
        (TrapAndEmulate, ShadowTlb),
        (TrapAndEmulate, ShadowTraced),
        (FourRings, ShadowTlb),
        (HardwareAssisted, ShadowTraced),
    ] {
        expect_found(Hole::ShadowFill, technique, paging);
    }
}

#[test]
fn a_kernel_that_translates_by_itself_is_noticed() {
    expect_found(Hole::OwnTranslation, FourRings, ShadowTlb);
}

#[test]
fn translated_code_that_its_guest_can_read_is_noticed() {
    expect_found(Hole::TranslatedRights, BinaryTranslation, ShadowTlb);
}

#[test]
fn a_second_stage_without_bounds_is_noticed() {
    expect_found(Hole::SecondStage, HardwareAssisted, Nested);
}

#[test]
fn an_entry_of_a_paravirtual_guest_that_is_not_checked_is_noticed() {
    expect_found(Hole::DirectEntry, Paravirtual, Direct);
}

#[test]
fn a_device_that_moves_data_anywhere_is_noticed() {
    for (technique, paging) in
        [(TrapAndEmulate, ShadowTlb), (HardwareAssisted, Nested), (Paravirtual, Direct)]
    {
        expect_found(Hole::DeviceBounds, technique, paging);
    }
}

#[test]
fn identifiers_that_address_spaces_share_are_noticed() {
    for (technique, paging) in [(TrapAndEmulate, ShadowTlb), (HardwareAssisted, Nested)] {
        expect_found(Hole::Identifiers, technique, paging);
    }
}

#[test]
fn a_shared_frame_that_can_be_written_is_noticed() {
    for (technique, paging) in
        [(TrapAndEmulate, ShadowTlb), (FourRings, ShadowTraced), (HardwareAssisted, Nested)]
    {
        expect_found(Hole::SharedWrite, technique, paging);
    }
}
