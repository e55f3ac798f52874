//! Address translation: permissions, page sizes, accessed and dirty bits, faults.
//!
//! Expected values are those of the supervisor architecture, "Virtual Address Translation Process"
//! and the fields of `mstatus` that modify it.

mod privileged_world;

use dcsim_hart::{Exception, Privilege, Timing, Width};
use privileged_world::{A, ADUE, D, G, PAGES, R, RAM, U, V, W, World, X, csr, status, trap};

const VA: u64 = 0x40_1000;
const DATA: u64 = RAM + 0x3000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fetch,
    Load,
    Store,
}

const KINDS: [Kind; 3] = [Kind::Fetch, Kind::Load, Kind::Store];

impl Kind {
    fn attempt(self, world: &mut World, va: u64) -> Result<(), dcsim_hart::Abort> {
        match self {
            Self::Fetch => world.fetch(va).map(drop),
            Self::Load => world.load(va, Width::Half).map(drop),
            Self::Store => world.store(va, Width::Half, 0).map(drop),
        }
    }

    fn page_fault(self, va: u64) -> Result<(), dcsim_hart::Abort> {
        trap(
            match self {
                Self::Fetch => Exception::InstructionPageFault,
                Self::Load => Exception::LoadPageFault,
                Self::Store => Exception::StorePageFault,
            },
            va,
        )
    }

    fn access_fault(self, va: u64) -> Result<(), dcsim_hart::Abort> {
        trap(
            match self {
                Self::Fetch => Exception::InstructionAccessFault,
                Self::Load => Exception::LoadAccessFault,
                Self::Store => Exception::StoreAccessFault,
            },
            va,
        )
    }
}

/// A world with three-level tables in use by supervisor mode; returns the root.
fn paged() -> (World, u64) {
    let mut world = World::open();
    let root = world.new_table();
    world.use_sv39(root, 0);
    world.hart.set_privilege(Privilege::Supervisor);
    (world, root)
}

/// Whether an access is permitted, by the letter of the specification.
fn is_permitted(kind: Kind, privilege: Privilege, bits: u64, sum: bool, mxr: bool) -> bool {
    let reserved = bits & (R | W) == W;
    let leaf = bits & (R | X) != 0;
    let right = match kind {
        Kind::Fetch => bits & X != 0,
        Kind::Load => bits & R != 0 || (mxr && bits & X != 0),
        Kind::Store => bits & W != 0,
    };
    let user_page = bits & U != 0;
    let reachable = match privilege {
        Privilege::User => user_page,
        _ => !user_page || (sum && kind != Kind::Fetch),
    };
    bits & V != 0 && !reserved && leaf && right && reachable
}

#[test]
fn every_combination_of_rights_and_modes_is_as_specified() {
    for rights in 0..32 {
        for privilege in [Privilege::User, Privilege::Supervisor] {
            for (modifiers, sum, mxr) in [
                (0, false, false),
                (status::SUM, true, false),
                (status::MXR, false, true),
                (status::SUM | status::MXR, true, true),
            ] {
                let (mut world, root) = paged();
                world.map_page(root, VA, DATA, rights | A | D);
                world.set(csr::MSTATUS, modifiers);
                world.hart.set_privilege(privilege);
                for kind in KINDS {
                    let permitted = is_permitted(kind, privilege, rights, sum, mxr);
                    let expected = if permitted { Ok(()) } else { kind.page_fault(VA) };
                    // Once by the walk, once by whatever has been cached since.
                    for _ in 0..2 {
                        let result = kind.attempt(&mut world, VA);
                        assert_eq!(result, expected, "{kind:?} {privilege:?} {rights:#x}");
                    }
                }
            }
        }
    }
}

#[test]
fn cached_translations_do_not_outlive_a_change_of_mode() {
    let (mut world, root) = paged();
    world.map_page(root, VA, DATA, V | R | W | X | U | A | D);
    world.set(csr::MSTATUS, status::SUM);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    world.write(csr::SSTATUS, 0);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Kind::Load.page_fault(VA));
    world.hart.set_privilege(Privilege::User);
    for kind in KINDS {
        assert_eq!(kind.attempt(&mut world, VA), Ok(()));
    }
    world.hart.set_privilege(Privilege::Supervisor);
    for kind in KINDS {
        assert_eq!(kind.attempt(&mut world, VA), kind.page_fault(VA));
    }
}

