//! What a guest has agreed on with its monitor: the part of a vCPU's state that no register holds.

use super::layout::Layout;
use super::seal::Seal;
use dcsim_hart::IsaProfile;
use std::collections::BTreeSet;

/// It goes with the registers when the VM is saved.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Agreement {
    /// Where the guest's kernel found that it runs.
    pub layout: Layout,
    /// The guest has switched to an address space of its own: there is no identity any more.
    pub translated: bool,
    /// The guest-physical address of the shared page: of the hart that acts, as is what comes before.
    pub shared: Option<u64>,
    /// The hart to whose page interrupt lines are told.
    pub listener: usize,
    /// The guest was told that it may map large pages.
    pub large_pages: bool,
    /// What the kernel has given up.
    pub seal: Option<Seal>,
    /// The guest-physical addresses of all roots.
    pub roots: BTreeSet<u64>,
}

/// The state as numbers: the shared page takes one, as its lowest bit is free to tell that it is
/// there.
impl Agreement {
    /// Its numbers.
    pub fn words(&self) -> Vec<u64> {
        let state = u64::from(self.translated)
            | u64::from(self.layout == Layout::User) << 1
            | u64::from(self.seal.is_some()) << 2
            | u64::from(self.large_pages) << 3
            | (self.listener as u64) << 4;
        let shared = self.shared.map_or(0, |page| page | 1);
        let [start, constants, end] = self.seal.as_ref().map_or([0; 3], Seal::words);
        let fixed = [state, shared, start, constants, end];
        fixed.into_iter().chain(self.roots.iter().copied()).collect()
    }

    /// The state from [`Self::words`].
    pub fn from_words(words: &[u64]) -> Option<Self> {
        let [state, shared, start, constants, end, roots @ ..] = words else { return None };
        let seal = match state & 4 {
            0 => None,
            _ => Some(Seal::new([*start, *constants, *end])?),
        };
        Some(Self {
            seal,
            layout: if state & 2 == 0 { Layout::Supervisor } else { Layout::User },
            translated: state & 1 != 0,
            large_pages: state & 8 != 0,
            listener: (state >> 4 & 7) as usize,
            shared: (shared & 1 != 0).then_some(shared & !1),
            roots: roots.iter().copied().collect(),
        })
    }
}

/// Refuses a saved guest's agreement on pCPUs of a kind where its kernel would run elsewhere, and
/// where it would not have the large pages that it was promised.
pub fn check_saved(
    agreement: &Agreement,
    isa: IsaProfile,
    large_pages: bool,
) -> Result<(), String> {
    if agreement.large_pages && !large_pages {
        return Err(
            "its page tables have large pages, which this configuration leaves out: write \
                    `large_pages: true`"
                .to_owned(),
        );
    }
    let mode = |layout| match layout {
        Layout::Supervisor => "supervisor mode",
        Layout::User => "user mode",
    };
    let here = Layout::on(isa);
    if agreement.layout == here {
        return Ok(());
    }
    Err(format!(
        "its kernel found itself in {} when it started, and on the profile `{}` the technique \
         `paravirtual` has kernels in {}",
        mode(agreement.layout),
        isa.name(),
        mode(here)
    ))
}
