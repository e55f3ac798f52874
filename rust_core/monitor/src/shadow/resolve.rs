//! What a page fault of a guest under shadow paging means: the guest's own fault, a shadow entry
//! that is missing, or an access to a device.
//!
//! This is the same for every technique with shadow tables; what the guest's supervisor mode does
//! about an exception is the technique's.

use super::Shadow;
use super::guest_walk::{Access, GuestFault, GuestLeaf, GuestWalker};
use super::spaces::Mapping;
use super::traced::tables::page_address;
use super::tree::TableFrames;
use super::view::View;
use crate::assumed;
use crate::device_access;
use crate::error::HostError;
use crate::guest_pages::{PageMap, Provided, provide_for};
use crate::holes::Hole;
use crate::instruction;
use crate::reason::ExitReason;
use crate::shadow::entry;
use crate::supervisor::Supervisor;
use crate::technique::Site;
use dcsim_hart::Exception;
use dcsim_hart::isa::instruction_length;
use dcsim_machine::Meter;
use dcsim_memory::PhysicalAddress;

/// A page fault of the physical MMU.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The address that could not be accessed.
    pub address: u64,
    /// For what.
    pub access: Access,
    /// The address of the instruction.
    pub pc: u64,
}

impl Fault {
    /// What the guest takes for it, if its tables are the cause.
    pub(super) fn exception(&self, cause: GuestFault) -> Resolution {
        match cause {
            GuestFault::Page => Resolution::Exception {
                cause: self.access.page_fault().code(),
                value: self.address,
                reason: ExitReason::GuestPageFault,
            },
            GuestFault::Access => refusal(self),
        }
    }
}

/// What came of it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// The guest executes the instruction again.
    Retry(ExitReason),
    /// The instruction was carried out: the guest goes on behind it. It counts as emulated.
    Completed {
        /// Bytes of the instruction.
        length: u64,
        /// What the exit counts as.
        reason: ExitReason,
        /// A floating-point register was written.
        float_written: bool,
    },
    /// The guest takes an exception.
    Exception {
        /// Its code.
        cause: u64,
        /// Its value.
        value: u64,
        /// What the exit counts as.
        reason: ExitReason,
    },
}

/// What resolves the faults of a guest in its present state.
#[derive(Debug)]
pub struct Resolver<'a> {
    /// Privilege, `status` and `translation` count.
    pub guest: &'a Supervisor,
    /// The view that belongs to them.
    pub view: View,
    /// The guest's memory.
    pub map: &'a PageMap,
    /// Its shadow page tables.
    pub shadow: &'a mut Shadow,
    /// Accessed and dirty bits are set by walks.
    pub updates_marks: bool,
}

