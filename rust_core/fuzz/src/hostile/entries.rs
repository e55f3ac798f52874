//! Forged page tables.

use super::layout::{
    IMAGE, MEMORY, PAGE, TABLE_PAGES, TABLES, device, host_page, own_page, physical,
};
use crate::random::Random;

/// The mode of `satp` with four levels of tables.
const FOUR_LEVELS: u64 = 9;
const VALID: u64 = 1;
const KERNEL_RIGHTS: u64 = 0xf;
const USER: u64 = 1 << 4;

/// A page of tables.
pub fn table(number: u64) -> u64 {
    IMAGE + TABLES + number * PAGE
}

/// A value for `satp` that leads to a page of tables, mostly.
pub fn root(random: &mut Random) -> u64 {
    let mode = random.pick(&[0, 8, 8, 8, 8, 9, 9, 10]);
    let page = match random.below(128) {
        0 => host_page(random),
        1 => physical(random),
        _ if mode == FOUR_LEVELS => table(1),
        _ => table(random.below(2)),
    };
    mode << 60 | random.below(6) << 44 | page >> 12
}

/// The level that each page of tables is meant for: roots, then those below them. The code uses
/// them for others, too.
const LEVELS: [u32; TABLE_PAGES as usize] = [2, 2, 1, 1, 1, 0, 0, 0];

/// Pages of tables that are meant for a level.
fn of_level(random: &mut Random, level: u32) -> u64 {
    let pages: Vec<u64> = (0..TABLE_PAGES).filter(|page| LEVELS[*page as usize] == level).collect();
    table(random.pick(&pages))
}

fn number(address: u64) -> u64 {
    (address >> 12) << 10
}

/// An entry for a page of tables: a pointer or a leaf as its level wants it, mostly; leading to the
/// guest's own memory, to that of others, to devices, or nowhere; with rights that make sense, or
/// any.
pub fn entry(random: &mut Random, page: u64) -> u64 {
    let level = LEVELS[page as usize];
    let bits = random.bits();
    let reserved = if random.once_in(24) { 1 << (54 + random.below(10)) } else { 0 };
    reserved
        | match random.below(16) {
            0 => bits,
            1 => number(table(random.below(TABLE_PAGES))) | VALID | bits & 0x320,
            2 => number(host_page(random)) | VALID,
            3..13 if level > 0 => number(of_level(random, level - 1)) | VALID,
            _ => number(target(random, level)) | rights(random),
        }
}

/// Where a leaf leads, aligned as its level wants it, mostly.
fn target(random: &mut Random, level: u32) -> u64 {
    let target = match random.below(12) {
        0 => device(random),
        1 => physical(random),
        2..6 => host_page(random),
        _ => own_page(random),
    };
    let span = PAGE << (9 * level);
    if random.once_in(8) { target } else { target & !(span - 1) }
}

/// Rights of a leaf, and its accessed and dirty bits.
fn rights(random: &mut Random) -> u64 {
    let bits = random.bits();
    let marks = if random.once_in(3) { bits & 0xc0 } else { 0xc0 };
    marks
        | match random.below(6) {
            0 => bits & 0x3ff,
            1 => VALID | bits & 0x3e,
            2 => KERNEL_RIGHTS | USER,
            _ => KERNEL_RIGHTS,
        }
}

/// The entry under which the image is where it is, in a root.
pub const IMAGE_ENTRY: u64 = (MEMORY >> 12) << 10 | KERNEL_RIGHTS | 0xc0;
/// The number of that entry.
pub const IMAGE_INDEX: u64 = MEMORY >> 30;
/// The first entry of the second root: under it, it is one of four levels, and shows what the first
/// root of three does.
pub const OUTER_ENTRY: u64 = ((IMAGE + TABLES) >> 12) << 10 | VALID;
/// The entry for devices: the first gigabyte.
const DEVICE_ENTRY: u64 = KERNEL_RIGHTS | 0xc0;

/// All tables; the first two are roots under which the image is where it is, mostly.
pub fn tables(random: &mut Random) -> Vec<u8> {
    let words = PAGE / 8;
    let mut entries: Vec<u64> =
        (0..TABLE_PAGES * words).map(|index| entry(random, index / words)).collect();
    for root in 0..2 {
        let first = (root * words) as usize;
        if !random.once_in(16) {
            entries[first + IMAGE_INDEX as usize] = IMAGE_ENTRY;
        }
        if !random.once_in(3) {
            entries[first] = DEVICE_ENTRY;
        }
    }
    entries[words as usize] = OUTER_ENTRY;
    entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
}
