//! What a guest has agreed on with its monitor: the part of a vCPU's state that no register holds.

use std::collections::BTreeSet;

/// It goes with the registers when the VM is saved.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Agreement {
    /// The guest has switched to an address space of its own: there is no identity any more.
    pub translated: bool,
    /// The guest-physical address of the shared page.
    pub shared: Option<u64>,
    /// The guest-physical addresses of all roots.
    pub roots: BTreeSet<u64>,
}

/// The state as numbers: the shared page takes one, as its lowest bit is free to tell that it is
/// there.
impl Agreement {
    /// Its numbers.
    pub fn words(&self) -> Vec<u64> {
        let shared = self.shared.map_or(0, |page| page | 1);
        [u64::from(self.translated), shared].into_iter().chain(self.roots.iter().copied()).collect()
    }

    /// The state from [`Self::words`].
    pub fn from_words(words: &[u64]) -> Option<Self> {
        let [translated, shared, roots @ ..] = words else { return None };
        Some(Self {
            translated: *translated != 0,
            shared: (shared & 1 != 0).then_some(shared & !1),
            roots: roots.iter().copied().collect(),
        })
    }
}
