//! Supervisor registers: the view of the status register, translation, and the trap registers.
//!
//! Supervisor architecture, "Supervisor CSRs".

use super::CsrEffect;
use super::fields::{environment, hypervisor_status, satp, status};
use super::machine::{legal_vector, set_status};
use crate::hart::{Hart, Privilege};
use crate::mode::Mode;

pub(super) fn read_sstatus(hart: &Hart, number: u16) -> u64 {
    super::machine::read_mstatus(hart, number) & status::SUPERVISOR_VISIBLE
}

pub(super) fn write_sstatus(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    set_status(hart, value, status::SUPERVISOR_WRITABLE)
}

/// `mstatus.TVM` takes `satp` and `hgatp` away from HS mode; it does not concern a guest.
pub(super) fn may_access_hgatp(hart: &Hart, _: u16, mode: Mode) -> bool {
    mode.privilege == Privilege::Machine || hart.virtualised || hart.csrs.mstatus & status::TVM == 0
}

/// `hstatus.VTVM` takes `satp` away from VS mode.
pub(super) fn may_access_satp(hart: &Hart, number: u16, mode: Mode) -> bool {
    if mode.virtualised {
        hart.csrs.hstatus & hypervisor_status::VTVM == 0
    } else {
        may_access_hgatp(hart, number, mode)
    }
}

pub(super) fn read_satp(hart: &Hart, _: u16) -> u64 {
    hart.csrs.satp
}

/// A write with a mode that is not there has no effect at all.
pub(super) fn write_satp(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    if satp::has_mode(value) {
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
