//! The page store: reference-counted 4 KiB pages in one flat slab.
//!
//! The slab is a single growing byte vector, so that an access through a cached offset is one
//! bounds check away from its bytes and needs no `unsafe`. It grows in steps, up to a limit.

use crate::PAGE_BYTES;
use std::{error, fmt};

/// The least growth of the slab, in pages (4 MiB).
const GROWTH_PAGES: usize = 1024;

/// The name of a page in a [`PageStore`].
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PageId(u32);

impl PageId {
    /// The page of all zeros, which every store has and nobody writes.
    pub const ZERO: Self = Self(0);

    /// The offset of the page's first byte in [`PageStore::bytes`].
    pub fn offset(self) -> usize {
        self.0 as usize * PAGE_BYTES
    }

    /// A small dense number: 0 for [`PageId::ZERO`], then upwards.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The store has reached its limit.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct StoreFull {
    /// The limit, in bytes.
    pub limit_bytes: u64,
}

impl fmt::Display for StoreFull {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the page store is full: its limit is {} bytes", self.limit_bytes)
    }
}

impl error::Error for StoreFull {}

/// What the store knows of a page beside its bytes.
#[derive(Copy, Clone, Debug, Default)]
struct Page {
    references: u32,
    /// Decoded blocks of this page may exist.
    has_code: bool,
    /// Counts the times that decoded blocks of this page became void.
    code_version: u32,
}

/// Pages with reference counts, in one slab of bytes.
#[derive(Debug)]
pub struct PageStore {
    bytes: Vec<u8>,
    pages: Vec<Page>,
    free: Vec<PageId>,
    limit_pages: usize,
}

impl PageStore {
    /// An empty store that will hold at most `limit_bytes` (rounded down to pages, at least the
    /// zero page; never more than 2^32 pages).
    pub fn new(limit_bytes: u64) -> Self {
        let limit = limit_bytes / PAGE_BYTES as u64;
        let limit_pages = usize::try_from(limit.min(u64::from(u32::MAX))).unwrap_or(usize::MAX);
        Self {
            bytes: vec![0; PAGE_BYTES],
            // The zero page belongs to the store, so that it is never free.
            pages: vec![Page { references: 1, ..Page::default() }],
            free: Vec::new(),
            limit_pages: limit_pages.max(1),
        }
    }

    /// All pages: page `p` is the 4096 bytes from `p.offset()`.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All pages, for writing at an offset from [`crate::Memory::writable_offset`].
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The content of a page.
    pub fn page(&self, id: PageId) -> &[u8] {
        &self.bytes[id.offset()..id.offset() + PAGE_BYTES]
    }

    /// Adds a reference.
    pub fn retain(&mut self, id: PageId) -> PageId {
        if id != PageId::ZERO {
            self.pages[id.index()].references += 1;
        }
        id
    }

    /// Drops a reference; the last one frees the page.
    pub fn release(&mut self, id: PageId) {
        if id == PageId::ZERO {
            return;
        }
        let page = &mut self.pages[id.index()];
        page.references -= 1;
        if page.references == 0 {
            self.void_code(id);
            self.free.push(id);
        }
    }

    /// Whether a write needs a copy first: more than one reference, or the zero page.
    #[inline]
    pub fn is_shared(&self, id: PageId) -> bool {
        id == PageId::ZERO || self.pages[id.index()].references > 1
    }

    /// The number of references to a page; the zero page counts as one.
    pub fn references(&self, id: PageId) -> u32 {
        self.pages[id.index()].references
    }

    /// Stores a page and returns it with one reference. Zeros are not stored again: they become
    /// [`PageId::ZERO`].
    pub fn insert(&mut self, content: &[u8; PAGE_BYTES]) -> Result<PageId, StoreFull> {
        if content.iter().all(|byte| *byte == 0) {
            return Ok(PageId::ZERO);
        }
        let id = self.allocate()?;
        self.bytes[id.offset()..id.offset() + PAGE_BYTES].copy_from_slice(content);
        Ok(id)
    }

    /// A page of its own with the content of `source`, with one reference.
    pub(crate) fn copy(&mut self, source: PageId) -> Result<PageId, StoreFull> {
        let id = self.allocate()?;
        self.bytes.copy_within(source.offset()..source.offset() + PAGE_BYTES, id.offset());
        Ok(id)
    }

    /// Refuses unless `count` pages can still be allocated.
    pub(crate) fn reserve(&self, count: usize) -> Result<(), StoreFull> {
        if self.free.len() + (self.limit_pages - self.pages.len()) < count {
            return Err(self.full());
        }
        Ok(())
    }

    /// Notes that decoded blocks of the page may exist.
    pub fn mark_code(&mut self, id: PageId) {
        self.pages[id.index()].has_code = true;
    }

