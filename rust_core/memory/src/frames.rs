//! The frames of one machine: which page of the store each frame holds.

use crate::{PAGE_BYTES, PageId, PageStore, PhysicalAddress, StoreFull, Use, Witness};
use std::collections::TryReserveError;
use std::sync::Arc;

/// The physical memory of a machine: frames from a base address upwards, each holding a page.
///
/// A new machine's frames all hold the zero page and so take nothing from the store.
#[derive(Debug)]
pub struct Frames {
    base: PhysicalAddress,
    pages: Vec<PageId>,
    /// One bit a frame: written since the log was last taken.
    dirty: Vec<u64>,
    generation: u64,
    witness: Option<Arc<dyn Witness>>,
}

impl Frames {
    /// `count` frames of zeros, the first at `base` (which is rounded down to a page).
    pub fn new(base: PhysicalAddress, count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            base: base.page_base(),
            pages: vec![PageId::ZERO; count],
            dirty: vec![0; count.div_ceil(64)],
            generation: 0,
            witness: None,
        }
    }

    /// The same, for a number of frames that may be more than the process can have tables for.
    pub fn try_new(base: PhysicalAddress, count: u64) -> Result<Self, TryReserveError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut frames = Self::new(base, 0);
        frames.pages.try_reserve_exact(count)?;
        frames.dirty.try_reserve_exact(count.div_ceil(64))?;
        frames.pages.resize(count, PageId::ZERO);
        frames.dirty.resize(count.div_ceil(64), 0);
        Ok(frames)
    }

    /// Tells a witness of every access from now on, or nobody. Offsets that were taken before end.
    pub fn watch(&mut self, witness: Option<Arc<dyn Witness>>) {
        self.witness = witness;
        self.generation += 1;
    }

    /// Whether a witness has to be told of every access.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.witness.is_some()
    }

    /// Tells the witness, if there is one, of an access.
    #[inline]
    pub(crate) fn tell(&self, purpose: Use, address: PhysicalAddress) {
        if let Some(witness) = &self.witness {
            witness.saw(purpose, address);
        }
    }

    /// The address of the first frame.
    pub fn base(&self) -> PhysicalAddress {
        self.base
    }

    /// The number of frames.
    pub fn count(&self) -> u64 {
        self.pages.len() as u64
    }

    /// The address of frame `number`, counted from the base.
    pub fn address_of(&self, number: u64) -> PhysicalAddress {
        PhysicalAddress(self.base.0.wrapping_add(number.wrapping_mul(PAGE_BYTES as u64)))
    }

    /// Whether `length` bytes from `address` all lie in frames.
    #[inline]
    pub fn contains(&self, address: PhysicalAddress, length: u64) -> bool {
        let bytes = self.pages.len() as u64 * PAGE_BYTES as u64;
        address.0.wrapping_sub(self.base.0) < bytes && length <= bytes - (address.0 - self.base.0)
    }

    /// A number that changes whenever an offset into the store that was taken from these frames
    /// may no longer be used (see the crate's contract with software TLBs).
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of the frame that holds `address`.
    #[inline]
    pub fn number_of(&self, address: PhysicalAddress) -> Option<usize> {
        let number = address.offset_from(self.base)? / PAGE_BYTES as u64;
        usize::try_from(number).ok().filter(|number| *number < self.pages.len())
    }

    /// The page in the frame that holds `address`.
    #[inline]
    pub fn page_id(&self, address: PhysicalAddress) -> Option<PageId> {
        self.number_of(address).map(|number| self.pages[number])
    }

    /// Gives the frame that holds `address` another page and takes over the caller's reference to
    /// it. The frame counts as written. Outside the frames, the reference is dropped.
    pub fn replace(&mut self, store: &mut PageStore, address: PhysicalAddress, page: PageId) {
        match self.number_of(address) {
            Some(number) => {
                self.tell(Use::Write, address);
                self.set_page(store, number, page);
                self.mark_dirty(number);
            }
            None => store.release(page),
        }
    }

    /// Lets the frame that holds `address` hold zeros again: it is nobody's, and counts as written by
    /// nobody.
    pub fn empty(&mut self, store: &mut PageStore, address: PhysicalAddress) {
        self.fill(store, address, PageId::ZERO);
    }

    /// Gives the frame that holds `address` a page and takes over the caller's reference to it. The
    /// frame does not count as written: it holds what it held before it was somewhere else.
    pub fn fill(&mut self, store: &mut PageStore, address: PhysicalAddress, page: PageId) {
        match self.number_of(address) {
            Some(number) => {
                self.tell(Use::Write, address);
                self.set_page(store, number, page);
                self.dirty[number / 64] &= !(1 << (number % 64));
            }
            None => store.release(page),
        }
    }

    /// A new reference to the page in the frame that holds `address`: from now on the frame's
    /// next write makes a copy.
    pub fn share(&mut self, store: &mut PageStore, address: PhysicalAddress) -> Option<PageId> {
        let page = store.retain(self.page_id(address)?);
        self.generation += 1;
        Some(page)
    }

    /// The same frames once more, all pages shared until one side writes, and without a witness.
    pub fn clone_shared(&mut self, store: &mut PageStore) -> Self {
        for page in &self.pages {
            store.retain(*page);
        }
        self.generation += 1;
        Self {
            base: self.base,
            pages: self.pages.clone(),
            dirty: self.dirty.clone(),
            generation: 0,
            witness: None,
        }
    }

    /// Gives all pages back to the store; the frames hold zeros afterwards.
    pub fn release_all(&mut self, store: &mut PageStore) {
        for page in &mut self.pages {
            store.release(std::mem::replace(page, PageId::ZERO));
        }
        self.generation += 1;
    }

    /// Whether the frame was written since the log was last taken.
    pub fn is_dirty(&self, address: PhysicalAddress) -> bool {
        self.number_of(address)
            .is_some_and(|number| self.dirty[number / 64] >> (number % 64) & 1 != 0)
    }

    /// Takes the dirty log: the numbers of the frames written since the last call, ascending.
    pub fn take_dirty(&mut self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for (index, word) in self.dirty.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                numbers.push(index as u64 * 64 + u64::from(bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
        self.generation += 1;
        numbers
    }

    /// Prepares a frame for writing: breaks sharing, voids decoded code, marks it dirty. Returns
    /// the offset of its page in the store.
    pub(crate) fn make_writable(
        &mut self,
        store: &mut PageStore,
        number: usize,
    ) -> Result<usize, StoreFull> {
        let page = self.pages[number];
        if store.is_shared(page) {
            let copy = store.copy(page)?;
            self.set_page(store, number, copy);
        } else if store.has_code(page) {
            store.void_code(page);
            self.generation += 1;
        }
        self.mark_dirty(number);
        Ok(self.pages[number].offset())
    }

    /// Whether a write to the frame takes a page from the store.
    pub(crate) fn needs_page(&self, store: &PageStore, number: usize) -> bool {
        store.is_shared(self.pages[number])
    }

    /// Marks the frame's page as one with decoded code. Offsets for writing it end.
    pub(crate) fn mark_code(&mut self, store: &mut PageStore, number: usize) -> PageId {
        let page = self.pages[number];
        if !store.has_code(page) {
            store.mark_code(page);
            self.generation += 1;
        }
        page
    }

    fn set_page(&mut self, store: &mut PageStore, number: usize, page: PageId) {
        let before = std::mem::replace(&mut self.pages[number], page);
        store.release(before);
        self.generation += 1;
    }

    fn mark_dirty(&mut self, number: usize) {
        self.dirty[number / 64] |= 1 << (number % 64);
    }
}
