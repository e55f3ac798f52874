//! Where things are in a hostile kernel and around it, and addresses that are worth trying.

use crate::random::Random;
use dcsim_machine::board::map;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Where a guest's memory begins, and the host's.
pub const MEMORY: u64 = map::MEMORY_BASE;
/// Bytes of a guest's memory: images are loaded 2 MiB into it.
pub const MEMORY_BYTES: u64 = (2 << 20) + (256 << 10);
/// Bytes of the host's memory.
pub const HOST_BYTES: u64 = 12 << 20;
/// Where the image is.
pub const IMAGE: u64 = map::KERNEL_BASE;

/// Offset of the trap handler in the image.
pub const HANDLER: u64 = 0x1000;
/// Offset of the code.
pub const BODY: u64 = 0x2000;
/// Where it ends.
pub const BODY_END: u64 = 0x9000;
/// Offset of a page of code for user mode.
pub const USER: u64 = 0x9000;
/// Offset of pages of data.
pub const DATA: u64 = 0xa000;
/// Pages of data.
pub const DATA_PAGES: u64 = 3;
/// Offset of the pages that virtqueues and their buffers are in.
pub const QUEUES: u64 = 0xd000;
/// Offset of lists for hypercalls.
pub const LISTS: u64 = 0x1_0000;
/// Pages of lists.
pub const LIST_PAGES: u64 = 2;
/// Offset of the page that a paravirtual kernel shares with its monitor: the last of the buffers.
pub const SHARED: u64 = LISTS - PAGE;
/// Where programs find the page of code for user mode, in the tables that a paravirtual kernel
/// begins with.
pub const PROGRAM: u64 = 8 * PAGE;
/// Offset of pages that hold page tables.
pub const TABLES: u64 = 0x1_2000;
/// How many they are.
pub const TABLE_PAGES: u64 = 8;
/// Bytes of the image.
pub const IMAGE_BYTES: u64 = TABLES + TABLE_PAGES * PAGE;

/// Where a paravirtual kernel finds its memory, whatever its tables are.
pub const WINDOW: u64 = 0xffff_ffc0_0000_0000;
/// Where it finds what its guest calls host frames.
pub const NAMES: u64 = 0xffff_ffff_c000_0000;
/// Below this, in ranges of 4 MiB, is the cache of translated code.
const TRANSLATIONS: u64 = 0xffff_ffff_c000_0000;
const TRANSLATION_RANGE: u64 = 4 << 20;

const DEVICES: [map::Region; 5] = [map::FINISHER, map::ACLINT, map::PLIC, map::UART, map::VIRTIO];

/// A page of the host's that may be anybody's.
pub fn host_page(random: &mut Random) -> u64 {
    if random.once_in(2) {
        return MEMORY + MEMORY_BYTES + random.below((HOST_BYTES - MEMORY_BYTES) / PAGE) * PAGE;
    }
    // What is given first is used most.
    let pages = random.pick(&[MEMORY_BYTES / PAGE, 256, 64]);
    MEMORY + random.below(pages) * PAGE
}

/// A page of the guest's own.
pub fn own_page(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => MEMORY + random.below(MEMORY_BYTES / PAGE) * PAGE,
        1 => IMAGE + TABLES + random.below(TABLE_PAGES) * PAGE,
        _ => IMAGE + random.below(IMAGE_BYTES / PAGE) * PAGE,
    }
}

/// A register of a device.
pub fn device(random: &mut Random) -> u64 {
    let region = random.pick(&DEVICES);
    match random.below(4) {
        0 => region.base + random.below(region.bytes),
        1 => map::virtio_slot(random.below(8) as usize).base + random.below(0x110),
        _ => region.base + random.below(0x80) * 4,
    }
}

/// A physical address: of memory of anybody's, of a device, at an edge, or none.
pub fn physical(random: &mut Random) -> u64 {
    match random.below(12) {
        0 | 1 => device(random),
        2 => MEMORY.wrapping_sub(16) + random.below(32),
        3 => MEMORY + MEMORY_BYTES - 16 + random.below(32),
        4 => MEMORY + HOST_BYTES - 16 + random.below(32),
        5 => random.bits() >> random.below(64),
        6..9 => host_page(random) + random.below(PAGE),
        _ => own_page(random) + random.below(PAGE),
    }
}

/// A virtual address: what the tables in the image translate, where monitors have things of their
/// own, or a physical one.
pub fn virtual_address(random: &mut Random) -> u64 {
    match random.below(12) {
        0 => random.bits(),
        1 => TRANSLATIONS - (1 + random.below(3)) * TRANSLATION_RANGE + random.below(8 * PAGE),
        2 => WINDOW.wrapping_add(physical(random)),
        3 => NAMES + (host_page(random) >> 12) * 8,
        4..7 => physical(random),
        _ => {
            let indices = [random.below(8), random.below(16), random.below(16)];
            let [top, middle, low] = indices;
            top << 30 | middle << 21 | low << 12 | random.below(PAGE)
        }
    }
}

/// A value that code compares, cuts or indexes with.
pub fn boundary(random: &mut Random) -> u64 {
    let edges = [0, 1, 2, 7, 8, PAGE - 1, PAGE, 1 << 31, 1 << 32, 1 << 63, u64::MAX, u64::MAX - 7];
    match random.below(8) {
        0..3 => random.pick(&edges),
        3 => random.bits() >> random.below(64),
        4 => random.below(1 << 17),
        _ => physical(random),
    }
}
