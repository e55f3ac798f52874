//! The translation cache: which of the guest's code is translated, and where the translation is.
//!
//! What is translated is remembered by page of the guest: its virtual address and the
//! guest-physical page behind it. A shadow tree maps the sheets of such a page only after the
//! guest's own tables were found to map the one to the other. So shadow trees are a TLB for the
//! guest's code as they are for its data: a fence ends the mapping of sheets, and jumps from block
//! to block never have to ask.
//!
//! A page of the guest with translated code is mapped without the right to write in every tree.

use super::emitter::{Action, Emitter};
use super::hole::{Hole, is_open};
use super::sheet::{MOST_SHEETS, Owner, PAGE, Place, Sheet, Sheets};
use super::sieve::{Sieve, aim};
use crate::assumed;
use crate::error::HostError;
use crate::shadow::tree::TableFrames;
use crate::shadow::{Shadow, entry};
use dcsim_hart::Privilege;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PageId, PhysicalAddress};
use std::collections::BTreeMap;

/// Sheets that are kept for others than translations of the guest's pages, and for the next one of
/// these: targets become known while there is nothing to translate.
const SPARE_SHEETS: usize = Sieve::MOST_SHEETS + 1 + 1;

/// Where the cache can be: the ranges below the last gibibyte of the address space.
const HIGHEST: u64 = 0xffff_ffff_c000_0000;
/// From one range to the next.
const STRIDE: u64 = 4 << 20;
/// The number of ranges.
const RANGES: u64 = 64;

/// A page of the guest's code, as it was when it was translated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct CodePage {
    /// The virtual address of the page.
    pub(super) address: u64,
    /// The guest's page behind it; the next one too if an instruction goes on there.
    pub(super) physical: Vec<u64>,
}

/// The page's content, to be recognised again.
#[derive(Copy, Clone, Debug)]
pub(super) struct Content {
    /// The frame.
    pub(super) frame: PhysicalAddress,
    /// The page of the store in it.
    pub(super) page: PageId,
    /// Its version.
    pub(super) version: u32,
}

impl Content {
    fn is_present(&self, memory: &Memory<'_>) -> bool {
        memory.frames.page_id(self.frame) == Some(self.page)
            && memory.store.code_version(self.page) == self.version
    }
}

/// How often the monitor had to carry out the access of an instruction, and how often is enough to
/// make it a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlowAccess {
    count: u64,
    enough: u64,
}

impl Default for SlowAccess {
    fn default() -> Self {
        Self { count: 0, enough: assumed::SLOW_ACCESSES.value }
    }
}

impl SlowAccess {
    /// Counts one more. Tells whether that is enough.
    pub(super) fn is_often(&mut self) -> bool {
        self.count += 1;
        self.count >= self.enough
    }

    /// It was made a call, and did something else then: the next time takes twice as many.
    pub(super) fn was_wrong(&mut self) {
        *self = Self { count: 0, enough: self.enough.saturating_mul(2) };
    }
}

#[derive(Debug)]
struct Translated {
    code: CodePage,
    /// The level of the guest's leaf that maps it.
    level: u32,
    contents: Vec<Content>,
    blocks: Vec<(u64, Place)>,
}

/// A cache of the code of one mode.
#[derive(Debug)]
pub(super) struct Cache {
    /// The mode that executes it.
    pub(super) mode: Privilege,
    /// Which of the ranges it is in.
    range: u64,
    /// Its memory.
    pub(super) sheets: Sheets,
    /// Targets of indirect jumps.
    pub(super) sieve: Sieve,
    pages: BTreeMap<u64, Translated>,
    next_page: u64,
    /// Blocks by the guest's address; for different pages behind it, several.
    blocks: BTreeMap<u64, Vec<(u64, Place)>>,
    /// Jumps to a block.
    jumps: BTreeMap<Place, Vec<Place>>,
    /// Instructions whose access the monitor had to carry out.
    pub(super) slow_accesses: BTreeMap<Place, SlowAccess>,
}

/// Where the cache is in the address space.
impl Cache {
    /// An empty cache for a mode.
    pub(super) fn new(mode: Privilege) -> Self {
        Self {
            mode,
            range: 0,
            sheets: Sheets::default(),
            sieve: Sieve::default(),
            pages: BTreeMap::new(),
            next_page: 0,
            blocks: BTreeMap::new(),
            jumps: BTreeMap::new(),
            slow_accesses: BTreeMap::new(),
        }
    }

