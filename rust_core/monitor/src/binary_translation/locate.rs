//! Finding the translated code for the guest's next instruction, and making it.

use super::cache::CodePage;
use super::emitter::{Action, Emitter, length_of};
use super::fetch::{FetchFault, Source};
use super::hole::{Hole, is_open};
use super::sheet::{Owner, Place};
use super::translator::translate;
use super::vcpu::{BinaryTranslation, Origin};
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::shadow::entry::{ACCESSED, EXECUTE, USER, VALID};
use crate::shadow::guest_walk::GuestLeaf;
use crate::shadow::spaces::Mapping;
use crate::shadow::tree::TableFrames;
use crate::shadow::view::View;
use crate::technique::Site;
use dcsim_machine::Meter;

impl BinaryTranslation {
    /// Finds where in the cache the guest's kernel goes on; translates if it has to. `false`: the
    /// guest takes a trap instead.
    pub(super) fn locate(&mut self, site: &mut Site<'_>) -> Result<bool, HostError> {
        if let Some((pc, bits)) = self.step.filter(|(pc, _)| *pc == self.base.life.pc) {
            self.at = Some(self.prepare_step(site, pc, bits)?);
            return Ok(true);
        }
        self.step = None;
        let pc = self.base.life.pc;
        let is_strict = std::mem::take(&mut self.is_strict);
        site.meter().lookup(2);
        let known = if is_strict { None } else { self.cache.find(pc) };
        let place = match known {
            Some(place) => place,
            None => match self.fetch(site, pc)? {
                Ok(source) => self.place(site, pc, &source)?,
                Err(fault) => {
                    self.refuse_fetch(site, fault);
                    return Ok(false);
                }
            },
        };
        self.arrive(site, pc, place)?;
        self.at = Some(place);
        Ok(true)
    }

    /// The guest takes the exception of a fetch.
    pub(super) fn refuse_fetch(&mut self, site: &mut Site<'_>, fault: FetchFault) {
        self.at = None;
        self.origin = Origin::Elsewhere;
        self.base.reflect(&mut site.meter(), fault.exception.code(), fault.address);
    }

    /// The block that begins with the code, mapped.
    fn place(&mut self, site: &mut Site<'_>, pc: u64, source: &Source) -> Result<Place, HostError> {
        let place = match self.cache.find_in(pc, &source.code) {
            Some(place) => place,
            None => self.translate(site, pc, source)?,
        };
        self.map_sheet(site, place)?;
        Ok(place)
    }

    fn translate(
        &mut self,
        site: &mut Site<'_>,
        pc: u64,
        source: &Source,
    ) -> Result<Place, HostError> {
        if self.cache.is_full() {
            self.empty(site);
        }
        self.protect(site, &source.code);
        let contents = source.contents(site);
        let translation = translate(&source.bytes, pc);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        for _ in 0..translation.instructions {
            meter.assume(assumed::TRANSLATE);
        }
        let page = (&source.code, source.level, contents);
        self.cache.add(&mut meter, &mut frames, page, (pc, translation.code))
    }

    /// Takes the right to write code that is going to be translated from all shadow trees.
    fn protect(&mut self, site: &mut Site<'_>, code: &CodePage) {
        let is_writable = |page: &u64| self.cache.writable.contains(page);
        if code.physical.iter().any(is_writable) && !is_open(Hole::Protection) {
            self.drop_trees(site);
        }
    }

    /// Drops all shadow trees.
    pub(super) fn drop_trees(&mut self, site: &mut Site<'_>) {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        if let Some(spaces) = self.base.spaces.tlb() {
            spaces.clear(&mut meter, &mut frames);
        }
        self.cache.writable.clear();
    }

    /// Gives all translations up.
    pub(super) fn empty(&mut self, site: &mut Site<'_>) {
        self.drop_trees(site);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        self.cache.empty(&mut meter, &mut frames);
        self.device_faults.clear();
        self.origin = Origin::Elsewhere;
    }

    /// Maps the sheet of a place in the tree of the guest's state.
    pub(super) fn map_sheet(&mut self, site: &mut Site<'_>, place: Place) -> Result<(), HostError> {
        let Some(sheet) = self.cache.sheets.get(place) else { return Ok(()) };
        let flags = VALID | USER | EXECUTE | ACCESSED;
        let leaf = GuestLeaf { address: 0, flags, level: 0, tables: Default::default() };
        let mapping = Mapping {
            translation: self.base.life.guest.translation,
            view: View::of(&self.base.life.guest),
            address: self.cache.address(place),
            leaf: &leaf,
            frame: sheet.frame,
        };
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        match self.base.spaces.tlb() {
            Some(spaces) => spaces.map_as(&mut meter, &mut frames, &mapping, flags),
            None => Ok(()),
        }
    }

    /// Makes the way that the guest came a direct one.
    fn arrive(&mut self, site: &mut Site<'_>, pc: u64, place: Place) -> Result<(), HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        match std::mem::take(&mut self.origin) {
            Origin::Elsewhere => Ok(()),
            Origin::Exit(from) => self.cache.chain(&mut meter, from, place),
            Origin::Jump => {
                let cache = &mut self.cache;
                cache.sieve.add(&mut cache.sheets, &mut meter, &mut frames, (pc, place))
            }
        }
    }

    /// A sheet with one instruction, and an exit behind it.
    fn prepare_step(
        &mut self,
        site: &mut Site<'_>,
        pc: u64,
        bits: u32,
    ) -> Result<Place, HostError> {
        let length = length_of(bits);
        let mut code = Emitter { guest: pc, bits, ..Emitter::default() };
        code.copy(bits, length);
        code.guest = pc.wrapping_add(length);
        code.call(Action::Stepped);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let sheets = &mut self.cache.sheets;
        let known = sheets.iter().find(|(_, sheet)| sheet.owner == Owner::Step);
        let place = match known.map(|(start, _)| start) {
            Some(place) => place,
            None => sheets.add(&mut meter, &mut frames, Owner::Step)?,
        };
        sheets.clear(place);
        sheets.write(&mut meter, place, &code)?;
        self.map_sheet(site, place)?;
        Ok(place)
    }
}
