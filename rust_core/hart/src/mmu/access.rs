//! Loads and stores: the slow path behind the software TLB.
//!
//! A misaligned access that stays in memory is made by the hart itself; one that crosses a page
//! has both pages translated and checked before a byte is read or written. Accesses that no frame
//! answers go to the bus, and must be aligned.
//!
//! Order within an access: translation (which may charge a walk), protection, room in the page
//! store, and only then the charges for misalignment, cache and device and the effect itself. So
//! an access that stops for want of room can be made again and costs the same in the end.

use super::Access;
use crate::bus::{Ports, Signal, Width};
use crate::hart::Hart;
use crate::trap::Abort;
use dcsim_memory::{MemoryError, PAGE_BYTES, PhysicalAddress};

const PAGE: u64 = PAGE_BYTES as u64;

/// The parts of an access, one for each page: where in the value they start, and how long they are.
struct Parts {
    first: u64,
    second: u64,
}

impl Parts {
    fn of(va: u64, width: Width) -> Self {
        let room = PAGE - va % PAGE;
        let first = room.min(width.bytes());
        Self { first, second: width.bytes() - first }
    }
}

impl Hart {
    /// A load as an instruction makes it. The value is zero-extended.
    pub fn load(&mut self, ports: &mut Ports<'_>, va: u64, width: Width) -> Result<u64, Abort> {
        match self.fast_load(va, width) {
            Some(offset) => Ok(read_slab(ports.memory.store.bytes(), offset, width)),
            None => self.load_slow(ports, va, width),
        }
    }

    /// A store as an instruction makes it.
    pub fn store(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        value: u64,
    ) -> Result<Signal, Abort> {
        match self.fast_store(va, width) {
            Some(offset) => {
                write_slab(ports.memory.store.bytes_mut(), offset, width, value);
                Ok(Signal::None)
            }
            None => self.store_slow(ports, va, width, value),
        }
    }

    /// A load that the software TLB does not answer.
    #[cold]
    pub(crate) fn load_slow(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
    ) -> Result<u64, Abort> {
        if va & width.alignment_mask() != 0 {
            return self.load_misaligned(ports, va, width);
        }
        let physical = self.locate(ports, va, width.bytes(), Access::Load)?;
        if !is_memory(ports, physical, width.bytes()) {
            return self.load_device(ports, va, physical, width);
        }
        let offset = readable(ports, va, physical)?;
        self.charge_data_cache(physical, width.bytes());
        if self.may_cache_page(ports, physical, Access::Load) {
            self.mmu.read.fill(self.mmu.data_context, va, page_of(offset));
        }
        Ok(read_slab(ports.memory.store.bytes(), offset, width))
    }

    /// A store that the software TLB does not answer.
    #[cold]
    pub(crate) fn store_slow(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        value: u64,
    ) -> Result<Signal, Abort> {
        if va & width.alignment_mask() != 0 {
            return self.store_misaligned(ports, va, width, value);
        }
        let physical = self.locate(ports, va, width.bytes(), Access::Store)?;
        if !is_memory(ports, physical, width.bytes()) {
            return self.store_device(ports, va, physical, width, value);
        }
        let (offset, signal) = self.prepare_store(ports, va, physical, width)?;
        write_slab(ports.memory.store.bytes_mut(), offset, width, value);
        Ok(signal)
    }

    /// Everything of an aligned store to memory but the writing: the offset in the page store may
    /// be written once.
    pub(super) fn prepare_store(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        physical: u64,
        width: Width,
    ) -> Result<(usize, Signal), Abort> {
        let (offset, signal) = self.writable(ports, va, physical)?;
        self.charge_data_cache(physical, width.bytes());
        if self.may_cache_page(ports, physical, Access::Store) {
            self.mmu.write.fill(self.mmu.data_context, va, page_of(offset));
        }
        Ok((offset, signal))
    }

    /// The physical address of `length` bytes at `va` within a page, translated and protected.
    pub(super) fn locate(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        length: u64,
        access: Access,
    ) -> Result<u64, Abort> {
        let physical = self.translate(ports, va, access)?;
        if self.is_allowed(physical, length, access) {
            Ok(physical)
        } else {
            Err(access.access_fault(va).into())
        }
    }

