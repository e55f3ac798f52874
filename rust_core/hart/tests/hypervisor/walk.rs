//! Two-stage translation: what it maps, how many entries it reads, and how it fails.
//!
//! Expected values are those of the hypervisor extension, "Two-Stage Address Translation",
//! "Guest-Page Faults" and "Transformed Instruction or Pseudoinstruction".

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::{Exception, Signal, Timing, Width};

const READ_OF_TABLE: u64 = 0x3000;
const WRITE_OF_TABLE: u64 = 0x3020;
/// Rights of a first-stage leaf.
const VS_LEAF: u64 = V | R | W | X | A | D;

/// A guest with one page of data.
fn guest(first: u64, second: u64) -> Guest {
    let mut guest = Guest::new(first, second);
    guest.map_first(PAGE, 0, DATA, VS_LEAF);
    guest.world.poke(RAM + DATA, 0x1111);
    guest
}

/// The address at which the guest finds the data.
fn data_address(guest: &Guest) -> u64 {
    if guest.first == BARE { guest.guest_address(RAM + DATA) } else { PAGE }
}

#[test]
fn all_modes_of_both_stages_find_the_data() {
    for first in [BARE, SV39, SV48] {
        for second in [BARE, SV39, SV48] {
            let mut guest = guest(first, second);
            let va = data_address(&guest);
            assert_eq!(guest.load(va), Ok(0x1111), "{first} {second}");
            assert_eq!(guest.world.fetch(va), Ok(0x1111));
            assert!(guest.world.store(va + 8, Width::Double, 5).is_ok());
            assert_eq!(guest.world.peek(RAM + DATA + 8), 5);
        }
    }
}

/// `(n + 1)(m + 1) - 1` entries of `n` and `m` levels.
#[test]
fn a_walk_reads_as_many_entries_as_both_stages_have() {
    let levels = |mode: u64| if mode == BARE { 0 } else { u64::from(levels(mode)) };
    for first in [BARE, SV39, SV48] {
        for second in [BARE, SV39, SV48] {
            let mut guest = guest(first, second);
            let va = data_address(&guest);
            let expected = (levels(first) + 1) * (levels(second) + 1) - 1;
            for _ in 0..2 {
                guest.world.hart.flush_second_stage(None);
                let load = guest.references(|guest| assert!(guest.load(va).is_ok()));
                let fetch = guest.references(|guest| assert!(guest.world.fetch(va).is_ok()));
                assert_eq!((load, fetch), (expected, expected), "{first} {second}");
            }
            assert_eq!(guest.references(|guest| assert!(guest.load(va).is_ok())), 0);
        }
    }
}

#[test]
fn the_published_counts() {
    for (first, second, expected) in [(SV39, SV39, 15), (SV48, SV48, 24), (SV39, BARE, 3)] {
        let mut guest = guest(first, second);
        assert_eq!(guest.references(|guest| assert!(guest.load(PAGE).is_ok())), expected);
    }
}

#[test]
fn large_pages_at_both_stages_take_eight_reads() {
    let mut guest = Guest::bare(SV39, SV39, Timing::uniform());
    guest.map_second(0, 1, ALL);
    guest.map_first(0x1220_0000, 1, 0, VS_LEAF);
    let va = 0x1220_0000 + DATA;
    assert_eq!(guest.references(|guest| assert!(guest.load(va).is_ok())), 8);
    let other = guest.references(|guest| assert!(guest.load(va + 0x8000).is_ok()));
    assert_eq!(other, 0, "the entry is of two megabytes");
}

