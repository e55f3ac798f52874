//! The translation cache's memory: sheets of a page each, side by side in one range of addresses.
//!
//! A sheet lies in a host frame and is mapped for execution only. It belongs to one page of the
//! guest's code, so that shadow trees can map it exactly where the guest's own tables map that
//! page.

use super::emitter::{CALL, Emitter, Position, jump};
use crate::allocator::FrameOwner;
use crate::assumed;
use crate::error::HostError;
use crate::shadow::tree::TableFrames;
use dcsim_hart::engine::Marks;
use dcsim_machine::Meter;
use dcsim_memory::{PAGE_BYTES, PhysicalAddress};

pub(super) const PAGE: u64 = PAGE_BYTES as u64;

/// Sheets in the range: as far as a direct jump reaches.
pub(super) const MOST_SHEETS: usize = 256;

/// Whose code a sheet holds.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// A page of the guest's code, by number.
    Page(u64),
    /// The targets of indirect jumps.
    Sieve,
    /// The single step.
    Step,
}

/// A place in the cache, counted in bytes from its start.
pub(super) type Place = u64;

/// A sheet.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Where it lies.
    pub(super) frame: PhysicalAddress,
    /// Whose code it holds.
    pub(super) owner: Owner,
    /// Bytes in use.
    used: usize,
    positions: Vec<Position>,
    marks: Marks,
    /// The engine has not been told of all marks.
    pub(super) is_unmarked: bool,
}

impl Sheet {
    /// Where instructions are with which the guest's retire.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }
}

/// All sheets.
#[derive(Debug, Default)]
pub(super) struct Sheets {
    sheets: Vec<Option<Sheet>>,
}

impl Sheets {
    /// The most frames that an addition of code takes.
    pub(super) const NEW_FRAMES: u64 = 1;

    /// The sheet that holds a place.
    pub(super) fn get(&self, place: Place) -> Option<&Sheet> {
        self.sheets.get((place / PAGE) as usize)?.as_ref()
    }

    fn get_mut(&mut self, place: Place) -> Option<&mut Sheet> {
        self.sheets.get_mut((place / PAGE) as usize)?.as_mut()
    }