    /// The same for memory only: devices refuse.
    pub(super) fn locate_memory(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        length: u64,
        access: Access,
    ) -> Result<u64, Abort> {
        let physical = self.locate(ports, va, length, access)?;
        if is_memory(ports, physical, length) {
            Ok(physical)
        } else {
            Err(access.access_fault(va).into())
        }
    }

    fn load_misaligned(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
    ) -> Result<u64, Abort> {
        let parts = Parts::of(va, width);
        let next = va.wrapping_add(parts.first);
        let first = self.locate_memory(ports, va, parts.first, Access::Load)?;
        let second = match parts.second {
            0 => None,
            length => Some(self.locate_memory(ports, next, length, Access::Load)?),
        };
        self.charge_misaligned();
        let low = self.read_part(ports, va, first, parts.first)?;
        match second {
            None => Ok(low),
            Some(second) => {
                let high = self.read_part(ports, next, second, parts.second)?;
                Ok(high << (8 * parts.first) | low)
            }
        }
    }

    fn read_part(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        physical: u64,
        length: u64,
    ) -> Result<u64, Abort> {
        let offset = readable(ports, va, physical)?;
        self.charge_data_cache(physical, length);
        let mut bytes = [0; 8];
        let length = length as usize;
        bytes[..length].copy_from_slice(&ports.memory.store.bytes()[offset..offset + length]);
        Ok(u64::from_le_bytes(bytes))
    }

    fn store_misaligned(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        width: Width,
        value: u64,
    ) -> Result<Signal, Abort> {
        let parts = Parts::of(va, width);
        let next = va.wrapping_add(parts.first);
        let first = self.locate_memory(ports, va, parts.first, Access::Store)?;
        let second = match parts.second {
            0 => None,
            length => Some(self.locate_memory(ports, next, length, Access::Store)?),
        };
        let (low, mut signal) = self.writable(ports, va, first)?;
        let mut high = None;
        if let Some(second) = second {
            let (offset, other) = self.writable(ports, next, second)?;
            signal = signal.and(other);
            high = Some((offset, second));
        }
        self.charge_misaligned();
        self.write_part(ports, (low, first), parts.first, value);
        if let Some(place) = high {
            self.write_part(ports, place, parts.second, value >> (8 * parts.first));
        }
        Ok(signal)
    }

    /// Writes the low `length` bytes of `value` to a place given as offset and physical address.
    fn write_part(
        &mut self,
        ports: &mut Ports<'_>,
        (offset, physical): (usize, u64),
        length: u64,
        value: u64,
    ) {
        self.charge_data_cache(physical, length);
        let length = length as usize;
        ports.memory.store.bytes_mut()[offset..offset + length]
            .copy_from_slice(&value.to_le_bytes()[..length]);
    }

    fn load_device(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        physical: u64,
        width: Width,
    ) -> Result<u64, Abort> {
        self.charge_device();
        let now = self.clock.cycles;
        let answer = ports.bus.load(&mut ports.memory, physical, width, now);
        self.after_device(ports);
        let value = answer.map_err(|_| Access::Load.access_fault(va))?;
        Ok(value & width.value_mask())
    }

    fn store_device(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        physical: u64,
        width: Width,
        value: u64,
    ) -> Result<Signal, Abort> {
        self.charge_device();
        let now = self.clock.cycles;
        let value = value & width.value_mask();
        let answer = ports.bus.store(&mut ports.memory, physical, width, value, now);
        self.after_device(ports);
        Ok(answer.map_err(|_| Access::Store.access_fault(va))?)
    }

    /// A device may have moved data, and changed the interrupt lines.
    fn after_device(&mut self, ports: &Ports<'_>) {
        self.sync_generation(ports);
        self.refresh_lines(ports);
    }

    /// The offset in the page store of the byte at `physical`, for writing.
    fn writable(
        &mut self,
        ports: &mut Ports<'_>,
        va: u64,
        physical: u64,
    ) -> Result<(usize, Signal), Abort> {
        let address = PhysicalAddress(physical);
        let memory = &mut ports.memory;
        let coded = memory.frames.page_id(address).is_some_and(|page| memory.store.has_code(page));
        let page = memory.writable_offset(address).map_err(|error| match error {
            MemoryError::OutOfRange { .. } => Access::Store.access_fault(va).into(),
            MemoryError::StoreFull(full) => Abort::from(full),
        })?;
        self.sync_generation(ports);
        let signal = if coded { Signal::CodeWritten } else { Signal::None };
        Ok((page + address.page_offset(), signal))
    }

