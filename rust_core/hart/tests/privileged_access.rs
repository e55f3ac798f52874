//! Loads, stores and atomics: alignment, page crossings, devices, code pages, a full store.

mod privileged_world;

use dcsim_hart::{Abort, DataCacheShape, Exception, Privilege, Signal, Timing, Width};
use dcsim_memory::{Frames, PageId, PageStore, PhysicalAddress};
use privileged_world::{A, ADUE, D, DEVICE, PAGES, R, RAM, V, W, World, X, csr, trap};

const WIDTHS: [Width; 4] = [Width::Byte, Width::Half, Width::Word, Width::Double];

/// Takes all the room that the store has left.
fn fill_up(world: &mut World) -> Vec<PageId> {
    std::iter::from_fn(|| world.store.insert(&[1; 4096]).ok()).collect()
}

fn make_room(world: &mut World, pages: Vec<PageId>) {
    for page in pages {
        world.store.release(page);
    }
}

/// A world with a small store, supervisor mode, and two adjacent virtual pages with frames that
/// are not adjacent.
fn paged(timing: Timing) -> (World, [u64; 2]) {
    let mut world = World::open_with_timing(timing);
    world.store = PageStore::new(32 * 4096);
    world.frames = Frames::new(PhysicalAddress(RAM), PAGES);
    let root = world.new_table();
    let frames = [RAM + 0x9000, RAM + 0x4000];
    for (va, frame) in [0x1000, 0x2000].into_iter().zip(frames) {
        world.map_page(root, va, frame, V | R | W | X | A | D);
    }
    world.use_sv39(root, 0);
    world.hart.set_privilege(Privilege::Supervisor);
    (world, frames)
}

#[test]
fn values_are_little_endian_and_zero_extended() {
    let mut world = World::open();
    world.poke(RAM, 0xf8f7_f6f5_f4f3_f2f1);
    let expected = [0xf1, 0xf2f1, 0xf4f3_f2f1, 0xf8f7_f6f5_f4f3_f2f1];
    for (width, value) in WIDTHS.into_iter().zip(expected) {
        for _ in 0..2 {
            assert_eq!(world.load(RAM, width), Ok(value));
        }
    }
}

#[test]
fn a_store_writes_its_width_and_no_more() {
    for (width, expected) in WIDTHS.into_iter().zip([
        0x1111_1111_1111_11ff,
        0x1111_1111_1111_ffff,
        0x1111_1111_ffff_ffff,
        u64::MAX,
    ]) {
        let mut world = World::open();
        for _ in 0..2 {
            world.poke(RAM, 0x1111_1111_1111_1111);
            assert_eq!(world.store(RAM, width, u64::MAX), Ok(Signal::None));
            assert_eq!(world.peek(RAM), expected);
        }
    }
}

#[test]
fn misaligned_accesses_within_and_across_pages_are_made() {
    for width in [Width::Half, Width::Word, Width::Double] {
        for offset in (1..width.bytes()).chain((1..width.bytes()).map(|back| 0x1000 - back)) {
            let (mut world, frames) = paged(Timing::uniform());
            let value = 0x8877_6655_4433_2211 & width.value_mask();
            assert_eq!(world.store(0x1000 + offset, width, value), Ok(Signal::None));
            assert_eq!(world.load(0x1000 + offset, width), Ok(value), "{width:?} {offset:#x}");
            for byte in 0..width.bytes() {
                let position = offset + byte;
                let physical =
                    PhysicalAddress(frames[(position / 4096) as usize] + position % 4096);
                assert_eq!(world.memory().read_u8(physical), Ok((value >> (8 * byte)) as u8));
            }
        }
    }
}

#[test]
fn misaligned_accesses_cost_what_the_profile_says() {
    let (mut world, _) = paged(Timing { misaligned_cycles: 6, ..Timing::uniform() });
    world.load(0x1001, Width::Word).unwrap();
    world.store(0x1ffd, Width::Double, 0).unwrap();
    world.load(0x1008, Width::Double).unwrap();
    assert_eq!(world.hart.clock.cycles, 12);
    let counters = world.hart.counters;
    assert_eq!((counters.misaligned_accesses, counters.misaligned_cycles), (2, 12));
}

#[test]
fn a_crossing_store_that_faults_in_the_second_page_writes_nothing() {
    let (mut world, frames) = paged(Timing::uniform());
    let last = frames[1];
    world.poke(last + 0xff8, 0x5555);
    assert_eq!(world.store(0x2ffc, Width::Double, 0), trap(Exception::StorePageFault, 0x3000));
    assert_eq!(world.load(0x2ffc, Width::Double), trap(Exception::LoadPageFault, 0x3000));
    assert_eq!(world.peek(last + 0xff8), 0x5555);
    assert_eq!(world.store(0xffc, Width::Double, 0), trap(Exception::StorePageFault, 0xffc));
}

