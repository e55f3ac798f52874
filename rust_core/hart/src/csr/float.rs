//! The floating-point control and status register and its two parts.
//!
//! Unprivileged architecture, "Floating-Point Control and Status Register"; privileged
//! architecture, "Extension Context Status": while `mstatus.FS` is off, access is illegal, and any
//! write makes the state dirty.

use super::CsrEffect;
use super::fields::status;
use crate::hart::Hart;
use crate::mode::Mode;

const FLAGS: u64 = 0x1f;
const ROUNDING: u64 = 7;
const ROUNDING_SHIFT: u32 = 5;

/// Whether the floating-point unit is on; in a guest, by both status registers.
pub(super) fn is_on(hart: &Hart, _: u16, _: Mode) -> bool {
    let for_guest = !hart.virtualised || hart.csrs.vsstatus & status::FS != 0;
    for_guest && hart.csrs.mstatus & status::FS != 0
}

pub(super) fn read_flags(hart: &Hart, _: u16) -> u64 {
    u64::from(hart.csrs.fflags)
}

pub(super) fn write_flags(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.fflags = (value & FLAGS) as u8;
    mark_dirty(hart)
}

pub(super) fn read_rounding(hart: &Hart, _: u16) -> u64 {
    u64::from(hart.csrs.frm)
}

pub(super) fn write_rounding(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.frm = (value & ROUNDING) as u8;
    mark_dirty(hart)
}

pub(super) fn read_all(hart: &Hart, number: u16) -> u64 {
    read_rounding(hart, number) << ROUNDING_SHIFT | read_flags(hart, number)
}

pub(super) fn write_all(hart: &mut Hart, number: u16, value: u64) -> CsrEffect {
    write_flags(hart, number, value);
    write_rounding(hart, number, value >> ROUNDING_SHIFT)
}

fn mark_dirty(hart: &mut Hart) -> CsrEffect {
    hart.csrs.mstatus |= status::FS;
    if hart.virtualised {
        hart.csrs.vsstatus |= status::FS;
    }
    CsrEffect::None
}
