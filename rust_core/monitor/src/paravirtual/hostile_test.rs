//! Random calls of a guest that wishes to harm: whatever it asks for, its roots lead to frames of
//! its own only, and never let it write a table.

use super::Paravirtual;
use super::abi::{EXTENSION, WINDOW};
use super::large;
use super::record::Record;
use super::test_world::{VM, World};
use crate::allocator::FrameOwner;
use crate::cpu_state::CpuState;
use crate::guest_pages::{GuestPages, PageMap};
use crate::ids::VmId;
use crate::shadow::entry;
use crate::technique::Technique;
use dcsim_hart::IsaProfile;
use dcsim_machine::board::map::MEMORY_BASE;
use dcsim_machine::random::Random;
use dcsim_machine::{BoardConfig, GuestMemory};
use dcsim_memory::{Memory, PAGE_BYTES, PhysicalAddress};

const NEIGHBOUR: VmId = VmId(2);
const PAGES: u64 = 40;
const FRAMES: u64 = 256;
/// Where a large page could begin.
const SECOND: u64 = MEMORY_BASE + large::PAGES * PAGE_BYTES as u64;
/// The page with the list of operations.
const LIST: u64 = MEMORY_BASE + (PAGES - 1) * PAGE_BYTES as u64;

/// A world in which the neighbour's frames lie between those of the guest.
fn world(frames: u64) -> World {
    let mut world = World::new(frames, &BoardConfig::default());
    for page in 0..FRAMES / 4 {
        world.allocator.allocate(FrameOwner::Guest { vm: NEIGHBOUR, page });
    }
    for number in (0..FRAMES / 4).step_by(3) {
        world.allocator.release(PhysicalAddress(MEMORY_BASE + number * PAGE_BYTES as u64));
    }
    world
}

fn world_and_guest(isa: IsaProfile) -> (World, Paravirtual) {
    let mut world = world(FRAMES);
    let guest = world.guest(isa, PAGES, |_| CpuState::at_entry(MEMORY_BASE, 0));
    (world, guest)
}

/// The same with two large pages of the host's as the guest's memory.
fn world_and_large_guest() -> (World, Paravirtual) {
    let mut world = world(4 * large::PAGES);
    let guest = world.guest(IsaProfile::Rv64gc, 2 * large::PAGES, |memory| {
        for first in [0, large::PAGES] {
            let owner = |number| FrameOwner::Guest { vm: VM, page: first + number };
            let run = memory.allocator.allocate_run(large::PAGES, owner).unwrap();
            for number in 0..large::PAGES {
                let frame = PhysicalAddress(run.0 + number * PAGE_BYTES as u64);
                let slot = memory.map.slot(first + number).unwrap();
                memory.memory.write_u64(slot, PageMap::encode(frame)).unwrap();
            }
        }
        CpuState::at_entry(MEMORY_BASE, 0)
    });
    (world, guest)
}

impl World {
    /// Writes as a device does: pages that are tables refuse it.
    fn write(&mut self, guest: &Paravirtual, address: u64, bytes: &[u8]) -> bool {
        let memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let allocator = &mut self.allocator;
        GuestPages { memory, allocator, map: &guest.map, vm: VM }.write(address, bytes).is_ok()
    }

    /// Makes a call as the monitor serves it, with the frames that the look ahead allows.
    fn call(&mut self, guest: &mut Paravirtual, function: u64, first: u64, second: u64) -> u64 {
        let mut site = self.site();
        for (register, value) in [(17, EXTENSION), (16, function), (10, first), (11, second)] {
            site.pcpu.hart.x[register] = value;
        }
        let allowed = guest.frames_for_call(&mut site);
        let before = site.allocator.free_count();
        guest.serve(&mut site).unwrap();
        let taken = before - site.allocator.free_count();
        assert!(taken <= allowed, "{taken} frames taken, {allowed} foreseen");
        self.pcpu.hart.x[10]
    }
}

/// Checks everything that must hold between two calls.
fn check(world: &mut World, guest: &Paravirtual) {
    let World { store, frames, allocator, .. } = world;
    let memory = Memory { store, frames };
    guest.audit(&memory, allocator, VM).unwrap();
}