#[test]
fn a_crossing_at_the_end_of_memory_writes_nothing() {
    let mut world = World::open();
    let end = RAM + PAGES * 4096;
    world.poke(end - 8, 7);
    assert_eq!(world.store(end - 4, Width::Double, 0), trap(Exception::StoreAccessFault, end));
    assert_eq!(world.load(end - 1, Width::Half), trap(Exception::LoadAccessFault, end));
    assert_eq!(world.peek(end - 8), 7);
    let wrap = u64::MAX - 1;
    assert_eq!(world.load(wrap, Width::Double), trap(Exception::LoadAccessFault, wrap));
}

#[test]
fn devices_are_reached_by_aligned_accesses_only() {
    let mut world = World::with_timing(Timing { device_access_cycles: 40, ..Timing::uniform() });
    world.device.registers[2] = 0xaabb_ccdd_eeff_0011;
    assert_eq!(world.load(DEVICE + 16, Width::Word), Ok(0xeeff_0011), "cut to the width");
    assert_eq!(world.store(DEVICE + 8, Width::Byte, 0x1234), Ok(Signal::None));
    assert_eq!(world.device.registers[1], 0x34);
    assert_eq!(world.device.seen, [(DEVICE + 16, 4, 40), (DEVICE + 8, 1, 80)]);
    assert_eq!(world.hart.counters.device_accesses, 2);
    assert_eq!(world.hart.counters.device_cycles, 80);

    for (va, width) in [(DEVICE + 1, Width::Half), (DEVICE + 4, Width::Double)] {
        assert_eq!(world.load(va, width), trap(Exception::LoadAccessFault, va));
        assert_eq!(world.store(va, width, 0), trap(Exception::StoreAccessFault, va));
    }
    assert_eq!(world.device.seen.len(), 2);
}

#[test]
fn where_nothing_answers_there_is_an_access_fault() {
    let mut world = World::new();
    for va in [DEVICE + 15 * 8, 0, 1 << 56, u64::MAX - 7] {
        assert_eq!(world.load(va, Width::Double), trap(Exception::LoadAccessFault, va));
        assert_eq!(world.store(va, Width::Double, 0), trap(Exception::StoreAccessFault, va));
    }
    assert_eq!(world.fetch(DEVICE), trap(Exception::InstructionAccessFault, DEVICE));
}

#[test]
fn device_signals_reach_the_engine_and_lines_are_read_again() {
    let mut world = World::new();
    world.device.signal = Some(Signal::Stop);
    assert_eq!(world.store(DEVICE, Width::Word, 0), Ok(Signal::Stop));
    world.device.signal = Some(Signal::Interrupts);
    world.device.lines.machine_external = true;
    assert_eq!(world.store(DEVICE, Width::Word, 0), Ok(Signal::Interrupts));
    assert_eq!(world.read(csr::MIP), 0x800);
    world.device.lines.machine_external = false;
    world.load(DEVICE, Width::Word).unwrap();
    assert_eq!(world.read(csr::MIP), 0, "reading can lower a line, as a claim does");
}

#[test]
fn read_modify_write_returns_the_old_value() {
    for (width, old, new) in [
        (Width::Word, 0xf4f3_f2f1, 0xf8f7_f6f5_0000_0005),
        (Width::Double, 0xf8f7_f6f5_f4f3_f2f1, 5),
    ] {
        let mut world = World::open();
        world.poke(RAM, 0xf8f7_f6f5_f4f3_f2f1);
        let result = world.with(|hart, ports| hart.amo(ports, RAM, width, |_| 5));
        assert_eq!(result, Ok((old, Signal::None)));
        assert_eq!(world.peek(RAM), new);
        let again = world.with(|hart, ports| hart.amo(ports, RAM, width, |value| value + 1));
        assert_eq!(again, Ok((5, Signal::None)));
    }
}

#[test]
fn atomics_must_be_aligned_and_in_memory() {
    let mut world = World::open();
    for (va, amo, lr) in [
        (RAM + 4, Exception::StoreMisaligned, Exception::LoadMisaligned),
        (DEVICE, Exception::StoreAccessFault, Exception::LoadAccessFault),
    ] {
        let width = Width::Double;
        let result = world.with(|hart, ports| hart.amo(ports, va, width, |value| value));
        assert_eq!(result, trap(amo, va));
        let result = world.with(|hart, ports| hart.load_reserved(ports, va, width));
        assert_eq!(result, trap(lr, va));
        let result = world.with(|hart, ports| hart.store_conditional(ports, va, width, 0));
        assert_eq!(result, trap(amo, va));
    }
    assert!(world.device.seen.is_empty());
}

