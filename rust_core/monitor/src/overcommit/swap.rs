//! The content of pages that have no frame: outside the host's frames, or compressed in some.

use super::compressed::{Pool, Slot};
use super::index::GuestPage;
use crate::ids::VmId;
use dcsim_memory::PageId;
use std::collections::BTreeMap;

/// Where swapped pages go.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Tier {
    /// Out of the host's memory; what the way there and back takes is the caller's.
    #[default]
    Outside,
    /// Into frames that hold many, compressed.
    Compressed,
}

impl Tier {
    /// The tier of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "disk" => Some(Self::Outside),
            "compressed" => Some(Self::Compressed),
            _ => None,
        }
    }
}

/// Where the content of a page is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Outside the host's frames, in a page of the store.
    Outside(PageId),
    /// Compressed.
    Compressed(Slot),
}

/// The swapped pages of a host.
#[derive(Debug, Default)]
pub struct SwapSpace {
    pages: BTreeMap<GuestPage, Kept>,
    /// Frames with compressed pages.
    pub pool: Pool,
}

impl SwapSpace {
    /// Where a page is.
    pub fn get(&self, page: GuestPage) -> Option<Kept> {
        self.pages.get(&page).copied()
    }

    /// Keeps a page.
    pub fn insert(&mut self, page: GuestPage, kept: Kept) {
        self.pages.insert(page, kept);
    }

    /// Forgets a page; what held it is the caller's now.
    pub fn remove(&mut self, page: GuestPage) -> Option<Kept> {
        self.pages.remove(&page)
    }

    /// The pages of a VM.
    pub fn pages_of(&self, vm: VmId) -> impl Iterator<Item = u64> {
        self.pages.range((vm, 0)..=(vm, u64::MAX)).map(|((_, page), _)| *page)
    }

    /// All compressed pages.
    pub fn compressed_count(&self) -> u64 {
        self.pages.values().filter(|kept| matches!(kept, Kept::Compressed(_))).count() as u64
    }
}