fn page(random: &mut Random) -> u64 {
    MEMORY_BASE + random.below(PAGES / 2) * PAGE_BYTES as u64
}

fn value(random: &mut Random) -> u64 {
    let flags = [0, 1, 1, 1, 0xcf, 0xd7, 0xdf, 0x43, 0x3ff, 5][random.below(10) as usize];
    match random.below(12) {
        0 => random.next_u64(),
        1 => entry::compose(PhysicalAddress(MEMORY_BASE - 4096), flags),
        2 => entry::compose(PhysicalAddress(MEMORY_BASE + PAGES * 4096), flags),
        3 => entry::compose(PhysicalAddress(SECOND), flags),
        _ => entry::compose(PhysicalAddress(page(random)), flags),
    }
}

fn operation(random: &mut Random) -> [u64; 2] {
    let kind = [0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 7][random.below(12) as usize];
    let index = [0, 0, 1, 2, 255, 256, 511][random.below(7) as usize];
    let place = match kind {
        0 | 1 => page(random) + index * 8,
        _ if random.below(16) == 0 => random.next_u64() & !7,
        _ => page(random),
    };
    [place | kind, value(random)]
}

/// Makes random calls, and tells how many of them did something.
fn play((mut world, mut guest): (World, Paravirtual), seed: u64, calls: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut done = 0;
    for _ in 0..calls {
        let count = 1 + random.below(2);
        let list: Vec<u8> =
            (0..count).flat_map(|_| operation(&mut random)).flat_map(u64::to_le_bytes).collect();
        let at = if random.below(32) == 0 { page(&mut random) } else { LIST };
        world.write(&guest, at, &list);
        // Entries in plain pages, for trees that are pinned as they are.
        let entry = value(&mut random).to_le_bytes();
        let place = page(&mut random) + random.below(4) * 8;
        world.write(&guest, place, &entry);
        let error = match random.below(16) {
            0 => world.call(&mut guest, 3, page(&mut random), random.below(1 << 17)),
            1 => world.call(&mut guest, 1, page(&mut random), 0),
            2 => world.call(&mut guest, random.below(9), random.next_u64(), random.next_u64()),
            _ => world.call(&mut guest, 2, at, count),
        };
        done += u64::from(error == 0);
        check(&mut world, &guest);
    }
    end(&mut world, &mut guest);
    done
}

/// Without roots every page is plain, nobody maps any, and no host address is left in them.
fn end(world: &mut World, guest: &mut Paravirtual) {
    world.call(guest, 3, 0, 0);
    for root in guest.agreement.roots.clone() {
        let list = [root | 4, 0].map(u64::to_le_bytes).concat();
        assert!(world.write(guest, LIST, &list));
        assert_eq!(world.call(guest, 2, LIST, 1), 0);
    }
    check(world, guest);
    for page in 0..guest.map.pages() {
        let address = MEMORY_BASE + page * PAGE_BYTES as u64;
        let held = u64::from(guest.agreement.shared == Some(address));
        let record = Record(guest.map.entry(&world.memory(), page));
        assert_eq!((record.level(), record.count()), (None, held), "page {page}");
        assert!(guest.saved_page(&world.memory(), page).is_none());
    }
}

/// The audit finds what it is there to find.
#[test]
fn a_hole_made_on_purpose_is_found() {
    let (mut world, mut guest) = world_and_guest(IsaProfile::Rv64gc);
    let [root, middle, low, data] = [0, 1, 2, 3].map(|n| MEMORY_BASE + n * PAGE_BYTES as u64);
    let link = |place: u64, page: u64| [place | 1, entry::compose(PhysicalAddress(page), 1)];
    let map = [low, entry::compose(PhysicalAddress(data), 0xd7)];
    let list = [[root | 2, 0], link(root, middle), link(middle, low), map].concat();
    let list: Vec<u8> = list.into_iter().flat_map(u64::to_le_bytes).collect();
    assert!(world.write(&guest, LIST, &list));
    assert_eq!(world.call(&mut guest, 2, LIST, 4), 0);
    check(&mut world, &guest);
    let frame = |world: &mut World, address: u64| {
        let page = guest.map.page_of(address).unwrap();
        guest.map.frame(&world.memory(), page).unwrap()
    };
    let (table, own) = (frame(&mut world, low), frame(&mut world, data));
    let foreign = PhysicalAddress(MEMORY_BASE + PAGE_BYTES as u64);
    for hole in [entry::compose(foreign, 0xd3), entry::compose(table, 0xd7), entry::compose(own, 1)]
    {
        world.memory().write_u64(table, hole).unwrap();
        let World { store, frames, allocator, .. } = &mut world;
        let found = guest.audit(&Memory { store, frames }, allocator, VM);
        assert!(found.is_err(), "{hole:#x}");
    }
}

