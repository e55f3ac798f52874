//! The loader against images made by hand, and against mutations of them.

use super::{Format, ImageError, Plan, device_tree_address, initrd_address, load, symbol_address};
use crate::board::map::Region;
use crate::random::Random;
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};

const BASE: u64 = 0x8000_0000;
const RAM_BYTES: u64 = 8 << 20;
const RAM: Region = Region { base: BASE, bytes: RAM_BYTES };

/// A loadable segment of a test image.
struct Segment {
    virtual_address: u64,
    physical_address: u64,
    bytes: &'static [u8],
    memory_bytes: u64,
}

fn segment(address: u64, bytes: &'static [u8], memory_bytes: u64) -> Segment {
    Segment { virtual_address: address, physical_address: address, bytes, memory_bytes }
}

/// An ELF executable with these segments, laid out as the ELF-64 specification says.
fn elf(entry: u64, segments: &[Segment]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [2u16, 243] {
        file.extend(half.to_le_bytes()); // e_type, e_machine
    }
    file.extend(1u32.to_le_bytes()); // e_version
    for word in [entry, 64, 0] {
        file.extend(word.to_le_bytes()); // e_entry, e_phoff, e_shoff
    }
    file.extend(0u32.to_le_bytes()); // e_flags
    for half in [64, 56, segments.len() as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut offset = 64 + 56 * segments.len() as u64;
    for segment in segments {
        file.extend(1u32.to_le_bytes()); // p_type
        file.extend(7u32.to_le_bytes()); // p_flags
        let length = segment.bytes.len() as u64;
        let addresses = [segment.virtual_address, segment.physical_address];
        for word in [offset, addresses[0], addresses[1], length, segment.memory_bytes, 4096] {
            file.extend(word.to_le_bytes());
        }
        offset += length;
    }
    for segment in segments {
        file.extend(segment.bytes);
    }
    file
}

fn linux_image(text_offset: u64, image_size: u64, flags: u64) -> Vec<u8> {
    let mut file = vec![0x13; 8];
    for word in [text_offset, image_size, flags] {
        file.extend(word.to_le_bytes());
    }
    file.resize(0x30, 0);
    file.extend(b"RISCV\0\0\0RSC\x05");
    file.resize(64, 0);
    file.extend(b"kernel");
    file
}

struct World {
    store: PageStore,
    frames: Frames,
}

impl World {
    fn new() -> Self {
        let frames = Frames::new(PhysicalAddress(BASE), RAM_BYTES / 4096);
        Self { store: PageStore::new(RAM_BYTES * 2), frames }
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { store: &mut self.store, frames: &mut self.frames }
    }

    fn get(&mut self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.memory().read(PhysicalAddress(address), &mut bytes).unwrap();
        bytes
    }

    fn load(&mut self, image: &[u8]) -> Result<super::Placement, ImageError> {
        load(&mut self.memory(), RAM_BYTES, &Plan::read(image)?, b"tree")
    }
}

#[test]
fn an_executable_is_loaded_with_its_zeros_and_the_tree_behind_it() {
    let mut world = World::new();
    let mut memory = world.memory();
    memory.write(PhysicalAddress(BASE + 0x1000), &[0xff; 32]).unwrap();
    let image =
        elf(BASE + 4, &[segment(BASE, b"code....", 8), segment(BASE + 0x1000, b"data", 16)]);
    let placement = world.load(&image).unwrap();
    assert_eq!(placement.entry, BASE + 4);
    assert_eq!(placement.device_tree, BASE + RAM_BYTES - 4096);
    assert_eq!(world.get(BASE, 8), b"code....");
    assert_eq!(world.get(BASE + 0x1000, 20), b"data\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff");
    assert_eq!(world.get(placement.device_tree, 4), b"tree");
}

/// The ELF-64 specification aligns headers, but a file, or the buffer it lies in, need not.
#[test]
fn headers_may_lie_at_any_offset() {
    let aligned = elf(BASE, &[segment(BASE, b"code", 4)]);
    for shift in 1..8 {
        let mut image = aligned.clone();
        image.splice(64..64, std::iter::repeat_n(0, shift));
        image[32] += shift as u8; // e_phoff
        image[64 + shift + 8] += shift as u8; // p_offset
        let plan = Plan::read(&image).unwrap();
        assert_eq!((plan.entry, plan.pieces[0].bytes), (BASE, b"code".as_slice()), "{shift}");
        let mut buffer = vec![0; shift];
        buffer.extend(&aligned);
        assert!(Plan::read(&buffer[shift..]).is_ok(), "{shift}");
    }
}

#[test]
fn zeros_take_no_pages() {
    let mut world = World::new();
    world.load(&elf(BASE, &[segment(BASE, b"code", 4 << 20)])).unwrap();
    assert_eq!(world.store.used_bytes(), 2 * 4096, "the code and the tree");
}

#[test]
fn a_virtual_entry_point_is_translated() {
    let high = Segment {
        virtual_address: 0xffff_ffff_8000_0000,
        physical_address: BASE + 0x20_0000,
        bytes: b"kernel",
        memory_bytes: 6,
    };
    let image = elf(0xffff_ffff_8000_0002, &[high]);
    assert_eq!(Plan::read(&image).unwrap().entry, BASE + 0x20_0002);
}

#[test]
fn a_linux_image_goes_to_its_text_offset_with_its_whole_size() {
    let image = linux_image(0x20_0000, 0x10_0000, 0);
    let plan = Plan::read(&image).unwrap();
    assert_eq!((plan.format, plan.entry), (Format::LinuxImage, 0x8020_0000));
    assert_eq!(plan.end(), 0x8030_0000);
    assert!(matches!(Plan::read(&linux_image(0x1000, 0, 0)), Err(ImageError::Malformed(_))));
    assert!(matches!(Plan::read(&linux_image(0, 0, 1)), Err(ImageError::WrongMachine(_))));
    assert!(matches!(
        Plan::read(&linux_image(0, u64::MAX, 0)).unwrap().check(RAM),
        Err(ImageError::OutsideMemory { .. })
    ));
    assert!(matches!(Plan::read(&image[..60]), Err(ImageError::Truncated(_))));
}

#[test]
fn anything_else_is_raw() {
    let plan = Plan::read(b"\x13\0\0\0").unwrap();
    assert_eq!((plan.format, plan.entry), (Format::Raw, 0x8020_0000));
    assert_eq!(Plan::read(b""), Err(ImageError::Empty));
}

#[test]
fn images_for_other_machines_are_refused() {
    let good = elf(BASE, &[segment(BASE, b"code", 4)]);
    for (offset, value) in [(4, 1), (5, 2), (18, 62)] {
        let mut image = good.clone();
        image[offset] = value;
        assert!(matches!(Plan::read(&image), Err(ImageError::WrongMachine(_))), "{offset}");
    }
    let mut image = good;
    image[16] = 3;
    assert_eq!(Plan::read(&image), Err(ImageError::NotExecutable(3)));
}

#[test]
fn truncated_images_are_refused() {
    let image = elf(BASE, &[segment(BASE, b"code", 4)]);
    for length in 4..image.len() {
        let result = Plan::read(&image[..length]);
        assert!(matches!(result, Err(ImageError::Truncated(_))), "{length}: {result:?}");
    }
}

fn refusal(image: &[u8]) -> ImageError {
    World::new().load(image).unwrap_err()
}

#[test]
fn segments_must_lie_in_memory_apart_from_each_other() {
    let outside = ImageError::OutsideMemory { address: BASE - 4, length: 8 };
    assert_eq!(refusal(&elf(BASE, &[segment(BASE - 4, b"code", 8)])), outside);
    for memory_bytes in [RAM_BYTES + 1, 1 << 60, u64::MAX] {
        assert!(matches!(
            refusal(&elf(BASE, &[segment(BASE, b"code", memory_bytes)])),
            ImageError::OutsideMemory { .. }
        ));
    }
    let both = [segment(BASE + 8, b"late", 4), segment(BASE, b"code", 9)];
    assert_eq!(refusal(&elf(BASE, &both)), ImageError::Overlap { address: BASE + 8 });
}

#[test]
fn the_entry_point_must_be_in_a_segment() {
    let image = elf(BASE + 4, &[segment(BASE, b"code", 4)]);
    assert_eq!(refusal(&image), ImageError::EntryOutside { address: BASE + 4 });
}

#[test]
fn an_executable_needs_a_segment_that_fits_its_file() {
    assert!(matches!(Plan::read(&elf(BASE, &[])), Err(ImageError::Malformed(_))));
    let shrunk = elf(BASE, &[segment(BASE, b"code", 3)]);
    assert!(matches!(Plan::read(&shrunk), Err(ImageError::Malformed(_))));
}

#[test]
fn the_tree_lies_above_the_image_or_nowhere() {
    assert_eq!(device_tree_address(RAM, BASE, 5000), Ok(BASE + RAM_BYTES - 8192));
    assert_eq!(
        device_tree_address(RAM, BASE + RAM_BYTES - 8191, 5000),
        Err(ImageError::NoRoomForDeviceTree { length: 5000 })
    );
    assert!(device_tree_address(RAM, BASE, RAM_BYTES + 1).is_err());
    assert!(device_tree_address(RAM, BASE, u64::MAX).is_err());
    let large = Region { base: BASE, bytes: 16 << 30 };
    assert_eq!(device_tree_address(large, BASE, 4096), Ok(0xc000_0000 - 4096));
}

#[test]
fn an_initial_ram_disk_lies_between_image_and_tree() {
    let tree = BASE + RAM_BYTES - 4096;
    assert_eq!(initrd_address(BASE + 0x1000, tree, 100), Ok(tree - 4096));
    assert_eq!(initrd_address(BASE + 0x1000, BASE + 0x3000, 0x2000), Ok(BASE + 0x1000));
    for length in [0x2001, u64::MAX] {
        let refused = Err(ImageError::NoRoomForInitrd { length });
        assert_eq!(initrd_address(BASE + 0x1000, BASE + 0x3000, length), refused);
    }
}

#[test]
fn a_full_memory_leaves_no_room_for_the_tree() {
    let image = elf(BASE, &[segment(BASE, b"code", RAM_BYTES)]);
    assert_eq!(refusal(&image), ImageError::NoRoomForDeviceTree { length: 4 });
}

#[test]
fn a_file_without_symbols_has_none() {
    assert_eq!(symbol_address(&elf(BASE, &[segment(BASE, b"code", 4)]), "tohost"), None);
    assert_eq!(symbol_address(b"", "tohost"), None);
}

#[test]
fn mutated_images_never_panic_and_stay_in_memory() {
    let segments = [segment(BASE, b"code....", 8), segment(BASE + 0x1000, b"data", 0x2000)];
    let images = [elf(BASE, &segments), linux_image(0x20_0000, 0x10_0000, 0)];
    let edges = [0, 1, 0x7f, 0x80, 0xff];
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let mut image = images[random.below(2) as usize].clone();
        for _ in 0..=random.below(4) {
            let place = random.below(image.len() as u64) as usize;
            image[place] = edges[random.below(5) as usize];
        }
        image.truncate(random.below(2 * image.len() as u64) as usize);
        let _ = symbol_address(&image, "tohost");
        let Ok(plan) = Plan::read(&image) else { continue };
        if plan.check(RAM).is_ok() {
            assert!(plan.end() <= BASE + RAM_BYTES, "seed {seed}");
        }
    }
}