/// The entry of a large page that the second stage maps by small ones is a small one.
#[test]
fn an_entry_is_of_the_smaller_page() {
    let mut guest = Guest::new(SV39, SV39);
    guest.map_first(0x1220_0000, 1, 0, VS_LEAF);
    for page in [0, 1, 2] {
        let va = 0x1220_0000 + page * 4096;
        guest.world.poke(RAM + page * 4096, page);
        let reads = guest.references(|guest| assert_eq!(guest.load(va), Ok(page)));
        assert_eq!(reads, 2 * 4 + 3);
    }
    let mut guest = Guest::bare(SV39, SV39, Timing::uniform());
    guest.map_second(0, 1, ALL);
    guest.map_first(PAGE, 0, DATA, VS_LEAF);
    assert_eq!(guest.references(|guest| assert!(guest.load(PAGE).is_ok())), 3 * 3 + 2);
    assert!(guest.load(PAGE + 4096).is_err());
}

#[test]
fn cycles_are_charged_for_each_entry() {
    let timing = Timing { walk_reference_cycles: 7, ..Timing::uniform() };
    let mut guest = Guest::with_timing(SV39, SV39, timing);
    guest.map_first(PAGE, 0, DATA, VS_LEAF);
    let before = guest.world.hart.clock.cycles;
    guest.load(PAGE).unwrap();
    assert_eq!(guest.world.hart.clock.cycles - before, 15 * 7);
    assert_eq!(guest.world.hart.counters.dtlb_misses, 1);
}

type Try = fn(&mut Guest, u64) -> Option<dcsim_hart::Abort>;

/// Each kind of access, with the page fault and the guest-page fault that it raises.
const ACCESSES: [(Try, Exception, Exception); 3] = [
    (
        |guest, va| guest.world.fetch(va).err(),
        Exception::InstructionPageFault,
        Exception::InstructionGuestPageFault,
    ),
    (|guest, va| guest.load(va).err(), Exception::LoadPageFault, Exception::LoadGuestPageFault),
    (
        |guest, va| guest.world.store(va, Width::Double, 1).err(),
        Exception::StorePageFault,
        Exception::StoreGuestPageFault,
    ),
];

#[test]
fn a_page_that_the_second_stage_lacks_is_told_by_its_guest_physical_address() {
    for (access, _, cause) in ACCESSES {
        let mut guest = guest(SV39, SV39);
        guest.map_second(DATA, 0, 0);
        let address = GUEST_RAM + DATA + 0x28;
        let expected = guest_fault::<()>(cause, PAGE + 0x28, address, 0).err();
        assert_eq!(access(&mut guest, PAGE + 0x28), expected);
    }
}

#[test]
fn a_table_that_the_second_stage_lacks_is_told_as_a_read_of_it() {
    for level in 0..3 {
        for (access, _, cause) in ACCESSES {
            let mut guest = guest(SV39, SV39);
            let slot = guest.map_first(PAGE, 0, DATA, VS_LEAF);
            let table = match level {
                2 => guest.physical_address(guest.first_root) + index(PAGE, 2) * 8,
                1 => {
                    let root = guest.physical_address(guest.first_root);
                    let next = guest.world.peek(root + index(PAGE, 2) * 8) >> 10 << 12;
                    guest.physical_address(next) + index(PAGE, 1) * 8
                }
                _ => slot,
            };
            guest.map_second((table - RAM) & !0xfff, 0, 0);
            let address = guest.guest_address(table);
            let expected = guest_fault::<()>(cause, PAGE, address, READ_OF_TABLE).err();
            assert_eq!(access(&mut guest, PAGE), expected, "level {level}");
        }
    }
}

#[test]
fn a_page_that_the_first_stage_lacks_is_the_guests_own_fault() {
    for (access, cause, _) in ACCESSES {
        let mut guest = guest(SV39, SV39);
        guest.map_first(PAGE, 0, DATA, 0);
        assert_eq!(access(&mut guest, PAGE), trap::<()>(cause, PAGE).err());
        assert_eq!(access(&mut guest, 1 << 40), trap::<()>(cause, 1 << 40).err());
    }
}

