//! Physical address-space identifiers for shadow trees.
//!
//! Identifiers are given in ascending order and never given back: a tree that loses its content
//! takes a new one, and what TLBs still hold under the old one can do no harm. When all are used
//! up a new generation begins: every tree takes a new identifier at its next use, and every pCPU
//! empties its TLB before it runs under the new generation.

use crate::holes::Hole;

/// The last address-space identifier.
const LAST_ASID: u16 = u16::MAX;

/// The last virtual-machine identifier: they have 14 bits.
const LAST_VMID: u16 = 0x3fff;

/// An identifier with the generation that it belongs to.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Asid {
    /// The identifier as it stands in `satp`.
    pub number: u16,
    /// The generation that gave it.
    pub generation: u64,
}

/// The identifiers of a host.
#[derive(Clone, Debug)]
pub struct AsidAllocator {
    next: u16,
    last: u16,
    generation: u64,
}

impl AsidAllocator {
    /// Identifiers for address spaces; 0 is left to the monitor itself.
    pub fn for_spaces() -> Self {
        Self { next: 1, last: LAST_ASID, generation: 0 }
    }

    /// Identifiers for virtual machines under the hypervisor extension.
    pub fn for_machines() -> Self {
        Self { next: 1, last: LAST_VMID, generation: 0 }
    }

    /// The generation that pCPUs have to be in.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether an identifier may still be used.
    pub fn is_current(&self, asid: Asid) -> bool {
        asid.generation == self.generation
    }

    /// Gives an identifier that no tree has had in this generation.
    pub fn take(&mut self) -> Asid {
        if Hole::Identifiers.is_open() {
            return Asid { number: 1, generation: self.generation };
        }
        let asid = Asid { number: self.next, generation: self.generation };
        if self.next == self.last {
            self.next = 1;
            self.generation += 1;
            return self.take();
        }
        self.next += 1;
        asid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_never_used_twice_in_a_generation() {
        let mut allocator = AsidAllocator::for_machines();
        let first: Vec<_> = (1..LAST_VMID).map(|_| allocator.take()).collect();
        assert!(first.iter().zip(1..).all(|(asid, number)| asid.number == number));
        let next = allocator.take();
        assert_eq!((next.number, next.generation), (1, 1));
        assert!(!allocator.is_current(first[5]));
        assert!(allocator.is_current(next));
    }
}
