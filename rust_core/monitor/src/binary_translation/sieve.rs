//! Where indirect jumps go: a table of jumps, itself code, from ten bits of the target's address to
//! comparisons with the targets that have occurred.
//!
//! A table of data would have to be readable, and the guest could read it; code that may only be
//! executed is out of its reach. Each comparison that fails goes on to the next of its entry; the
//! last one calls the monitor, which adds the target.

use super::emitter::{Action, CALL, Emitter, Fix, Position, jump};
use super::sheet::{Owner, PAGE, Place, Sheets};
use super::translator::compare;
use crate::error::HostError;
use crate::shadow::tree::TableFrames;
use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_machine::Meter;
use std::collections::BTreeMap;

/// The most sheets of comparisons; when they are full the sieve begins anew.
const COMPARISON_SHEETS: usize = 8;

/// Bytes of an entry of the table.
const ENTRY: u64 = 4;

/// What is known of every instruction of the sieve.
pub(super) const POSITION: Position =
    Position { offset: 0, guest: 0, bits: 0, fix: Fix::Jump(None), action: Action::Miss };

/// The table, and the comparisons behind it.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    table: Option<Place>,
    sheets: Vec<Place>,
    /// The first comparison of each entry.
    first: BTreeMap<u64, Place>,
    used: u64,
}

/// The entry for a target.
fn entry(target: u64) -> u64 {
    (target >> 1 & 0x3ff) * ENTRY
}

impl Sieve {
    /// The most sheets that it has: the table, and the comparisons.
    pub(super) const MOST_SHEETS: usize = 1 + COMPARISON_SHEETS;

    /// The most frames that [`Self::table`] and [`Self::add`] take together.
    pub(super) const NEW_FRAMES: u64 = 2;

    /// Where the table is; makes it if there is none.
    pub(super) fn table(
        &mut self,
        sheets: &mut Sheets,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
    ) -> Result<Place, HostError> {
        if let Some(table) = self.table {
            return Ok(table);
        }
        let table = sheets.add(meter, frames, Owner::Sieve)?;
        let empty = CALL.to_le_bytes().repeat((PAGE / ENTRY) as usize);
        sheets.write(meter, table, &Emitter { code: empty, ..Emitter::default() })?;
        self.table = Some(table);
        Ok(table)
    }

    /// Adds a target of indirect jumps, whose code is at `to`.
    pub(super) fn add(
        &mut self,
        sheets: &mut Sheets,
        meter: &mut Meter<'_>,
        frames: &mut TableFrames<'_>,
        (target, to): (u64, Place),
    ) -> Result<(), HostError> {
        let Some(table) = self.table else { return Ok(()) };
        if self.used >= COMPARISON_SHEETS as u64 * (PAGE - 128) {
            self.clear(sheets, meter)?;
        }
        let mut code = Emitter::default();
        let (at, branch) = compare(&mut code, target);
        let leaves = code.here();
        code.code.extend_from_slice(&[0; 4]);
        code.branch_here(at, &branch);
        code.code.extend_from_slice(&CALL.to_le_bytes());
        code.positions.clear();
        let place = sheets.find_room(meter, frames, Owner::Sieve, code.code.len())?;
        set_jump(&mut code.code, leaves, to.wrapping_sub(place + leaves as u64));
        if let Some(next) = self.first.get(&entry(target)) {
            let from = place + leaves as u64 + 4;
            set_jump(&mut code.code, leaves + 4, next.wrapping_sub(from));
        }
        sheets.write(meter, place, &code)?;
        let start = place - place % PAGE;
        if !self.sheets.contains(&start) {
            self.sheets.push(start);
        }
        self.used += code.code.len() as u64;
        self.first.insert(entry(target), place);
        sheets.connect(meter, table + entry(target), place)
    }

    /// Forgets all targets.
    pub(super) fn clear(
        &mut self,
        sheets: &mut Sheets,
        meter: &mut Meter<'_>,
    ) -> Result<(), HostError> {
        let Some(table) = self.table else { return Ok(()) };
        for entry in std::mem::take(&mut self.first).into_keys() {
            sheets.disconnect(meter, table + entry)?;
        }
        for place in std::mem::take(&mut self.sheets) {
            sheets.clear(place);
        }
        self.used = 0;
        Ok(())
    }
}

fn set_jump(code: &mut [u8], offset: usize, distance: u64) {
    code[offset..offset + 4].copy_from_slice(&jump(distance as i64).to_le_bytes());
}

/// Tells the code of a jump where the table is, at a distance from the jump's `AUIPC`.
pub(super) fn aim(code: &mut [u8], offset: usize, distance: i64) {
    let low = distance << 52 >> 52;
    let high = distance - low;
    let mut put = |at: usize, opcode: Opcode, rd: Register, rs1: Register, imm: i64| {
        let word = encode(&super::emitter::immediate(opcode, rd, rs1, imm));
        code[at..at + 4].copy_from_slice(&word.to_le_bytes());
    };
    let (target, base) = (super::registers::TEMPORARY, super::registers::SECOND_TEMPORARY);
    put(offset, Opcode::Auipc, base, Register::R0, high);
    put(offset + 8, Opcode::Jalr, Register::R0, target, low);
}
