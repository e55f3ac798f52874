//! The pages of a process-level machine, with reference counts.

use crate::hardware::PageNumber;

/// All pages, free or in use.
#[derive(Debug)]
pub struct Pool {
    references: Vec<u32>,
    free: Vec<PageNumber>,
    limit: u32,
}

impl Pool {
    /// `limit` pages, all of them free.
    pub fn new(limit: u32) -> Self {
        Self { references: Vec::new(), free: Vec::new(), limit }
    }

    /// Takes a page, with one reference; `None` when there is none left. Pages that were used
    /// before come first.
    pub fn allocate(&mut self) -> Option<PageNumber> {
        if let Some(page) = self.free.pop() {
            self.references[page.0 as usize] = 1;
            return Some(page);
        }
        let number = u32::try_from(self.references.len()).ok().filter(|next| *next < self.limit)?;
        self.references.push(1);
        Some(PageNumber(number))
    }

    /// Adds a reference to a page in use.
    pub fn retain(&mut self, page: PageNumber) {
        self.references[page.0 as usize] += 1;
    }

    /// Drops a reference. Tells whether the page is free now.
    pub fn release(&mut self, page: PageNumber) -> bool {
        let references = &mut self.references[page.0 as usize];
        *references -= 1;
        if *references == 0 {
            self.free.push(page);
        }
        *references == 0
    }

    /// Whether a page has more than one reference.
    pub fn is_shared(&self, page: PageNumber) -> bool {
        self.references[page.0 as usize] > 1
    }

    /// Pages in use.
    pub fn used(&self) -> u32 {
        (self.references.len() - self.free.len()) as u32
    }

    /// Pages that were ever in use.
    pub fn touched(&self) -> u32 {
        self.references.len() as u32
    }

    /// All pages.
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_taken_up_to_the_limit_and_used_again() {
        let mut pool = Pool::new(2);
        let (first, second) = (pool.allocate().unwrap(), pool.allocate().unwrap());
        assert_ne!(first, second);
        assert_eq!(pool.allocate(), None);
        pool.retain(first);
        assert!(pool.is_shared(first));
        assert!(!pool.release(first));
        assert!(pool.release(first));
        assert_eq!(pool.used(), 1);
        assert_eq!(pool.allocate(), Some(first));
    }
}
