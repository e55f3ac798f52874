//! The guest kernel with its programs, and generated kernels.

use super::coverage::{Coverage, Kind};
use super::faults;
use super::generated::Generator;
use super::length;
use super::machine::Guest;
use super::mixed;
use super::pair::Pair;
use crate::config::{MarkUpdates, PagingKind, TechniqueKind};
use dcsim_hart::IsaProfile::{self, Rv64gc, Rv64gcLegacy, Rv64gcLegacySilent};
use dcsim_hart::Privilege;
use std::collections::BTreeMap;

/// The guest kernel.
pub(super) fn kernel(bootargs: &str) -> Guest {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dcsim/guest/images/kernel.elf");
    // No clock tick comes.
    let bootargs = format!("kernel.tick_ms=100000 {bootargs}");
    Guest { bootargs, ..Guest::new(std::fs::read(path).unwrap()) }
}

/// A generated kernel; every other one for harts that fault where an accessed or dirty bit is
/// missing, and half of them for harts that drop sensitive instructions of users.
pub(super) fn generated(seed: u64) -> Guest {
    let mark_updates =
        if seed.is_multiple_of(2) { MarkUpdates::Hardware } else { MarkUpdates::Fault };
    let isa = if seed & 2 == 0 { IsaProfile::Rv64gc } else { IsaProfile::Rv64gcLegacySilent };
    Guest { mark_updates, isa, disk_delay: 20, ..Guest::new(Generator::new(seed).image(120)) }
}

/// Ways of paging under translation.
pub(super) fn pagings() -> &'static [PagingKind] {
    TechniqueKind::BinaryTranslation.pagings()
}

/// Every instruction of the guest's kernel was in the cache, none of its users', and every place
/// of the cache that was reached had its faults.
fn check(coverage: &Coverage) {
    assert_eq!(coverage.astray.len(), 0, "{:x?}", coverage.astray);
    let in_both: Vec<_> =
        coverage.user.keys().filter(|pc| coverage.kernel.contains_key(pc)).collect();
    assert!(in_both.is_empty(), "{in_both:x?}");
    assert!(coverage.executed.keys().eq(coverage.faulted.iter()));
}

/// Executes a guest, with all faults at all places.
pub(super) fn execute(guest: &Guest, paging: PagingKind, name: &str) -> Coverage {
    let mut pair = Pair::new(guest, paging, faults::ALL);
    if let Err(error) = pair.run() {
        panic!("{paging:?}, {name}: {error}");
    }
    check(&pair.coverage);
    pair.coverage
}

/// What the guest kernel runs; the others are for longer tests.
const PROGRAMS: [&str; 3] =
    ["init=forkwait n=1 pages=1", "init=float steps=20", "init=files files=1 size=700"];
const MORE_PROGRAMS: [&str; 3] = ["init=syscalls n=5", "init=trespass", "init=faults n=1 pages=8"];

#[test]
fn the_guest_kernel_is_precise_at_every_translated_instruction() {
    let more: &[&str] = if length() > 1 { &MORE_PROGRAMS } else { &[] };
    for paging in pagings() {
        let mut kinds = BTreeMap::new();
        for program in PROGRAMS.iter().chain(more) {
            let coverage = execute(&kernel(program), *paging, program);
            assert!(coverage.faulted.len() > 8_000, "{}", coverage.faulted.len());
            assert!(coverage.kernel_retirements() > 200_000, "{}", coverage.kernel_retirements());
            assert!(!coverage.user.is_empty());
            coverage.add_kinds(&mut kinds);
        }
        // It does not write to code that it executes.
        assert!(Kind::ALL.iter().all(|kind| *kind == Kind::Step || kinds[kind] > 0), "{kinds:?}");
    }
}

#[test]
fn generated_kernels_are_precise_at_every_translated_instruction() {
    for paging in pagings() {
        for seed in 0..8 * length() {
            execute(&generated(seed), *paging, &format!("seed {seed}"));
        }
    }
}

#[test]
fn code_of_every_kind_is_precise_at_every_translated_instruction() {
    for paging in pagings() {
        let mut kinds = BTreeMap::new();
        for seed in 0..12 * length() {
            let isa = [Rv64gc, Rv64gcLegacySilent, Rv64gcLegacy][seed as usize % 3];
            let guest = Guest { isa, ..mixed::guest(seed, 200) };
            let coverage = execute(&guest, *paging, &format!("seed {seed}"));
            coverage.add_kinds(&mut kinds);
        }
        for kind in [Kind::Middle, Kind::MiddleOfTwo, Kind::Constant, Kind::Jump, Kind::Sieve] {
            assert!(kinds[&kind] > 200, "{kinds:?}");
        }
    }
}

/// Frames are wanting, now and then and all the time: trees and translations are given up in the
/// middle of whatever the guest does.
#[test]
fn a_host_short_of_frames_changes_nothing() {
    for paging in pagings() {
        for seed in 0..4 * length() {
            for failures in 2..4 {
                let guest = Guest { failures, ..generated(seed) };
                execute(&guest, *paging, &format!("seed {seed}"));
            }
        }
    }
}

/// With users that are translated as well nothing but translated code executes.
#[test]
fn translated_users_are_precise_at_every_instruction() {
    let isa_of = |seed: u64| [Rv64gc, Rv64gcLegacySilent, Rv64gcLegacy][seed as usize % 3];
    for paging in pagings() {
        let programs = ["init=privread", "init=float steps=5", "init=forkwait n=1 pages=1"];
        let count = if length() > 1 { programs.len() } else { 1 };
        let mut guests: Vec<_> = programs[..count].iter().map(|name| kernel(name)).collect();
        for guest in &mut guests {
            guest.isa = Rv64gcLegacy;
        }
        let others = (0..6 * length()).map(|seed| Guest { isa: isa_of(seed), ..generated(seed) });
        guests.extend(others);
        let mut of_users = 0;
        for (number, guest) in guests.into_iter().enumerate() {
            let guest = Guest { translates_users: true, ..guest };
            let coverage = execute(&guest, *paging, &format!("guest {number}"));
            assert!(coverage.user.is_empty(), "guest {number}");
            let modes = coverage.faulted.iter().map(|(.., mode)| *mode);
            of_users += modes.filter(|mode| *mode == Privilege::User).count();
        }
        assert!(of_users > 500, "{of_users}");
    }
}
