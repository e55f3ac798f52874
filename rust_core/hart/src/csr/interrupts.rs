//! `mie`, `mip`, `mideleg` and the supervisor views `sie` and `sip`.
//!
//! Privileged architecture, "Machine Interrupt Registers"; supervisor architecture, "Supervisor
//! Interrupt Registers". An interrupt that is not delegated is read-only 0 in the supervisor views.

use super::CsrEffect;
use super::fields::interrupt;
use crate::hart::Hart;

pub(super) fn read_mideleg(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mideleg
}

pub(super) fn write_mideleg(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mideleg = value & interrupt::SUPERVISOR;
    CsrEffect::EndBlock
}

pub(super) fn read_mie(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mie
}

pub(super) fn write_mie(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mie = value & interrupt::ALL;
    CsrEffect::EndBlock
}

pub(super) fn read_mip(hart: &Hart, _: u16) -> u64 {
    hart.interrupts_pending()
}

/// Setting and clearing bits of `mip` starts from what software wrote: a level on the external
/// line must not stick.
pub(super) fn base_mip(hart: &Hart, _: u16) -> u64 {
    hart.software_pending()
}

pub(super) fn write_mip(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    set_software_pending(hart, value, interrupt::SUPERVISOR)
}

pub(super) fn read_sie(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mie & hart.csrs.mideleg
}

pub(super) fn write_sie(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let visible = hart.csrs.mideleg;
    hart.csrs.mie = hart.csrs.mie & !visible | value & visible;
    CsrEffect::EndBlock
}

pub(super) fn read_sip(hart: &Hart, _: u16) -> u64 {
    hart.interrupts_pending() & hart.csrs.mideleg
}

/// Of `sip` only the software interrupt can be written.
pub(super) fn write_sip(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    set_software_pending(hart, value, interrupt::SSIP & hart.csrs.mideleg)
}

/// With Sstc the timer bit follows `stimecmp`; what software wrote before stays as it was.
fn set_software_pending(hart: &mut Hart, value: u64, writable: u64) -> CsrEffect {
    let writable = if hart.has_supervisor_timer() { writable & !interrupt::STIP } else { writable };
    hart.csrs.mip = hart.csrs.mip & !writable | value & writable;
    CsrEffect::EndBlock
}