    /// All sheets, with the places where they start.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Sheet)> {
        let numbered = self.sheets.iter().enumerate();
        numbered.filter_map(|(number, sheet)| Some((number as u64 * PAGE, sheet.as_ref()?)))
    }

    /// Sheets whose marks the engine has not been told of.
    pub(super) fn unmarked(&mut self) -> impl Iterator<Item = &mut Sheet> {
        self.sheets.iter_mut().flatten().filter(|sheet| sheet.is_unmarked)
    }

    /// What is known of the instruction at a place.
    pub(super) fn position(&self, place: Place) -> Option<&Position> {
        let sheet = self.get(place)?;
        let offset = (place % PAGE) as u16;
        let found = sheet.positions.binary_search_by_key(&offset, |position| position.offset);
        sheet.positions.get(found.ok()?)
    }

    /// Changes what is known of the instruction at a place.
    pub(super) fn set_position(&mut self, place: Place, change: impl FnOnce(&mut Position)) {
        let offset = (place % PAGE) as u16;
        let Some(sheet) = self.get_mut(place) else { return };
        let found = sheet.positions.binary_search_by_key(&offset, |position| position.offset);
        if let Ok(index) = found {
            change(&mut sheet.positions[index]);
        }
    }

    /// The instruction behind the one at a place.
    pub(super) fn behind(&self, place: Place) -> Option<(Place, &Position)> {
        let sheet = self.get(place)?;
        let offset = (place % PAGE) as u16;
        let index = sheet.positions.partition_point(|position| position.offset <= offset);
        let position = sheet.positions.get(index)?;
        Some((place - place % PAGE + u64::from(position.offset), position))
    }

    /// Whether a sheet of this owner has room for so many bytes.
    fn room(&self, owner: Owner, length: usize) -> Option<Place> {
        let fits = |sheet: &Sheet| sheet.owner == owner && sheet.used + length <= PAGE_BYTES;
        let (start, sheet) = self.iter().find(|(_, sheet)| fits(sheet))?;
        Some(start + sheet.used as u64)
    }

    /// A new sheet.
    pub(super) fn add(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        owner: Owner,
    ) -> Result<Place, HostError> {
        let owner_of_frame = FrameOwner::Code { vm: frames.vm };
        let frame = frames.allocator.allocate(owner_of_frame).ok_or(HostError::FrameNotReserved)?;
        meter.store_state(2);
        let (positions, marks) = (Vec::new(), Marks::default());
        let sheet = Sheet { frame, owner, used: 0, positions, marks, is_unmarked: true };
        let free = self.sheets.iter().position(Option::is_none);
        let number = free.unwrap_or(self.sheets.len());
        self.sheets.resize_with(self.sheets.len().max(number + 1), || None);
        self.sheets[number] = Some(sheet);
        Ok(number as u64 * PAGE)
    }

    /// Where code of this length will go; a new sheet is made for it if it has to be. Needs
    /// [`Self::NEW_FRAMES`] reserved frames.
    pub(super) fn find_room(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        owner: Owner,
        length: usize,
    ) -> Result<Place, HostError> {
        meter.lookup(1);
        match self.room(owner, length) {
            Some(place) => Ok(place),
            None => self.add(meter, frames, owner),
        }
    }

    /// Writes code to a place that was found for it.
    pub(super) fn write(
        &mut self,
        meter: &mut Meter<'_>,
        place: Place,
        code: &Emitter,
    ) -> Result<(), HostError> {
        let Some(sheet) = self.get_mut(place) else { return Ok(()) };
        let start = (place % PAGE) as usize;
        meter.write_bytes(PhysicalAddress(sheet.frame.0 + start as u64), &code.code)?;
        // What is known of an instruction is packed in two words.
        meter.store_state(2 * code.positions.len() as u64);
        let moved =
            |position: &Position| Position { offset: position.offset + start as u16, ..*position };
        sheet.positions.extend(code.positions.iter().map(moved));
        for mark in &code.marks {
            let slot = (start + mark) / 2;
            sheet.marks[slot / 64] |= 1 << (slot % 64);
        }
        sheet.used = start + code.code.len();
        sheet.is_unmarked = true;
        Ok(())
    }

    /// Replaces an instruction.
    pub(super) fn patch(
        &mut self,
        meter: &mut Meter<'_>,
        place: Place,
        bytes: &[u8],
    ) -> Result<(), HostError> {
        let Some(sheet) = self.get(place) else { return Ok(()) };
        meter.assume(assumed::PATCH);
        meter.write_bytes(PhysicalAddress(sheet.frame.0 + place % PAGE), bytes)?;
        meter.flush_instructions();
        Ok(())
    }

    /// Makes the exit at a place a jump to another.
    pub(super) fn connect(
        &mut self,
        meter: &mut Meter<'_>,
        from: Place,
        to: Place,
    ) -> Result<(), HostError> {
        let distance = to.wrapping_sub(from) as i64;
        self.patch(meter, from, &jump(distance).to_le_bytes())
    }

    /// Makes the jump at a place an exit again.
    pub(super) fn disconnect(
        &mut self,
        meter: &mut Meter<'_>,
        from: Place,
    ) -> Result<(), HostError> {
        self.patch(meter, from, &CALL.to_le_bytes())
    }

    /// Gives the frame of a sheet back.
    pub(super) fn remove(
        &mut self,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        place: Place,
    ) {
        let number = (place / PAGE) as usize;
        if let Some(sheet) = self.sheets.get_mut(number).and_then(Option::take) {
            meter.assume(assumed::FREE_LIST);
            frames.allocator.release(sheet.frame);
        }
    }

    /// Empties a sheet.
    pub(super) fn clear(&mut self, place: Place) {
        if let Some(sheet) = self.get_mut(place) {
            sheet.positions.clear();
            sheet.marks.fill(0);
            sheet.used = 0;
            sheet.is_unmarked = true;
        }
    }
}
