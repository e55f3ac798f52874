//! What a guest kernel gives up for good: to execute what it can write, and to write its code and
//! constants. The monitor keeps it to that in the window.

use crate::shadow::entry::{EXECUTE, READ, WRITE};
use dcsim_memory::PAGE_BYTES;
use std::ops::Range;

/// A kernel's code and, behind it, its constants, by guest-physical address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seal {
    code: Range<u64>,
    constants: Range<u64>,
}

impl Seal {
    /// Code from the first address up to the second, constants from there up to the third: whole
    /// pages.
    pub fn new([start, constants, end]: [u64; 3]) -> Option<Self> {
        let whole = [start, constants, end].iter().all(|a| a.is_multiple_of(PAGE_BYTES as u64));
        let ordered = start <= constants && constants <= end;
        (whole && ordered).then_some(Self { code: start..constants, constants: constants..end })
    }

    /// The three addresses.
    pub fn words(&self) -> [u64; 3] {
        [self.code.start, self.constants.start, self.constants.end]
    }

    /// What may be done with the page at an address.
    pub fn rights(&self, address: u64) -> u64 {
        if self.code.contains(&address) {
            READ | EXECUTE
        } else if self.constants.contains(&address) {
            READ
        } else {
            READ | WRITE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_written_and_executed() {
        let seal = Seal::new([0x2000, 0x4000, 0x5000]).unwrap();
        let rights = [0x1fff, 0x2000, 0x3fff, 0x4000, 0x4fff, 0x5000].map(|at| seal.rights(at));
        let (code, data) = (READ | EXECUTE, READ | WRITE);
        assert_eq!(rights, [data, code, code, READ, READ, data]);
        assert_eq!(Seal::new(seal.words()), Some(seal));
    }

    #[test]
    fn ranges_are_whole_pages_in_order() {
        for words in [[0x2001, 0x4000, 0x5000], [0x4000, 0x2000, 0x5000], [0x2000, 0x5000, 0x4000]]
        {
            assert_eq!(Seal::new(words), None, "{words:x?}");
        }
    }
}
