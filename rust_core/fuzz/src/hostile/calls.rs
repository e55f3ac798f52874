//! Calls of a hostile kernel to its firmware and to its monitor.

use super::entries::table;
use super::kernel::{Kernel, x};
use super::layout::{
    IMAGE, LIST_PAGES, LISTS, PAGE, TABLE_PAGES, boundary, device, own_page, physical,
};
use super::lists;
use crate::assembler::{register, store};
use dcsim_hart::isa::Opcode;

/// The paravirtual interface.
pub const INTERFACE: u64 = 0x0a44_4353;
const SYSTEM_RESET: u64 = 0x5352_5354;
/// The firmware's extension for the states of harts.
pub const HART_STATE: u64 = 0x0048_534d;

/// Extensions of the firmware, those of old, and some that are not there.
const EXTENSIONS: [u64; 16] = [
    0x10,
    0x5449_4d45,
    0x0073_5049,
    0x5246_4e43,
    HART_STATE,
    SYSTEM_RESET,
    0x4442_434e,
    0x4442_434e,
    0x4442_434e,
    0x0050_4d55,
    INTERFACE,
    0,
    1,
    4,
    5,
    u64::MAX,
];

/// Calls a function with two arguments; the others are what is there.
pub fn call(kernel: &mut Kernel, extension: u64, function: u64, arguments: [u64; 2]) {
    kernel.set(x(17), extension);
    kernel.set(x(16), function);
    kernel.set(x(10), arguments[0]);
    kernel.set(x(11), arguments[1]);
    kernel.plain(Opcode::Ecall);
}

/// Any call with any arguments.
pub fn call_firmware(kernel: &mut Kernel) {
    let random = &mut kernel.random;
    let extension = random.pick(&EXTENSIONS);
    let function = match random.below(8) {
        0 => boundary(random),
        1 => random.below(16),
        _ => random.below(7),
    };
    // A guest that switches itself off, or stops its only hart, is done.
    let ends = extension == SYSTEM_RESET || extension == HART_STATE || extension == 8;
    if ends && !random.once_in(12) {
        return call(kernel, extension, 2, [0, 0]);
    }
    let mut argument = || if random.once_in(3) { own_page(random) } else { boundary(random) };
    let [first, second, third, fourth] = [(); 4].map(|()| argument());
    let length = random.pick(&[first, second & 0xff, third & 0x1_ffff]);
    kernel.set(x(12), third);
    kernel.set(x(13), fourth);
    call(kernel, extension, function, [length, second]);
}

/// Makes the monitor carry out the list with which an address space begins, and enters that.
pub fn build_address_space(kernel: &mut Kernel) {
    let count = lists::proper().len() as u64;
    call(kernel, INTERFACE, 2, [IMAGE + LISTS, count]);
    call(kernel, INTERFACE, 1, [IMAGE + LISTS - PAGE, 0]);
    call(kernel, INTERFACE, 3, [table(0), 1]);
}

/// Has part of the lists carried out, one operation of it changed.
pub fn apply(kernel: &mut Kernel) {
    let slots = LIST_PAGES * PAGE / 16;
    let first = kernel.random.below(slots);
    let count = 1 + kernel.random.below(6);
    let random = &mut kernel.random;
    let change = random.below(4);
    if change < 2 {
        let place = physical(random);
        let to = LISTS + first * 16;
        kernel.point(x(6), to);
        kernel.set(x(5), place);
        kernel.code.op(store(Opcode::Sd, x(5), x(6), 0));
    } else if change == 2 {
        // Another page, drawn by the code.
        kernel.point(x(6), LISTS + first * 16 + 8);
        kernel.draw_scaled(x(7), 8, 10);
        kernel.code.op(crate::assembler::immediate(Opcode::Ld, x(5), x(6), 0));
        kernel.code.op(register(Opcode::Xor, x(5), x(5), x(7)));
        kernel.code.op(store(Opcode::Sd, x(5), x(6), 0));
    }
    call(kernel, INTERFACE, 2, [IMAGE + LISTS + first * 16, count]);
}

/// Any call of the interface.
pub fn call_monitor(kernel: &mut Kernel) {
    let random = &mut kernel.random;
    let wild = [boundary(random), boundary(random)];
    let (function, arguments) = match random.below(12) {
        0 => (boundary(random), wild),
        1 => (0, wild),
        2 => (1, [own_page(random), 0]),
        3 => (2, wild),
        4 => (2, [own_page(random), random.below(257)]),
        5 => (5, [device(random) & !0xfff, random.below(3)]),
        6 => (5, wild),
        7 => (3, wild),
        8 => (3, [0, 0]),
        9 if random.once_in(16) => (4, wild),
        _ => (3, [table(random.below(TABLE_PAGES)), random.below(4)]),
    };
    call(kernel, INTERFACE, function, arguments);
}
