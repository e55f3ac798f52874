//! Where things are in an image of cases.
//!
//! From [`BASE`] upwards: a jump to the code; the save area; scratch memory; landing pages; the tables
//! of both stages, a set after the other; the initial records; the code.

use super::registers::{CONTROL, PRINTED};
use crate::layout::{BASE, LANDING_PAGES, PAGE};

/// The page that the harness keeps its own state in.
pub const SAVE: u64 = BASE + PAGE;
/// Memory that cases read and write.
pub const SCRATCH: u64 = BASE + 2 * PAGE;
/// Pages of scratch memory.
pub const SCRATCH_PAGES: u64 = 4;
/// Pages of nothing but returns.
pub const LANDING: u64 = SCRATCH + SCRATCH_PAGES * PAGE;
/// The tables: the root of a second stage is aligned to four pages.
pub const TABLES: u64 = BASE + 0x8000;
const _: () = assert!(LANDING + LANDING_PAGES * PAGE <= TABLES);

/// Words that a case leaves behind: `x1` to `x31` in their places, the registers of [`PRINTED`], and a
/// hash of scratch memory and tables.
pub const RECORD_WORDS: usize = 32 + PRINTED.len() + 1;

/// Offsets in a record and, behind it, in the save area.
pub mod save {
    use super::{PRINTED, RECORD_WORDS};

    /// The registers of [`PRINTED`].
    pub const PRINTED_FROM: i64 = 32 * 8;
    /// The hash.
    pub const MEMORY: i64 = PRINTED_FROM + 8 * PRINTED.len() as i64;
    /// Bytes of the record.
    pub const RECORD: i64 = 8 * RECORD_WORDS as i64;
    /// Address of the initial record of the case.
    pub const CURRENT: i64 = RECORD;
    /// Address behind the last initial record.
    pub const END: i64 = RECORD + 8;
}

/// Offsets in an initial record: the registers, and what the harness sets up.
pub mod initial {
    use super::CONTROL;

    /// The registers of [`CONTROL`].
    pub const CONTROL_FROM: i64 = 32 * 8;
    /// Physical address of the tables that may change.
    pub const TABLES: i64 = CONTROL_FROM + 8 * CONTROL.len() as i64;
    /// Bytes in all.
    pub const BYTES: i64 = TABLES + 8;
}
