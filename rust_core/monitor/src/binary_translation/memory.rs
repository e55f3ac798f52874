//! Page faults: the guest's own, missing shadow entries, devices, code that is written, and sheets
//! of translated code that the tree does not map yet.

use super::cache::CodePage;
use super::emitter::{Action, CALL, Fix, Position, length_of};
use super::fetch::Fetched;
use super::hole::{Hole, is_open};
use super::sheet::{Owner, PAGE, Place, Sheet};
use super::vcpu::BinaryTranslation;
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::guest_pages::provide_for;
use crate::instruction::{Transfer, device_access};
use crate::reason::ExitReason;
use crate::shadow::Original;
use crate::shadow::entry::{self, EXECUTE, READ, WRITE};
use crate::shadow::guest_walk::{Access, GuestFault, GuestLeaf};
use crate::shadow::resolve::{Fault, Resolution, refusal};
use crate::shadow::spaces::Mapping;
use crate::shadow::tree::TableFrames;
use crate::shadow::view::View;
use crate::supervisor::csr;
use crate::technique::Handled;
use crate::technique::Site;
use dcsim_hart::TrapRecord;
use dcsim_hart::csr::fields::status;
use dcsim_machine::Meter;
use std::collections::BTreeSet;

/// The breakpoint that replaces a short instruction.
const SHORT_CALL: u16 = 0x9002;