#[test]
fn mprv_translates_data_for_the_previous_mode() {
    let (mut world, root) = paged();
    world.map_page(root, VA, DATA, V | R | W | X | A | D);
    world.poke(DATA, 0x1234);
    world.hart.set_privilege(Privilege::Machine);
    assert_eq!(world.load(VA, Width::Half), trap(Exception::LoadAccessFault, VA));
    world.write(csr::MSTATUS, status::MPRV | status::MPP_S);
    assert_eq!(world.load(VA, Width::Half), Ok(0x1234));
    assert!(world.fetch(VA).is_err(), "fetches stay in machine mode");
    world.write(csr::MSTATUS, status::MPRV);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Kind::Load.page_fault(VA), "as user mode");
    world.write(csr::MSTATUS, status::MPRV | status::MPP);
    assert_eq!(world.load(DATA, Width::Half), Ok(0x1234), "as machine mode: no translation");
}

#[test]
fn accessed_and_dirty_bits_fault_without_svadu() {
    for kind in KINDS {
        for marks in [0, A, D, A | D] {
            let (mut world, root) = paged();
            let slot = world.map_page(root, VA, DATA, V | R | W | X | marks);
            let before = world.peek(slot);
            let enough = marks & A != 0 && (kind != Kind::Store || marks & D != 0);
            let expected = if enough { Ok(()) } else { kind.page_fault(VA) };
            assert_eq!(kind.attempt(&mut world, VA), expected, "{kind:?} {marks:#x}");
            assert_eq!(world.peek(slot), before);
        }
    }
}

#[test]
fn accessed_and_dirty_bits_are_set_with_svadu() {
    for kind in KINDS {
        for marks in [0, A, D, A | D] {
            let (mut world, root) = paged();
            world.write(csr::MENVCFG, ADUE);
            let slot = world.map_page(root, VA, DATA, V | R | W | X | marks);
            let before = world.peek(slot);
            assert_eq!(kind.attempt(&mut world, VA), Ok(()));
            let set = if kind == Kind::Store { A | D } else { A };
            assert_eq!(world.peek(slot), before | set);
        }
    }
}

#[test]
fn a_refused_access_sets_no_bits() {
    let (mut world, root) = paged();
    world.write(csr::MENVCFG, ADUE);
    let slot = world.map_page(root, VA, DATA, V | R);
    assert_eq!(Kind::Store.attempt(&mut world, VA), Kind::Store.page_fault(VA));
    assert_eq!(world.peek(slot), DATA >> 2 | V | R);
}

#[test]
fn the_first_store_after_loads_marks_the_page_dirty() {
    let (mut world, root) = paged();
    world.write(csr::MENVCFG, ADUE);
    let slot = world.map_page(root, VA, DATA, V | R | W);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    assert_eq!(world.peek(slot) & (A | D), A);
    assert_eq!(Kind::Store.attempt(&mut world, VA), Ok(()));
    assert_eq!(world.peek(slot) & (A | D), A | D);
    assert_eq!(world.hart.counters.dtlb_misses, 2);
    assert_eq!(world.hart.counters.walk_references, 6);
}

#[test]
fn without_svadu_the_first_store_faults_until_software_marks_the_page() {
    let (mut world, root) = paged();
    let slot = world.map_page(root, VA, DATA, V | R | W | A);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    assert_eq!(Kind::Store.attempt(&mut world, VA), Kind::Store.page_fault(VA));
    let entry = world.peek(slot);
    world.poke(slot, entry | D);
    assert_eq!(Kind::Store.attempt(&mut world, VA), Ok(()));
}

