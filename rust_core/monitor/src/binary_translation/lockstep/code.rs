//! Code of the guest's kernel that changes, and code in odd places.

use super::assembly::{Assembler, x};
use super::coverage::{Coverage, Kind};
use super::faults;
use super::guests::{execute, pagings};
use super::machine::{Guest, Machine};
use super::pair::Pair;
use super::small::{
    ALL, ALL_USER, CODE, DATA, DATA_ONLY, END, EXECUTE, MAPPED, RETURN, Small, add, entry, word,
};
use crate::config::TechniqueKind;
use dcsim_hart::isa::Opcode;
use dcsim_machine::DiskImage;
use std::collections::BTreeSet;

const PAGE: u64 = 0x1000;
const SERIAL_PORT: u64 = 0x1000_0000;

/// A way to put a new instruction, in `x9` and `f27`, where `x8` points. The instruction behind it
/// stays a return.
type Writer = fn(&mut Assembler);

/// All but store-conditionals, which may fail when something comes between.
const WRITERS: [(&str, Writer); 7] = [
    ("word", |code| code.store(Opcode::Sw, x(9), x(8), 0)),
    ("halfwords", |code| {
        code.immediate(Opcode::Srli, x(7), x(9), 16);
        code.store(Opcode::Sh, x(7), x(8), 2);
        code.store(Opcode::Sh, x(9), x(8), 0);
    }),
    ("short", |code| code.words.push(0x0001_c004)),
    ("swap", |code| code.op(Opcode::AmoswapW, x(7), x(8), x(9), 0)),
    ("float", |code| code.store(Opcode::Fsw, x(27), x(8), 0)),
    ("float doubleword", |code| code.store(Opcode::Fsd, x(27), x(8), 0)),
    ("doubleword", |code| code.store(Opcode::Sd, x(9), x(8), 0)),
];

/// Lets `x8`, `x9` and `f27` hold what a writer needs.
fn operands(small: &mut Small, address: u64, instruction: u32) {
    small.code.constant(x(8), address);
    small.code.constant(x(9), u64::from(RETURN) << 32 | u64::from(instruction));
    small.code.op(Opcode::FmvDX, x(27), x(9), x(0), 0);
}

fn run(guest: &Guest, name: &str) -> Vec<Coverage> {
    pagings().iter().map(|paging| execute(guest, *paging, name)).collect()
}

/// A function is called, changed, and called again; it is mapped to be executed at one address, and
/// written at that or another. It is reached by a jump through a register, or chained.
pub(super) fn written_between_calls(written: Alias, fenced: bool, chained: bool) -> Guest {
    let (flags, alias) = match written {
        Alias::Itself => (ALL, MAPPED + PAGE),
        Alias::Memory => (EXECUTE, CODE),
        Alias::Other => (EXECUTE, MAPPED + 2 * PAGE),
    };
    let mut small = Small::new();
    small.map(0, 0, entry(CODE + PAGE, EXECUTE));
    small.map(0, 1, entry(CODE, flags));
    small.map(0, 2, entry(CODE, DATA_ONLY));
    let jump = word(|code| code.op(Opcode::Jal, x(0), x(0), x(0), PAGE as i64));
    small.place_words(CODE + PAGE, &[jump]);
    small.place_words(CODE, &[add(1), RETURN]);
    let function = if chained { MAPPED } else { MAPPED + PAGE };
    for (amount, (_, writer)) in WRITERS.iter().enumerate() {
        small.call(function);
        operands(&mut small, alias, add(amount as u32 + 2));
        writer(&mut small.code);
        if fenced {
            small.code.plain(Opcode::FenceI);
        }
        small.call(function);
        small.call(function);
    }
    small.finish()
}

/// Where code is written.
#[derive(Copy, Clone, Debug)]
pub(super) enum Alias {
    /// Where it is executed.
    Itself,
    /// Where all of memory is.
    Memory,
    /// Where its page is mapped once more.
    Other,
}

#[test]
fn code_written_between_calls() {
    for alias in [Alias::Itself, Alias::Memory, Alias::Other] {
        for fenced in [false, true] {
            for chained in [false, true] {
                run(&written_between_calls(alias, fenced, chained), &format!("{alias:?}"));
            }
        }
    }
}

/// The same by store-conditionals: how often they fail is not the guest's to know.
#[test]
fn code_written_by_store_conditionals() {
    let mut small = Small::new();
    small.map(0, 0, entry(CODE, ALL));
    small.place_words(CODE, &[add(1), RETURN]);
    for amount in 2..6 {
        small.call(MAPPED);
        operands(&mut small, MAPPED, add(amount));
        small.code.op(Opcode::LrW, x(7), x(8), x(0), 0);
        small.code.op(Opcode::ScW, x(7), x(8), x(9), 0);
        small.code.store(Opcode::Bne, x(0), x(7), -8);
    }
    small.call(MAPPED);
    let guest = small.finish();
    for paging in pagings() {
        let mut machine = Machine::new(&guest, TechniqueKind::BinaryTranslation, *paging);
        while machine.status.is_none() {
            machine.step().unwrap();
        }
        assert_eq!(machine.hart().x[10], 1 + 2 + 3 + 4 + 5);
    }
}

