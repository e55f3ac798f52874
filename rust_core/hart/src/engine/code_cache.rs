//! Decoded code by page.
//!
//! Pages are those of the page store, so machines that share a page share its decoded blocks. A
//! block is valid for the code version of its page; what it costs, for one timing.

use super::code_page::{CodePage, Marks};
use dcsim_memory::{PageId, PageStore};
use std::collections::BTreeMap;

/// The most pages kept; a program that executes from more starts over.
const MOST_PAGES: usize = 1 << 14;

/// In place of a code page's number: none.
const NONE: u32 = u32::MAX;

/// All decoded pages.
#[derive(Debug, Default)]
pub(super) struct CodeCache {
    /// The number of the code page, by the index of the page in the store.
    numbers: Vec<u32>,
    pages: Vec<Box<CodePage>>,
    /// Instructions to be counted apart, by the page's index in the store.
    marks: BTreeMap<usize, Marks>,
}

impl CodeCache {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.pages.clear();
    }

    /// The number of the code page for the page at this offset in the store, if its blocks are
    /// those of the page's present content.
    #[inline]
    pub(super) fn find(&self, store: &PageStore, slab_offset: usize) -> Option<usize> {
        let number = *self.numbers.get(slab_offset / dcsim_memory::PAGE_BYTES)? as usize;
        let page = self.pages.get(number)?;
        (store.code_version(page.id) == page.version).then_some(number)
    }

    /// The number of the code page for this page and version; decoded blocks of other versions
    /// are forgotten.
    pub(super) fn adopt(&mut self, id: PageId, version: u32) -> usize {
        if self.pages.len() >= MOST_PAGES {
            self.clear();
        }
        if self.numbers.len() <= id.index() {
            self.numbers.resize(id.index() + 1, NONE);
        }
        let number = &mut self.numbers[id.index()];
        let marks = self.marks.get(&id.index()).cloned();
        if let Some(page) = self.pages.get_mut(*number as usize) {
            if page.version != version {
                **page = CodePage::new(id, version).with_marks(marks);
            }
        } else {
            *number = self.pages.len() as u32;
            self.pages.push(Box::new(CodePage::new(id, version).with_marks(marks)));
        }
        *number as usize
    }

    /// Sets which instructions of a page are counted apart. Blocks of it that are decoded already
    /// are forgotten.
    pub(super) fn mark(&mut self, id: PageId, marks: Option<Marks>) {
        match marks.clone() {
            Some(marks) => self.marks.insert(id.index(), marks),
            None => self.marks.remove(&id.index()),
        };
        let number = self.numbers.get(id.index()).copied().unwrap_or(NONE);
        if let Some(page) = self.pages.get_mut(number as usize) {
            **page = CodePage::new(id, page.version).with_marks(marks);
        }
    }

    /// A code page.
    #[inline]
    pub(super) fn page_mut(&mut self, number: usize) -> &mut CodePage {
        &mut self.pages[number]
    }
}
