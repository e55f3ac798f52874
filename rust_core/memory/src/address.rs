//! Physical addresses.

use crate::PAGE_BYTES;
use std::fmt;

/// A physical address of a machine, in bytes.
///
/// There are no arithmetic operators: an address that a guest chose can be anything, so every sum
/// is a checked one.
#[derive(Copy, Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PhysicalAddress(pub u64);

impl PhysicalAddress {
    /// The address `bytes` further on, or `None` past the end of the address space.
    pub fn checked_add(self, bytes: u64) -> Option<Self> {
        self.0.checked_add(bytes).map(Self)
    }

    /// The distance in bytes from `base` up to this address, or `None` if it lies below.
    pub fn offset_from(self, base: Self) -> Option<u64> {
        self.0.checked_sub(base.0)
    }

    /// The byte within the page, 0 to 4095.
    pub fn page_offset(self) -> usize {
        (self.0 % PAGE_BYTES as u64) as usize
    }

    /// The first byte of the page that holds this address.
    pub fn page_base(self) -> Self {
        Self(self.0 - self.page_offset() as u64)
    }
}

impl fmt::Display for PhysicalAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_splits_into_page_and_offset() {
        let address = PhysicalAddress(0x8000_1abc);
        assert_eq!(address.page_offset(), 0xabc);
        assert_eq!(address.page_base(), PhysicalAddress(0x8000_1000));
    }

    #[test]
    fn sums_past_the_end_are_refused() {
        assert_eq!(PhysicalAddress(u64::MAX).checked_add(1), None);
        assert_eq!(PhysicalAddress(0).offset_from(PhysicalAddress(1)), None);
    }
}
