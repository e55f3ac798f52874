//! Holes that are made on purpose are found.

use super::cache::{Conflict, conflicting};
use super::code::{Alias, two_address_spaces, written_between_calls, written_by_device};
use super::faults::{self, Injected};
use super::guests::{generated, kernel, pagings};
use super::machine::Guest;
use super::pair::Pair;
use crate::binary_translation::hole::{self, Hole};
use crate::config::PagingKind;

/// Whether a guest shows that a rule is broken. With all rules kept, the other tests execute it.
fn shows(hole: Hole, guest: &Guest, injected: &'static [Injected]) -> bool {
    // Where page tables are traced, fences mean nothing to translations.
    let is_kept = |paging: &&PagingKind| hole != Hole::Fences || **paging == PagingKind::ShadowTlb;
    pagings().iter().filter(is_kept).all(|paging| {
        let broken = hole::with(hole, || Pair::new(guest, *paging, injected).run());
        broken.is_err()
    })
}

/// What is known of translated instructions.
#[test]
fn a_wrong_map_is_found() {
    for guest in [kernel("init=forkwait n=1 pages=1"), generated(1)] {
        for hole in [Hole::NextPosition, Hole::Spills, Hole::Marks] {
            assert!(shows(hole, &guest, &[]), "{hole:?}");
            assert!(shows(hole, &guest, faults::ALL), "{hole:?}");
        }
    }
}

/// What keeps translations in step with the guest's code, and the cache out of its way.
#[test]
fn a_stale_translation_is_found() {
    let written = |chained| written_between_calls(Alias::Memory, true, chained);
    let mut guests = vec![
        (Hole::Writes, written(false)),
        (Hole::Protection, written(false)),
        (Hole::Sieve, written(false)),
        (Hole::Chains, written(true)),
        (Hole::Devices, written_by_device(30)),
        (Hole::Fences, two_address_spaces()),
    ];
    guests.extend(Conflict::ALL.map(|conflict| (Hole::Conflicts, conflicting(conflict))));
    for (hole, guest) in guests {
        assert!(shows(hole, &guest, &[]), "{hole:?}");
    }
}
