//! The machine below, for tests that make calls by hand.

use dcsim_linux::hardware::Work;
use dcsim_linux::{Access, Hardware, PageNumber, SpaceId, Unavailable};
use std::collections::{BTreeMap, BTreeSet};

/// Memory in pages, of which every `refuse_every`-th provision fails, unless that is 0; a page that
/// was refused is brought meanwhile, and stays. Its clock stands where a test puts it.
#[derive(Debug, Default)]
pub struct Memory {
    pub pages: BTreeMap<PageNumber, Vec<u8>>,
    pub refuse_every: u32,
    pub provisions: u32,
    pub brought: BTreeSet<PageNumber>,
    pub now_ns: u64,
}

impl Hardware for Memory {
    fn provide(&mut self, page: PageNumber, _: Access) -> Result<(), Unavailable> {
        self.provisions += 1;
        let refuse = self.refuse_every > 0 && self.provisions.is_multiple_of(self.refuse_every);
        if refuse && self.brought.insert(page) {
            return Err(Unavailable(page));
        }
        self.pages.entry(page).or_insert_with(|| vec![0; 4096]);
        Ok(())
    }

    fn read(&mut self, page: PageNumber, offset: usize, buffer: &mut [u8]) {
        match self.pages.get(&page) {
            Some(bytes) => buffer.copy_from_slice(&bytes[offset..offset + buffer.len()]),
            None => buffer.fill(0),
        }
    }

    fn write(&mut self, page: PageNumber, offset: usize, bytes: &[u8]) {
        let target = self.pages.get_mut(&page).expect("a page that was provided");
        target[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn discard(&mut self, page: PageNumber) {
        self.pages.remove(&page);
    }

    fn forget(&mut self, _: SpaceId, _: u64, _: u64) {}

    fn drop_space(&mut self, _: SpaceId) {}

    fn account(&mut self, _: Work) {}

    fn now_ns(&self) -> u64 {
        self.now_ns
    }
}