#[test]
fn pages_of_every_size_map_their_whole_range() {
    // Tables of 3 and 4 levels; a page of level n covers 2^(12 + 9n) bytes.
    for (mode, levels) in [(8, 3), (9, 4)] {
        for level in 0..levels {
            let mut world = World::open();
            let root = world.new_table();
            let size = 1_u64 << (12 + 9 * level);
            // Memory at RAM seen through a page that starts at or below it.
            let base = RAM & !(size - 1);
            let page_va = 3 * size;
            world.map(root, levels, page_va, level, base >> 2 | V | R | W | X | A | D);
            world.write(csr::SATP, mode << 60 | root >> 12);
            world.hart.set_privilege(Privilege::Supervisor);
            let va = page_va + (RAM - base);
            let last = va + size.min(PAGES * 4096) - 8;
            world.poke(RAM, 0x1111);
            assert_eq!(world.load(va, Width::Double), Ok(0x1111), "{mode} {level}");
            assert!(world.store(last, Width::Double, 0x2222).is_ok());
            assert_eq!(world.load(last, Width::Double), Ok(0x2222));
            assert_eq!(world.peek(RAM + (last - va)), 0x2222);
            assert!(world.load(page_va + size, Width::Byte).is_err());
        }
    }
}

#[test]
fn a_misaligned_superpage_faults() {
    for (level, bit) in [(1, 12), (1, 20), (2, 12), (2, 29)] {
        let (mut world, root) = paged();
        let physical = (1 << 34) | 1_u64 << bit;
        world.map(root, 3, 0, level, physical >> 2 | V | R | A);
        assert_eq!(Kind::Load.attempt(&mut world, 0x10), Kind::Load.page_fault(0x10));
    }
}

#[test]
fn reserved_bits_fault_at_every_level() {
    for bit in 54..64 {
        for level in 0..3 {
            let (mut world, root) = paged();
            world.map(root, 3, 0, level, V | R | W | X | A | D | 1 << bit);
            for kind in KINDS {
                assert_eq!(kind.attempt(&mut world, 0x10), kind.page_fault(0x10), "bit {bit}");
            }
        }
    }
}

#[test]
fn pointers_with_leaf_bits_or_reserved_bits_fault() {
    let reserved = (54..64).map(|bit| 1_u64 << bit);
    for extra in reserved.chain([U, A, D]) {
        for level in [1, 2] {
            let (mut world, root) = paged();
            world.map_page(root, VA, DATA, V | R | A);
            let slot = world.slot(root, VA, level);
            let entry = world.peek(slot);
            world.poke(slot, entry | extra);
            assert_eq!(Kind::Load.attempt(&mut world, VA), Kind::Load.page_fault(VA));
        }
    }
}

#[test]
fn a_pointer_in_the_last_level_faults() {
    let (mut world, root) = paged();
    world.map_page(root, VA, DATA, V);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Kind::Load.page_fault(VA));
    assert_eq!(world.hart.counters.walk_references, 3);
}

#[test]
fn addresses_that_are_not_canonical_fault_without_a_walk() {
    for (mode, top) in [(8, 38), (9, 47)] {
        let mut world = World::open();
        let root = world.new_table();
        world.write(csr::SATP, mode << 60 | root >> 12);
        world.hart.set_privilege(Privilege::Supervisor);
        for va in [1_u64 << top, 1 << 63, (u64::MAX << top) ^ (1 << 60)] {
            for kind in KINDS {
                assert_eq!(kind.attempt(&mut world, va), kind.page_fault(va), "{va:#x}");
            }
        }
        assert_eq!(world.hart.counters.walk_references, 0);
    }
}

#[test]
fn the_upper_half_of_the_address_space_works_like_the_lower() {
    let (mut world, root) = paged();
    let va = u64::MAX << 38 | 0x5000;
    world.map_page(root, va, DATA, V | R | W | X | A | D);
    for kind in KINDS {
        assert_eq!(kind.attempt(&mut world, va + 0xffe), Ok(()));
    }
}

#[test]
fn tables_outside_memory_raise_an_access_fault_of_the_original_kind() {
    let (mut world, root) = paged();
    world.map(root, 3, VA, 2, 0x1000_0000 >> 2 | V);
    for kind in KINDS {
        assert_eq!(kind.attempt(&mut world, VA), kind.access_fault(VA));
    }
    world.use_sv39(1 << 55, 0);
    for kind in KINDS {
        assert_eq!(kind.attempt(&mut world, VA), kind.access_fault(VA));
    }
    assert!(world.device.seen.is_empty(), "a walk reads no device");
}

