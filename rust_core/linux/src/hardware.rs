//! What the system-call interface needs of the machine that executes the program.

/// A page of the memory that the whole process-level machine may use, counted from 0.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PageNumber(pub u32);

/// An address space.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpaceId(pub u32);

/// The machine cannot provide a page now.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Unavailable(pub PageNumber);

/// What a program does with memory.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// It loads.
    Read,
    /// It stores.
    Write,
    /// It fetches instructions.
    Execute,
}

/// What a program may do with a page.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Rights {
    /// Load.
    pub read: bool,
    /// Store.
    pub write: bool,
    /// Fetch.
    pub execute: bool,
}

impl Rights {
    /// Whether an access is among them.
    pub fn allow(self, access: Access) -> bool {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
            Access::Execute => self.execute,
        }
    }
}

/// Work on the kernel's own tables, for who accounts its cost.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Work {
    /// Probes of look-ups.
    Lookups(u64),
    /// Doublewords read from the kernel's own memory.
    Loads(u64),
    /// Doublewords written to it.
    Stores(u64),
}

/// The machine below: memory in pages, translations, a clock.
pub trait Hardware {
    /// Makes sure that a page can be read, or also written, until the end of the call.
    fn provide(&mut self, page: PageNumber, access: Access) -> Result<(), Unavailable>;

    /// Fills `buffer` from a page. A page that was never written holds zeros.
    fn read(&mut self, page: PageNumber, offset: usize, buffer: &mut [u8]);

    /// Writes to a page that was provided.
    fn write(&mut self, page: PageNumber, offset: usize, bytes: &[u8]);

    /// The page is free: what it holds does not matter any more.
    fn discard(&mut self, page: PageNumber);

    /// What is known of the translation of `pages` pages from an address ends.
    fn forget(&mut self, space: SpaceId, address: u64, pages: u64);

    /// An address space ends.
    fn drop_space(&mut self, space: SpaceId);

    /// Accounts work on the kernel's own tables.
    fn account(&mut self, work: Work);

    /// Simulated time since the start of the machine.
    fn now_ns(&self) -> u64;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Memory without translations, with a clock that stands where a test puts it.
    #[derive(Debug, Default)]
    pub struct Flat {
        pub pages: BTreeMap<PageNumber, Vec<u8>>,
        pub now_ns: u64,
        /// Provisions to refuse from now on.
        pub refuse: u32,
    }

    impl Hardware for Flat {
        fn provide(&mut self, page: PageNumber, _: Access) -> Result<(), Unavailable> {
            if self.refuse > 0 {
                self.refuse -= 1;
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
}