/// Tables are read with the right to read, whatever the access is; the fault is the access's.
#[test]
fn a_table_need_only_be_readable() {
    for (bits, readable) in [(ALL & !W & !X, true), (ALL & !R & !W, false), (ALL & !U, false)] {
        for (access, _, cause) in ACCESSES {
            let mut guest = guest(SV39, SV39);
            let slot = guest.map_first(PAGE, 0, DATA, VS_LEAF);
            guest.map_second((slot - RAM) & !0xfff, 0, bits);
            let address = guest.guest_address(slot);
            let fault = guest_fault::<()>(cause, PAGE, address, READ_OF_TABLE).err();
            assert_eq!(access(&mut guest, PAGE), if readable { None } else { fault });
        }
    }
}

/// `sstatus.MXR` is for explicit loads: it does not make an execute-only table readable.
#[test]
fn execute_only_tables_stay_unreadable_with_mxr() {
    let mut guest = guest(SV39, SV39);
    let slot = guest.map_first(PAGE, 0, DATA, VS_LEAF);
    guest.map_second((slot - RAM) & !0xfff, 0, ALL & !R & !W);
    guest.world.set(csr::MSTATUS, status::MXR);
    let address = guest.guest_address(slot);
    let fault = guest_fault(Exception::LoadGuestPageFault, PAGE, address, READ_OF_TABLE);
    assert_eq!(guest.load(PAGE), fault);
}

#[test]
fn guest_physical_addresses_have_two_bits_more_than_virtual_ones() {
    for (second, bits) in [(SV39, 41), (SV48, 50)] {
        let mut guest = Guest::new(BARE, second);
        let highest = (1_u64 << bits) - 4096;
        let top = levels(second) - 1;
        let size = 1_u64 << (12 + 9 * top);
        // A large page over the highest addresses, which lands far beyond memory.
        guest.map_second_to(highest, top, (highest & !(size - 1)) >> 2 | ALL);
        let outcome = guest.load(highest);
        assert_eq!(outcome, trap(Exception::LoadAccessFault, highest), "it is translated");
        let beyond = 1_u64 << bits;
        let fault = guest_fault(Exception::LoadGuestPageFault, beyond, beyond, 0);
        assert_eq!(guest.references(|guest| assert_eq!(guest.load(beyond), fault)), 0);
    }
}

#[test]
fn the_root_of_the_second_stage_has_two_thousand_entries() {
    for quarter in 0..4 {
        let mut guest = Guest::new(BARE, SV39);
        let address = (quarter << 39) + GUEST_RAM + DATA;
        guest.map_second_to(address, 0, (RAM + DATA) >> 2 | ALL);
        guest.world.poke(RAM + DATA, 0x40 + quarter);
        assert_eq!(guest.load(address), Ok(0x40 + quarter));
        let other = address ^ 1 << 39;
        assert!(guest.load(other).is_err() || quarter == 1, "{quarter}");
    }
}

#[test]
fn misaligned_large_pages_of_the_second_stage_fault() {
    let mut guest = Guest::bare(BARE, SV39, Timing::uniform());
    guest.map_second_to(GUEST_RAM, 1, (RAM + 0x1000) >> 2 | ALL);
    let fault = guest_fault(Exception::LoadGuestPageFault, GUEST_RAM, GUEST_RAM, 0);
    assert_eq!(guest.load(GUEST_RAM), fault);
}

/// A store whose second page the second stage lacks reports the boundary that it crosses.
#[test]
fn a_misaligned_access_reports_its_faulting_part() {
    let mut guest = guest(SV39, SV39);
    guest.map_first(PAGE + 4096, 0, DATA + 4096, VS_LEAF);
    guest.map_second(DATA + 4096, 0, 0);
    let cause = Exception::StoreGuestPageFault;
    let expected = guest_fault(cause, PAGE + 4096, GUEST_RAM + DATA + 4096, 0);
    assert_eq!(guest.world.store(PAGE + 0xffc, Width::Double, 1), expected);
    assert_eq!(guest.world.peek(RAM + DATA + 0xff8), 0, "nothing is written");
}

