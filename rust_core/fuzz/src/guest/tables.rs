//! Random tables for both stages of translation.
//!
//! Guest-physical addresses: the gigabyte of memory is where it is, with all rights, for code and for
//! tables of the first stage; from [`FRAMES`] upwards, pages of random rights lead to scratch memory,
//! landing pages, the first stage's own tables, or nowhere. Virtual addresses: memory again where it is,
//! for VS mode; at [`USER_CODE`] for VU mode; and pages and large pages of random rights.

use super::layout::{LANDING, SCRATCH, SCRATCH_PAGES};
use crate::layout::{LANDING_PAGES, MEMORY, MEMORY_BYTES, PAGE};
use crate::random::Random;
use crate::tables::bit::{A, D, R, RESERVED, U, V, W, X};

const GIGA: u64 = 1 << 30;
const MEGA: u64 = 2 << 20;

/// Guest-physical pages of random rights.
pub const FRAMES: u64 = 4 * GIGA;
/// How many.
pub const FRAME_COUNT: u64 = 32;
/// A large page of random rights over the image.
const LARGE_FRAME: u64 = FRAMES + MEGA;
/// Where VU mode finds all memory.
pub const USER_CODE: u64 = 3 * GIGA;
/// Virtual pages of random rights, through tables that are where the guest can read them.
const SMALL: u64 = 4 * GIGA;
/// The same through tables in pages of random rights.
const INDIRECT: u64 = 6 * GIGA;

/// Offsets in a set, in words: two roots of four pages, then what may change.
const SECOND_48: usize = 0;
const SECOND_39: usize = 0x800;
const SECOND_MIDDLE: usize = 0x1000;
const SECOND_LAST: usize = 0x1200;
const FIRST_48: usize = 0x1400;
const FIRST_39: usize = 0x1600;
const FIRST_MIDDLE: usize = 0x1800;
const FIRST_LAST: usize = 0x1a00;
const WORDS: usize = 0x1c00;

/// Bytes of a set; the next one begins at the next multiple of four pages.
pub const SET_BYTES: u64 = 0x1_0000;
const _: () = assert!(8 * WORDS as u64 <= SET_BYTES);
/// The part that accesses may change: the offset of its first byte, and its length.
pub const CHANGING: (u64, u64) = (8 * SECOND_MIDDLE as u64, 8 * (WORDS - SECOND_MIDDLE) as u64);

/// What is behind an address that a case accesses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Memory to read and write.
    Scratch,
    /// Memory to jump to.
    Landing,
    /// Tables of the first stage, not to be written.
    Tables,
    /// Nothing.
    Nothing,
}

/// A set of tables, with what can be accessed by them.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Where it is.
    pub start: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Guest-physical addresses of pages.
    pub frames: Vec<(u64, Target)>,
    /// Virtual addresses of pages.
    pub pages: Vec<(u64, Target)>,
    /// Those of them that are found without a table in a frame.
    pub direct: Vec<(u64, Target)>,
}

/// The roots of the modes of `hgatp` and `vsatp`; 0 for Bare.
pub const fn second_root(start: u64, mode: u64) -> u64 {
    match mode {
        0 => 0,
        9 => start + 8 * SECOND_48 as u64,
        _ => start + 8 * SECOND_39 as u64,
    }
}

/// See [`second_root`].
pub const fn first_root(start: u64, mode: u64) -> u64 {
    match mode {
        0 => 0,
        9 => start + 8 * FIRST_48 as u64,
        _ => start + 8 * FIRST_39 as u64,
    }
}

struct Builder {
    start: u64,
    entries: Vec<u64>,
    frames: Vec<(u64, Target)>,
    pages: Vec<(u64, Target)>,
}

/// Builds a set that will be at the physical address `start`.
pub fn build(random: &mut Random, start: u64) -> Tables {
    let mut builder =
        Builder { start, entries: vec![0; WORDS], frames: Vec::new(), pages: Vec::new() };
    builder.fill_second(random);
    builder.fill_first(random);
    let bytes = builder.entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    let is_direct = |(page, _): &(u64, Target)| {
        !(INDIRECT..INDIRECT + GIGA).contains(page)
            && !(SMALL + MEGA..SMALL + 2 * MEGA).contains(page)
    };
    let direct = builder.pages.iter().copied().filter(is_direct).collect();
    Tables { start, bytes, frames: builder.frames, pages: builder.pages, direct }
}

impl Builder {
    fn address(&self, table: usize) -> u64 {
        self.start + 8 * table as u64
    }

    fn pointer(&self, table: usize) -> u64 {
        leaf(self.address(table)) | V
    }

    /// A pointer that mostly is one.
    fn odd_pointer(&self, random: &mut Random, table: usize) -> u64 {
        self.pointer(table)
            | if random.once_in(6) { random.pick(&[A, D, U, 1 << 54, 1 << 63]) } else { 0 }
    }