    /// The address of its first place.
    pub(super) fn base(&self) -> u64 {
        HIGHEST - (self.range + 1) * STRIDE
    }

    /// Whether a mapping of the guest's at an address would be in the way: tables that map the cache
    /// map nothing else.
    pub(super) fn is_disturbed_by(&self, address: u64) -> bool {
        address.wrapping_sub(self.base()) < entry::span(1)
    }

    /// The address of a place.
    pub(super) fn address(&self, place: Place) -> u64 {
        self.base() + place
    }

    /// The place at an address.
    pub(super) fn place(&self, address: u64) -> Option<Place> {
        let place = address.checked_sub(self.base())?;
        (place < MOST_SHEETS as u64 * PAGE).then_some(place)
    }

    /// Leaves the range for the next one; no tree may map any sheet any more.
    pub(super) fn move_on(&mut self) {
        self.range = (self.range + 1) % RANGES;
    }
}

/// What is translated.
impl Cache {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.sheets.iter().next().is_none()
    }

    /// Whether a translation may not fit any more.
    pub(super) fn is_full(&self) -> bool {
        let of_pages = |(_, sheet): &(Place, &Sheet)| matches!(sheet.owner, Owner::Page(_));
        self.sheets.iter().filter(of_pages).count() + SPARE_SHEETS > MOST_SHEETS
    }

    /// A block that begins at an address, whatever page is behind it: where it is not valid, it is
    /// not mapped.
    pub(super) fn find(&self, pc: u64) -> Option<Place> {
        self.blocks.get(&pc)?.last().map(|(_, place)| *place)
    }

    /// The block at an address in a page.
    pub(super) fn find_in(&self, pc: u64, code: &CodePage) -> Option<Place> {
        let mut blocks = self.blocks.get(&pc)?.iter();
        let (_, place) = blocks.find(|(page, _)| self.code(*page) == Some(code))?;
        Some(*place)
    }

    /// The page with this number.
    pub(super) fn code(&self, page: u64) -> Option<&CodePage> {
        self.pages.get(&page).map(|page| &page.code)
    }

    /// Whether code of a guest page is translated.
    pub(super) fn holds(&self, physical: u64) -> bool {
        self.pages.values().any(|page| page.code.physical.contains(&physical))
    }

    /// Whether the code at a place was made from a guest page.
    pub(super) fn is_from(&self, place: Place, physical: u64) -> bool {
        let Some(Owner::Page(page)) = self.sheets.get(place).map(|sheet| sheet.owner) else {
            return false;
        };
        self.code(page).is_some_and(|code| code.physical.contains(&physical))
    }

    /// Adds a block.
    pub(super) fn add(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        (code, level, contents): (&CodePage, u32, Vec<Content>),
        (pc, mut block): (u64, Emitter),
    ) -> Result<Place, HostError> {
        let page = self.page(code, level, contents);
        let length = block.code.len();
        let place = self.sheets.find_room(meter, frames, Owner::Page(page), length)?;
        for offset in std::mem::take(&mut block.dispatches) {
            let table = self.sieve.table(&mut self.sheets, meter, frames)?;
            let from = place + offset as u64;
            aim(&mut block.code, offset, table.wrapping_sub(from) as i64);
        }
        self.sheets.write(meter, place, &block)?;
        meter.store_state(2);
        self.blocks.entry(pc).or_default().push((page, place));
        if let Some(translated) = self.pages.get_mut(&page) {
            translated.blocks.push((pc, place));
        }
        Ok(place)
    }

    /// The number of a page, a new one if it has none.
    fn page(&mut self, code: &CodePage, level: u32, contents: Vec<Content>) -> u64 {
        let known = self.pages.iter_mut().find(|(_, page)| page.code == *code);
        if let Some((number, page)) = known {
            page.level = page.level.max(level);
            return *number;
        }
        let number = self.next_page;
        self.next_page += 1;
        let translated = Translated { code: code.clone(), level, contents, blocks: Vec::new() };
        self.pages.insert(number, translated);
        number
    }

    /// Makes the exit at a place jump to a block.
    pub(super) fn chain(
        &mut self,
        meter: &mut Meter<'_>,
        from: Place,
        to: Place,
    ) -> Result<(), HostError> {
        let exit = self.sheets.position(from);
        if exit.is_some_and(|position| matches!(position.action, Action::Exit { .. })) {
            self.sheets.connect(meter, from, to)?;
            meter.store_state(1);
            self.jumps.entry(to).or_default().push(from);
        }
        Ok(())
    }
}

