//! Hypervisor registers: what HS mode controls a guest with.
//!
//! Hypervisor extension, "Hypervisor and Virtual Supervisor CSRs".

use super::fields::{environment, hgatp, hypervisor_status, interrupt, satp, status};
use super::machine::DELEGABLE_OF_GUESTS;
use super::{CsrEffect, Csrs};
use crate::hart::Hart;
use crate::profile::SecondStage;

/// The exceptions that can be delegated to a guest, as the table of `hedeleg` lists them.
const DELEGABLE: u64 = 0xc_b1ff;

pub(super) fn read_status(hart: &Hart, _: u16) -> u64 {
    hart.csrs.hstatus
}

/// Guests are little-endian and 64 bits wide, and have no external interrupts of their own: VSBE,
/// VSXL and VGEIN cannot be changed.
pub(super) fn write_status(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let writable = hypervisor_status::WRITABLE;
    hart.csrs.hstatus = hart.csrs.hstatus & !writable | value & writable;
    CsrEffect::None
}

pub(super) fn read_exceptions(hart: &Hart, _: u16) -> u64 {
    hart.csrs.hedeleg
}

pub(super) fn write_exceptions(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.hedeleg = value & DELEGABLE;
    CsrEffect::None
}

pub(super) fn read_interrupts(hart: &Hart, _: u16) -> u64 {
    hart.csrs.hideleg
}

pub(super) fn write_interrupts(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.hideleg = value & interrupt::VIRTUAL;
    CsrEffect::EndBlock
}

pub(super) fn read_enabled(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mie & interrupt::VIRTUAL
}

pub(super) fn write_enabled(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mie = hart.csrs.mie & !interrupt::VIRTUAL | value & interrupt::VIRTUAL;
    CsrEffect::EndBlock
}

pub(super) fn read_pending(hart: &Hart, _: u16) -> u64 {
    hart.interrupts_pending() & interrupt::VIRTUAL
}

/// Of `hip` only the software interrupt can be written: it is the one in `hvip`.
pub(super) fn write_pending(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    set_virtual(hart, value, interrupt::VSSIP)
}

pub(super) fn read_virtual(hart: &Hart, _: u16) -> u64 {
    hart.csrs.hvip
}

pub(super) fn write_virtual(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    set_virtual(hart, value, interrupt::VIRTUAL)
}

/// Changes the bits of `writable` in `hvip`.
pub(super) fn set_virtual(hart: &mut Hart, value: u64, writable: u64) -> CsrEffect {
    hart.csrs.hvip = hart.csrs.hvip & !writable | value & writable;
    CsrEffect::EndBlock
}

pub(super) fn read_time_delta(hart: &Hart, _: u16) -> u64 {
    hart.csrs.htimedelta
}

pub(super) fn write_time_delta(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.htimedelta = value;
    hart.refresh_timers();
    CsrEffect::EndBlock
}

pub(super) fn read_environment(hart: &Hart, _: u16) -> u64 {
    hart.guest_environment()
}

pub(super) fn write_environment(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.henvcfg = value & (environment::FIOM | environment::ADUE | environment::STCE);
    hart.csrs.henvcfg = hart.guest_environment();
    hart.refresh_timers();
    CsrEffect::EndBlock
}

pub(super) fn read_hgatp(hart: &Hart, _: u16) -> u64 {
    hart.csrs.hgatp
}

/// A mode that is not there leaves `MODE` as it was; the other fields are written all the same.
/// With `MODE` Bare they are 0.
pub(super) fn write_hgatp(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let has_mode = hart.second_stage == SecondStage::Full && satp::has_mode(value);
    let mode = satp::mode(if has_mode { value } else { hart.csrs.hgatp });
    let fields = value & (hgatp::VMID | hgatp::ROOT);
    hart.csrs.hgatp = if mode == satp::BARE { 0 } else { mode << 60 | fields };
    hart.refresh_contexts();
    CsrEffect::EndBlock
}

impl Hart {
    /// Puts the registers of the extension, and the fields of others that belong to it, in the state
    /// that they have after reset: the extension has been switched on or off.
    pub(super) fn reset_hypervisor(&mut self) {
        let fresh = Csrs::new(self.id, self.profile);
        let of_guests = if self.has_hypervisor() { interrupt::VIRTUAL } else { 0 };
        let csrs = &mut self.csrs;
        csrs.mstatus &= !status::HYPERVISOR;
        csrs.medeleg &= !DELEGABLE_OF_GUESTS;
        csrs.mideleg = csrs.mideleg & !interrupt::VIRTUAL | of_guests;
        csrs.mie &= !interrupt::VIRTUAL;
        *csrs = Csrs {
            mtval2: fresh.mtval2,
            mtinst: fresh.mtinst,
            hstatus: fresh.hstatus,
            hedeleg: fresh.hedeleg,
            hideleg: fresh.hideleg,
            hvip: fresh.hvip,
            hcounteren: fresh.hcounteren,
            htimedelta: fresh.htimedelta,
            henvcfg: fresh.henvcfg,
            htval: fresh.htval,
            htinst: fresh.htinst,
            hgatp: fresh.hgatp,
            vsstatus: fresh.vsstatus,
            vstvec: fresh.vstvec,
            vsscratch: fresh.vsscratch,
            vsepc: fresh.vsepc,
            vscause: fresh.vscause,
            vstval: fresh.vstval,
            vstimecmp: fresh.vstimecmp,
            vsatp: fresh.vsatp,
            ..csrs.clone()
        };
        self.refresh_timers();
        self.refresh_contexts();
    }

    /// `henvcfg` as it shows: what `menvcfg` does not enable is 0.
    pub(crate) fn guest_environment(&self) -> u64 {
        let enabled = self.csrs.menvcfg & (environment::ADUE | environment::STCE);
        self.csrs.henvcfg & (environment::FIOM | enabled)
    }
}
