//! The cache itself: full, in the way of what the guest maps, and with calls for devices in it.

use super::assembly::{Assembler, x};
use super::coverage::Kind;
use super::guests::{execute, pagings};
use super::machine::Guest;
use super::pair::Pair;
use super::small::{
    ALL, ALL_USER, CODE, DATA, EXECUTE, HIGH, HIGH_LEAVES, MAPPED, RETURN, Small, add, entry, word,
};
use crate::config::PagingKind;
use crate::reason::ExitReason;
use dcsim_hart::isa::Opcode;
use std::collections::BTreeSet;

const PAGE: u64 = 0x1000;
const SERIAL_PORT: u64 = 0x1000_0000;

/// The cache is below this, in one of so many ranges of this size.
const HIGHEST: u64 = 0xffff_ffff_c000_0000;
const STRIDE: u64 = 4 << 20;
const RANGES: u64 = 64;

/// A page of memory that two megabytes can be mapped to.
const LARGE: u64 = 0x8060_0000;

/// Loads through one register, of two lengths and into both kinds of registers, and a store; each
/// with a return behind it.
fn accesses(small: &mut Small) -> Vec<u64> {
    let instructions = [
        word(|code| code.immediate(Opcode::Lbu, x(10), x(11), 0)),
        word(|code| code.immediate(Opcode::Lw, x(10), x(11), 0)),
        // `c.lw x10, 0(x11)` and `c.nop`.
        0x0001_4188,
        word(|code| code.store(Opcode::Sb, x(0), x(11), 0)),
        word(|code| code.immediate(Opcode::Flw, x(28), x(11), 0)),
    ];
    let places = (0..).map(|number| CODE + 64 * number);
    let placed: Vec<_> = places.zip(instructions).collect();
    for (place, instruction) in &placed {
        small.place_words(*place, &[*instruction, RETURN]);
    }
    placed.into_iter().map(|(place, _)| place).collect()
}

fn access(small: &mut Small, function: u64, address: u64, times: u64) {
    small.code.constant(x(11), address);
    small.repeat(times, |small| small.call(function));
}

/// Instructions that often access a device become calls, and are themselves again when there is
/// memory.
#[test]
fn accesses_of_devices_become_calls_and_go_back() {
    let scratch = SERIAL_PORT + 4;
    let guest = |memory_accesses: u64| {
        let mut small = Small::new();
        small.map(0, 0, entry(SERIAL_PORT, ALL));
        for function in accesses(&mut small) {
            access(&mut small, function, scratch, 6);
            access(&mut small, function, DATA, memory_accesses);
            access(&mut small, function, MAPPED + 4, 6);
            // The same address is memory, and a device again.
            small.remap(0, 0, entry(DATA, ALL));
            small.fence(Some(MAPPED));
            access(&mut small, function, MAPPED + 4, memory_accesses);
            small.remap(0, 0, entry(SERIAL_PORT, ALL));
            small.fence(Some(MAPPED));
            access(&mut small, function, MAPPED + 4, 6);
        }
        small.finish()
    };
    for paging in pagings() {
        let coverage = execute(&guest(3), *paging, "devices");
        assert!(coverage.kinds()[&Kind::Device] >= 5, "{:?}", coverage.kinds());
        let [few, many] = [3, 30].map(|times| exits(&guest(times), *paging));
        // Floating-point registers change hands at every call.
        assert_eq!(few, many);
    }
}

fn exits(guest: &Guest, paging: PagingKind) -> u64 {
    let pair = run(guest, paging, "devices");
    let counters = pair.translated.host.counters(pair.translated.vm).unwrap();
    let others = counters.exits().filter(|(reason, _)| *reason != ExitReason::FloatWindow);
    others.map(|(_, count)| count).sum()
}

/// How a guest maps the addresses of the cache.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Conflict {
    Small,
    Large,
    SmallOfUser,
    LargeOfUser,
}

impl Conflict {
    pub(super) const ALL: [Self; 4] =
        [Self::Small, Self::Large, Self::SmallOfUser, Self::LargeOfUser];

    fn is_users(self) -> bool {
        matches!(self, Self::SmallOfUser | Self::LargeOfUser)
    }

