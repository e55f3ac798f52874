//! A hostile driver: registers of devices, and virtqueues of all kinds of them.

use super::kernel::{BASE, Kernel, numbers, x};
use super::layout::{IMAGE, MEMORY, MEMORY_BYTES, PAGE, QUEUES, WINDOW, boundary, device};
use super::lists::{AVAILABLE, BUFFERS, DESCRIPTORS, QUEUE_SIZE, USED, buffer, page_number};
use crate::assembler::{csr, immediate, register, store};
use dcsim_hart::isa::Opcode;
use dcsim_machine::board::map;

/// Where a kernel of this style reaches a device.
fn reach(kernel: &Kernel, address: u64) -> u64 {
    if kernel.style.is_paravirtual() { WINDOW.wrapping_add(address) } else { address }
}

/// Accesses of any width to any registers.
pub fn touch_register(kernel: &mut Kernel) {
    for _ in 0..=kernel.random.below(3) {
        let target = device(&mut kernel.random);
        // Switching the machine off ends the guest.
        let is_end = map::FINISHER.offset_of(target, 1).is_some();
        let target = reach(kernel, target);
        kernel.set(x(5), target);
        if is_end || kernel.random.once_in(2) {
            let opcode = kernel.random.pick(&[Opcode::Lbu, Opcode::Lh, Opcode::Lw, Opcode::Ld]);
            kernel.code.op(immediate(opcode, x(6), x(5), 0));
        } else {
            let value = boundary(&mut kernel.random);
            kernel.set(x(6), value);
            let stores = [Opcode::Sb, Opcode::Sw, Opcode::Sw, Opcode::Sd, Opcode::AmoorW];
            let opcode = kernel.random.pick(&stores);
            let op = match opcode {
                Opcode::AmoorW => register(opcode, x(7), x(5), x(6)),
                _ => store(opcode, x(6), x(5), 0),
            };
            kernel.code.op(op);
        }
    }
}

/// Lets the interrupts of all devices through.
pub fn enable_interrupts(kernel: &mut Kernel) {
    const SUPERVISOR_ENABLE: u64 = 0x2080;
    const SUPERVISOR_THRESHOLD: u64 = 0x20_1000;
    let priorities = (1..=map::UART_INTERRUPT as u64).map(|number| (number * 4, 1));
    let others = [(SUPERVISOR_ENABLE, 0x7fe), (SUPERVISOR_THRESHOLD, 0)];
    for (register, value) in priorities.chain(others) {
        let target = reach(kernel, map::PLIC.base + register);
        kernel.set(x(5), target);
        kernel.code.constant(x(6), value);
        kernel.code.op(store(Opcode::Sw, x(6), x(5), 0));
    }
    kernel.code.constant(x(6), 0x200);
    kernel.code.op(csr(Opcode::Csrrs, x(0), numbers::SIE, x(6)));
    kernel.code.op(csr(Opcode::Csrrsi, x(7), numbers::SSTATUS, x(2)));
}

/// Takes the interrupts of all devices, so that there can be new ones.
pub fn acknowledge_interrupts(kernel: &mut Kernel) {
    const SUPERVISOR_CLAIM: u64 = 0x20_1004;
    for slot in 0..4 {
        let target = reach(kernel, map::virtio_slot(slot).base);
        kernel.set(x(5), target);
        write(kernel, registers::ACKNOWLEDGE, 3);
    }
    let target = reach(kernel, map::UART.base);
    kernel.set(x(5), target);
    for _ in 0..8 {
        kernel.code.op(immediate(Opcode::Lbu, x(6), x(5), 0));
    }
    let target = reach(kernel, map::PLIC.base + SUPERVISOR_CLAIM);
    kernel.set(x(5), target);
    for _ in 0..4 {
        kernel.code.op(immediate(Opcode::Lw, x(6), x(5), 0));
        kernel.code.op(store(Opcode::Sw, x(6), x(5), 0));
    }
}

/// Registers of the serial port: it tells of room in its buffer by interrupts.
pub fn use_console(kernel: &mut Kernel) {
    let base = reach(kernel, map::UART.base);
    kernel.set(x(5), base);
    for _ in 0..=kernel.random.below(4) {
        let register = kernel.random.below(8) as i64;
        kernel.draw(x(6));
        let op = match kernel.random.below(3) {
            0 => immediate(Opcode::Lbu, x(6), x(5), register),
            1 => store(Opcode::Sb, x(6), x(5), 1),
            _ => store(Opcode::Sb, x(6), x(5), register),
        };
        kernel.code.op(op);
    }
}

/// Registers of a virtio device.
mod registers {
    pub const FEATURES: u64 = 0x20;
    pub const FEATURES_SELECT: u64 = 0x24;
    pub const QUEUE_SELECT: u64 = 0x30;
    pub const QUEUE_SIZE: u64 = 0x38;
    pub const QUEUE_READY: u64 = 0x44;
    pub const NOTIFY: u64 = 0x50;
    pub const ACKNOWLEDGE: u64 = 0x64;
    pub const STATUS: u64 = 0x70;
    pub const DESCRIPTORS: u64 = 0x80;
    pub const AVAILABLE: u64 = 0x90;
    pub const USED: u64 = 0xa0;
}

