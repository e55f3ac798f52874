//! Supervisor registers: the view of the status register, translation, and the trap registers.
//!
//! Supervisor architecture, "Supervisor CSRs".

use super::fields::{environment, satp, status};
use super::machine::{legal_vector, set_status};
use super::{CsrEffect, is_machine};
use crate::hart::Hart;

pub(super) fn read_sstatus(hart: &Hart, number: u16) -> u64 {
    super::machine::read_mstatus(hart, number) & status::SUPERVISOR_VISIBLE
}

pub(super) fn write_sstatus(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    set_status(hart, value, status::SUPERVISOR_WRITABLE)
}

/// `mstatus.TVM` takes `satp` away from supervisor mode.
pub(super) fn may_access_satp(hart: &Hart, _: u16) -> bool {
    is_machine(hart) || hart.csrs.mstatus & status::TVM == 0
}

pub(super) fn read_satp(hart: &Hart, _: u16) -> u64 {
    hart.csrs.satp
}

/// A write with a mode that is not there has no effect at all.
pub(super) fn write_satp(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    if matches!(satp::mode(value), satp::BARE | satp::SV39 | satp::SV48) {
        hart.csrs.satp = value;
        hart.refresh_contexts();
    }
    CsrEffect::EndBlock
}

pub(super) fn read_senvcfg(hart: &Hart, _: u16) -> u64 {
    hart.csrs.senvcfg
}

/// The cache-block instructions that the other fields govern are not there.
pub(super) fn write_senvcfg(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.senvcfg = value & environment::FIOM;
    CsrEffect::None
}

pub(super) fn read_stvec(hart: &Hart, _: u16) -> u64 {
    hart.csrs.stvec
}

pub(super) fn write_stvec(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.stvec = legal_vector(hart.csrs.stvec, value);
    CsrEffect::None
}

pub(super) fn read_sscratch(hart: &Hart, _: u16) -> u64 {
    hart.csrs.sscratch
}

pub(super) fn write_sscratch(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.sscratch = value;
    CsrEffect::None
}

pub(super) fn read_sepc(hart: &Hart, _: u16) -> u64 {
    hart.csrs.sepc
}

/// Instructions start at even addresses.
pub(super) fn write_sepc(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.sepc = value & !1;
    CsrEffect::None
}

pub(super) fn read_scause(hart: &Hart, _: u16) -> u64 {
    hart.csrs.scause
}

pub(super) fn write_scause(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.scause = value;
    CsrEffect::None
}

pub(super) fn read_stval(hart: &Hart, _: u16) -> u64 {
    hart.csrs.stval
}

pub(super) fn write_stval(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.stval = value;
    CsrEffect::None
}