#[test]
fn atomics_on_read_only_pages_raise_store_faults() {
    let (mut world, frames) = paged(Timing::uniform());
    let root = world.read(csr::SATP) << 12;
    world.map_page(root, 0x1000, frames[0], V | R | A | D);
    let result = world.with(|hart, ports| hart.amo(ports, 0x1000, Width::Word, |value| value));
    assert_eq!(result, trap(Exception::StorePageFault, 0x1000));
    let result = world.with(|hart, ports| hart.store_conditional(ports, 0x1000, Width::Word, 0));
    assert_eq!(result, trap(Exception::StorePageFault, 0x1000));
    let result = world.with(|hart, ports| hart.load_reserved(ports, 0x3000, Width::Word));
    assert_eq!(result, trap(Exception::LoadPageFault, 0x3000));
}

#[test]
fn a_conditional_store_succeeds_once_after_its_load() {
    let mut world = World::open();
    world.poke(RAM, 10);
    world.with(|hart, ports| {
        let (word, double) = (Width::Word, Width::Double);
        let failed = Ok((false, Signal::None));
        assert_eq!(hart.store_conditional(ports, RAM, double, 1), failed, "nothing reserved");
        assert_eq!(hart.load_reserved(ports, RAM, double), Ok(10));
        assert_eq!(hart.store_conditional(ports, RAM, double, 11), Ok((true, Signal::None)));
        assert_eq!(hart.store_conditional(ports, RAM, double, 12), failed, "used up");

        hart.load_reserved(ports, RAM, double).unwrap();
        assert_eq!(hart.store_conditional(ports, RAM + 1024, double, 12), failed);
        assert_eq!(hart.store_conditional(ports, RAM, double, 12), failed, "ended by the first");

        hart.load_reserved(ports, RAM, word).unwrap();
        assert_eq!(hart.store_conditional(ports, RAM, double, 12), failed, "another size");
    });
    assert_eq!(world.peek(RAM), 11);
}

#[test]
fn a_change_by_someone_else_breaks_the_reservation() {
    let mut world = World::open();
    world.with(|hart, ports| hart.load_reserved(ports, RAM, Width::Double)).unwrap();
    world.poke(RAM, 99);
    let result = world.with(|hart, ports| hart.store_conditional(ports, RAM, Width::Double, 1));
    assert_eq!(result, Ok((false, Signal::None)));
    assert_eq!(world.peek(RAM), 99);
}

#[test]
fn a_write_to_decoded_code_ends_the_block_and_the_fetched_page() {
    let mut world = World::open();
    world.poke(RAM, 0x13);
    world.store(RAM + 64, Width::Double, 0).unwrap();
    let first = world.with(|hart, ports| hart.fetch_page(ports, RAM)).unwrap().unwrap();
    assert_eq!(world.store(RAM + 0x1000, Width::Double, 0), Ok(Signal::None), "another page");
    assert_eq!(world.store(RAM, Width::Half, 0x4501), Ok(Signal::CodeWritten));
    assert_eq!(world.fetch(RAM), Ok(0x4501));
    let second = world.with(|hart, ports| hart.fetch_page(ports, RAM)).unwrap().unwrap();
    assert_ne!((first.page, first.version), (second.page, second.version));
}

#[test]
fn atomics_and_crossing_stores_see_code_too() {
    let mut world = World::open();
    for page in [0, 0x1000] {
        world.poke(RAM + page, 0x13);
        world.fetch(RAM + page).unwrap();
        let crossing = world.store(RAM + 0xffc, Width::Double, 0x13 << 32);
        assert_eq!(crossing, Ok(Signal::CodeWritten));
        world.fetch(RAM + page).unwrap();
        let at = RAM + page;
        let atomic = world.with(|hart, ports| hart.amo(ports, at, Width::Word, |value| value));
        assert_eq!(atomic, Ok((0x13, Signal::CodeWritten)));
        world.fetch(RAM + page).unwrap();
        world.with(|hart, ports| hart.load_reserved(ports, at, Width::Word)).unwrap();
        let sc = world.with(|hart, ports| hart.store_conditional(ports, at, Width::Word, 0));
        assert_eq!(sc, Ok((true, Signal::CodeWritten)));
    }
}