/// What ends translations.
impl Cache {
    /// Guest pages with translations whose content is no longer what was translated.
    pub(super) fn stale(&self, memory: &Memory<'_>) -> Vec<u64> {
        let stale =
            |page: &&Translated| page.contents.iter().any(|content| !content.is_present(memory));
        let pages = self.pages.values().filter(stale);
        pages.flat_map(|page| page.code.physical.iter().copied()).collect()
    }

    /// Content that was in a frame is in another now, or nowhere: then it counts as changed.
    pub(super) fn move_content(
        &mut self,
        memory: &mut Memory<'_>,
        from: PhysicalAddress,
        to: Option<PhysicalAddress>,
    ) {
        let contents = self.pages.values_mut().flat_map(|page| page.contents.iter_mut());
        for content in contents.filter(|content| content.frame == from) {
            let found = to.and_then(|frame| Some((frame, memory.code_page(frame)?)));
            *content = match found {
                Some((frame, (page, version))) => Content { frame, page, version },
                None => Content { version: content.version.wrapping_sub(1), ..*content },
            };
        }
    }

    /// Forgets all that was made from a guest page.
    pub(super) fn forget(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        shadow: &mut Shadow,
        physical: u64,
    ) -> Result<(), HostError> {
        let numbers: Vec<u64> = self
            .pages
            .iter()
            .filter(|(_, page)| page.code.physical.contains(&physical))
            .map(|(number, _)| *number)
            .collect();
        meter.lookup(1);
        if !numbers.is_empty() && !is_open(Hole::Sieve) {
            self.sieve.clear(&mut self.sheets, meter)?;
            self.slow_accesses.clear();
        }
        for number in numbers {
            self.forget_page(meter, frames, shadow, number)?;
        }
        Ok(())
    }

    fn forget_page(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        shadow: &mut Shadow,
        number: u64,
    ) -> Result<(), HostError> {
        let Some(page) = self.pages.remove(&number) else { return Ok(()) };
        let owner = Owner::Page(number);
        let own = self.sheets.iter().filter(|(_, sheet)| sheet.owner == owner);
        let own: Vec<Place> = own.map(|(start, _)| start).collect();
        let is_own = |place: &Place| own.contains(&(place - place % PAGE));
        for (pc, place) in page.blocks {
            if let Some(blocks) = self.blocks.get_mut(&pc) {
                blocks.retain(|(_, block)| *block != place);
            }
            for from in self.jumps.remove(&place).unwrap_or_default() {
                if !is_own(&from) && !is_open(Hole::Chains) {
                    self.sheets.disconnect(meter, from)?;
                }
            }
        }
        for jumps in self.jumps.values_mut() {
            jumps.retain(|from| !is_own(from));
        }
        for start in own {
            shadow.unmap_code(meter, frames, self.base() + start)?;
            self.sheets.remove(meter, frames, start);
        }
        Ok(())
    }

    /// Unmaps the sheets of the page at an address of the guest, or of the larger page around it:
    /// the guest has fenced it.
    pub(super) fn fence(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        shadow: &mut Shadow,
        address: u64,
    ) -> Result<(), HostError> {
        let same = |page: &Translated, code: u64| {
            let span = !(entry::span(page.level) - 1);
            code & span == address & span
        };
        let fenced = |page: &Translated| {
            let next = page.code.address.wrapping_add(PAGE);
            same(page, page.code.address) || (page.code.physical.len() > 1 && same(page, next))
        };
        for (start, sheet) in self.sheets.iter() {
            let Owner::Page(number) = sheet.owner else { continue };
            if self.pages.get(&number).is_some_and(fenced) {
                shadow.unmap_code(meter, frames, self.base() + start)?;
            }
        }
        Ok(())
    }

    /// Gives everything up; no tree may map any sheet any more.
    pub(super) fn empty(&mut self, meter: &mut Meter<'_>, frames: &mut TableFrames<'_>) {
        let starts: Vec<Place> = self.sheets.iter().map(|(start, _)| start).collect();
        for start in starts {
            self.sheets.remove(meter, frames, start);
        }
        *self = Self { range: self.range, ..Self::new(self.mode) };
    }
}
