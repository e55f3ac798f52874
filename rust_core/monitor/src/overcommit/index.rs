//! Where content was seen before, of pages that no other page shares yet.
//!
//! There are two ways to keep this. *Hints* remember each page by the hash that it had when it was
//! looked at; its content may be another by now, and then the hint is broken (`VMware` ESX: Waldspurger,
//! "Memory Resource Management in `VMware` ESX Server", OSDI 2002, section 4). The *unstable* index of
//! Linux (`mm/ksm.c`) takes up only pages whose checksum is the same as on the last pass, and is
//! emptied at the end of each pass.

use crate::ids::VmId;
use std::collections::BTreeMap;

/// How pages of the same content are found.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Finding {
    /// Every page that has been looked at is remembered.
    #[default]
    Hints,
    /// Only pages that did not change from one pass to the next, until the end of the pass.
    Unstable,
}

impl Finding {
    /// The way of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "esx" => Some(Self::Hints),
            "ksm" => Some(Self::Unstable),
            _ => None,
        }
    }
}

/// A page of a guest.
pub type GuestPage = (VmId, u64);

/// Pages by content.
#[derive(Debug, Default)]
pub struct Index {
    pages: BTreeMap<u64, GuestPage>,
    hashes: BTreeMap<GuestPage, u64>,
    checksums: BTreeMap<GuestPage, u64>,
}

impl Index {
    /// The number of pages in it.
    pub fn page_count(&self) -> u64 {
        self.pages.len() as u64
    }

    /// The page that had this hash.
    pub fn page(&self, hash: u64) -> Option<GuestPage> {
        self.pages.get(&hash).copied()
    }

    /// Remembers a page, and no longer what it or another of that hash had been remembered by.
    pub fn insert(&mut self, hash: u64, page: GuestPage) {
        self.remove(page);
        if let Some(other) = self.pages.insert(hash, page) {
            self.hashes.remove(&other);
        }
        self.hashes.insert(page, hash);
    }

    /// Forgets a page.
    pub fn remove(&mut self, page: GuestPage) {
        if let Some(hash) = self.hashes.remove(&page) {
            self.pages.remove(&hash);
        }
    }

    /// Notes the hash of a page. Tells whether it was the same when this was last asked.
    pub fn is_unchanged(&mut self, page: GuestPage, hash: u64) -> bool {
        self.checksums.insert(page, hash) == Some(hash)
    }

    /// A pass has ended: what was remembered in it is forgotten, but for checksums.
    pub fn end_pass(&mut self) {
        self.pages.clear();
        self.hashes.clear();
    }

    /// A VM is gone.
    pub fn forget_vm(&mut self, vm: VmId) {
        let of_vm = (vm, 0)..=(vm, u64::MAX);
        let pages: Vec<_> = self.hashes.range(of_vm).map(|(page, _)| *page).collect();
        for page in pages {
            self.remove(page);
        }
        self.checksums.retain(|(of, _), _| *of != vm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: GuestPage = (VmId(1), 7);
    const TWO: GuestPage = (VmId(2), 7);

    #[test]
    fn a_page_is_remembered_by_one_hash_and_a_hash_by_one_page() {
        let mut index = Index::default();
        index.insert(1, ONE);
        index.insert(2, ONE);
        assert_eq!((index.page(1), index.page(2), index.page_count()), (None, Some(ONE), 1));
        index.insert(2, TWO);
        index.remove(ONE);
        assert_eq!((index.page(2), index.page_count()), (Some(TWO), 1));
        index.forget_vm(VmId(2));
        assert_eq!(index.page_count(), 0);
    }

    #[test]
    fn checksums_outlive_a_pass() {
        let mut index = Index::default();
        assert!(!index.is_unchanged(ONE, 1));
        index.insert(1, ONE);
        index.end_pass();
        assert_eq!(index.page(1), None);
        assert!(index.is_unchanged(ONE, 1));
        assert!(!index.is_unchanged(ONE, 2));
        index.forget_vm(VmId(1));
        assert!(!index.is_unchanged(ONE, 2));
    }
}
