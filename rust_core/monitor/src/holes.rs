//! Holes that tests open on purpose: checks of the monitor that are left out, to see that somebody
//! notices.
//!
//! Without the feature `holes` none can be opened and the checks are as they stand. With it, one is
//! open on a thread from [`open`] to the end of what that returns.

use dcsim_machine::board::map::MEMORY_BASE;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

/// A check that can be left out.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Hole {
    /// A shadow entry leads to the host address that the guest's entry names, if that is none of
    /// the guest's memory.
    ShadowFill,
    /// Translated code can be read and written.
    TranslatedRights,
    /// A guest kernel in supervisor mode sets the translation of its hart.
    OwnTranslation,
    /// An entry of the second stage leads to the host address that the guest has used.
    SecondStage,
    /// An entry of a paravirtual guest's tables leads where the guest says.
    DirectEntry,
    /// A device moves data at the host address that its driver has given.
    DeviceBounds,
    /// All address spaces of all guests have one identifier in TLBs.
    Identifiers,
    /// A frame that pages of several guests share can be written.
    SharedWrite,
}

impl Hole {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ShadowFill,
        Self::TranslatedRights,
        Self::OwnTranslation,
        Self::SecondStage,
        Self::DirectEntry,
        Self::DeviceBounds,
        Self::Identifiers,
        Self::SharedWrite,
    ];

    /// Whether it is open.
    #[cfg(not(feature = "holes"))]
    #[inline]
    pub(crate) const fn is_open(self) -> bool {
        false
    }

    /// Whether it is open.
    #[cfg(feature = "holes")]
    pub(crate) fn is_open(self) -> bool {
        open_hole::get() == Some(self)
    }

    /// Through an open hole: the frame that an address, which is none of the guest's memory, names
    /// as one of the host's.
    pub(crate) fn frame(self, address: u64) -> Option<PhysicalAddress> {
        let is_reached = self.is_open() && address >= MEMORY_BASE;
        is_reached.then_some(PhysicalAddress(address & !(PAGE_BYTES as u64 - 1)))
    }
}

#[cfg(feature = "holes")]
pub use open_hole::{Open, open};

#[cfg(feature = "holes")]
mod open_hole {
    use super::Hole;
    use std::cell::Cell;

    thread_local! {
        static OPEN: Cell<Option<Hole>> = const { Cell::new(None) };
    }

    pub(super) fn get() -> Option<Hole> {
        OPEN.get()
    }

    /// Opens a hole for the monitors that this thread runs, until what is returned ends.
    pub fn open(hole: Hole) -> Open {
        OPEN.set(Some(hole));
        Open(())
    }

    /// The time for which a hole is open.
    #[derive(Debug)]
    #[must_use]
    pub struct Open(());

    impl Drop for Open {
        fn drop(&mut self) {
            OPEN.set(None);
        }
    }
}
