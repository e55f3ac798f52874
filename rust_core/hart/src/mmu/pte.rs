//! Page-table entries of Sv39 and Sv48, and of Sv39x4 and Sv48x4.
//!
//! ```text
//!  63  62  61 60      54 53                  10 9  8 7 6 5 4 3 2 1 0
//! | N | PBMT | reserved |         PPN          | RSW |D|A|G|U|X|W|R|V|
//! ```
//!
//! Svnapot and Svpbmt are not implemented: N and PBMT are reserved, and an entry that sets them is
//! invalid.

use super::Access;
use crate::csr::fields::status;
use crate::hart::Privilege;

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const GLOBAL: u64 = 1 << 5;
const ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;

/// N, PBMT and the reserved bits.
const RESERVED: u64 = 0x3ff << 54;

/// Bits of an entry that points to a table which are reserved there.
const RESERVED_IN_POINTER: u64 = USER | ACCESSED | DIRTY;

/// Who makes an access, as far as permissions depend on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Accessor {
    /// The privilege that the access is checked for, below machine.
    pub(crate) privilege: Privilege,
    /// Supervisor may touch user pages.
    pub(crate) sum: bool,
    /// Loads may read executable pages.
    pub(crate) mxr: bool,
    /// Loads need the right to execute, and no other.
    pub(crate) as_code: bool,
}

impl Accessor {
    /// User mode with nothing else: who makes accesses to a guest's page tables.
    pub(crate) const USER: Self =
        Self { privilege: Privilege::User, sum: false, mxr: false, as_code: false };

    /// Who makes an access of this privilege, with SUM and MXR of a status register where they
    /// matter.
    pub(crate) fn new(privilege: Privilege, access: Access, register: u64) -> Self {
        let is_data = access != Access::Fetch;
        Self {
            privilege,
            sum: is_data && privilege == Privilege::Supervisor && register & status::SUM != 0,
            mxr: is_data && register & status::MXR != 0,
            as_code: false,
        }
    }
}

/// A page-table entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pte(pub(crate) u64);

impl Pte {
    /// Whether the entry means anything, as a pointer or as a leaf.
    pub(crate) fn is_valid(self) -> bool {
        let write_only = self.0 & (READ | WRITE) == WRITE;
        let reserved =
            self.0 & RESERVED != 0 || (!self.is_leaf() && self.0 & RESERVED_IN_POINTER != 0);
        self.0 & VALID != 0 && !write_only && !reserved
    }

    /// Whether the entry maps a page; otherwise it points to the next table.
    pub(crate) fn is_leaf(self) -> bool {
        self.0 & (READ | EXECUTE) != 0
    }

    /// The physical page number.
    pub(crate) fn ppn(self) -> u64 {
        self.0 >> 10 & ((1 << 44) - 1)
    }

    /// Whether the mapping is in all address spaces.
    pub(crate) fn is_global(self) -> bool {
        self.0 & GLOBAL != 0
    }

    /// The entry with another physical page number.
    pub(crate) fn with_page(self, page: u64) -> Self {
        Self(self.0 & ((1 << 10) - 1) | page << 10)
    }

    /// The entry as one that is in all address spaces.
    pub(crate) fn made_global(self) -> Self {
        Self(self.0 | GLOBAL)
    }

    /// Whether a leaf permits the access, accessed and dirty bits aside.
    pub(crate) fn permits(self, access: Access, accessor: Accessor) -> bool {
        let right = match access {
            Access::Fetch => EXECUTE,
            Access::Load if accessor.as_code => EXECUTE,
            Access::Load if accessor.mxr => READ | EXECUTE,
            Access::Load => READ,
            Access::Store => WRITE,
        };
        self.0 & right != 0 && self.permits_privilege(access, accessor)
    }

    fn permits_privilege(self, access: Access, accessor: Accessor) -> bool {
        let user_page = self.0 & USER != 0;
        match accessor.privilege {
            Privilege::User => user_page,
            // Supervisor code never executes from user pages, SUM or not.
            _ => !user_page || (accessor.sum && access != Access::Fetch),
        }
    }

    /// The accessed and dirty bits that the access needs.
    fn needed_marks(access: Access) -> u64 {
        if access == Access::Store { ACCESSED | DIRTY } else { ACCESSED }
    }

    /// Whether the accessed and dirty bits are set that the access needs.
    pub(crate) fn is_marked_for(self, access: Access) -> bool {
        let needed = Self::needed_marks(access);
        self.0 & needed == needed
    }

    /// The entry with these bits set.
    pub(crate) fn marked_for(self, access: Access) -> Self {
        Self(self.0 | Self::needed_marks(access))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: u64 = VALID | READ | ACCESSED | DIRTY;

    #[test]
    fn reserved_encodings_are_invalid() {
        assert!(Pte(LEAF).is_valid());
        assert!(!Pte(LEAF & !VALID).is_valid());
        assert!(!Pte(VALID | WRITE).is_valid());
        assert!(!Pte(VALID | WRITE | EXECUTE).is_valid());
        for bit in 54..64 {
            assert!(!Pte(LEAF | 1 << bit).is_valid());
        }
    }

    #[test]
    fn pointers_must_not_have_leaf_bits() {
        assert!(Pte(VALID | GLOBAL | 0x300).is_valid());
        for bit in [USER, ACCESSED, DIRTY] {
            assert!(!Pte(VALID | bit).is_valid());
        }
    }

    #[test]
    fn the_page_number_has_44_bits() {
        assert_eq!(Pte(u64::MAX).ppn(), (1 << 44) - 1);
        assert_eq!(Pte(0x2000_0401).ppn(), 0x8_0001);
    }
}