/// Sets a device up, more or less, hands it buffers, and notifies it.
pub fn drive_queue(kernel: &mut Kernel) {
    let slot = kernel.random.pick(&[0, 0, 0, 1, 1, 2, 2, 3, 4]);
    let base = reach(kernel, map::virtio_slot(slot).base);
    kernel.set(x(5), base);
    let queue = kernel.random.pick(&[0, 0, 0, 1, 1, 2]);
    let begins = kernel.random.once_in(2);
    if begins {
        set_up(kernel, queue);
    }
    make_available(kernel, begins);
    write(kernel, registers::NOTIFY, queue);
}

/// Gives the balloon pages, or takes some: own ones, the same ones again, and such as are not the
/// guest's.
pub fn drive_balloon(kernel: &mut Kernel) {
    const MOST_NUMBERS: u64 = 6;
    let base = reach(kernel, map::virtio_slot(map::BALLOON_SLOT).base);
    kernel.set(x(5), base);
    let queue = kernel.random.pick(&[0, 0, 0, 1, 1, 4]);
    set_up(kernel, queue);
    kernel.point(x(6), QUEUES + BUFFERS);
    for place in 0..MOST_NUMBERS {
        let number = page_number(&mut kernel.random);
        kernel.set(x(7), u64::from(number));
        kernel.code.op(store(Opcode::Sw, x(7), x(6), 4 * place as i64));
    }
    // The first descriptor: the list, which is read; or what covers whole pages, which is written.
    let (address, length, flags) = match queue {
        4 => (MEMORY + MEMORY_BYTES - 8 * PAGE, 2 * PAGE as u32, 2),
        _ => (IMAGE + QUEUES + BUFFERS, 4 * MOST_NUMBERS as u32, 0),
    };
    kernel.point(x(6), QUEUES + DESCRIPTORS);
    kernel.set(x(7), address);
    kernel.code.op(store(Opcode::Sd, x(7), x(6), 0));
    kernel.set(x(7), u64::from(length) | flags << 32);
    kernel.code.op(store(Opcode::Sd, x(7), x(6), 8));
    kernel.point(x(6), QUEUES + AVAILABLE);
    kernel.set(x(7), 1 << 16);
    kernel.code.op(store(Opcode::Sd, x(7), x(6), 0));
    write(kernel, registers::NOTIFY, queue);
}

fn set_up(kernel: &mut Kernel, queue: u64) {
    let place = |offset: u64| IMAGE + QUEUES + offset;
    let random = &mut kernel.random;
    let mut ring = |offset| if random.once_in(8) { buffer(random) } else { place(offset) };
    let rings = [DESCRIPTORS, AVAILABLE, USED].map(&mut ring);
    let size = random.pick(&[QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, 1, 7, 32768, 0]);
    for (register, value) in [
        (registers::STATUS, 0),
        (registers::STATUS, 1),
        (registers::STATUS, 3),
        (registers::FEATURES_SELECT, 1),
        (registers::FEATURES, 1),
        (registers::STATUS, 0xb),
        (registers::QUEUE_SELECT, queue),
        (registers::QUEUE_SIZE, size),
        (registers::DESCRIPTORS, rings[0] & 0xffff_ffff),
        (registers::DESCRIPTORS + 4, rings[0] >> 32),
        (registers::AVAILABLE, rings[1] & 0xffff_ffff),
        (registers::AVAILABLE + 4, rings[1] >> 32),
        (registers::USED, rings[2] & 0xffff_ffff),
        (registers::USED + 4, rings[2] >> 32),
        (registers::QUEUE_READY, 1),
        (registers::STATUS, 0xf),
    ] {
        write(kernel, register, value);
    }
}

/// Advances the index of the ring of available buffers, and spoils a descriptor now and then.
fn make_available(kernel: &mut Kernel, begins: bool) {
    kernel.point(x(6), QUEUES + AVAILABLE);
    if kernel.random.once_in(12) {
        kernel.draw(x(7));
    } else {
        let read = if begins { Opcode::Andi } else { Opcode::Lhu };
        kernel.code.op(immediate(read, x(7), x(6), if begins { 0 } else { 2 }));
        let more = 1 + kernel.random.below(3) as i64;
        kernel.code.op(immediate(Opcode::Addi, x(7), x(7), more));
    }
    kernel.code.op(store(Opcode::Sh, x(7), x(6), 2));
    if kernel.random.once_in(6) {
        let descriptor = kernel.random.below(QUEUE_SIZE);
        kernel.point(x(6), QUEUES + DESCRIPTORS + 16 * descriptor);
        let address = buffer(&mut kernel.random);
        kernel.set(x(7), address);
        kernel.code.op(store(Opcode::Sd, x(7), x(6), 0));
    }
}

/// Writes a register of the device at `x5`.
fn write(kernel: &mut Kernel, register: u64, value: u64) {
    kernel.code.constant(x(7), value);
    kernel.code.op(store(Opcode::Sw, x(7), x(5), register as i64));
    debug_assert_ne!(BASE, x(5), "the image's address is another register");
}
