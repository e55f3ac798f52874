//! Atomic memory operations, load-reserved and store-conditional.
//!
//! Unprivileged architecture, "A" extension. They must be aligned and in memory: misaligned ones
//! raise an address-misaligned exception before translation, ones to devices an access fault. A
//! read-modify-write is checked as a store and its faults are store faults.

use super::access::{read_slab, write_slab};
use super::{Access, Reservation};
use crate::bus::{Ports, Signal, Width};
use crate::hart::Hart;
use crate::trap::Abort;
use dcsim_memory::PhysicalAddress;

impl Hart {
    /// Replaces the value at `va` by `change` of it. Returns the old value, zero-extended.
    pub fn amo(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<(u64, Signal), Abort> {
        let (offset, signal) = match self.fast_store(va, width) {
            Some(offset) => (offset, Signal::None),
            None => self.locate_atomic(ports, va, width)?,
        };
        let slab = ports.memory.store.bytes_mut();
        let old = read_slab(slab, offset, width);
        write_slab(slab, offset, width, change(old));
        Ok((old, signal))
    }

    fn locate_atomic(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
    ) -> Result<(usize, Signal), Abort> {
        check_alignment(va, width, Access::Store)?;
        let physical = self.locate_memory(ports, va, width.bytes(), Access::Store)?;
        self.prepare_store(ports, va, physical, width)
    }

    /// Loads the value at `va`, zero-extended, and reserves it.
    pub fn load_reserved(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
    ) -> Result<u64, Abort> {
        check_alignment(va, width, Access::Load)?;
        let address = self.locate_memory(ports, va, width.bytes(), Access::Load)?;
        let value = self.load(ports, va, width)?;
        self.reservation = Some(Reservation { address, width, value });
        Ok(value)
    }

    /// Stores `value` at `va` if what was reserved there still stands; says whether it did. The
    /// reservation ends either way. The address is checked as a store's even if it fails.
    pub fn store_conditional(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        value: u64,
    ) -> Result<(bool, Signal), Abort> {
        check_alignment(va, width, Access::Store)?;
        let physical = self.locate_memory(ports, va, width.bytes(), Access::Store)?;
        if !self.holds_reservation(ports, physical, width) {
            self.reservation = None;
            return Ok((false, Signal::None));
        }
        let (offset, signal) = self.prepare_store(ports, va, physical, width)?;
        self.reservation = None;
        write_slab(ports.memory.store.bytes_mut(), offset, width, value);
        Ok((true, signal))
    }

    fn holds_reservation(&self, ports: &Ports<'_>, address: u64, width: Width) -> bool {
        let Some(page) = ports.memory.readable_offset(PhysicalAddress(address)) else {
            return false;
        };
        let offset = page + PhysicalAddress(address).page_offset();
        let value = read_slab(ports.memory.store.bytes(), offset, width);
        self.reservation == Some(Reservation { address, width, value })
    }
}

fn check_alignment(va: u64, width: Width, access: Access) -> Result<(), Abort> {
    if va & width.alignment_mask() == 0 { Ok(()) } else { Err(access.misaligned(va).into()) }
}