/// Each combination of what must be marked and what marks by itself.
#[test]
fn accessed_and_dirty_bits_are_set_or_faults_as_each_stage_has_it() {
    for (guest_marks, host_marks) in [(false, false), (false, true), (true, true)] {
        let mut guest = guest(SV39, SV39);
        guest.world.write(csr::MENVCFG, if host_marks { ADUE } else { 0 });
        guest.world.write(hcsr::HENVCFG, if guest_marks { ADUE } else { 0 });
        let second = guest.map_second(DATA, 0, ALL & !A & !D);
        let fault = guest_fault(Exception::StoreGuestPageFault, PAGE, GUEST_RAM + DATA, 0);
        let outcome = guest.world.store(PAGE, Width::Double, 1);
        assert_eq!(outcome, if host_marks { Ok(Signal::None) } else { fault });
        assert_eq!(guest.world.peek(second) & (A | D), if host_marks { A | D } else { 0 });

        guest.map_second(DATA, 0, ALL);
        let first = guest.map_first(PAGE, 0, DATA, VS_LEAF & !A & !D);
        guest.world.hart.flush_second_stage(None);
        let outcome = guest.world.store(PAGE, Width::Double, 1);
        let fault = trap(Exception::StorePageFault, PAGE);
        assert_eq!(outcome, if guest_marks { Ok(Signal::None) } else { fault });
        assert_eq!(guest.world.peek(first) & (A | D), if guest_marks { A | D } else { 0 });
    }
}

/// Marking a guest's entry is a store to guest-physical memory.
#[test]
fn a_guests_entry_is_marked_only_in_memory_that_the_guest_may_write() {
    let mut guest = guest(SV39, SV39);
    guest.world.write(csr::MENVCFG, ADUE);
    guest.world.write(hcsr::HENVCFG, ADUE);
    let slot = guest.map_first(PAGE, 0, DATA, VS_LEAF & !A);
    let table = guest.map_second((slot - RAM) & !0xfff, 0, ALL & !W & !D);
    let address = guest.guest_address(slot);
    let fault = guest_fault(Exception::LoadGuestPageFault, PAGE, address, WRITE_OF_TABLE);
    assert_eq!(guest.load(PAGE), fault);
    assert_eq!(guest.world.peek(slot) & A, 0);

    guest.map_second((slot - RAM) & !0xfff, 0, ALL & !D);
    assert!(guest.load(PAGE).is_ok());
    assert_eq!(guest.world.peek(slot) & A, A);
    assert_eq!(guest.world.peek(table) & D, D, "the table's page is written");
}

/// A guest whose tables are not marked, with a first-stage leaf of these rights and a second-stage
/// leaf for its page; the places of the first-stage leaf and of the leaf for its table.
fn unmarked(rights: u64, page: u64) -> (Guest, u64, u64) {
    let mut guest = guest(SV39, SV39);
    guest.world.write(csr::MENVCFG, ADUE);
    guest.world.write(hcsr::HENVCFG, ADUE);
    let slot = guest.map_first(PAGE, 0, DATA, rights);
    let table = guest.map_second((slot - RAM) & !0xfff, 0, ALL & !A & !D);
    guest.map_second(DATA, 0, page);
    (guest, slot, table)
}

/// A walk of the first stage that ends in a fault leaves every entry as it was.
#[test]
fn a_first_stage_that_fails_marks_nothing() {
    let (mut guest, slot, table) = unmarked(V | R, ALL);
    assert!(guest.world.store(PAGE, Width::Double, 1).is_err());
    assert_eq!((guest.world.peek(slot) & (A | D), guest.world.peek(table) & (A | D)), (0, 0));
}

/// As on a machine of its own, where what is behind the page is asked for after the walk: a store
/// to a device that a monitor plays leaves its mark in the guest's entry.
#[test]
fn the_first_stage_is_marked_whatever_the_second_says_of_the_page() {
    let (mut guest, slot, table) = unmarked(VS_LEAF & !A & !D, 0);
    assert!(guest.world.store(PAGE, Width::Double, 1).is_err());
    let marks = (guest.world.peek(slot) & (A | D), guest.world.peek(table) & (A | D));
    assert_eq!(marks, (A | D, A | D));
}

