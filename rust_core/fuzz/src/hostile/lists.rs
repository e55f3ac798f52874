//! Data that a hostile kernel hands to devices and to its monitor.

use super::entries::table;
use super::layout::{
    IMAGE, MEMORY, MEMORY_BYTES, PAGE, PROGRAM, QUEUES, TABLE_PAGES, USER, device, host_page,
    own_page, physical,
};
use crate::random::Random;

/// Descriptors in a queue.
pub const QUEUE_SIZE: u64 = 8;
/// Offsets from the start of the queues' pages: the table of descriptors, the rings.
pub const DESCRIPTORS: u64 = 0;
/// The ring of available buffers.
pub const AVAILABLE: u64 = 0x400;
/// The ring of used buffers.
pub const USED: u64 = 0x800;
/// Buffers.
pub const BUFFERS: u64 = 0x1000;

/// An address for a device to move data at: often one where it may.
pub fn buffer(random: &mut Random) -> u64 {
    match random.below(20) {
        0 => physical(random),
        1..3 => host_page(random) + random.below(PAGE),
        3 => MEMORY + MEMORY_BYTES - random.below(64),
        4 => u64::MAX - random.below(64),
        _ => IMAGE + QUEUES + BUFFERS + random.below(2 * PAGE),
    }
}

/// A page number for a balloon: of the guest's own, near the last one; of a host's frame; or any.
pub fn page_number(random: &mut Random) -> u32 {
    let address = match random.below(8) {
        0 => physical(random),
        1 => host_page(random),
        2 => MEMORY + MEMORY_BYTES + PAGE * random.below(4),
        3 => random.bits(),
        _ => MEMORY + MEMORY_BYTES - PAGE * (1 + random.below(32)),
    };
    (address / PAGE) as u32
}

fn length(random: &mut Random) -> u32 {
    match random.below(6) {
        0 => random.bits() as u32,
        1 => random.below(64) as u32,
        2 => 1,
        3 => 16,
        _ => 512 * random.below(9) as u32,
    }
}

/// The descriptors of a request to a block device, mostly as they have to be, or any.
fn chain(random: &mut Random, head: u64, descriptors: u64) -> Vec<u8> {
    let whole = !random.once_in(3);
    let mut bytes = Vec::new();
    for position in 0..descriptors {
        let (length, flags) = match (whole, position) {
            (true, 0) => (16, 1),
            (true, 1) => (512 * (1 + random.below(4) as u32), random.pick(&[3, 3, 3, 1])),
            (true, _) => (1, 2),
            _ => (length(random), random.bits() as u16 & 7),
        };
        let next = if whole { head + position + 1 } else { random.below(QUEUE_SIZE + 2) } as u16;
        let address = buffer(random);
        let aligned = if position == 0 { address & !0xf } else { address };
        bytes.extend(aligned.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
    }
    bytes
}

/// Descriptors, rings and buffers of the virtqueues, which all devices share.
pub fn queues(random: &mut Random) -> Vec<u8> {
    let chains = [(0, 3), (3, 3), (6, 2)];
    let mut bytes: Vec<u8> =
        chains.iter().flat_map(|(head, length)| chain(random, *head, *length)).collect();
    bytes.resize(AVAILABLE as usize, 0);
    // Flags and index, then heads of chains.
    bytes.extend([0; 4]);
    for _ in 0..QUEUE_SIZE {
        let head = if random.once_in(8) { random.bits() as u16 } else { random.pick(&[0, 3, 6]) };
        bytes.extend(head.to_le_bytes());
    }
    bytes.resize(BUFFERS as usize, 0);
    while (bytes.len() as u64) < 3 * PAGE {
        // Headers of requests: reads, writes, flushes, at low sectors.
        let kind = random.pick(&[0u32, 0, 1, 1, 4, 8, 11, 13, 77]);
        bytes.extend(u64::from(kind).to_le_bytes());
        let sector = if random.once_in(8) { random.bits() } else { random.below(130) };
        bytes.extend(sector.to_le_bytes());
    }
    bytes
}

/// Operations on a paravirtual guest's page tables.
pub fn operations(random: &mut Random, count: u64, user_mode: bool) -> Vec<u8> {
    let first = proper(user_mode);
    let more = (first.len() as u64..count).map(|_| operation(random));
    let all: Vec<[u64; 2]> = first.iter().copied().chain(more).collect();
    all.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
}

/// Kinds of operations, as the lowest bits of their address.
mod kind {
    pub const SET: u64 = 0;
    pub const LINK: u64 = 1;
    pub const NEW_ROOT: u64 = 2;
}

/// The operations with which a kernel builds an address space that shows its image's data at
/// address 0, and code to programs; where the kernel is in user mode, the data too.
pub fn proper(user_mode: bool) -> Vec<[u64; 2]> {
    const USER_PAGE: u64 = 0x10;
    let [root, middle, low] = [0, 1, 2].map(table);
    let data = 0xcf | if user_mode { USER_PAGE } else { 0 };
    let mut operations = vec![
        [root | kind::NEW_ROOT, 0],
        [root | kind::LINK, (middle >> 12) << 10 | 1],
        [middle | kind::LINK, (low >> 12) << 10 | 1],
    ];
    for index in 0..8 {
        let page = IMAGE + QUEUES + BUFFERS + index % 2 * PAGE;
        operations.push([(low + index * 8) | kind::SET, (page >> 12) << 10 | data]);
    }
    let code = ((IMAGE + USER) >> 12) << 10 | 0xcb | USER_PAGE;
    operations.push([(low + PROGRAM / PAGE * 8) | kind::SET, code]);
    operations
}

/// Sets the entry that maps a page from address 0 on in the first address space, to anything.
pub fn forged_leaf(random: &mut Random, page: u64) -> [u64; 2] {
    [(table(2) + page * 8) | kind::SET, entry(random)]
}

/// Any operation, on pages of tables mostly.
fn operation(random: &mut Random) -> [u64; 2] {
    let kind = random.pick(&[0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7]);
    let page = match random.below(8) {
        0 => own_page(random),
        1 => physical(random) & !7,
        _ => table(random.below(TABLE_PAGES)),
    };
    let place = if kind < 2 { page + random.pick(&[0, 0, 1, 2, 255, 256, 511]) * 8 } else { page };
    [place & !7 | kind, entry(random)]
}

/// An entry as a paravirtual kernel hands it over.
fn entry(random: &mut Random) -> u64 {
    let number = |address: u64| (address >> 12) << 10;
    let flags = random.pick(&[1, 1, 1, 0xcf, 0xd7, 0xdf, 0x43, 0x3ff, 5, 0]);
    match random.below(12) {
        0 => random.bits(),
        1 => number(physical(random)) | flags,
        2 | 3 => number(host_page(random)) | flags,
        4 => number(device(random)) | flags,
        5..8 => number(table(random.below(TABLE_PAGES))) | flags,
        _ => number(own_page(random)) | flags,
    }
}

/// Pages that become tables as they are: sparse, so that some of them may.
pub fn paravirtual_tables(random: &mut Random) -> Vec<u8> {
    let words =
        (0..TABLE_PAGES * PAGE / 8).map(|_| if random.once_in(64) { entry(random) } else { 0 });
    words.flat_map(u64::to_le_bytes).collect()
}
