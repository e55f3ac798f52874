//! Carrying out a store of the guest's to a page of its tables that is traced.
//!
//! Plain stores, the compressed and floating-point ones among them, are decoded and made on the
//! guest's page, in both pages if they cross into another. For an atomic operation the page is
//! opened instead and the guest executes it again: a store-conditional has to follow its
//! load-reserved on the hart itself.

use super::Shadow;
use super::guest_walk::{Access, GuestLeaf};
use super::resolve::{Fault, Resolution, Resolver, fetch_again, refusal};
use super::traced::tables::page_address;
use super::tree::TableFrames;
use crate::assumed;
use crate::error::HostError;
use crate::guest_pages::provide_for;
use crate::instruction::{DeviceAccess, Transfer, device_access};
use crate::reason::ExitReason;
use crate::technique::Site;
use dcsim_hart::isa::Register;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

const PAGE: u64 = PAGE_BYTES as u64;

/// A store to memory.
struct Store {
    address: u64,
    bytes: u64,
    from: Source,
    length: u64,
}

/// Where the value comes from.
#[derive(Copy, Clone)]
enum Source {
    Integer(Register),
    Float(Register),
}

/// A part of a store that lies in one page.
struct Part {
    /// The address in the guest's memory.
    target: u64,
    /// The number of the page.
    page: u64,
    bytes: u64,
}

impl Resolver<'_> {
    /// Carries out a store that faulted because its page is traced.
    pub(super) fn store_traced(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        leaf: &GuestLeaf,
        page: u64,
    ) -> Result<Resolution, HostError> {
        if let Some(resolution) = self.store_fetched(site, fault, leaf)? {
            return Ok(resolution);
        }
        self.open(site, leaf);
        self.fill(site, fault, leaf, page)?;
        Ok(Resolution::Retry(ExitReason::TracedWrite))
    }

    /// The same, or `None`: it is no store that the monitor carries out, the page has to be opened
    /// ([`Self::open`]) and the guest let write to it.
    pub(crate) fn store_fetched(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        leaf: &GuestLeaf,
    ) -> Result<Option<Resolution>, HostError> {
        let Some(bits) = self.fetch(site, fault.pc)? else {
            return Ok(Some(fetch_again(site, fault.pc)));
        };
        site.meter().assume(assumed::DECODE_ACCESS);
        self.make_store(site, fault, leaf, bits)
    }

    /// The same with an instruction whose bits are known.
    pub(crate) fn make_store(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        leaf: &GuestLeaf,
        bits: u32,
    ) -> Result<Option<Resolution>, HostError> {
        let mut meter = site.meter();
        let Some(store) = device_access(bits).and_then(|access| Store::of(&mut meter, &access))
        else {
            return Ok(None);
        };
        if fault.address.wrapping_sub(store.address) >= store.bytes {
            // Other code than the one that faulted: the TLB still had that.
            return Ok(Some(fetch_again(site, fault.pc)));
        }
        let parts = match self.parts(site, fault, leaf, &store)? {
            Ok(parts) => parts,
            Err(exception) => return Ok(Some(exception)),
        };
        self.write(site, &store, &parts)?;
        site.counters.emulated_instructions += 1;
        let reason = ExitReason::TracedWrite;
        Ok(Some(Resolution::Completed { length: store.length, reason, float_written: false }))
    }

    /// A traced page may be written until the guest's next fence.
    pub(crate) fn open(&mut self, site: &mut Site<'_>, leaf: &GuestLeaf) {
        site.meter().store_state(1);
        self.shadow.traced_tables().into_iter().for_each(|tables| tables.open(leaf.address));
    }

    /// Translates a store, page by page, as the hart does before it writes a byte. Where the page
    /// leads in which it faulted is known.
    fn parts(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        known: &GuestLeaf,
        store: &Store,
    ) -> Result<Result<Vec<Part>, Resolution>, HostError> {
        let first = store.bytes.min(PAGE - store.address % PAGE);
        let next = store.address.wrapping_add(first);
        let mut parts = Vec::new();
        for (address, bytes) in [(store.address, first), (next, store.bytes - first)] {
            if bytes == 0 {
                continue;
            }
            let walked = if page_address(address) == page_address(fault.address) {
                Ok(page_address(known.address) + address % PAGE)
            } else {
                self.walk(site, address, Access::Store)?.map(|leaf| leaf.address)
            };
            let fault = Fault { address, ..*fault };
            let target = match walked {
                Ok(target) => target,
                Err(cause) => return Ok(Err(fault.exception(cause))),
            };
            let Some(page) = self.map.page_of(target) else {
                return Ok(Err(refusal(&fault)));
            };
            parts.push(Part { target, page, bytes });
        }
        Ok(Ok(parts))
    }

    /// Writes the value and drops what came from where it is.
    fn write(
        &mut self,
        site: &mut Site<'_>,
        store: &Store,
        parts: &[Part],
    ) -> Result<(), HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let value = match store.from {
            Source::Integer(register) => meter.read_register(register),
            Source::Float(register) => meter.read_float_register(register),
        };
        let bytes = value.to_le_bytes();
        let mut rest = &bytes[..];
        for part in parts {
            let (now, later) = rest.split_at(part.bytes as usize);
            rest = later;
            let page = part.page;
            let frame = provide_for(&mut meter, &mut frames, self.map, page, true)?.frame;
            let offset = part.target - page_address(part.target);
            meter.write_bytes(PhysicalAddress(frame.0 + offset), now)?;
            if let Shadow::Traced(traced) = self.shadow {
                traced.stored(&mut meter, &mut frames, part.target, part.bytes)?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// The store of an instruction; loads are none.
    fn of(meter: &mut Meter<'_>, access: &DeviceAccess) -> Option<Self> {
        let from = match access.transfer {
            Transfer::Store { from } => Source::Integer(from),
            Transfer::FloatStore { from } => Source::Float(from),
            Transfer::Load { .. } | Transfer::FloatLoad { .. } => return None,
        };
        let address = meter.read_register(access.base).wrapping_add_signed(access.offset);
        Some(Self { address, bytes: access.width.bytes(), from, length: access.length })
    }
}