/// Bits of an entry that are reserved, as bits of an entry that would be right without them.
const RESERVED: [u64; 10] =
    [1 << 54, 1 << 55, 1 << 56, 1 << 57, 1 << 58, 1 << 59, 1 << 60, 1 << 61, 1 << 62, 1 << 63];

/// Leaves of the second stage that are not valid, at every level: no V, W without R, bits that are
/// reserved, and those of extensions that are not there.
#[test]
fn leaves_of_the_second_stage_that_are_not_valid_fault() {
    let mut wrong = vec![ALL & !V, ALL & !R & !X, ALL & !R];
    wrong.extend(RESERVED.map(|bit| ALL | bit));
    for level in 0..3 {
        for entry in &wrong {
            let mut guest = Guest::bare(BARE, SV39, Timing::uniform());
            let page = 1 << 31;
            guest.map_second_to(page, level, RAM >> 2 | entry);
            let fault = guest_fault(Exception::LoadGuestPageFault, page, page, 0);
            assert_eq!(guest.load(page), fault, "level {level}, {entry:x}");
            guest.map_second_to(page, level, RAM >> 2 | ALL);
            guest.world.hart.flush_second_stage(None);
            assert!(guest.load(page).is_ok(), "level {level}");
        }
    }
}

/// Pointers to tables of the second stage with bits that are for leaves, or reserved; and one at the
/// last level, where there is no further table.
#[test]
fn pointers_of_the_second_stage_that_are_not_valid_fault() {
    let mut wrong = vec![A, D, U, A | D | U];
    wrong.extend(RESERVED);
    for level in [1, 2] {
        for bits in &wrong {
            let mut guest = Guest::bare(BARE, SV39, Timing::uniform());
            let page = GUEST_RAM + DATA;
            guest.map_second_to(page, 0, (RAM + DATA) >> 2 | ALL);
            assert!(guest.load(page).is_ok());
            let slot = second_stage_slot(&mut guest, page, level);
            let entry = guest.world.peek(slot);
            guest.world.poke(slot, entry | bits);
            guest.world.hart.flush_second_stage(None);
            let fault = guest_fault(Exception::LoadGuestPageFault, page, page, 0);
            assert_eq!(guest.load(page), fault, "level {level}, {bits:x}");
        }
    }
    let mut guest = Guest::bare(BARE, SV39, Timing::uniform());
    guest.map_second_to(GUEST_RAM, 0, RAM >> 2 | V);
    let fault = guest_fault(Exception::LoadGuestPageFault, GUEST_RAM, GUEST_RAM, 0);
    assert_eq!(guest.load(GUEST_RAM), fault);
}

/// Where the pointer at this level is that the walk of the second stage comes through.
fn second_stage_slot(guest: &mut Guest, address: u64, level: u32) -> u64 {
    let mut table = guest.second_root;
    for above in (level + 1..levels(guest.second)).rev() {
        let mask = if above == levels(guest.second) - 1 { 0x7ff } else { 0x1ff };
        let entry = guest.world.peek(table + (address >> (12 + 9 * above) & mask) * 8);
        table = entry >> 10 << 12;
    }
    let mask = if level == levels(guest.second) - 1 { 0x7ff } else { 0x1ff };
    table + (address >> (12 + 9 * level) & mask) * 8
}

/// The second stage has no global pages and no page of a supervisor's: G is ignored, and U has to be
/// set, whoever accesses.
#[test]
fn leaves_of_the_second_stage_are_for_user_mode_and_may_say_global() {
    for from in [VS_MODE, VU_MODE] {
        for (bits, works) in [(ALL, true), (ALL | G, true), (ALL & !U, false)] {
            let mut guest = Guest::new(BARE, SV39);
            guest.map_second(DATA, 0, bits);
            enter(&mut guest.world, from);
            assert_eq!(guest.load(GUEST_RAM + DATA).is_ok(), works, "{from:?} {bits:x}");
        }
    }
}
