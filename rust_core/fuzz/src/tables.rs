//! Random page tables for sequences that run below machine mode.
//!
//! A set is four pages: the root of Sv48, whose first entry points to the root of Sv39, a second
//! level, and the last. Some gigapages always map the code, so that the harness gets in and out;
//! everything else that is mapped has random permissions, and some of it reserved bits, misaligned
//! large pages or nothing behind it.

use crate::layout::{
    BASE, LANDING, LANDING_PAGES, MEMORY, MEMORY_BYTES, PAGE, SCRATCH, SCRATCH_PAGES,
};
use crate::random::Random;

/// Bytes of a set of tables.
pub const SET_BYTES: u64 = 4 * PAGE;

/// Where supervisor mode finds all memory, to execute and to write: at its physical address.
pub const SUPERVISOR_CODE: u64 = MEMORY;
/// Where user mode finds it.
pub const USER_CODE: u64 = 3 * GIGA;
/// Where user mode finds it too, but not to execute.
pub const USER_ALIAS: u64 = 5 * GIGA;

/// Where the last-level table maps: its first pages scratch memory, the others landing pages.
const SMALL: u64 = 4 * GIGA;
const SMALL_SCRATCH: u64 = 16;
const SMALL_LANDING: u64 = 16;
/// The same table once more.
const SMALL_AGAIN: u64 = SMALL + 4 * MEGA;

const GIGA: u64 = 1 << 30;
const MEGA: u64 = 2 << 20;

/// Bits of a page-table entry.
#[allow(missing_docs, reason = "the names are the specification's")]
pub mod bit {
    pub const V: u64 = 1;
    pub const R: u64 = 2;
    pub const W: u64 = 4;
    pub const X: u64 = 8;
    pub const U: u64 = 16;
    pub const A: u64 = 64;
    pub const D: u64 = 128;
    pub const RESERVED: u64 = 0x3ff << 54;
}
use bit::{A, D, R, RESERVED, U, V, W, X};

/// A range of virtual addresses that a sequence may touch.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The leaf entry; 0 where there is none.
    pub entry: u64,
    /// What is behind it.
    pub target: Target,
}

/// What a mapping leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Scratch memory.
    Scratch,
    /// Landing pages.
    Landing,
    /// No memory and no device.
    Hole,
    /// Nowhere: every access faults.
    Nowhere,
}

/// A set of page tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The four pages.
    pub bytes: Vec<u8>,
    /// What they map.
    pub mappings: Vec<Mapping>,
}

struct Builder {
    entries: Vec<u64>,
    mappings: Vec<Mapping>,
    start: u64,
}

/// Offsets of the tables of a set, in entries.
const ROOT_48: usize = 0;
const ROOT_39: usize = 512;
const MIDDLE: usize = 1024;
const LAST: usize = 1536;

/// Builds a set of tables that will be at the physical address `start`.
pub fn build(random: &mut Random, start: u64) -> Tables {
    let mut builder = Builder { entries: vec![0; 2048], mappings: Vec::new(), start };
    builder.entries[ROOT_48] = builder.pointer(ROOT_39);
    builder.fill_root(random);
    builder.fill_middle(random);
    builder.fill_last(random);
    let bytes = builder.entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    Tables { bytes, mappings: builder.mappings }
}

/// The physical address of the root for a mode of `satp`.
pub const fn root(start: u64, mode: u64) -> u64 {
    if mode == 9 { start } else { start + PAGE }
}

impl Builder {
    fn pointer(&self, table: usize) -> u64 {
        leaf(self.start + 8 * table as u64) | V
    }

    fn map(&mut self, start: u64, bytes: u64, entry: u64, target: Target) {
        self.mappings.push(Mapping { start, bytes, entry, target });
    }

    /// Maps scratch memory as a part of a large page with this physical address.
    fn map_within(&mut self, start: u64, physical: u64, entry: u64) {
        self.map(start + SCRATCH - physical, SCRATCH_PAGES * PAGE, entry, Target::Scratch);
    }