    fn map(self, small: &mut Small) {
        let flags = if self.is_users() { ALL_USER } else { ALL };
        for index in 384..512 {
            let value = match self {
                Self::Small | Self::SmallOfUser => entry(HIGH_LEAVES, 1),
                Self::Large | Self::LargeOfUser => entry(LARGE, flags),
            };
            small.place(HIGH + 8 * index, &value.to_le_bytes());
        }
        for index in 0..512 {
            let page = if index % 2 == 0 { DATA } else { CODE };
            let value = entry(page, flags);
            small.place(HIGH_LEAVES + 8 * index, &value.to_le_bytes());
        }
    }
}

const SSTATUS: u16 = 0x100;
const SATP: u16 = 0x180;
const SUM: u64 = 1 << 18;
const MXR: u64 = 1 << 19;

/// A guest that has data, and code, exactly where the cache is, wherever that is.
pub(super) fn conflicting(conflict: Conflict) -> Guest {
    let mut small = Small::new();
    conflict.map(&mut small);
    small.map(0, 0, Small::user_entry());
    small.map(0, 1, entry(CODE, EXECUTE));
    small.place_words(CODE, &[add(1), RETURN]);
    small.store(LARGE + PAGE, u64::from(RETURN) << 32 | u64::from(add(3)));
    small.code.constant(x(12), HIGHEST - STRIDE);
    small.code.constant(x(13), STRIDE);
    small.write(SSTATUS, 3 << 13 | if conflict.is_users() { SUM } else { 0 });
    small.repeat(RANGES + 6, |small| {
        small.code.store(Opcode::Sd, x(25), x(12), 8);
        small.call(MAPPED + PAGE);
        small.code.immediate(Opcode::Ld, x(14), x(12), 8);
        // Code there is a kernel's only: it executes nothing that is its users'.
        small.attempt(|code| {
            code.constant(x(5), PAGE);
            code.op(Opcode::Add, x(5), x(5), x(12), 0);
            code.immediate(Opcode::Jalr, x(1), x(5), 0);
        });
        small.user(MAPPED, |code| {
            code.store(Opcode::Sd, x(14), x(12), 16);
            code.immediate(Opcode::Ld, x(15), x(12), 16);
        });
        small.code.op(Opcode::Sub, x(12), x(12), x(13), 0);
    });
    small.finish()
}

#[test]
fn the_cache_makes_way_for_what_the_guest_maps() {
    for conflict in Conflict::ALL {
        for translates_users in [false, true] {
            let guest = Guest { translates_users, ..conflicting(conflict) };
            for paging in pagings() {
                let coverage = execute(&guest, *paging, &format!("{conflict:?}"));
                let range = |pc: &u64| (HIGHEST - 1 - pc) / STRIDE;
                let ranges: BTreeSet<_> = coverage.kernel.keys().map(range).collect();
                assert!(ranges.into_iter().eq(0..RANGES), "{conflict:?}");
            }
        }
    }
}

/// Nothing of the cache is the guest's to read, to write, to jump to: not of its kernel, whether or
/// not it may read what it may only execute, with tables and without, and not of its users.
#[test]
fn the_cache_is_not_there_for_the_guest() {
    let mut small = Small::new();
    small.map(0, 0, Small::user_entry());
    let touch = |code: &mut Assembler, offset: i64| {
        code.immediate(Opcode::Ld, x(14), x(12), offset);
    };
    for (status, has_tables) in [(0, true), (MXR, true), (MXR, false)] {
        small.write(SSTATUS, 3 << 13 | status);
        if !has_tables {
            small.write(SATP, 0);
        }
        small.code.constant(x(12), HIGHEST - STRIDE);
        small.code.constant(x(13), PAGE);
        small.repeat(12, |small| {
            for offset in [0, 0x100, 0x7f8] {
                small.attempt(|code| touch(code, offset));
            }
            small.attempt(|code| code.store(Opcode::Sd, x(14), x(12), 0));
            small.attempt(|code| code.op(Opcode::AmoaddD, x(14), x(12), x(13), 0));
            small.attempt(|code| code.immediate(Opcode::Jalr, x(1), x(12), 0));
            if has_tables {
                small.user(MAPPED, |code| touch(code, 0));
                small.user(MAPPED, |code| code.immediate(Opcode::Jalr, x(1), x(12), 0));
            }
            small.code.op(Opcode::Add, x(12), x(12), x(13), 0);
        });
    }
    let guest = small.finish();
    for translates_users in [false, true] {
        let guest = Guest { translates_users, ..guest.clone() };
        for paging in pagings() {
            let coverage = execute(&guest, *paging, "not there");
            // It never had to make way.
            assert!(coverage.kernel.keys().all(|pc| (HIGHEST - 1 - pc) / STRIDE == 0));
        }
    }
}

