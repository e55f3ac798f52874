//! The frame that a signal leaves on the stack: `struct rt_sigframe` of Linux on RISC-V.
//!
//! It holds a `siginfo_t` of 128 bytes and a `ucontext`: flags, link, stack, mask, and behind 128 bytes
//! for masks to come the registers, aligned to 16: `pc`, x1 to x31, f0 to f31, `fcsr`, in room for
//! registers of 128 bits.

use super::layout::{Writer, signal_info, signal_set};
use super::{Registers, register};
use crate::errno::Stop;
use crate::memory::user::User;
use crate::signal::{Action, Info, SignalSet, flag};

const INFO_BYTES: u64 = 128;
const STACK_AT: u64 = 16;
const MASK_AT: u64 = 40;
const REGISTERS_AT: u64 = 176;
const INTEGER_BYTES: u64 = 32 * 8;
const FLOAT_BYTES: u64 = 32 * 8;
const FLOAT_ROOM: u64 = 528;
const CONTEXT_BYTES: u64 = REGISTERS_AT + INTEGER_BYTES + FLOAT_ROOM;
/// Bytes of the whole frame.
pub const FRAME_BYTES: u64 = INFO_BYTES + CONTEXT_BYTES;

/// A signal that is being delivered.
#[derive(Copy, Clone, Debug)]
pub struct Delivery {
    /// Its number.
    pub signal: u32,
    /// What it tells.
    pub info: Info,
    /// What the process does.
    pub action: Action,
    /// The mask to return to.
    pub mask: SignalSet,
    /// The thread's stack for signals.
    pub signal_stack: (u64, u64),
    /// Where the code that returns is.
    pub trampoline: u64,
}

/// Puts a frame on the stack and makes the thread go on in the handler.
pub fn push(
    user: &mut User<'_>,
    registers: &mut Registers,
    delivery: &Delivery,
) -> Result<(), Stop> {
    let sp = registers.x[register::SP];
    let (base, size) = delivery.signal_stack;
    let is_on_it = (base..base.saturating_add(size)).contains(&sp);
    let wanted = delivery.action.flags & flag::ON_STACK != 0 && size > 0 && !is_on_it;
    let top = if wanted { base.wrapping_add(size) } else { sp };
    let frame = top.wrapping_sub(FRAME_BYTES) & !15;
    user.prepare(frame, FRAME_BYTES)?;
    user.write(frame, &signal_info(delivery.signal, &delivery.info))?;
    let context = frame + INFO_BYTES;
    user.write(context, &context_of(registers, delivery))?;
    registers.x[register::A0] = u64::from(delivery.signal);
    registers.x[register::A1] = frame;
    registers.x[register::A2] = context;
    registers.x[register::SP] = frame;
    registers.x[register::RA] = delivery.trampoline;
    registers.pc = delivery.action.handler;
    Ok(())
}

fn context_of(registers: &Registers, delivery: &Delivery) -> Vec<u8> {
    let (base, size) = delivery.signal_stack;
    let mut writer = Writer::default()
        .pad_to(STACK_AT as usize)
        .u64(base)
        .u64(0)
        .u64(size)
        .bytes(&signal_set(delivery.mask))
        .pad_to(REGISTERS_AT as usize)
        .u64(registers.pc);
    for value in registers.x[1..].iter().chain(&registers.f) {
        writer = writer.u64(*value);
    }
    writer.u32(registers.fcsr).pad_to(CONTEXT_BYTES as usize).done()
}

/// Takes the registers and the mask back from the frame at the stack pointer.
pub fn pop(user: &mut User<'_>, registers: &mut Registers) -> Result<SignalSet, Stop> {
    let context = registers.x[register::SP].wrapping_add(INFO_BYTES);
    let mask = user.read_u64(context.wrapping_add(MASK_AT))?;
    let mut bytes = [0; (INTEGER_BYTES + FLOAT_BYTES + 8) as usize];
    user.read(context.wrapping_add(REGISTERS_AT), &mut bytes)?;
    let word = |index: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[index * 8..index * 8 + 8]);
        u64::from_le_bytes(word)
    };
    // An instruction is at an even address, whatever the program wrote.
    registers.pc = word(0) & !1;
    for index in 1..32 {
        registers.x[index] = word(index);
    }
    for index in 0..32 {
        registers.f[index] = word(32 + index);
    }
    registers.fcsr = word(64) as u32 & 0xff;
    Ok(SignalSet(mask).as_mask())
}