    fn fill_root(&mut self, random: &mut Random) {
        let code = leaf(MEMORY) | V | R | W | A | D;
        for (at, entry) in
            [(USER_CODE, code | X | U), (SUPERVISOR_CODE, code | X), (USER_ALIAS, code | U)]
        {
            self.entries[ROOT_39 + (at / GIGA) as usize] = entry;
            self.map_within(at, MEMORY, entry);
        }
        let reserved = RESERVED & (random.bits() | 1 << (54 + random.below(10)));
        let misaligned = leaf(MEMORY + (PAGE << random.below(18)));
        let marks = random.bits() & (U | A | D) | 1 << (4 + random.pick(&[0, 2, 3]));
        let unusable = [
            (ROOT_39 + 4, self.pointer(MIDDLE)),
            (ROOT_39 + 6, misaligned | flags(random)),
            (ROOT_39 + 7, code | U | reserved),
            (ROOT_39 + 8, self.pointer(MIDDLE) | marks),
        ];
        for (at, entry) in unusable {
            self.entries[at] = entry;
        }
        for start in [6 * GIGA, 7 * GIGA, 8 * GIGA, 9 * GIGA, 1 << 38, 1 << 46, 1 << 60, GIGA << 33]
        {
            self.map(start, PAGE, 0, Target::Nowhere);
        }
    }

    fn fill_middle(&mut self, random: &mut Random) {
        let large = leaf(BASE) | flags(random);
        let hole = leaf(MEMORY + MEMORY_BYTES) | flags(random) | V | A | D;
        let marks = random.bits() & (U | A | D) | 1 << (4 + random.pick(&[0, 2, 3]));
        let entries = [
            self.pointer(LAST),
            large,
            leaf(BASE + (PAGE << random.below(9))) | flags(random),
            self.pointer(LAST) | marks,
            self.pointer(LAST),
            hole,
            large | RESERVED & random.bits(),
        ];
        self.entries[MIDDLE..MIDDLE + entries.len()].copy_from_slice(&entries);
        self.map_within(SMALL + MEGA, BASE, large);
        self.map_within(SMALL + 6 * MEGA, BASE, entries[6]);
        self.map(SMALL + 5 * MEGA, PAGE, hole, Target::Hole);
        for start in [SMALL + 2 * MEGA, SMALL + 3 * MEGA, SMALL + 7 * MEGA] {
            self.map(start, PAGE, 0, Target::Nowhere);
        }
    }

    fn fill_last(&mut self, random: &mut Random) {
        for page in 0..SMALL_SCRATCH + SMALL_LANDING {
            let (target, physical) = if page < SMALL_SCRATCH {
                (Target::Scratch, SCRATCH + PAGE * random.below(SCRATCH_PAGES))
            } else {
                (Target::Landing, LANDING + PAGE * random.below(LANDING_PAGES))
            };
            let allowed = if target == Target::Landing { !W } else { !0 };
            let entry = (leaf(physical) | flags(random)) & allowed;
            self.entries[LAST + page as usize] = entry;
            for start in [SMALL, SMALL_AGAIN] {
                self.map(start + PAGE * page, PAGE, entry, target);
            }
        }
    }
}

/// A leaf for a physical address, without its flags.
const fn leaf(physical: u64) -> u64 {
    physical >> 12 << 10
}

/// Flags that mostly permit something.
fn flags(random: &mut Random) -> u64 {
    let permissions = random.pick(&[R | W, R | W, R | W | X, R | X, R | X, R, X, W, W | X, 0]);
    let mut flags = permissions | V | A | D;
    flags |= if random.once_in(3) { 0 } else { U };
    for (bit, rarity) in [(V, 24), (A, 4), (D, 4)] {
        flags &= if random.once_in(rarity) { !bit } else { !0 };
    }
    let software = random.bits() & 0x300;
    let reserved = if random.once_in(40) { 1 << (54 + random.below(10)) } else { 0 };
    flags | software | reserved
}