#[test]
fn a_shared_page_is_copied_before_the_first_write_and_readers_see_the_copy() {
    let mut world = World::open();
    world.poke(RAM, 5);
    let shared = world.frames.share(&mut world.store, PhysicalAddress(RAM)).unwrap();
    world.begin();
    assert_eq!(world.load(RAM, Width::Byte), Ok(5));
    assert_eq!(world.fetch(RAM), Ok(5));
    assert_eq!(world.store(RAM, Width::Byte, 6), Ok(Signal::CodeWritten));
    assert_eq!(world.load(RAM, Width::Byte), Ok(6));
    assert_eq!(world.fetch(RAM), Ok(6));
    assert_eq!(world.store.page(shared)[0], 5);
}

/// An instruction that writes.
type Attempt = fn(&mut World) -> Result<(), Abort>;

#[test]
fn a_full_store_stops_a_write_with_nothing_changed_and_the_cost_is_the_same() {
    let timing = Timing { walk_reference_cycles: 3, misaligned_cycles: 5, ..Timing::uniform() };
    let stores: [Attempt; 4] = [
        |world| world.store(0x1000, Width::Double, 7).map(drop),
        |world| world.store(0x1ffc, Width::Double, 7).map(drop),
        |world| world.with(|hart, ports| hart.amo(ports, 0x1000, Width::Word, |_| 7)).map(drop),
        |world| {
            world.with(|hart, ports| {
                hart.load_reserved(ports, 0x1000, Width::Word)?;
                let result = hart.store_conditional(ports, 0x1000, Width::Word, 7);
                result.map(|(success, _)| assert!(success))
            })
        },
    ];
    for attempt in stores {
        let (mut with_room, _) = paged(timing.clone());
        attempt(&mut with_room).unwrap();

        let (mut world, frames) = paged(timing.clone());
        let taken = fill_up(&mut world);
        for _ in 0..2 {
            assert_eq!(attempt(&mut world), Err(Abort::StoreFull));
        }
        assert_eq!((world.peek(frames[0]), world.peek(frames[1])), (0, 0));
        make_room(&mut world, taken);
        assert_eq!(attempt(&mut world), Ok(()));
        assert_eq!(world.hart.clock, with_room.hart.clock);
        assert_eq!(world.hart.counters, with_room.hart.counters);
    }
}

#[test]
fn marking_a_shared_table_page_can_need_room_too() {
    let (mut world, frames) = paged(Timing { walk_reference_cycles: 3, ..Timing::uniform() });
    let root = world.read(csr::SATP) << 12;
    world.write(csr::MENVCFG, ADUE);
    let slot = world.map_page(root, 0x1000, frames[0], V | R);
    let _held = world.frames.share(&mut world.store, PhysicalAddress(slot)).unwrap();
    let taken = fill_up(&mut world);
    world.begin();
    for _ in 0..2 {
        assert_eq!(world.load(0x1000, Width::Byte), Err(Abort::StoreFull));
        assert_eq!(world.hart.clock.cycles, 0);
        assert_eq!(world.peek(slot) & A, 0);
    }
    make_room(&mut world, taken);
    assert_eq!(world.load(0x1000, Width::Byte), Ok(0));
    assert_eq!(world.peek(slot) & A, A);
    assert_eq!(world.hart.clock.cycles, 9);
}

#[test]
fn the_data_cache_is_asked_about_every_access() {
    let shape = DataCacheShape { bytes: 256, line_bytes: 64, ways: 2, miss_cycles: 30 };
    let mut world =
        World::open_with_timing(Timing { data_cache: Some(shape), ..Timing::uniform() });
    // Two sets of two lines: lines 0, 2, 4 compete.
    let line = |number: u64| RAM + number * 64;
    let misses = |world: &mut World, number| {
        let before = world.hart.counters.data_cache_misses;
        world.load(line(number), Width::Double).unwrap();
        world.hart.counters.data_cache_misses - before
    };
    for (number, expected) in [(0, 1), (2, 1), (0, 0), (4, 1), (0, 0), (2, 1), (1, 1), (1, 0)] {
        assert_eq!(misses(&mut world, number), expected, "line {number}");
    }
    world.store(line(3), Width::Byte, 1).unwrap();
    world.with(|hart, ports| hart.amo(ports, line(3), Width::Word, |value| value)).unwrap();
    world.with(|hart, ports| hart.load_reserved(ports, line(3), Width::Word)).unwrap();
    world.load(line(3) + 60, Width::Double).unwrap();
    let counters = world.hart.counters;
    assert_eq!(counters.data_cache_misses, 7, "line 3 once, and line 4 was still there");
    assert_eq!(counters.data_cache_cycles, 210);
    assert_eq!(world.hart.clock.cycles, 210);
}