impl Resolver<'_> {
    /// Resolves a fault. Needs [`Shadow::fill_frames`] reserved frames.
    pub fn resolve(&mut self, site: &mut Site<'_>, fault: &Fault) -> Result<Resolution, HostError> {
        match self.walk(site, fault.address, fault.access)? {
            Err(cause) => Ok(fault.exception(cause)),
            Ok(leaf) => match self.map.page_of(leaf.address) {
                Some(page) => self.reach_memory(site, fault, &leaf, page),
                None => match Hole::ShadowFill.frame(leaf.address) {
                    Some(frame) => {
                        let provided = Provided { frame, writable: true, broke: false };
                        self.map(site, fault.address, &leaf, provided)?;
                        Ok(Resolution::Retry(ExitReason::ShadowFill))
                    }
                    None => self.access_device(site, fault, leaf.address),
                },
            },
        }
    }

    /// The guest may access a page of its memory: the shadow lacks the translation, or the page is
    /// a table of the guest's whose stores are traced.
    fn reach_memory(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        leaf: &GuestLeaf,
        page: u64,
    ) -> Result<Resolution, HostError> {
        let protected = match self.shadow {
            Shadow::Traced(traced) if fault.access == Access::Store => {
                traced.is_protected(&mut site.meter(), page_address(leaf.address))
            }
            _ => false,
        };
        if protected {
            return self.store_traced(site, fault, leaf, page);
        }
        let broke = self.fill(site, fault, leaf, page)?;
        let reason = if broke { ExitReason::CowBreak } else { ExitReason::ShadowFill };
        Ok(Resolution::Retry(reason))
    }

    /// Walks the guest's tables; the ledger keeps the cycles of walks apart.
    pub(crate) fn walk(
        &self,
        site: &mut Site<'_>,
        address: u64,
        access: Access,
    ) -> Result<Result<GuestLeaf, GuestFault>, HostError> {
        let walker = GuestWalker { map: self.map, updates_marks: self.updates_marks };
        let started = site.reading();
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let walked = walker.walk(&mut meter, &mut frames, self.guest, address, access);
        site.book_walk_since(started);
        walked
    }

    /// Puts the translation of an address into the shadow tree. Tells whether the page was taken out
    /// of a frame that it shared.
    pub(super) fn fill(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        leaf: &GuestLeaf,
        page: u64,
    ) -> Result<bool, HostError> {
        let writes = fault.access == Access::Store;
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let provided = provide_for(&mut meter, &mut frames, self.map, page, writes)?;
        self.map(site, fault.address, leaf, provided)?;
        Ok(provided.broke)
    }

    fn map(
        &mut self,
        site: &mut Site<'_>,
        address: u64,
        leaf: &GuestLeaf,
        Provided { frame, writable, .. }: Provided,
    ) -> Result<(), HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let translation = self.guest.translation;
        let mapping = Mapping { translation, view: self.view, address, leaf, frame, writable };
        self.shadow.map(&mut meter, &mut frames, &mapping)
    }

    /// Carries out an access to guest-physical `target`, which is no memory.
    pub(crate) fn access_device(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        target: u64,
    ) -> Result<Resolution, HostError> {
        if fault.access == Access::Fetch {
            return Ok(refusal(fault));
        }
        let Some(bits) = self.fetch(site, fault.pc)? else {
            return Ok(fetch_again(site, fault.pc));
        };
        site.meter().assume(assumed::DECODE_ACCESS);
        Ok(self.make_access(site, fault, bits, target))
    }

    /// Carries out the access of an instruction whose bits are known.
    pub(crate) fn make_access(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        bits: u32,
        target: u64,
    ) -> Resolution {
        let Some(access) = instruction::device_access(bits) else { return refusal(fault) };
        if fault.address & access.width.alignment_mask() != 0 {
            return refusal(fault);
        }
        let tables = self.shadow.traced_tables();
        let Some(done) = device_access::carry_out(site, self.map, tables, &access, target) else {
            return refusal(fault);
        };
        site.counters.emulated_instructions += 1;
        Resolution::Completed {
            length: access.length,
            reason: device_access::reason(target),
            float_written: done.float_written,
        }
    }

    /// Fetches the guest's instruction through the shadow tree that the hardware just fetched it
    /// through.
    pub(super) fn fetch(&mut self, site: &mut Site<'_>, pc: u64) -> Result<Option<u32>, HostError> {
        let started = site.reading();
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let bits = self.fetch_word(&mut meter, pc);
        site.book_walk_since(started);
        bits
    }

    fn fetch_word(&mut self, meter: &mut Meter<'_>, pc: u64) -> Result<Option<u32>, HostError> {
        let Some(low) = self.fetch_half(meter, pc)? else { return Ok(None) };
        if instruction_length(low) == 2 {
            return Ok(Some(u32::from(low)));
        }
        let high = self.fetch_half(meter, pc.wrapping_add(2))?;
        Ok(high.map(|high| u32::from(high) << 16 | u32::from(low)))
    }

    fn fetch_half(
        &mut self,
        meter: &mut Meter<'_>,
        address: u64,
    ) -> Result<Option<u16>, HostError> {
        let leaf = self.shadow.leaf(meter, self.guest.translation, self.view, address)?;
        if leaf & entry::VALID == 0 {
            return Ok(None);
        }
        let place = PhysicalAddress(entry::address(leaf).0 + address % 4096);
        let mut half = [0; 2];
        meter.read_bytes(place, &mut half)?;
        Ok(Some(u16::from_le_bytes(half)))
    }
}

/// The guest takes an access fault.
pub(crate) fn refusal(fault: &Fault) -> Resolution {
    let exception = match fault.access {
        Access::Fetch => Exception::InstructionAccessFault,
        Access::Load => Exception::LoadAccessFault,
        Access::Store => Exception::StoreAccessFault,
    };
    Resolution::Exception {
        cause: exception.code(),
        value: fault.address,
        reason: ExitReason::OtherException,
    }
}

/// The translation of the guest's code is gone, and only the TLB still had it: the guest is to
/// fault it in again.
pub(super) fn fetch_again(site: &mut Site<'_>, pc: u64) -> Resolution {
    let mut meter = site.meter();
    meter.flush_tlb_address(pc);
    meter.flush_tlb_address(pc.wrapping_add(2));
    Resolution::Retry(ExitReason::ShadowFill)
}
