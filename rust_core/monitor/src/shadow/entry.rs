//! Page-table entries, the guest's and the shadow's.
//!
//! Privileged architecture, "Sv39: Page-Based 39-bit Virtual-Memory System".

use dcsim_memory::PhysicalAddress;

/// The entry is valid.
pub const VALID: u64 = 1 << 0;
/// Loads are allowed.
pub const READ: u64 = 1 << 1;
/// Stores are allowed.
pub const WRITE: u64 = 1 << 2;
/// Fetches are allowed.
pub const EXECUTE: u64 = 1 << 3;
/// The page is a user page.
pub const USER: u64 = 1 << 4;
/// The page was accessed.
pub const ACCESSED: u64 = 1 << 6;
/// The page was written.
pub const DIRTY: u64 = 1 << 7;
/// In a shadow pointer (bits reserved for software): the range below it is part of one larger
/// page of the guest, so that a fence of any address in it ends all of it.
pub const PART_OF_LARGE_PAGE: u64 = 1 << 8;
/// What a pointer to a table must not have.
const NOT_IN_POINTER: u64 = USER | ACCESSED | DIRTY;
/// Bits 63 to 54: no extension that uses them exists here.
const RESERVED: u64 = !0 << 54;

/// Bits of an index into a table.
const INDEX_BITS: u32 = 9;
const PAGE_BITS: u32 = 12;

/// The index of an address into a table of this level; 0 is the level of 4 KiB pages.
pub fn index(address: u64, level: u32) -> u64 {
    address >> (PAGE_BITS + INDEX_BITS * level) & ((1 << INDEX_BITS) - 1)
}

/// Bytes that one entry of this level covers.
pub fn span(level: u32) -> u64 {
    1 << (PAGE_BITS + INDEX_BITS * level)
}

/// Whether an entry is a leaf rather than a pointer to the next table.
pub fn is_leaf(entry: u64) -> bool {
    entry & (READ | EXECUTE) != 0
}

/// Whether an entry means anything, as a leaf or as a pointer.
pub fn is_valid(entry: u64) -> bool {
    let write_only = entry & (READ | WRITE) == WRITE;
    let reserved = entry & RESERVED != 0 || (!is_leaf(entry) && entry & NOT_IN_POINTER != 0);
    entry & VALID != 0 && !write_only && !reserved
}

/// The physical address in an entry.
pub fn address(entry: u64) -> PhysicalAddress {
    PhysicalAddress((entry & !RESERVED) >> 10 << PAGE_BITS)
}

/// An entry that names a page or table, with these flags.
pub fn compose(target: PhysicalAddress, flags: u64) -> u64 {
    target.0 >> PAGE_BITS << 10 | flags
}

/// Whether the upper bits of an address agree as a tree with this many levels demands.
pub fn is_canonical(address: u64, levels: u32) -> bool {
    let unused = 64 - (PAGE_BITS + INDEX_BITS * levels);
    ((address << unused) as i64 >> unused) as u64 == address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_into_indices() {
        let address = 0x1ff << 30 | 0x0aa << 21 | 0x155 << 12 | 0xfff;
        assert_eq!(index(address, 2), 0x1ff);
        assert_eq!(index(address, 1), 0x0aa);
        assert_eq!(index(address, 0), 0x155);
        assert_eq!((span(0), span(1), span(2)), (4 << 10, 2 << 20, 1 << 30));
    }

    #[test]
    fn reserved_encodings_mean_nothing() {
        assert!(is_valid(VALID | READ));
        assert!(!is_valid(READ));
        assert!(!is_valid(VALID | WRITE | EXECUTE));
        assert!(!is_valid(VALID | USER));
        assert!((54..64).all(|bit| !is_valid(VALID | READ | 1 << bit)));
    }

    #[test]
    fn canonical_addresses_repeat_their_highest_bit() {
        assert!(is_canonical(0x3f_ffff_ffff, 3));
        assert!(!is_canonical(0x40_0000_0000, 3));
        assert!(is_canonical(0xffff_ffc0_0000_0000, 3));
        assert!(is_canonical(0x40_0000_0000, 4));
        assert!(!is_canonical(0x8000_0000_0000, 4));
    }

    #[test]
    fn an_entry_is_composed_and_read_back() {
        let entry = compose(PhysicalAddress(0x8012_3000), VALID | READ | PART_OF_LARGE_PAGE);
        assert_eq!(entry, 0x8_0123 << 10 | VALID | READ | PART_OF_LARGE_PAGE);
        assert_eq!(address(entry), PhysicalAddress(0x8012_3000));
        assert!(is_leaf(entry));
        assert!(!is_leaf(VALID));
    }
}
