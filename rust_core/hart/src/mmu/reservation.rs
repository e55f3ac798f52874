//! The load reservation of LR and SC.
//!
//! Unprivileged architecture, "Zalrsc". The reservation set is the naturally aligned word or
//! doubleword that was read. The reservation remembers its value, and SC compares: a store by
//! another hart or by a device is noticed when SC executes, not when it is made. A location that
//! was changed and changed back in between counts as unchanged.

use crate::bus::Width;

/// What LR read, for SC to check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// Physical address of the value.
    pub address: u64,
    /// Its size.
    pub width: Width,
    /// The value.
    pub value: u64,
}
