//! Machine registers: status, delegation, the trap registers, configuration and protection.
//!
//! Privileged architecture, "Machine-Level CSRs".

use super::CsrEffect;
use super::fields::{environment, status};
use crate::hart::{Hart, Privilege};
use crate::isa::Extension;
use crate::mode::Mode;
use crate::profile::IsaProfile;

/// `misa`: 64 bits, and the letters of RV64GC with supervisor and user mode. The hypervisor
/// extension has a letter too.
const MISA: u64 = 2 << 62
    | letter(b'A')
    | letter(b'B')
    | letter(b'C')
    | letter(b'D')
    | letter(b'F')
    | letter(b'I')
    | letter(b'M')
    | letter(b'S')
    | letter(b'U');

/// The exceptions that can be delegated: all but the environment call from machine mode.
const DELEGABLE: u64 = 0xb3ff;

/// Those that the hypervisor extension adds: the environment call from VS mode, guest-page faults
/// and virtual instructions.
pub(super) const DELEGABLE_OF_GUESTS: u64 = 0xf0_0400;

const fn letter(letter: u8) -> u64 {
    1 << (letter - b'A')
}

pub(super) fn read_zero(_: &Hart, _: u16) -> u64 {
    0
}

pub(super) fn ignore_write(_: &mut Hart, _: u16, _: u64) -> CsrEffect {
    CsrEffect::None
}

pub(super) fn always(_: &Hart, _: u16, _: Mode) -> bool {
    true
}

/// The letter of the hypervisor extension, the only one that can be switched off.
const HYPERVISOR: u64 = letter(b'H');

/// `misa` after reset: everything that the hart has.
pub(super) fn misa(profile: IsaProfile) -> u64 {
    if profile.has_hypervisor() { MISA | HYPERVISOR } else { MISA }
}

pub(super) fn read_misa(hart: &Hart, _: u16) -> u64 {
    hart.csrs.misa
}

/// Without its letter the hart is one that does not have the hypervisor extension; what was in the
/// registers of the extension is gone.
pub(super) fn write_misa(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let before = hart.csrs.misa;
    hart.csrs.misa = misa(hart.profile) & (MISA | value & HYPERVISOR) & !hart.missing.letters();
    if hart.csrs.misa != before {
        hart.reset_hypervisor();
    }
    CsrEffect::EndBlock
}

impl Hart {
    /// Whether the hart has the hypervisor extension, and it is on.
    #[inline]
    pub fn has_hypervisor(&self) -> bool {
        self.csrs.misa & HYPERVISOR != 0
    }
}

pub(super) fn read_mhartid(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mhartid
}

/// `SD` is not stored: it says that the floating-point state is dirty.
pub(super) fn read_mstatus(hart: &Hart, _: u16) -> u64 {
    with_summary(hart.csrs.mstatus)
}

/// A status register with its `SD`.
pub(super) fn with_summary(status: u64) -> u64 {
    if status & status::FS == status::FS { status | status::SD } else { status }
}

pub(super) fn write_mstatus(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let profile = hart.profile;
    let traps = if profile.can_trap_supervisor() { status::SUPERVISOR_TRAPS } else { 0 };
    let guests = if hart.has_hypervisor() { status::HYPERVISOR } else { 0 };
    set_status(hart, value, status::MACHINE_WRITABLE | traps | guests)
}

/// The fields that translation contexts depend on.
const TRANSLATION: u64 = status::MPRV | status::MPV | status::MPP | status::SUM | status::MXR;

/// Writes the fields of `writable`. The block goes on unless an interrupt is now to be taken or
/// the floating-point unit went on or off.
pub(super) fn set_status(hart: &mut Hart, value: u64, writable: u64) -> CsrEffect {
    let before = hart.csrs.mstatus;
    // Without floating point its state is read-only 0.
    let unit = if hart.missing.contains(Extension::F) { status::FS } else { 0 };
    let writable = writable & !unit;
    let mut after = before & !writable | value & writable;
    if Privilege::from_code((after & status::MPP) >> status::MPP_SHIFT).is_none() {
        after = after & !status::MPP | before & status::MPP;
    }
    hart.csrs.mstatus = after;
    let changed = before ^ after;
    if changed & TRANSLATION != 0 {
        hart.refresh_contexts();
    }
    let enabled = changed & after & (status::SIE | status::MIE) != 0;
    let switched = (before & status::FS == 0) != (after & status::FS == 0);
    if switched || (enabled && hart.pending_interrupt().is_some()) {
        CsrEffect::EndBlock
    } else {
        CsrEffect::None
    }
}

pub(super) fn read_medeleg(hart: &Hart, _: u16) -> u64 {
    hart.csrs.medeleg
}

pub(super) fn write_medeleg(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let of_guests = if hart.has_hypervisor() { DELEGABLE_OF_GUESTS } else { 0 };
    hart.csrs.medeleg = value & (DELEGABLE | of_guests);
    CsrEffect::None
}

/// The value of a trap-vector register after a write. A reserved mode makes the write void.
pub(super) fn legal_vector(before: u64, value: u64) -> u64 {
    if value & 2 == 0 { value } else { before }
}

pub(super) fn read_mtvec(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mtvec
}

pub(super) fn write_mtvec(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mtvec = legal_vector(hart.csrs.mtvec, value);
    CsrEffect::None
}

pub(super) fn read_mscratch(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mscratch
}

pub(super) fn write_mscratch(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mscratch = value;
    CsrEffect::None
}

pub(super) fn read_mepc(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mepc
}

/// Instructions start at even addresses.
pub(super) fn write_mepc(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mepc = value & !1;
    CsrEffect::None
}

pub(super) fn read_mcause(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mcause
}

pub(super) fn write_mcause(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mcause = value;
    CsrEffect::None
}

pub(super) fn read_mtval(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mtval
}

pub(super) fn write_mtval(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mtval = value;
    CsrEffect::None
}

pub(super) fn read_menvcfg(hart: &Hart, _: u16) -> u64 {
    hart.csrs.menvcfg
}

pub(super) fn write_menvcfg(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.menvcfg = value & (environment::FIOM | environment::ADUE | environment::STCE);
    hart.refresh_timers();
    CsrEffect::EndBlock
}

/// The first entry that `pmpcfg<n>` configures: on RV64 only even registers exist, with eight
/// entries each.
fn first_entry(number: u16) -> usize {
    usize::from(number & 0xf) * 4
}

pub(super) fn read_pmp_configuration(hart: &Hart, number: u16) -> u64 {
    hart.csrs.pmp.configuration(first_entry(number))
}

pub(super) fn write_pmp_configuration(hart: &mut Hart, number: u16, value: u64) -> CsrEffect {
    hart.csrs.pmp.set_configuration(first_entry(number), value);
    hart.end_soft_entries();
    CsrEffect::EndBlock
}

pub(super) fn read_pmp_address(hart: &Hart, number: u16) -> u64 {
    hart.csrs.pmp.address(usize::from(number & 0xf))
}

pub(super) fn write_pmp_address(hart: &mut Hart, number: u16, value: u64) -> CsrEffect {
    hart.csrs.pmp.set_address(usize::from(number & 0xf), value);
    hart.end_soft_entries();
    CsrEffect::EndBlock
}
