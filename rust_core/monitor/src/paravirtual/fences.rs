//! What other harts have to fence, as page tables that they share have changed.

use super::abi::WINDOW;
use dcsim_machine::firmware::Fence;
use dcsim_memory::PAGE_BYTES;

/// More fences than this are one of everything.
const MOST: usize = 16;

/// Fences that were made on one hart and are to be made on the others.
#[derive(Debug, Default)]
pub struct Fences {
    list: Vec<Fence>,
}

impl Fences {
    /// Everything.
    pub(super) fn add_all(&mut self) {
        self.list = vec![Fence::Everything { asid: None }];
    }

    /// An address space.
    pub(super) fn add_space(&mut self, asid: u16) {
        self.add(Fence::Everything { asid: Some(asid) });
    }

    /// A page in an address space, or in all of them.
    pub(super) fn add_page(&mut self, address: u64, asid: Option<u16>) {
        let start = address & !(PAGE_BYTES as u64 - 1);
        self.add(Fence::Range { start, bytes: PAGE_BYTES as u64, asid });
    }

    /// The page at a guest-physical address, as the kernel sees it.
    pub(super) fn add_shown(&mut self, address: u64, untranslated: bool) {
        self.add_page(WINDOW + address, None);
        if untranslated {
            self.add_page(address, None);
        }
    }

    fn add(&mut self, fence: Fence) {
        if self.list.contains(&Fence::Everything { asid: None }) || self.list.contains(&fence) {
            return;
        }
        self.list.push(fence);
        if self.list.len() > MOST {
            self.add_all();
        }
    }

    /// What there is to be done, once.
    pub(super) fn take(&mut self) -> Vec<Fence> {
        std::mem::take(&mut self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_fences_are_one_of_everything() {
        let mut fences = Fences::default();
        for page in 0..MOST as u64 {
            fences.add_page(page << 12 | 7, Some(3));
            fences.add_page(page << 12, Some(3));
        }
        assert_eq!(fences.take().len(), MOST);
        for page in 0..=MOST as u64 {
            fences.add_page(page << 12, Some(3));
        }
        fences.add_space(3);
        assert_eq!(fences.take(), [Fence::Everything { asid: None }]);
        assert!(fences.take().is_empty());
    }
}