/// Translated code.
impl BinaryTranslation {
    /// The tree does not map the sheet in which the guest's kernel goes on: it may, if the guest's
    /// tables still say what they said when the code was translated.
    pub(super) fn handle_fetch_fault(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<Handled, HostError> {
        let reason = Handled::Resume(ExitReason::TranslationMap);
        let owner = self.cache.sheets.get(place).map(|sheet| sheet.owner);
        let Some(Owner::Page(number)) = owner else {
            self.map_sheets(site, place, &[])?;
            return Ok(reason);
        };
        let code = self.cache.code(number).cloned();
        let within = |code: &CodePage| {
            position.fix == Fix::None && position.guest & !(PAGE - 1) == code.address
        };
        let Some(code) = code.filter(within) else {
            // Between two instructions: look the next one up.
            self.settle(site);
            return Ok(reason);
        };
        match self.walk_code(site, position.guest, code.physical.len())? {
            Ok(originals) if self.are_in(&originals, &code) => {
                self.map_sheets(site, place, &originals)?;
            }
            Ok(_) => (self.at, self.is_strict) = (None, true),
            Err(fault) => {
                self.refuse_fetch(site, fault);
                return Ok(Handled::Resume(ExitReason::GuestPageFault));
            }
        }
        Ok(reason)
    }

    /// Maps the sheet of a place, and at once what is as valid as that and will be needed soon: the
    /// other sheets of its page, and the sieve. All are mapped by one table.
    fn map_sheets(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        originals: &[Original],
    ) -> Result<(), HostError> {
        self.map_sheet(site, place, originals)?;
        let sheets = &self.cache.sheets;
        let owner = sheets.get(place).map(|sheet| sheet.owner);
        let is_valid = |sheet: &Sheet| Some(sheet.owner) == owner || sheet.owner == Owner::Sieve;
        let others = sheets
            .iter()
            .filter(|(start, sheet)| *start != place - place % PAGE && is_valid(sheet));
        for start in others.map(|(start, _)| start).collect::<Vec<_>>() {
            self.map_sheet(site, start, &[])?;
        }
        Ok(())
    }

    /// Whether originals are where code was translated from.
    fn are_in(&self, originals: &[Original], code: &CodePage) -> bool {
        let pages = originals.iter().filter_map(|(_, leaf)| self.base.map.page_of(leaf.address));
        pages.eq(code.physical.iter().copied())
    }

    /// Where the guest's tables lead to for the code at an address, in its pages.
    fn walk_code(&mut self, site: &mut Site<'_>, pc: u64, pages: usize) -> Fetched<Vec<Original>> {
        let mut originals = Vec::new();
        for address in [pc, pc.wrapping_add(2)].into_iter().take(pages) {
            match self.fetch_page(site, address)? {
                Ok((_, leaf)) => originals.push((address & !(PAGE - 1), leaf)),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(originals))
    }

    /// Unmaps all sheets.
    pub(super) fn unmap_sheets(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        let sheets = self.cache.sheets.iter().chain(self.other.sheets.iter());
        let starts: BTreeSet<Place> = sheets.map(|(start, _)| start).collect();
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        for start in starts {
            let address = self.cache.address(start);
            self.base.spaces.unmap_code(&mut meter, &mut frames, address)?;
        }
        Ok(())
    }
}

/// Data.
impl BinaryTranslation {
    /// A load or store in translated code.
    pub(super) fn handle_memory_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
        place: Place,
    ) -> Result<Handled, HostError> {
        let position = self.position(place);
        let handled = self.handle_data_fault(site, record, access, Some((place, position)))?;
        if self.base.life.pc != position.guest {
            self.continue_behind(place, &position);
        }
        Ok(handled)
    }

    /// A load, store or fetch; the first two in translated code or not.
    pub(super) fn handle_data_fault(
        &mut self,
        site: &mut Site<'_>,
        record: &TrapRecord,
        access: Access,
        code: Option<(Place, Position)>,
    ) -> Result<Handled, HostError> {
        site.meter().read_csr(csr::STVAL);
        let fault = Fault { address: record.value, access, pc: self.base.life.pc };
        match self.base.resolver().walk(site, record.value, access)? {
            Err(GuestFault::Page) => {
                self.base.reflect(&mut site.meter(), record.cause, record.value);
                Ok(Handled::Resume(ExitReason::GuestPageFault))
            }
            Err(GuestFault::Access) => Ok(self.base.conclude(site, refusal(&fault))),
            Ok(leaf) => match self.base.map.page_of(leaf.address) {
                Some(page) => self.reach_memory(site, &fault, (&leaf, page), code),
                None => self.reach_device(site, &fault, leaf.address, code),
            },
        }
    }

    fn reach_device(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        target: u64,
        code: Option<(Place, Position)>,
    ) -> Result<Handled, HostError> {
        self.recheck = true;
        let Some((place, position)) = code else {
            let resolution = self.base.resolver().access_device(site, fault, target)?;
            return Ok(self.base.conclude(site, resolution));
        };
        self.count_slow_access(site, place, &position)?;
        let resolution = self.base.resolver().make_access(site, fault, position.bits, target);
        Ok(self.base.conclude(site, resolution))
    }

    /// The guest may access a page of its memory: the shadow lacks the translation, or the page is a
    /// table whose stores are traced.
    fn reach_memory(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        (leaf, page): (&GuestLeaf, u64),
        code: Option<(Place, Position)>,
    ) -> Result<Handled, HostError> {
        let is_store = fault.access == Access::Store;
        if !is_store || !self.base.spaces.is_protected(&mut site.meter(), leaf.address) {
            return self.fill(site, (fault.address, fault.access), leaf, page);
        }
        // What is written may be code as well.
        self.recheck = true;
        let stored = match code {
            Some((place, position)) => {
                self.count_slow_access(site, place, &position)?;
                site.meter().assume(assumed::DECODE_ACCESS);
                self.base.resolver().make_store(site, fault, leaf, position.bits)?
            }
            None => self.base.resolver().store_fetched(site, fault, leaf)?,
        };
        if let Some(resolution) = stored {
            return Ok(self.base.conclude(site, resolution));
        }
        self.base.resolver().open(site, leaf);
        self.fill(site, (fault.address, fault.access), leaf, page)?;
        Ok(Handled::Resume(ExitReason::TracedWrite))
    }

    /// Puts the translation of an address into the shadow tree.
    fn fill(
        &mut self,
        site: &mut Site<'_>,
        (address, access): (u64, Access),
        leaf: &GuestLeaf,
        page: u64,
    ) -> Result<Handled, HostError> {
        let mut reason = ExitReason::ShadowFill;
        if self.is_translated_mode() && self.make_way(site, address)? {
            reason = ExitReason::TranslationMap;
        }
        if access == Access::Store && self.holds(page) && !is_open(Hole::Writes) {
            self.forget_written(site, page)?;
            reason = ExitReason::CodeWrite;
        }
        let flags = self.rights(leaf.flags, access, page);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let writes = access == Access::Store;
        let provided = provide_for(&mut meter, &mut frames, &self.base.map, page, writes)?;
        let mapping = Mapping {
            translation: self.base.life.guest.translation,
            view: View::of(&self.base.life.guest),
            address,
            leaf,
            frame: provided.frame,
            writable: provided.writable,
        };
        self.base.spaces.map_as(&mut meter, &mut frames, &mapping, flags)?;
        Ok(Handled::Resume(if provided.broke { ExitReason::CowBreak } else { reason }))
    }

    /// The flags of a shadow leaf. Where code is translated nothing else is executed, and what
    /// may be code can be written only once it is.
    fn rights(&self, guest: u64, access: Access, page: u64) -> u64 {
        let mut flags = View::of(&self.base.life.guest).leaf_flags(guest).unwrap_or(0);
        if self.is_translated_mode() {
            let executable = flags & EXECUTE != 0;
            if executable && self.base.life.guest.status & status::MXR != 0 {
                flags |= READ;
            }
            flags &= !EXECUTE;
        }
        let may_be_code = guest & EXECUTE != 0 || self.holds(page);
        if may_be_code && access != Access::Store {
            flags &= !(WRITE | entry::DIRTY);
        }
        flags
    }

    /// Forgets translations of a page that the guest writes. If the instruction that writes is in
    /// that page itself, it is executed alone first.
    fn forget_written(&mut self, site: &mut Site<'_>, page: u64) -> Result<(), HostError> {
        if self.is_translated_mode() {
            let place = self.at.take();
            if let Some(place) = place.filter(|place| self.cache.is_from(*place, page)) {
                self.step = Some((self.base.life.pc, self.position(place).bits));
            } else {
                self.at = place;
            }
        }
        self.forget(site, page)
    }
}

/// Instructions whose accesses the monitor has to carry out.
impl BinaryTranslation {
    /// Counts that an instruction accesses a device or a traced page; one that often does becomes a
    /// call.
    fn count_slow_access(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<(), HostError> {
        let is_page = |owner| matches!(owner, Owner::Page(_));
        let owner = self.cache.sheets.get(place).map(|sheet| sheet.owner);
        if !owner.is_some_and(is_page) || device_access(position.bits).is_none() {
            return Ok(());
        }
        if !self.cache.slow_accesses.entry(place).or_default().is_often() {
            return Ok(());
        }
        let (long, short) = (CALL.to_le_bytes(), SHORT_CALL.to_le_bytes());
        let call: &[u8] = if length_of(position.bits) == 4 { &long } else { &short };
        self.cache.sheets.patch(&mut site.meter(), place, call)?;
        self.cache.sheets.set_position(place, |position| position.action = Action::Access);
        Ok(())
    }

    /// An instruction that became a call because the monitor often had to carry out its access.
    pub(super) fn handle_access_call(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<Handled, HostError> {
        let Some(access) = device_access(position.bits) else {
            return Ok(Handled::Resume(ExitReason::OtherException));
        };
        let base = site.meter().read_register(access.base);
        let address = base.wrapping_add_signed(access.offset);
        let store = matches!(access.transfer, Transfer::Store { .. } | Transfer::FloatStore { .. });
        let kind = if store { Access::Store } else { Access::Load };
        let fault = Fault { address, access: kind, pc: position.guest };
        let walked = self.base.resolver().walk(site, address, kind)?;
        let within_page = address & access.width.alignment_mask() == 0;
        let made = match walked.ok().filter(|_| within_page) {
            Some(leaf) => self.make_slow_access(site, &fault, position.bits, &leaf)?,
            None => None,
        };
        let Some(resolution) = made else {
            self.take_back_call(site, place, position)?;
            return Ok(Handled::Resume(ExitReason::Translation));
        };
        self.recheck = true;
        let handled = self.base.conclude(site, resolution);
        self.continue_behind(place, position);
        Ok(handled)
    }

    /// Carries out an access to a device or a traced page; `None` to anything else.
    fn make_slow_access(
        &mut self,
        site: &mut Site<'_>,
        fault: &Fault,
        bits: u32,
        leaf: &GuestLeaf,
    ) -> Result<Option<Resolution>, HostError> {
        if self.base.map.page_of(leaf.address).is_none() {
            return Ok(Some(self.base.resolver().make_access(site, fault, bits, leaf.address)));
        }
        let store = fault.access == Access::Store;
        if store && self.base.spaces.is_protected(&mut site.meter(), leaf.address) {
            return self.base.resolver().make_store(site, fault, leaf, bits);
        }
        Ok(None)
    }

    /// An instruction that was made a call takes its own course again; it has to give more reason
    /// for it the next time.
    fn take_back_call(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        position: &Position,
    ) -> Result<(), HostError> {
        self.cache.slow_accesses.entry(place).or_default().was_wrong();
        let bytes = position.bits.to_le_bytes();
        let length = length_of(position.bits) as usize;
        self.cache.sheets.patch(&mut site.meter(), place, &bytes[..length])?;
        self.cache.sheets.set_position(place, |position| position.action = Action::Run);
        Ok(())
    }
}