    /// Whether the software TLB may answer for the page of `physical` from now on: all of it has
    /// the same protection, and neither a data cache nor a witness is to know of each access.
    fn may_cache_page(&self, ports: &Ports<'_>, physical: u64, access: Access) -> bool {
        let base = physical & !(PAGE - 1);
        self.data_cache.is_none()
            && !ports.memory.frames.is_watched()
            && self.is_allowed(base, PAGE, access)
    }

    /// Whether physical memory protection allows an access. A load that needs the right to execute
    /// must be allowed to read as well.
    fn is_allowed(&self, physical: u64, length: u64, access: Access) -> bool {
        let privilege = self.access_mode(access).privilege;
        let pmp = &self.csrs.pmp;
        let as_code = access == Access::Load && self.loads_as_code();
        pmp.allows(physical, length, access, privilege)
            && (!as_code || pmp.allows(physical, length, Access::Fetch, privilege))
    }

    fn charge_misaligned(&mut self) {
        let cycles = self.timing.misaligned_cycles;
        self.clock.cycles += cycles;
        self.counters.misaligned_accesses += 1;
        self.counters.misaligned_cycles += cycles;
    }

    fn charge_device(&mut self) {
        let cycles = self.timing.device_access_cycles;
        self.clock.cycles += cycles;
        self.counters.device_accesses += 1;
        self.counters.device_cycles += cycles;
    }

    fn charge_data_cache(&mut self, physical: u64, length: u64) {
        let Some(cache) = &mut self.data_cache else { return };
        let missing = cache.access(physical, length);
        if missing.lines == 0 {
            return;
        }
        let mut each = cache.miss_cycles();
        if self.local_memory.as_ref().is_some_and(|local| !local.contains(&physical)) {
            each += self.timing.remote_cycles;
            self.counters.remote_misses += missing.lines;
        }
        let cycles = missing.lines * each;
        self.clock.cycles += cycles;
        self.counters.data_cache_misses += missing.lines;
        self.counters.data_cache_refills += missing.refills;
        self.counters.data_cache_cycles += cycles;
    }
}

/// The offset in the page store of the byte at `physical`, for reading.
fn readable(ports: &Ports<'_>, va: u64, physical: u64) -> Result<usize, Abort> {
    let address = PhysicalAddress(physical);
    match ports.memory.readable_offset(address) {
        Some(page) => Ok(page + address.page_offset()),
        None => Err(Access::Load.access_fault(va).into()),
    }
}

fn is_memory(ports: &Ports<'_>, physical: u64, length: u64) -> bool {
    ports.memory.frames.contains(PhysicalAddress(physical), length)
}

fn page_of(offset: usize) -> usize {
    offset - offset % PAGE_BYTES
}

/// The little-endian value at an offset in the page store, zero-extended.
#[inline]
pub(crate) fn read_slab(slab: &[u8], offset: usize, width: Width) -> u64 {
    match width {
        Width::Byte => u64::from(slab[offset]),
        Width::Half => u64::from(u16::from_le_bytes(array_at(slab, offset))),
        Width::Word => u64::from(u32::from_le_bytes(array_at(slab, offset))),
        Width::Double => u64::from_le_bytes(array_at(slab, offset)),
    }
}

/// Writes the low bytes of `value` at an offset in the page store.
#[inline]
pub(crate) fn write_slab(slab: &mut [u8], offset: usize, width: Width, value: u64) {
    match width {
        Width::Byte => slab[offset] = value as u8,
        Width::Half => put_at(slab, offset, (value as u16).to_le_bytes()),
        Width::Word => put_at(slab, offset, (value as u32).to_le_bytes()),
        Width::Double => put_at(slab, offset, value.to_le_bytes()),
    }
}

#[inline]
fn array_at<const N: usize>(slab: &[u8], offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&slab[offset..offset + N]);
    bytes
}

#[inline]
fn put_at<const N: usize>(slab: &mut [u8], offset: usize, bytes: [u8; N]) {
    slab[offset..offset + N].copy_from_slice(&bytes);
}