/// The same by a program of the guest's.
#[test]
fn code_written_by_a_user() {
    let mut small = Small::new();
    small.map(0, 0, entry(CODE, EXECUTE));
    small.map(0, 1, Small::user_entry());
    small.map(0, 2, entry(CODE, ALL_USER & !8));
    small.place_words(CODE, &[add(1), RETURN]);
    for (amount, (_, writer)) in WRITERS.iter().enumerate() {
        small.call(MAPPED);
        operands(&mut small, MAPPED + 2 * PAGE, add(amount as u32 + 2));
        small.user(MAPPED + PAGE, writer);
        small.call(MAPPED);
    }
    let guest = small.finish();
    run(&Guest { translates_users: true, ..guest.clone() }, "translated user");
    run(&guest, "user");
}

/// A function writes its own next instruction, the one right behind the one that writes.
#[test]
fn code_that_writes_what_comes_next() {
    for (name, writer) in WRITERS {
        let mut small = Small::new();
        small.map(0, 0, entry(CODE, ALL));
        let mut function = Assembler::default();
        writer(&mut function);
        let next = MAPPED + function.here();
        function.words.extend([add(1), RETURN]);
        small.place(CODE, &function.bytes());
        for amount in 2..5 {
            operands(&mut small, next, add(amount));
            small.call(MAPPED);
        }
        for coverage in run(&small.finish(), name) {
            assert!(coverage.kinds().contains_key(&Kind::Step), "{name}");
        }
    }
}

/// Short instructions at the end of a page and a long one that goes on in the next, which lies
/// elsewhere; either page changes, moves and goes.
#[test]
fn code_across_pages() {
    let (first, second) = (MAPPED, MAPPED + PAGE);
    let [low, high] = [0, 16].map(|shift| (add(8) >> shift) as u16);
    let page = |number: u64| CODE + number * PAGE;
    let mut small = Small::new();
    for (number, start) in [(0, 0x0505), (7, 0x0509)] {
        // `c.addi x10, 1` or 2, twice, and the first half.
        let halves: [u16; 3] = [start, start, low];
        let bytes: Vec<u8> = halves.into_iter().flat_map(u16::to_le_bytes).collect();
        small.place(page(number) + 0xffa, &bytes);
    }
    for (number, high) in [(5, high), (6, high + 0x100)] {
        small.place(page(number), &high.to_le_bytes());
        small.place(page(number) + 2, &RETURN.to_le_bytes());
    }
    let both = |small: &mut Small| {
        small.call(first + 0xffa);
        small.call(first + 0xffe);
    };
    small.map(0, 0, entry(page(0), ALL));
    small.map(0, 1, entry(page(5), ALL));
    both(&mut small);
    both(&mut small);
    // The second half, then the first (an exclusive or), then both in one store.
    let changes: [(Opcode, u64, u32); 3] = [
        (Opcode::Sh, page(5), u32::from(high) + 0x200),
        (Opcode::Sh, page(0) + 0xffe, 0x4513),
        (Opcode::Sw, first + 0xffe, add(9)),
    ];
    for (opcode, address, value) in changes {
        small.code.constant(x(8), address);
        small.code.constant(x(9), u64::from(value));
        small.code.store(opcode, x(9), x(8), 0);
        both(&mut small);
        both(&mut small);
    }
    let mappings = [
        (1, entry(page(6), ALL), Some(second)),
        (0, entry(page(7), ALL), Some(first)),
        (1, 0, None),
        (1, entry(page(5), ALL), None),
        (1, entry(SERIAL_PORT, ALL), Some(second)),
        (1, entry(page(5), DATA_ONLY), Some(second)),
        (1, entry(page(5), EXECUTE), Some(second)),
        (0, entry(page(0), DATA_ONLY), Some(first)),
        (0, entry(page(0), EXECUTE), None),
    ];
    for (index, value, fenced) in mappings {
        small.remap(0, index, value);
        small.fence(fenced);
        both(&mut small);
        both(&mut small);
    }
    run(&small.finish(), "across pages");
}

