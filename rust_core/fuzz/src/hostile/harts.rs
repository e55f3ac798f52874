//! What the harts of a hostile kernel do to each other, and to what they share.
//!
//! Every hart executes the same code with registers of its own; where there is one hart only, these
//! calls are refused.

use super::calls::{HART_STATE, call};
use super::kernel::{Kernel, x};
use super::layout::{DATA, DATA_PAGES, IMAGE, PAGE, boundary, own_page, virtual_address};
use crate::assembler::{immediate, register, store};
use dcsim_hart::isa::Opcode;

const INTERRUPT: u64 = 0x0073_5049;
const FENCE: u64 = 0x5246_4e43;
/// The extension by which a guest tells that it spins for a lock.
const LOCKS: u64 = 0x0a44_4354;

/// More harts than any of these guests has.
const HARTS: u64 = 5;

/// Starts a hart where this one began, mostly.
pub fn start(kernel: &mut Kernel) {
    let random = &mut kernel.random;
    let hart = random.below(HARTS);
    let at = if random.once_in(8) { boundary(random) } else { IMAGE };
    call(kernel, HART_STATE, 0, [hart, at]);
}

/// Starts all other harts that there may be.
pub fn start_all(kernel: &mut Kernel) {
    for hart in 1..HARTS {
        call(kernel, HART_STATE, 0, [hart, IMAGE]);
    }
}

/// Interrupts harts, some of which may not be there.
pub fn interrupt(kernel: &mut Kernel) {
    let mask = mask(kernel);
    call(kernel, INTERRUPT, 0, mask);
}

/// Has harts fence: instructions, all addresses, or some.
pub fn fence(kernel: &mut Kernel) {
    let mask = mask(kernel);
    let random = &mut kernel.random;
    let function = random.below(3);
    let (start, pages) = (virtual_address(random), random.pick(&[1, 1, 3, 64, 65, 1 << 40]));
    let (start, bytes) = match random.below(3) {
        0 => (0, 0),
        1 => (0, u64::MAX),
        _ => (start, pages * PAGE),
    };
    let asid = random.below(6);
    kernel.set(x(12), start);
    kernel.set(x(13), bytes);
    kernel.set(x(14), asid);
    call(kernel, FENCE, function, mask);
}

/// Waits for a kick, or kicks.
pub fn spin(kernel: &mut Kernel) {
    let random = &mut kernel.random;
    let function = random.pick(&[0, 1, 1, 2]);
    let hart = if random.once_in(4) { u64::MAX } else { random.below(HARTS) };
    call(kernel, LOCKS, function, [hart, 0]);
}

/// Ends this hart until another one starts it, now and then.
pub fn stop(kernel: &mut Kernel) {
    let function = if kernel.random.once_in(4) { 1 } else { 2 };
    let hart = kernel.random.below(HARTS);
    call(kernel, HART_STATE, function, [hart, 0]);
}

/// Atomic operations on few words that all harts use: additions, exchanges, and attempts to store
/// what was reserved.
pub fn contend(kernel: &mut Kernel) {
    let page = kernel.random.below(DATA_PAGES);
    kernel.point(x(5), DATA + page * PAGE);
    for _ in 0..=kernel.random.below(6) {
        let random = &mut kernel.random;
        let (word, opcode) = (8 * random.below(3), random.pick(&ATOMICS));
        kernel.code.op(immediate(Opcode::Addi, x(6), x(5), word as i64));
        if kernel.random.once_in(2) {
            kernel.code.op(register(opcode, x(7), x(6), x(8)));
            continue;
        }
        kernel.code.op(register(Opcode::LrD, x(7), x(6), x(0)));
        if kernel.random.once_in(3) {
            kernel.code.op(store(Opcode::Sd, x(9), x(6), 8));
        }
        kernel.code.op(register(Opcode::ScD, x(8), x(6), x(7)));
    }
}

const ATOMICS: [Opcode; 5] =
    [Opcode::AmoaddD, Opcode::AmoswapD, Opcode::AmoxorD, Opcode::AmomaxuD, Opcode::AmoorW];

/// Which harts: a mask, and the hart that its first bit is.
fn mask(kernel: &mut Kernel) -> [u64; 2] {
    let random = &mut kernel.random;
    match random.below(8) {
        0 => [boundary(random), boundary(random)],
        1 => [own_page(random), u64::MAX],
        2 => [0, u64::MAX],
        _ => [1 + random.below(15), 0],
    }
}