    /// Whether decoded blocks of the page may exist.
    #[inline]
    pub fn has_code(&self, id: PageId) -> bool {
        self.pages[id.index()].has_code
    }

    /// A number that changes whenever a page with code is written or freed: decoded blocks are
    /// valid only for the version they were decoded from.
    #[inline]
    pub fn code_version(&self, id: PageId) -> u32 {
        self.pages[id.index()].code_version
    }

    /// Ends the decoded blocks of a page, if there are any.
    pub(crate) fn void_code(&mut self, id: PageId) {
        let page = &mut self.pages[id.index()];
        if page.has_code {
            page.has_code = false;
            page.code_version = page.code_version.wrapping_add(1);
        }
    }

    /// Bytes in pages that are in use, the zero page left out.
    pub fn used_bytes(&self) -> u64 {
        ((self.pages.len() - 1 - self.free.len()) * PAGE_BYTES) as u64
    }

    /// The limit, in bytes.
    pub fn limit_bytes(&self) -> u64 {
        (self.limit_pages * PAGE_BYTES) as u64
    }

    fn allocate(&mut self) -> Result<PageId, StoreFull> {
        let id = match self.free.pop() {
            Some(id) => id,
            None => self.append()?,
        };
        self.pages[id.index()].references = 1;
        Ok(id)
    }

    fn append(&mut self) -> Result<PageId, StoreFull> {
        if self.pages.len() >= self.limit_pages {
            return Err(self.full());
        }
        let id = PageId(u32::try_from(self.pages.len()).map_err(|_| self.full())?);
        if id.offset() == self.bytes.len() {
            self.grow()?;
        }
        self.pages.push(Page::default());
        Ok(id)
    }

    /// Grows the slab by an eighth: few steps, and little memory that no page uses.
    fn grow(&mut self) -> Result<(), StoreFull> {
        let pages = self.bytes.len() / PAGE_BYTES;
        let step = (pages / 8).max(GROWTH_PAGES).min(self.limit_pages - pages);
        let length = self.bytes.len() + step * PAGE_BYTES;
        if self.bytes.try_reserve_exact(step * PAGE_BYTES).is_err() {
            return Err(self.full());
        }
        self.bytes.resize(length, 0);
        Ok(())
    }

    fn full(&self) -> StoreFull {
        StoreFull { limit_bytes: self.limit_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn page_of(byte: u8) -> [u8; PAGE_BYTES] {
        [byte; PAGE_BYTES]
    }

    #[test]
    fn zeros_are_the_zero_page_and_take_nothing() {
        let mut store = PageStore::new(MIB);
        assert_eq!(store.insert(&page_of(0)), Ok(PageId::ZERO));
        assert_eq!(store.used_bytes(), 0);
        assert!(store.is_shared(PageId::ZERO));
    }

    #[test]
    fn the_last_release_frees_a_page_for_reuse() {
        let mut store = PageStore::new(MIB);
        let page = store.insert(&page_of(7)).unwrap();
        store.retain(page);
        assert!(store.is_shared(page));
        store.release(page);
        assert!(!store.is_shared(page));
        store.release(page);
        assert_eq!(store.used_bytes(), 0);
        assert_eq!(store.insert(&page_of(8)), Ok(page));
        assert_eq!(store.page(page), &page_of(8));
    }

    #[test]
    fn the_limit_is_refused_and_freeing_makes_room_again() {
        let mut store = PageStore::new(2 * PAGE_BYTES as u64);
        let page = store.insert(&page_of(1)).unwrap();
        let full = StoreFull { limit_bytes: 2 * PAGE_BYTES as u64 };
        assert_eq!(store.insert(&page_of(2)), Err(full));
        assert_eq!(store.reserve(1), Err(full));
        store.release(page);
        assert_eq!(store.reserve(1), Ok(()));
        assert!(store.insert(&page_of(2)).is_ok());
    }

    #[test]
    fn the_slab_grows_past_its_first_step_and_keeps_content() {
        let mut store = PageStore::new(64 * MIB);
        let pages: Vec<_> =
            (0..3000u32).map(|n| store.insert(&page_of((n % 255 + 1) as u8)).unwrap()).collect();
        for (number, page) in pages.iter().enumerate() {
            assert_eq!(store.page(*page)[4095], (number % 255 + 1) as u8);
        }
        assert_eq!(store.used_bytes(), 3000 * PAGE_BYTES as u64);
    }

    #[test]
    fn freeing_a_page_with_code_changes_its_version() {
        let mut store = PageStore::new(MIB);
        let page = store.insert(&page_of(1)).unwrap();
        let version = store.code_version(page);
        store.mark_code(page);
        store.release(page);
        assert_ne!(store.code_version(page), version);
        assert!(!store.has_code(page));
    }
}
