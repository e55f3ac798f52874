//! Whose translations are whose: the tag of a translation in the modelled TLB.
//!
//! Supervisor architecture, ASID of `satp`; hypervisor extension, VMID of `hgatp`. A guest's
//! address spaces are another machine's: nothing that concerns one machine finds the other's.

/// An address space: of the host, or of a guest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Space(u32);

const ASID: u32 = 0xffff;
const VMID_SHIFT: u32 = 16;
const GUEST: u32 = 1 << 30;
/// Addresses are guest-physical ones.
const DIRECT: u32 = 1 << 31;

impl Space {
    /// An address space of the host.
    pub(crate) const fn host(asid: u16) -> Self {
        Self(asid as u32)
    }

    /// An address space of the guest with this VMID.
    pub(crate) const fn guest(vmid: u16, asid: u16) -> Self {
        Self(GUEST | (vmid as u32) << VMID_SHIFT | asid as u32)
    }

    /// The guest-physical addresses of a guest: what it uses without a first stage.
    pub(crate) const fn guest_physical(vmid: u16) -> Self {
        Self(DIRECT | Self::guest(vmid, 0).0)
    }

    /// All of it in one number.
    pub(crate) const fn packed(self) -> u32 {
        self.0
    }

    /// Whether it is a guest's.
    pub(crate) const fn is_guest(self) -> bool {
        self.0 & GUEST != 0
    }

    /// Whether addresses are not translated by a first stage.
    pub(crate) const fn is_direct(self) -> bool {
        self.0 & DIRECT != 0
    }

    /// Whether it has this ASID.
    pub(crate) const fn has_asid(self, asid: u16) -> bool {
        !self.is_direct() && self.0 & ASID == asid as u32
    }

    /// Whether both are of the host, or of one guest.
    pub(crate) const fn is_of_same_machine(self, other: Self) -> bool {
        (self.0 ^ other.0) & !(ASID | DIRECT) == 0
    }

    /// Whether a global translation of one is also the other's.
    pub(crate) const fn shares_global(self, other: Self) -> bool {
        (self.0 ^ other.0) & !ASID == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_of_different_machines_share_nothing() {
        let machines = [Space::host(1), Space::guest(0, 1), Space::guest(0x3fff, 1)];
        for one in machines {
            for other in machines {
                assert_eq!(one.is_of_same_machine(other), one == other);
                assert_eq!(one.shares_global(other), one == other);
            }
        }
        assert!(Space::guest(3, 1).shares_global(Space::guest(3, 2)));
        assert!(Space::guest(3, 1).is_of_same_machine(Space::guest_physical(3)));
        assert!(!Space::guest(3, 0).shares_global(Space::guest_physical(3)));
    }

    #[test]
    fn guest_physical_addresses_have_no_asid() {
        assert!(Space::guest(3, 7).has_asid(7) && Space::host(7).has_asid(7));
        assert!(!Space::guest_physical(3).has_asid(0));
    }
}
