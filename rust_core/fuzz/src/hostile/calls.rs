//! Calls of a hostile kernel to its firmware and to its monitor.

use super::entries::table;
use super::kernel::{Kernel, numbers, x};
use super::layout::{
    DATA, HANDLER, IMAGE, LIST_PAGES, LISTS, PAGE, SHARED, TABLE_PAGES, boundary, device, own_page,
    physical,
};
use super::lists;
use crate::assembler::{csr, immediate, register, store};
use dcsim_hart::isa::Opcode;
use dcsim_monitor::paravirtual::abi::shared;

/// The paravirtual interface.
pub const INTERFACE: u64 = 0x0a44_4353;
const TIME: u64 = 0x5449_4d45;
const SYSTEM_RESET: u64 = 0x5352_5354;
/// The firmware's extension for the states of harts.
pub const HART_STATE: u64 = 0x0048_534d;

/// Extensions of the firmware, those of old, and some that are not there.
const EXTENSIONS: [u64; 16] = [
    0x10,
    TIME,
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
    let count = lists::proper(kernel.style.in_user_mode()).len() as u64;
    call(kernel, INTERFACE, 2, [IMAGE + LISTS, count]);
    share(kernel);
    call(kernel, INTERFACE, 3, [table(0), 1]);
}

/// Shares a page with the monitor, and has traps come to the handler if they come by way of it.
pub fn share(kernel: &mut Kernel) {
    kernel.point(x(11), HANDLER);
    kernel.set(x(17), INTERFACE);
    kernel.set(x(16), 1);
    kernel.set(x(10), IMAGE + SHARED);
    kernel.plain(Opcode::Ecall);
}

/// Has a kernel in user mode go on as a program, with registers that the code has drawn.
pub fn return_to_program(kernel: &mut Kernel, counter: u64) {
    kernel.point(x(6), SHARED);
    for offset in [shared::STATUS, shared::SCRATCH, shared::X16, shared::X17] {
        kernel.draw(x(5));
        kernel.code.op(store(Opcode::Sd, x(5), x(6), offset as i64));
    }
    kernel.set(x(5), counter);
    kernel.code.op(store(Opcode::Sd, x(5), x(6), shared::COUNTER as i64));
    call(kernel, INTERFACE, 6, [0, 0]);
}

/// Sets the timer to a time not far away.
pub fn set_timer(kernel: &mut Kernel, ticks: i64) {
    kernel.set(x(17), TIME);
    kernel.set(x(16), 0);
    kernel.code.op(csr(Opcode::Csrrs, x(10), numbers::TIME, x(0)));
    kernel.code.op(immediate(Opcode::Addi, x(10), x(10), ticks));
    kernel.plain(Opcode::Ecall);
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
        kernel.code.op(immediate(Opcode::Ld, x(5), x(6), 0));
        kernel.code.op(register(Opcode::Xor, x(5), x(5), x(7)));
        kernel.code.op(store(Opcode::Sd, x(5), x(6), 0));
    }
    call(kernel, INTERFACE, 2, [IMAGE + LISTS + first * 16, count]);
}

/// Has the entry of a page forged, and uses the page.
pub fn forge_and_use(kernel: &mut Kernel) {
    let page = kernel.random.below(16);
    let operation = lists::forged_leaf(&mut kernel.random, page);
    let list = LISTS + LIST_PAGES * PAGE - 16;
    kernel.point(x(6), list);
    for (number, word) in operation.into_iter().enumerate() {
        kernel.set(x(5), word);
        kernel.code.op(store(Opcode::Sd, x(5), x(6), 8 * number as i64));
    }
    call(kernel, INTERFACE, 2, [IMAGE + list, 1]);
    if kernel.style.in_user_mode() {
        return return_to_program(kernel, page * PAGE);
    }
    kernel.set(x(5), page * PAGE);
    kernel.code.op(immediate(Opcode::Ld, x(7), x(5), 8));
    kernel.code.op(store(Opcode::Sd, x(7), x(5), 16));
}

/// Any call of the interface.
pub fn call_monitor(kernel: &mut Kernel) {
    let random = &mut kernel.random;
    let wild = [boundary(random), boundary(random)];
    // Sealed as it should be, the image cannot change its code any more.
    let end = if random.once_in(16) { IMAGE + DATA } else { boundary(random) };
    let (function, arguments) = match random.below(14) {
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
        10 => (7, [IMAGE, end]),
        11 => (6 + random.below(2), wild),
        _ => (3, [table(random.below(TABLE_PAGES)), random.below(4)]),
    };
    kernel.set(x(12), end);
    call(kernel, INTERFACE, function, arguments);
}
