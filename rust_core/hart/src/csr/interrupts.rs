//! `mie`, `mip`, `mideleg` and the supervisor views `sie` and `sip`.
//!
//! Privileged architecture, "Machine Interrupt Registers"; supervisor architecture, "Supervisor
//! Interrupt Registers". Those of VS level are in `hypervisor` and `guest`. An interrupt that is not delegated is read-only 0 in the supervisor views.

use super::CsrEffect;
use super::fields::interrupt;
use crate::hart::Hart;

pub(super) fn read_mideleg(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mideleg
}

pub(super) fn write_mideleg(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mideleg = value & interrupt::SUPERVISOR | of_guests(hart);
    CsrEffect::EndBlock
}

/// The interrupts of VS level, where there are any. They are always delegated.
fn of_guests(hart: &Hart) -> u64 {
    if hart.has_hypervisor() { interrupt::VIRTUAL } else { 0 }
}

/// The interrupts that `sie` and `sip` show.
fn delegated(hart: &Hart) -> u64 {
    hart.csrs.mideleg & interrupt::SUPERVISOR
}

pub(super) fn read_mie(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mie
}

pub(super) fn write_mie(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    hart.csrs.mie = value & (interrupt::ALL | of_guests(hart));
    CsrEffect::EndBlock
}

pub(super) fn read_mip(hart: &Hart, _: u16) -> u64 {
    hart.interrupts_pending()
}

/// Setting and clearing bits of `mip` starts from what software wrote: a level on the external
/// line must not stick.
pub(super) fn base_mip(hart: &Hart, _: u16) -> u64 {
    hart.software_pending() | hart.csrs.hvip
}

pub(super) fn write_mip(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let of_guest = interrupt::VSSIP & of_guests(hart);
    hart.csrs.hvip = hart.csrs.hvip & !of_guest | value & of_guest;
    set_software_pending(hart, value, interrupt::SUPERVISOR)
}

pub(super) fn read_sie(hart: &Hart, _: u16) -> u64 {
    hart.csrs.mie & delegated(hart)
}

pub(super) fn write_sie(hart: &mut Hart, _: u16, value: u64) -> CsrEffect {
    let visible = delegated(hart);
    hart.csrs.mie = hart.csrs.mie & !visible | value & visible;
    CsrEffect::EndBlock
}

pub(super) fn read_sip(hart: &Hart, _: u16) -> u64 {
    hart.interrupts_pending() & delegated(hart)
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
