//! Guests whose disk driver breaks the rules while a request is in flight (Virtio 1.2, sections
//! 2.1.2 and 4.2).

use crate::assembly::{Assembler, x};
use crate::support::{MIB, Model, config};
use dcsim_hart::isa::Opcode;
use dcsim_machine::{DiskImage, IoStatus, RequestTag};
use dcsim_monitor::TechniqueKind::{self, BareMetal, TrapAndEmulate};
use dcsim_monitor::{ExitKind, HostError, VmId};

/// Where the image lies.
pub const BASE: u64 = 0x8020_0000;
const MEMORY_BYTES: u64 = 4 * MIB;
const END_NS: u64 = 1_000_000;

/// Offsets in the image.
pub const DESCRIPTORS: usize = 0x1000;
pub const AVAILABLE: usize = 0x2000;
pub const USED: usize = 0x3000;
const HEADER: usize = 0x4000;
const DATA: usize = 0x5000;
const STATUS: usize = 0x6000;
const IMAGE_BYTES: usize = 0x7000;

const REGISTERS: u64 = 0x1000_1000;
pub const QUEUE_NOTIFY: u64 = 0x50;

pub fn store_word(code: &mut Assembler, address: u64, value: u64) {
    code.constant(x(5), address);
    code.constant(x(6), value);
    code.store(Opcode::Sw, x(6), x(5), 0);
}

pub fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Sets one queue of the device with these registers up.
pub fn set_up(code: &mut Assembler, registers: u64, queue: u64) {
    let place = |offset: usize| BASE + offset as u64;
    let setup: [(u64, u64); 13] = [
        (0x70, 0),
        (0x70, 1),
        (0x70, 3),
        (0x24, 1),
        (0x20, 1), // VERSION_1, the lowest bit of the second word
        (0x70, 0xb),
        (0x30, queue),
        (0x38, 8),
        (0x80, place(DESCRIPTORS)),
        (0x90, place(AVAILABLE)),
        (0xa0, place(USED)),
        (0x44, 1),
        (0x70, 0xf),
    ];
    for (register, value) in setup {
        store_word(code, registers + register, value);
    }
}

/// A descriptor as it lies in memory.
pub fn descriptor(address: u64, length: u32, flags: u16, next: u16) -> Vec<u8> {
    let mut bytes = address.to_le_bytes().to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(next.to_le_bytes());
    bytes
}

/// A guest that reads the first sector. `rings` tells what the index of the available ring is at
/// each doorbell.
fn guest(status_address: u64, rings: &[u64]) -> Vec<u8> {
    let mut code = Assembler::default();
    let place = |offset: usize| BASE + offset as u64;
    set_up(&mut code, REGISTERS, 0);
    for index in rings {
        store_word(&mut code, place(AVAILABLE), index << 16);
        store_word(&mut code, REGISTERS + QUEUE_NOTIFY, 0);
    }
    code.immediate(Opcode::Jal, x(0), x(0), 0);
    let mut image = code.bytes();
    image.resize(IMAGE_BYTES, 0);
    // Header, data and status; 1: another descriptor follows, 2: the device writes.
    let chain = [(place(HEADER), 16, 1u16), (place(DATA), 512, 3), (status_address, 1, 2)];
    for (index, (address, length, flags)) in chain.into_iter().enumerate() {
        let bytes = descriptor(address, length, flags, index as u16 + 1);
        put(&mut image, DESCRIPTORS + 16 * index, &bytes);
    }
    image
}

/// Plays the guest, which then is on no pCPU, and tells which requests it made.
fn play(technique: TechniqueKind, image: &[u8]) -> (Model, VmId, Vec<RequestTag>) {
    let mut model = Model::new(1, 16 * MIB);
    let disk = Some(DiskImage::new(MIB));
    let vm = model.add_image(config(technique, MEMORY_BYTES, ""), image, disk);
    model.host.load(&mut model.store, 0, vm, 0).unwrap();
    let mut tags = Vec::new();
    loop {
        let exit = model.host.run(&mut model.store, END_NS).unwrap();
        match exit.kind {
            ExitKind::Until => break,
            ExitKind::Io { tag, .. } => tags.push(tag),
            other => panic!("{other:?}"),
        }
    }
    model.host.unload(&mut model.store, 0).unwrap();
    (model, vm, tags)
}

#[test]
fn a_guest_is_saved_after_its_driver_broke_the_rules() {
    for technique in [BareMetal, TrapAndEmulate] {
        let status = BASE + STATUS as u64;
        let (mut model, vm, tags) = play(technique, &guest(status, &[1]));
        assert_eq!(tags.len(), 1);
        let refused = model.host.save_vm(&mut model.store, vm);
        assert!(matches!(refused, Err(HostError::Refused(_))), "the request is in flight");

        // An index further ahead than the queue is long.
        let (mut model, vm, tags) = play(technique, &guest(status, &[1, 40]));
        assert_eq!(tags.len(), 1);
        assert_eq!(model.host.in_flight(vm).unwrap(), 0);
        model.host.save_vm(&mut model.store, vm).unwrap();
        // The disk is done with it later and finds nobody.
        model.host.complete_io(&mut model.store, vm, tags[0], END_NS, IoStatus::Done).unwrap();
        model.host.save_vm(&mut model.store, vm).unwrap();
    }
}

#[test]
fn a_guest_is_saved_after_a_completion_with_its_status_outside_memory() {
    for technique in [BareMetal, TrapAndEmulate] {
        let outside = 0x8000_0000 + MEMORY_BYTES;
        let (mut model, vm, tags) = play(technique, &guest(outside, &[1]));
        assert_eq!((tags.len(), model.host.in_flight(vm).unwrap()), (1, 1));
        model.host.complete_io(&mut model.store, vm, tags[0], END_NS, IoStatus::Done).unwrap();
        model.host.save_vm(&mut model.store, vm).unwrap();
    }
}