/// Pages of code, one after the other, each with so many blocks: a block goes on to the next one, or
/// returns if `x9` is not zero.
const BLOCKS: u64 = 16;
const BLOCK_BYTES: u64 = 64;
const PAGES: u64 = 0x8040_0000;

fn block(is_last_of_page: bool) -> Vec<u32> {
    let mut code = Assembler::default();
    code.immediate(Opcode::Addi, x(10), x(10), 1);
    code.store(Opcode::Beq, x(0), x(9), 8);
    code.words.push(RETURN);
    let rest = PAGE - (BLOCKS - 1) * BLOCK_BYTES;
    let distance = if is_last_of_page { rest } else { BLOCK_BYTES };
    code.op(Opcode::Jal, x(0), x(0), x(0), distance as i64 - code.here() as i64);
    code.words
}

/// A guest with so many of these pages, which goes through all of their blocks, then calls `calls` of
/// them one by one, and does so `rounds` times.
fn pages_of_code(pages: u64, calls: u64, rounds: u64) -> Guest {
    let mut small = Small::new();
    for number in 0..pages * BLOCKS {
        let at = PAGES + number / BLOCKS * PAGE + number % BLOCKS * BLOCK_BYTES;
        small.place_words(at, &block(number % BLOCKS == BLOCKS - 1));
    }
    small.place_words(PAGES + pages * PAGE, &[RETURN]);
    for _ in 0..rounds {
        small.code.constant(x(9), 0);
        small.call(PAGES);
        small.code.constant(x(9), 1);
        small.code.constant(x(12), PAGES);
        small.code.constant(x(14), BLOCK_BYTES);
        small.code.constant(x(15), PAGE);
        small.repeat(calls / BLOCKS, |small| {
            small.code.immediate(Opcode::Addi, x(13), x(12), 0);
            for _ in 0..BLOCKS {
                small.attempt(|code| code.immediate(Opcode::Jalr, x(1), x(13), 0));
                small.code.op(Opcode::Add, x(13), x(13), x(14), 0);
            }
            small.code.op(Opcode::Add, x(12), x(12), x(15), 0);
        });
    }
    small.finish()
}

fn run(guest: &Guest, paging: PagingKind, name: &str) -> Pair {
    let mut pair = Pair::new(guest, paging, &[]);
    pair.run().unwrap_or_else(|error| panic!("{name}, {paging:?}: {error}"));
    pair
}

/// More code than the cache holds, again and again.
#[test]
fn a_full_cache_is_emptied() {
    for paging in pagings() {
        let pair = run(&pages_of_code(300, 640, 2), *paging, "full");
        assert!(pair.coverage.kernel.len() > 10_000);
    }
}

/// More targets of indirect jumps than there is room for, in a cache that is nearly full.
#[test]
fn a_nearly_full_cache_takes_many_targets() {
    for pages in [246, 248] {
        for paging in pagings() {
            run(&pages_of_code(pages, 800, 1), *paging, &format!("{pages} pages"));
        }
    }
}

/// A host that has frames for the guest, and for less than half of its translations.
#[test]
fn translations_give_way_to_the_guest() {
    for paging in pagings() {
        let guest = pages_of_code(60, 320, 2);
        let plenty = run(&guest, *paging, "plenty").translated;
        let usage = plenty.host.frame_usage(plenty.vm).unwrap();
        let sheets = plenty.translation().cache.sheets.iter().count() as u64;
        assert!(sheets > 60);
        let host_bytes = (usage.total() - sheets + 30) * PAGE;
        run(&Guest { host_bytes, ..guest }, *paging, "few");
    }
}
