//! The registers of VS level: a guest's own, which stand in for the supervisor registers while it
//! runs.
//!
//! Hypervisor extension, "Hypervisor and Virtual Supervisor CSRs". Interrupts of VS level have in
//! `vsie` and `vsip` the places of the supervisor's, one bit lower than in `hie` and `hip`, and are
//! read-only 0 there unless they are delegated.

use super::fields::{interrupt, satp, status};
use super::machine::{ignore_write, legal_vector, with_summary};
use super::table::{self, Row, row};
use super::{CsrEffect, counters, hypervisor};
use crate::hart::Hart;

/// The `time` of a guest.
static GUEST_TIME: Row = row(0xc01, "time", counters::read_guest_time, ignore_write);

/// The row that is in effect in a guest in place of a register's own.
pub(super) fn substitute(number: u16) -> Option<&'static Row> {
    const TIME: u16 = 0xc01;
    /// From a supervisor register to its replica.
    const REPLICA: u16 = 0x100;
    match number {
        0x100 | 0x104 | 0x105 | 0x140..=0x144 | 0x14d | 0x180 => table::row_of(number + REPLICA),
        TIME => Some(&GUEST_TIME),
        _ => None,
    }
}

pub(super) fn read_status(hart: &Hart, _: u16) -> u64 {
    with_summary(hart.csrs.vsstatus)
}

/// As with `sstatus`, the block goes on unless an interrupt is now to be taken or the
/// floating-point unit went on or off.
pub(super) fn write_status(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let before = hart.csrs.vsstatus;
    let writable = status::SUPERVISOR_WRITABLE;
    let after = before & !writable | value & writable;
    hart.csrs.vsstatus = after;
    let changed = before ^ after;
    if changed & (status::SUM | status::MXR) != 0 {
        hart.refresh_contexts();
    }
    let enabled = changed & after & status::SIE != 0;
    let switched = (before & status::FS == 0) != (after & status::FS == 0);
    if switched || (enabled && hart.pending_interrupt().is_some()) {
        CsrEffect::EndBlock
    } else {
        CsrEffect::None
    }
}

/// The interrupts that `vsie` and `vsip` show.
fn delegated(hart: &Hart) -> u64 {
    hart.csrs.hideleg & interrupt::VIRTUAL
}

pub(super) fn read_enabled(hart: &Hart, _: u16) -> u64 {
    (hart.csrs.mie & delegated(hart)) >> 1
}

pub(super) fn write_enabled(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let visible = delegated(hart);
    hart.csrs.mie = hart.csrs.mie & !visible | value << 1 & visible;
    CsrEffect::EndBlock
}

pub(super) fn read_pending(hart: &Hart, _: u16) -> u64 {
    (hart.interrupts_pending() & delegated(hart)) >> 1
}

/// Of `vsip` only the software interrupt can be written.
pub(super) fn write_pending(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let writable = interrupt::VSSIP & delegated(hart);
    hypervisor::set_virtual(hart, value << 1, writable)
}

pub(super) fn read_vector(hart: &Hart, _: u16) -> u64 {
    hart.csrs.vstvec
}

pub(super) fn write_vector(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.vstvec = legal_vector(hart.csrs.vstvec, value);
    CsrEffect::None
}

pub(super) fn read_pc(hart: &Hart, _: u16) -> u64 {
    hart.csrs.vsepc
}

/// Instructions start at even addresses.
pub(super) fn write_pc(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.vsepc = value & !1;
    CsrEffect::None
}

pub(super) fn read_time_compare(hart: &Hart, _: u16) -> u64 {
    hart.csrs.vstimecmp
}

pub(super) fn write_time_compare(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.vstimecmp = value;
    hart.refresh_timers();
    CsrEffect::EndBlock
}

pub(super) fn read_satp(hart: &Hart, _: u16) -> u64 {
    hart.csrs.vsatp
}

/// A write with a mode that is not there has no effect at all.
pub(super) fn write_satp(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    if satp::has_mode(value) {
        hart.csrs.vsatp = value;
        hart.refresh_contexts();
    }
    CsrEffect::EndBlock
}