#[test]
fn tables_are_protected_as_supervisor_accesses() {
    let (mut world, root) = paged();
    world.map_page(root, VA, DATA, V | R | W | X | U | A);
    // Tables may not be read: everything else may.
    world.write(0x3b1, u64::MAX);
    world.write(csr::PMPADDR0, root >> 2 | 0x1ff);
    world.write(csr::PMPCFG0, 0x1f18);
    for privilege in [Privilege::User, Privilege::Supervisor] {
        world.hart.set_privilege(privilege);
        for kind in KINDS {
            assert_eq!(kind.attempt(&mut world, VA), kind.access_fault(VA));
        }
    }
}

#[test]
fn marking_a_page_needs_the_right_to_write_the_table() {
    let (mut world, root) = paged();
    world.write(csr::MENVCFG, ADUE);
    let slot = world.map_page(root, VA, DATA, V | R | W | A);
    world.write(0x3b1, u64::MAX);
    world.write(csr::PMPADDR0, (slot & !0xfff) >> 2 | 0x1ff);
    world.write(csr::PMPCFG0, 0x1f19);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    assert_eq!(Kind::Store.attempt(&mut world, VA), Kind::Store.access_fault(VA));
    assert_eq!(world.peek(slot) & D, 0);
}

#[test]
fn the_translated_address_is_protected_too() {
    let (mut world, root) = paged();
    world.map_page(root, VA, DATA, V | R | W | X | A | D);
    world.write(0x3b1, u64::MAX);
    world.write(csr::PMPADDR0, DATA >> 2 | 0x1ff);
    world.write(csr::PMPCFG0, 0x1f18);
    for kind in KINDS {
        assert_eq!(kind.attempt(&mut world, VA), kind.access_fault(VA));
    }
}

#[test]
fn walks_cost_their_references_also_when_they_fault() {
    let timing = Timing { walk_reference_cycles: 7, ..Timing::uniform() };
    let mut world = World::open_with_timing(timing);
    let root = world.new_table();
    world.map_page(root, VA, DATA, V | R | X | A);
    world.use_sv39(root, 0);
    world.hart.set_privilege(Privilege::Supervisor);

    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    assert_eq!(world.hart.clock.cycles, 21);
    assert_eq!(Kind::Load.attempt(&mut world, VA + 8), Ok(()));
    assert_eq!(world.hart.clock.cycles, 21);
    assert_eq!(Kind::Fetch.attempt(&mut world, VA), Ok(()));
    assert_eq!(world.hart.clock.cycles, 42, "instructions have a TLB of their own");
    let unmapped = 1 << 30;
    assert_eq!(Kind::Load.attempt(&mut world, unmapped), Kind::Load.page_fault(unmapped));
    assert_eq!(world.hart.clock.cycles, 49, "the first entry was invalid");

    let counters = world.hart.counters;
    assert_eq!((counters.walk_references, counters.walk_cycles), (7, 49));
    assert_eq!((counters.dtlb_misses, counters.itlb_misses), (2, 1));
}

#[test]
fn address_spaces_are_apart_except_for_global_pages() {
    let mut world = World::open();
    let roots = [world.new_table(), world.new_table()];
    let global_va = VA + 0x1000;
    for (root, physical) in roots.into_iter().zip([DATA, DATA + 0x1000]) {
        world.map_page(root, VA, physical, V | R | A);
    }
    world.map_page(roots[0], global_va, DATA, V | R | A | G);
    world.poke(DATA, 1);
    world.poke(DATA + 0x1000, 2);
    world.hart.set_privilege(Privilege::Supervisor);
    for _ in 0..2 {
        for (asid, root) in roots.into_iter().enumerate() {
            world.use_sv39(root, asid as u64);
            assert_eq!(world.load(VA, Width::Byte), Ok(asid as u64 + 1));
            assert_eq!(world.load(global_va, Width::Byte), Ok(1), "known in every space");
        }
    }
    assert_eq!(world.hart.counters.dtlb_misses, 3);
}