/// What is left of the window in an address space, programs use as well if the kernel is in user mode.
#[test]
fn a_window_that_is_open_to_programs_is_found() {
    let (mut world, mut guest) = world_and_guest(IsaProfile::Rv64gcLegacy);
    assert_eq!(apply(&mut world, &mut guest, &[[MEMORY_BASE | 2, 0]]), 0);
    check(&mut world, &guest);
    let root = guest.map.frame(&world.memory(), 0).unwrap();
    let offset = entry::index(WINDOW + MEMORY_BASE, 2) * 8;
    let pointer = PhysicalAddress(guest.window.kernel.0 + offset);
    let pointer = world.memory().read_u64(pointer).unwrap();
    world.memory().write_u64(PhysicalAddress(root.0 + offset), pointer).unwrap();
    let World { store, frames, allocator, .. } = &mut world;
    assert!(guest.audit(&Memory { store, frames }, allocator, VM).is_err());
}

#[test]
fn random_calls_harm_nobody() {
    for isa in [IsaProfile::Rv64gc, IsaProfile::Rv64gcLegacy] {
        let done: u64 = (0..60).map(|seed| play(world_and_guest(isa), seed, 120)).sum();
        assert!(done > 60 * 12, "some of them did something: {done}");
    }
    let done: u64 = (0..20).map(|seed| play(world_and_large_guest(), seed, 120)).sum();
    assert!(done > 20 * 12, "some of them did something: {done}");
}

/// Has operations carried out; the error.
fn apply(world: &mut World, guest: &mut Paravirtual, operations: &[[u64; 2]]) -> i64 {
    let list: Vec<u8> = operations.concat().into_iter().flat_map(u64::to_le_bytes).collect();
    assert!(world.write(guest, LIST, &list));
    world.call(guest, 2, LIST, operations.len() as u64).cast_signed()
}

#[test]
fn each_part_of_a_large_page_counts_as_mapped() {
    let [root, middle, part] = [MEMORY_BASE, MEMORY_BASE + 0x1000, SECOND + 0x5000];
    let map = |flags| [middle, entry::compose(PhysicalAddress(SECOND), flags)];
    let begin = [[root | 2, 0], [root | 1, entry::compose(PhysicalAddress(middle), 1)]];
    let (mut world, mut guest) = world_and_large_guest();
    assert_eq!(apply(&mut world, &mut guest, &begin), 0);
    assert_eq!(apply(&mut world, &mut guest, &[map(0xd7)]), 0);
    check(&mut world, &guest);
    assert_eq!(apply(&mut world, &mut guest, &[[part | 2, 0]]), -4, "it is mapped writable");
    assert_eq!(apply(&mut world, &mut guest, &[map(0xd3), [part | 2, 0]]), 0);
    check(&mut world, &guest);
    assert_eq!(apply(&mut world, &mut guest, &[map(0xd7)]), -4, "a part is a table");
    let between = [middle, entry::compose(PhysicalAddress(SECOND + 0x1000), 0xd3)];
    assert_eq!(apply(&mut world, &mut guest, &[between]), -1, "not on a boundary");
    assert_eq!(apply(&mut world, &mut guest, &[[part | 4, 0], map(0xd7)]), 0);
    end(&mut world, &mut guest);

    let (mut world, mut guest) = world_and_guest(IsaProfile::Rv64gc);
    assert_eq!(apply(&mut world, &mut guest, &begin), 0);
    let map = [middle, entry::compose(PhysicalAddress(MEMORY_BASE), 0xd3)];
    assert_eq!(apply(&mut world, &mut guest, &[map]), -1, "the frames are scattered");
    check(&mut world, &guest);
}