#[test]
fn code_in_odd_places() {
    let mut small = Small::new();
    small.map(0, 2, entry(CODE, ALL));
    // The second half of the first instruction is `c.addi x10, 1`.
    small.place_words(CODE, &[add(0x50), RETURN]);
    for _ in 0..3 {
        small.call(MAPPED + 2 * PAGE);
        small.call(MAPPED + 2 * PAGE + 2);
    }
    // Devices, nothing, addresses that are none; where memory ends in a short instruction, in half
    // of a long one, in a whole one.
    for address in [SERIAL_PORT, 0x2000_0000, END, 1 << 40, 0xffff_ffc0_0000_0000, MAPPED] {
        small.call(address);
    }
    for (address, value) in [(END - 2, 0x0505), (END - 2, 0x0513), (END - 4, RETURN)] {
        small.code.constant(x(8), address);
        small.code.constant(x(9), u64::from(value));
        let opcode = if value == RETURN { Opcode::Sw } else { Opcode::Sh };
        small.code.store(opcode, x(9), x(8), 0);
        small.call(address);
        small.call(address);
    }
    run(&small.finish(), "odd places");
}

/// Two address spaces with other code at the same address, and the same code at two.
pub(super) fn two_address_spaces() -> Guest {
    let mut small = Small::new();
    for index in 0..2 {
        small.place_words(CODE + index * PAGE, &[add(1 + index as u32), RETURN]);
        small.map(index, 0, entry(CODE + index * PAGE, EXECUTE));
        small.map(index, 1, entry(CODE, ALL));
    }
    for round in 0..4 {
        for space in [0, 1] {
            small.switch(space);
            small.call(MAPPED);
            small.call(MAPPED + PAGE);
            if round == 1 {
                small.store_word(MAPPED + PAGE, add(100 + space as u32));
            }
            if round == 2 {
                // What the other space has, exchanged.
                small.remap(space, 0, entry(CODE + (1 - space) * PAGE, EXECUTE));
                small.fence(if space == 0 { None } else { Some(MAPPED) });
                small.call(MAPPED);
            }
        }
    }
    small.finish()
}

#[test]
fn code_of_two_address_spaces() {
    run(&two_address_spaces(), "two address spaces");
}

/// Registers of a virtio disk, and what makes it read its first sector to an address. The queue is in
/// the pages of data.
fn read_sector(small: &mut Small, to: u64) {
    let ring = |offset: u64| DATA + offset;
    let read = |address: u64, length: u64, flags: u64, next: u64| {
        [address, length | flags << 32 | next << 48]
    };
    let descriptors =
        [read(ring(0x3000), 16, 1, 1), read(to, 512, 3, 2), read(ring(0x3010), 1, 2, 0)];
    for (index, value) in descriptors.into_iter().flatten().enumerate() {
        small.place(ring(8 * index as u64), &value.to_le_bytes());
    }
    small.place(ring(0x1000), &[0, 0, 1, 0, 0, 0]);
    let setup: [(u64, u64); 14] = [
        (0x70, 0),
        (0x70, 1),
        (0x70, 3),
        (0x24, 1),
        (0x20, 1),
        (0x70, 0xb),
        (0x30, 0),
        (0x38, 8),
        (0x80, ring(0)),
        (0x90, ring(0x1000)),
        (0xa0, ring(0x2000)),
        (0x44, 1),
        (0x70, 0xf),
        (0x50, 0),
    ];
    for (register, value) in setup {
        small.store_word(0x1000_1000 + register, value as u32);
    }
}

/// A disk reads new code to where the guest executes, after so many instructions.
pub(super) fn written_by_device(disk_delay: u64) -> Guest {
    // Some rounds of: add, count, repeat.
    let function = |amount: u32| {
        let mut code = Assembler::default();
        code.words.push(add(amount));
        code.immediate(Opcode::Addi, x(24), x(24), -1);
        code.store(Opcode::Bne, x(0), x(24), -8);
        code.words.push(RETURN);
        code.bytes()
    };
    let mut small = Small::new();
    small.place(CODE, &function(1));
    small.code.constant(x(24), 4);
    small.call(CODE);
    read_sector(&mut small, CODE);
    small.code.constant(x(24), 6);
    small.call(CODE);
    small.code.plain(Opcode::FenceI);
    small.code.constant(x(24), 20);
    small.call(CODE);
    let disk = DiskImage::with_content(1 << 20, &function(100)).unwrap();
    Guest { disk: Some(disk), disk_delay, ..small.finish() }
}

#[test]
fn code_written_by_a_device() {
    let mut sums = BTreeSet::new();
    // The call begins after some 25 instructions; the function makes six rounds of three.
    for disk_delay in 20..46 {
        for paging in pagings() {
            let injected = if disk_delay % 8 == 0 { faults::ALL } else { &[] };
            let mut pair = Pair::new(&written_by_device(disk_delay), *paging, injected);
            pair.run().unwrap_or_else(|error| panic!("{paging:?}, {disk_delay}: {error}"));
            sums.insert(pair.sum());
        }
    }
    // It came at different instructions, and was seen.
    assert!(sums.len() > 4, "{sums:?}");
}
