//! Finding the translated code for the guest's next instruction, and making it.

use super::cache::CodePage;
use super::fetch::{FetchFault, Source};
use super::hole::{Hole, is_open};
use super::sheet::{Owner, PAGE, Place};
use super::translator::{translate, translate_single};
use super::vcpu::{BinaryTranslation, Origin};
use crate::assumed;
use crate::emulator::Emulator;
use crate::error::HostError;
use crate::shadow::Original;
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
        self.map_sheet(site, place, &source.originals())?;
        Ok(place)
    }

    fn translate(
        &mut self,
        site: &mut Site<'_>,
        pc: u64,
        source: &Source,
    ) -> Result<Place, HostError> {
        if self.cache.is_full() {
            self.empty(site)?;
        }
        self.protect(site, &source.code)?;
        let contents = source.contents(site);
        let translation = translate(&source.bytes, pc, self.cache.mode);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        for _ in 0..translation.instructions {
            meter.assume(assumed::TRANSLATE);
        }
        let page = (&source.code, source.level(), contents);
        self.cache.add(&mut meter, &mut frames, page, (pc, translation.code))
    }

    /// Takes the right to write code that is going to be translated from all shadow trees.
    fn protect(&mut self, site: &mut Site<'_>, code: &CodePage) -> Result<(), HostError> {
        if is_open(Hole::Protection) {
            return Ok(());
        }
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        let base = self.base.map.base();
        for page in &code.physical {
            self.base.spaces.protect(&mut meter, &mut frames, base + page * PAGE)?;
        }
        Ok(())
    }

    /// Drops all shadow trees.
    pub(super) fn clear_trees(&mut self, site: &mut Site<'_>) {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        self.base.spaces.clear(&mut meter, &mut frames);
    }

    /// Unmaps all translations.
    fn drop_code(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        self.base.spaces.drop_code(&mut meter, &mut frames)
    }

    /// Gives all translations up.
    pub(super) fn empty(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        self.drop_code(site)?;
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        self.cache.empty(&mut meter, &mut frames);
        self.other.empty(&mut meter, &mut frames);
        self.origin = Origin::Elsewhere;
        Ok(())
    }

    /// Moves the cache as long as a mapping of the guest's at an address is in its way. Tells
    /// whether it was.
    pub(super) fn make_way(
        &mut self,
        site: &mut Site<'_>,
        address: u64,
    ) -> Result<bool, HostError> {
        if !self.cache.is_disturbed_by(address) || is_open(Hole::Conflicts) {
            return Ok(false);
        }
        self.drop_code(site)?;
        self.cache.move_on();
        self.other.move_on();
        self.base.spaces.place_code(self.cache.base());
        Ok(true)
    }

    /// Maps the sheet of a place in the tree of the guest's state, whose tables lead to the
    /// originals.
    pub(super) fn map_sheet(
        &mut self,
        site: &mut Site<'_>,
        place: Place,
        originals: &[Original],
    ) -> Result<(), HostError> {
        // Two pages are in the way of two places at most.
        for (address, _) in originals.iter().chain(originals) {
            self.make_way(site, *address)?;
        }
        let Some(sheet) = self.cache.sheets.get(place) else { return Ok(()) };
        let guest = &self.base.life.guest;
        let space = (guest.translation, View::of(guest));
        let code = (self.cache.address(place), sheet.frame);
        let mut meter = Meter::new(&mut site.pcpu.hart, site.memory.reborrow());
        let mut frames = TableFrames { allocator: site.allocator, vm: site.vm };
        self.base.spaces.map_code(&mut meter, &mut frames, space, code, originals)
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
        let code = translate_single(bits, pc);
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
        self.map_sheet(site, place, &[])?;
        Ok(place)
    }
}
