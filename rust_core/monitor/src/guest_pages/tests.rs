//! Tests of a guest's pages.

use super::*;
use dcsim_memory::{Frames, PageStore};

const HOST: PhysicalAddress = PhysicalAddress(0x8000_0000);
const GUEST: u64 = 0x4000_0000;
const VM: VmId = VmId(3);

struct World {
    store: PageStore,
    frames: Frames,
    allocator: FrameAllocator,
    map: PageMap,
}

impl World {
    fn new(frames: u64, pages: u64) -> Self {
        let mut allocator = FrameAllocator::new(HOST, frames);
        let owner = FrameOwner::Monitor { vm: VM };
        let tables = (0..map_frames(pages)).map(|_| allocator.allocate(owner).unwrap());
        let map = PageMap::new(GUEST, pages, tables.collect());
        Self { store: PageStore::new(1 << 20), frames: Frames::new(HOST, frames), allocator, map }
    }

    fn guest(&mut self) -> GuestPages<'_> {
        GuestPages {
            memory: Memory { store: &mut self.store, frames: &mut self.frames },
            allocator: &mut self.allocator,
            map: &self.map,
            vm: VM,
        }
    }
}

#[test]
fn a_frame_that_was_used_before_holds_zeros_again() {
    let mut world = World::new(4, 8);
    let used = world.allocator.allocate(FrameOwner::Shadow { vm: VmId(9) }).unwrap();
    Memory { store: &mut world.store, frames: &mut world.frames }
        .write_u64(used, u64::MAX)
        .unwrap();
    world.allocator.release(used);
    let mut guest = world.guest();
    assert_eq!(guest.provide(0), Ok(used));
    let mut bytes = [1; 8];
    guest.read(GUEST, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8]);
}

#[test]
fn a_page_gets_its_frame_at_the_first_write() {
    let mut world = World::new(8, 600);
    let mut bytes = [7; 4];
    world.guest().read(GUEST + 4094, &mut bytes).unwrap();
    assert_eq!((bytes, world.allocator.usage(VM).guest), ([0; 4], 0));
    world.guest().write(GUEST + 4094, &[1, 2, 3, 4]).unwrap();
    world.guest().read(GUEST + 4094, &mut bytes).unwrap();
    assert_eq!((bytes, world.allocator.usage(VM).guest), ([1, 2, 3, 4], 2));
    // The entries of page 599 lie in the second frame of the map.
    world.guest().write(GUEST + 599 * 4096, &[9]).unwrap();
    assert_eq!(
        world.allocator.usage(VM),
        crate::FrameUsage { guest: 3, monitor: 2, ..crate::FrameUsage::default() }
    );
}

#[test]
fn a_refused_reservation_changes_nothing() {
    let mut world = World::new(3, 16);
    let range = GuestRange { address: GUEST, length: 3 * 4096, direction: Direction::Write };
    let unavailable = GuestMemoryError::from(Unavailable { address: GUEST });
    assert_eq!(world.guest().reserve(&[range]), Err(unavailable));
    assert_eq!(world.allocator.usage(VM).guest, 0);
    world.allocator.fail_every(1);
    let small = GuestRange { length: 8, ..range };
    assert_eq!(world.guest().reserve(&[small]), Err(unavailable));
    world.allocator.fail_every(0);
    assert_eq!(world.guest().reserve(&[small]), Ok(()));
    assert_eq!(world.allocator.usage(VM).guest, 1);
}

#[test]
fn a_page_that_is_given_back_reads_as_zeros_and_takes_a_new_frame() {
    let mut world = World::new(8, 16);
    world.guest().write(GUEST, &[7; 4096]).unwrap();
    let frame = world.guest().place(0).frame().unwrap();
    assert!(world.guest().give_up(GUEST + 5));
    assert_eq!((world.allocator.usage(VM).guest, world.allocator.owner_of(frame)), (0, None));
    let [gone] = world.allocator.take_departures(VM)[..] else { panic!("one page departed") };
    assert_eq!((gone.page, gone.frame, gone.keeps_content), (0, frame, false));
    let mut bytes = [1; 8];
    world.guest().read(GUEST, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 8]);
    // Once more there is nothing to give, nor where the guest has no memory.
    for address in [GUEST, GUEST + 4096, GUEST - 1, GUEST + 16 * 4096, u64::MAX] {
        assert!(!world.guest().give_up(address));
    }
    assert!(!world.allocator.has_departures());
    world.guest().write(GUEST, &[1]).unwrap();
    assert_eq!(world.allocator.usage(VM).guest, 1);
}

#[test]
fn a_shared_page_that_is_given_back_stays_with_the_others() {
    let mut world = World::new(8, 16);
    let other = VmId(4);
    world.guest().write(GUEST, &[7]).unwrap();
    let frame = world.guest().place(0).frame().unwrap();
    assert!(world.allocator.share(frame, 42));
    world.allocator.join(frame, other, 9);
    let slot = world.map.slot(0).unwrap();
    world.guest().memory.write_u64(slot, PageMap::encode(frame) | SHARED).unwrap();
    assert!(world.guest().give_up(GUEST));
    assert_eq!(world.allocator.usage(other).shared, 1);
    assert_eq!(world.guest().memory.read_u8(frame), Ok(7));
    world.allocator.leave(frame, other, 9);
    assert_eq!(world.allocator.owner_of(frame), None);
}

#[test]
fn a_page_on_which_hardware_relies_is_not_given_back() {
    let mut world = World::new(8, 16);
    world.guest().write(GUEST, &[7]).unwrap();
    let slot = world.map.slot(0).unwrap();
    let entry = world.guest().memory.read_u64(slot).unwrap();
    world.guest().memory.write_u64(slot, entry | 1 << 1).unwrap();
    assert!(!world.guest().give_up(GUEST));
    assert_eq!(world.allocator.usage(VM).guest, 1);
}

#[test]
fn what_is_outside_the_guest_is_refused() {
    let mut world = World::new(8, 16);
    for (address, length) in [(GUEST - 1, 2), (GUEST + 16 * 4096 - 1, 2), (u64::MAX, 1)] {
        let invalid = GuestMemoryError::Invalid { address, length };
        let mut buffer = vec![0; length as usize];
        assert_eq!(world.guest().read(address, &mut buffer), Err(invalid));
        assert_eq!(world.guest().write(address, &buffer), Err(invalid));
    }
}