    fn fill_second(&mut self, random: &mut Random) {
        self.entries[SECOND_48] = self.pointer(SECOND_39);
        self.entries[SECOND_39 + 2] = leaf(MEMORY) | V | R | W | X | U | A | D;
        self.entries[SECOND_39 + 4] = self.odd_pointer(random, SECOND_MIDDLE);
        // The highest part of the root, which only a second stage has.
        self.entries[SECOND_39 + 0x700] = leaf(MEMORY) | flags(random);
        self.entries[SECOND_MIDDLE] = self.odd_pointer(random, SECOND_LAST);
        self.entries[SECOND_MIDDLE + 1] = leaf(MEMORY + MEGA) | flags(random);
        self.entries[SECOND_MIDDLE + 2] =
            leaf(MEMORY + MEGA + (PAGE << random.below(9))) | flags(random);
        for page in 0..FRAME_COUNT {
            let (target, physical) = self.behind_frame(random, page);
            let entry = leaf(physical) | flags(random);
            self.entries[SECOND_LAST + page as usize] = match target {
                Target::Tables => for_tables(entry),
                Target::Landing => entry & !W,
                _ => entry,
            };
            self.frames.push((FRAMES + PAGE * page, target));
        }
        let within = SCRATCH - MEMORY - MEGA;
        self.frames.push((LARGE_FRAME + within, Target::Scratch));
        self.frames.push(((0x700 << 30) + SCRATCH - MEMORY, Target::Scratch));
        for address in [FRAMES + 2 * MEGA, FRAMES + 3 * MEGA, 5 * GIGA, 1 << 41, 1 << 50] {
            self.frames.push((address, Target::Nothing));
        }
    }

    /// The first pages lead to the tables of the first stage, so that walks go through them.
    fn behind_frame(&self, random: &mut Random, page: u64) -> (Target, u64) {
        match page {
            0..2 => (Target::Tables, self.address(FIRST_MIDDLE)),
            2..4 => (Target::Tables, self.address(FIRST_LAST)),
            4 => (Target::Nothing, MEMORY + MEMORY_BYTES),
            5..9 => (Target::Landing, LANDING + PAGE * random.below(LANDING_PAGES)),
            _ => (Target::Scratch, SCRATCH + PAGE * random.below(SCRATCH_PAGES)),
        }
    }

    fn fill_first(&mut self, random: &mut Random) {
        let code = leaf(MEMORY) | V | R | W | X | A | D;
        let middle_frame = leaf(FRAMES + PAGE * random.below(2)) | V;
        let last_frame = leaf(FRAMES + PAGE * (2 + random.below(2))) | V;
        self.entries[FIRST_48] = self.pointer(FIRST_39);
        for (at, entry) in [
            (2, code),
            (3, code | U),
            (4, self.odd_pointer(random, FIRST_MIDDLE)),
            (6, middle_frame),
            (7, code | U | RESERVED & random.bits() | 1 << 60),
        ] {
            self.entries[FIRST_39 + at] = entry;
        }
        self.entries[FIRST_MIDDLE] = self.odd_pointer(random, FIRST_LAST);
        self.entries[FIRST_MIDDLE + 1] = last_frame;
        self.entries[FIRST_MIDDLE + 2] = leaf(FRAMES) | flags(random);
        self.entries[FIRST_MIDDLE + 3] = leaf(MEMORY + MEGA) | flags(random);
        self.fill_first_last(random);
        for base in [SMALL, INDIRECT] {
            for page in 0..FRAME_COUNT {
                self.pages.push((base + 2 * MEGA + PAGE * page, self.frames[page as usize].1));
            }
            self.pages.push((base + 3 * MEGA + SCRATCH - MEMORY - MEGA, Target::Scratch));
        }
        for base in [MEMORY, USER_CODE] {
            self.pages.push((base + SCRATCH - MEMORY, Target::Scratch));
        }
        for address in [7 * GIGA, 9 * GIGA, SMALL + 5 * MEGA, 1 << 38, 1 << 46, GIGA << 33] {
            self.pages.push((address, Target::Nothing));
        }
    }

    fn fill_first_last(&mut self, random: &mut Random) {
        for page in 0..FRAME_COUNT {
            let frame = random.below(FRAME_COUNT) as usize;
            let (guest, target) = match random.below(4) {
                0 => (SCRATCH + PAGE * random.below(SCRATCH_PAGES), Target::Scratch),
                _ => self.frames[frame],
            };
            let allowed = if target == Target::Scratch { !0 } else { !W };
            self.entries[FIRST_LAST + page as usize] = (leaf(guest) | flags(random)) & allowed;
            for base in [SMALL, SMALL + MEGA, INDIRECT, INDIRECT + MEGA] {
                self.pages.push((base + PAGE * page, target));
            }
        }
    }
}

/// A leaf or a pointer for an address, without its flags.
const fn leaf(address: u64) -> u64 {
    address >> 12 << 10
}

/// An entry for a page of tables: to be read and written, or neither. QEMU 10 marks an entry of the first
/// stage without asking the second whether it may, and a walk that fails may mark what it came through,
/// so there is nothing to mark. And whether MXR lets a walk read what may only be executed is not asked.
const fn for_tables(entry: u64) -> u64 {
    if entry & R != 0 { entry | W | A | D } else { entry & !(W | X) }
}

/// Flags that mostly permit something.
fn flags(random: &mut Random) -> u64 {
    let rights = random.pick(&[R | W, R | W | X, R | W | X, R | X, R, X, W, 0]);
    let mut flags = rights | V | A | D;
    flags |= if random.once_in(4) { 0 } else { U };
    for (bit, rarity) in [(V, 24), (A, 5), (D, 5)] {
        flags &= if random.once_in(rarity) { !bit } else { !0 };
    }
    let software = random.bits() & 0x300;
    let reserved = if random.once_in(40) { 1 << (54 + random.below(10)) } else { 0 };
    flags | software | reserved
}
