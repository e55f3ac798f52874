//! Holes that are made on purpose are found.

use super::faults::{self, Injected};
use super::guests::{generated, kernel, pagings};
use super::machine::Guest;
use super::pair::Pair;
use crate::binary_translation::hole::{self, Hole};

/// Whether a guest shows that a rule is broken, and that it is nothing else.
fn shows(hole: Hole, guest: &Guest, injected: &'static [Injected]) -> bool {
    pagings().iter().all(|paging| {
        let broken = hole::with(hole, || Pair::new(guest, *paging, injected).run());
        broken.is_err()
    })
}

/// What is known of translated instructions.
#[test]
fn a_wrong_map_is_found() {
    for guest in [kernel("init=syscalls n=1"), generated(1)] {
        for hole in [Hole::NextPosition, Hole::Spills, Hole::Marks] {
            assert!(shows(hole, &guest, &[]), "{hole:?}");
            assert!(shows(hole, &guest, faults::ALL), "{hole:?}");
        }
    }
}