#[test]
fn a_global_pointer_makes_all_below_it_global() {
    let (mut world, root) = paged();
    world.map_page(root, VA, DATA, V | R | A);
    let slot = world.slot(root, VA, 2);
    let entry = world.peek(slot);
    world.poke(slot, entry | G);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
    let empty = world.new_table();
    world.use_sv39(empty, 9);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
}

#[test]
fn fences_end_what_they_name() {
    // Address and space of the fence, and whether the entries of space 1 at VA, of space 1 at
    // another page, of space 2 at VA, and the global page survive.
    let other = VA + 0x1000;
    let global = VA + 0x2000;
    let cases = [
        (None, None, [false, false, false, false]),
        (Some(VA + 0x123), None, [false, true, false, true]),
        (Some(global), None, [true, true, true, false]),
        (None, Some(1), [false, false, true, true]),
        (Some(VA), Some(1), [false, true, true, true]),
        (Some(global), Some(1), [true, true, true, true]),
        (Some(VA), Some(3), [true, true, true, true]),
        (None, Some(0x1_0001), [false, false, true, true]),
    ];
    for (va, asid, survive) in cases {
        let (mut world, root) = paged();
        world.map_page(root, VA, DATA, V | R | A);
        world.map_page(root, other, DATA, V | R | A);
        world.map_page(root, global, DATA, V | R | A | G);
        let places = [(1, VA), (1, other), (2, VA), (1, global)];
        let misses = |world: &mut World, (asid, va): (u64, u64)| {
            world.use_sv39(root, asid);
            let before = world.hart.counters.dtlb_misses;
            assert_eq!(Kind::Load.attempt(world, va), Ok(()));
            world.hart.counters.dtlb_misses - before
        };
        for place in places {
            assert_eq!(misses(&mut world, place), 1);
            assert_eq!(misses(&mut world, place), 0);
        }
        world.hart.sfence_vma(va, asid).unwrap();
        let survived = places.map(|place| misses(&mut world, place) == 0);
        assert_eq!(survived, survive, "{va:x?} {asid:?}");
    }
}

#[test]
fn a_fence_of_one_address_ends_the_superpage_that_holds_it() {
    let (mut world, root) = paged();
    world.map(root, 3, RAM, 1, RAM >> 2 | V | R | W | X | A | D);
    for page in 0..8 {
        for kind in KINDS {
            assert_eq!(kind.attempt(&mut world, RAM + page * 4096), Ok(()));
        }
    }
    let counters = world.hart.counters;
    assert_eq!((counters.dtlb_misses, counters.itlb_misses), (1, 1), "one entry for the superpage");
    let slot = world.slot(root, RAM, 1);
    world.poke(slot, 0);
    world.hart.sfence_vma(Some(RAM + 0x5000), None).unwrap();
    for page in 0..8 {
        for kind in KINDS {
            let va = RAM + page * 4096;
            assert_eq!(kind.attempt(&mut world, va), kind.page_fault(va));
        }
    }
}

#[test]
fn stale_translations_last_until_a_fence() {
    let (mut world, root) = paged();
    let slot = world.map_page(root, VA, DATA, V | R | A);
    world.poke(DATA, 1);
    world.poke(DATA + 0x1000, 2);
    assert_eq!(world.load(VA, Width::Byte), Ok(1));
    world.poke(slot, (DATA + 0x1000) >> 2 | V | R | A);
    assert_eq!(world.load(VA, Width::Byte), Ok(1));
    world.hart.sfence_vma(Some(VA), None).unwrap();
    assert_eq!(world.load(VA, Width::Byte), Ok(2));
}

#[test]
fn invalid_entries_are_not_cached() {
    let (mut world, root) = paged();
    let slot = world.map_page(root, VA, DATA, 0);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Kind::Load.page_fault(VA));
    world.poke(slot, DATA >> 2 | V | R | A);
    assert_eq!(Kind::Load.attempt(&mut world, VA), Ok(()));
}
