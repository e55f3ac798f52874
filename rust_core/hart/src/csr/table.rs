//! The table of control and status registers.

use super::machine::{always, ignore_write, read_zero};
use super::{
    CsrEffect, counters, float, guest, hypervisor, interrupts, is_of_hypervisor_extension, machine,
    supervisor,
};
use crate::hart::Hart;
use crate::mode::Mode;

type Read = fn(&Hart, u16) -> u64;
type Write = fn(&mut Hart, u16, u64) -> CsrEffect;

/// One register, or several that differ only in their number.
pub(super) struct Row {
    first: u16,
    last: u16,
    name: &'static str,
    /// It is there only with the hypervisor extension.
    pub(super) is_hypervisors: bool,
    /// Whether an access is legal in a mode, beyond what the number says.
    pub(super) accessible: fn(&Hart, u16, Mode) -> bool,
    /// The value that an instruction reads.
    pub(super) read: Read,
    /// The value that setting and clearing bits start from.
    pub(super) base: Read,
    /// What a write does. A read-only register's is never called.
    pub(super) write: Write,
}

pub(super) const fn row(number: u16, name: &'static str, read: Read, write: Write) -> Row {
    Row {
        first: number,
        last: number,
        name,
        is_hypervisors: is_of_hypervisor_extension(number),
        accessible: always,
        read,
        base: read,
        write,
    }
}

impl Row {
    const fn to(mut self, last: u16) -> Self {
        self.last = last;
        self
    }

    const fn if_accessible(mut self, accessible: fn(&Hart, u16, Mode) -> bool) -> Self {
        self.accessible = accessible;
        self
    }

    const fn based_on(mut self, base: Read) -> Self {
        self.base = base;
        self
    }
}

/// The row of a register that holds whatever is written to it.
macro_rules! holds {
    ($number:literal, $field:ident) => {
        row(
            $number,
            stringify!($field),
            |hart, _| hart.csrs.$field,
            |hart, _, value| {
                hart.csrs.$field = value;
                CsrEffect::None
            },
        )
    };
}

/// All registers, in order of their numbers.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Unprivileged
    row(0x001, "fflags", float::read_flags, float::write_flags).if_accessible(float::is_on),
    row(0x002, "frm", float::read_rounding, float::write_rounding).if_accessible(float::is_on),
    row(0x003, "fcsr", float::read_all, float::write_all).if_accessible(float::is_on),
    // Supervisor
    row(0x100, "sstatus", supervisor::read_sstatus, supervisor::write_sstatus),
    row(0x104, "sie", interrupts::read_sie, interrupts::write_sie),
    row(0x105, "stvec", supervisor::read_stvec, supervisor::write_stvec),
    row(0x106, "scounteren", counters::read_supervisor_enable, counters::write_supervisor_enable),
    row(0x10a, "senvcfg", supervisor::read_senvcfg, supervisor::write_senvcfg),
    row(0x140, "sscratch", supervisor::read_sscratch, supervisor::write_sscratch),
    row(0x141, "sepc", supervisor::read_sepc, supervisor::write_sepc),
    row(0x142, "scause", supervisor::read_scause, supervisor::write_scause),
    row(0x143, "stval", supervisor::read_stval, supervisor::write_stval),
    row(0x144, "sip", interrupts::read_sip, interrupts::write_sip),
    row(0x14d, "stimecmp", counters::read_time_compare, counters::write_time_compare)
        .if_accessible(counters::may_compare_time),
    row(0x180, "satp", supervisor::read_satp, supervisor::write_satp)
        .if_accessible(supervisor::may_access_satp),
    // Those that stand in for supervisor registers in a guest
    row(0x200, "vsstatus", guest::read_status, guest::write_status),
    row(0x204, "vsie", guest::read_enabled, guest::write_enabled),
    row(0x205, "vstvec", guest::read_vector, guest::write_vector),
    holds!(0x240, vsscratch),
    row(0x241, "vsepc", guest::read_pc, guest::write_pc),
    holds!(0x242, vscause),
    holds!(0x243, vstval),
    row(0x244, "vsip", guest::read_pending, guest::write_pending),
    row(0x24d, "vstimecmp", guest::read_time_compare, guest::write_time_compare)
        .if_accessible(counters::may_compare_time),
    row(0x280, "vsatp", guest::read_satp, guest::write_satp),
    // Machine
    row(0x300, "mstatus", machine::read_mstatus, machine::write_mstatus),
    row(0x301, "misa", machine::read_misa, machine::write_misa),
    row(0x302, "medeleg", machine::read_medeleg, machine::write_medeleg),
    row(0x303, "mideleg", interrupts::read_mideleg, interrupts::write_mideleg),
    row(0x304, "mie", interrupts::read_mie, interrupts::write_mie),
    row(0x305, "mtvec", machine::read_mtvec, machine::write_mtvec),
    row(0x306, "mcounteren", counters::read_machine_enable, counters::write_machine_enable),
    row(0x30a, "menvcfg", machine::read_menvcfg, machine::write_menvcfg),
    row(0x320, "mcountinhibit", counters::read_inhibit, counters::write_inhibit),
    row(0x323, "mhpmevent", read_zero, ignore_write).to(0x33f),
    row(0x340, "mscratch", machine::read_mscratch, machine::write_mscratch),
    row(0x341, "mepc", machine::read_mepc, machine::write_mepc),
    row(0x342, "mcause", machine::read_mcause, machine::write_mcause),
    row(0x343, "mtval", machine::read_mtval, machine::write_mtval),
    row(0x344, "mip", interrupts::read_mip, interrupts::write_mip)
        .based_on(interrupts::base_mip),
    holds!(0x34a, mtinst),
    holds!(0x34b, mtval2),
    row(0x3a0, "pmpcfg", machine::read_pmp_configuration, machine::write_pmp_configuration),
    row(0x3a2, "pmpcfg", machine::read_pmp_configuration, machine::write_pmp_configuration),
    row(0x3b0, "pmpaddr", machine::read_pmp_address, machine::write_pmp_address).to(0x3bf),
    // Hypervisor
    row(0x600, "hstatus", hypervisor::read_status, hypervisor::write_status),
    row(0x602, "hedeleg", hypervisor::read_exceptions, hypervisor::write_exceptions),
    row(0x603, "hideleg", hypervisor::read_interrupts, hypervisor::write_interrupts),
    row(0x604, "hie", hypervisor::read_enabled, hypervisor::write_enabled),
    row(0x605, "htimedelta", hypervisor::read_time_delta, hypervisor::write_time_delta),
    row(0x606, "hcounteren", counters::read_hypervisor_enable, counters::write_hypervisor_enable),
    // There are no guest external interrupts: GEILEN is 0.
    row(0x607, "hgeie", read_zero, ignore_write),
    row(0x60a, "henvcfg", hypervisor::read_environment, hypervisor::write_environment),
    holds!(0x643, htval),
    row(0x644, "hip", hypervisor::read_pending, hypervisor::write_pending),
    row(0x645, "hvip", hypervisor::read_virtual, hypervisor::write_virtual),
    holds!(0x64a, htinst),
    row(0x680, "hgatp", hypervisor::read_hgatp, hypervisor::write_hgatp)
        .if_accessible(supervisor::may_access_hgatp),
    // Debug triggers: there are none, and `tdata1` says so.
    row(0x7a0, "tselect", read_zero, ignore_write),
    row(0x7a1, "tdata1", read_zero, ignore_write),
    row(0x7a2, "tdata2", read_zero, ignore_write),
    row(0x7a3, "tdata3", read_zero, ignore_write),
    row(0xb00, "mcycle", counters::read_cycle, counters::write_cycle),
    row(0xb02, "minstret", counters::read_instret, counters::write_instret),
    row(0xb03, "mhpmcounter", read_zero, ignore_write).to(0xb1f),
    // Unprivileged, read-only
    row(0xc00, "cycle", counters::read_cycle, ignore_write).if_accessible(counters::is_enabled),
    row(0xc01, "time", counters::read_time, ignore_write).if_accessible(counters::is_enabled),
    row(0xc02, "instret", counters::read_instret, ignore_write)
        .if_accessible(counters::is_enabled),
    row(0xc03, "hpmcounter", read_zero, ignore_write).to(0xc1f)
        .if_accessible(counters::is_enabled),
    // Hypervisor, read-only
    row(0xe12, "hgeip", read_zero, ignore_write),
    // Machine, read-only
    row(0xf11, "mvendorid", read_zero, ignore_write),
    row(0xf12, "marchid", read_zero, ignore_write),
    row(0xf13, "mimpid", read_zero, ignore_write),
    row(0xf14, "mhartid", machine::read_mhartid, ignore_write),
    row(0xf15, "mconfigptr", read_zero, ignore_write),
];

/// The place in the table of each number, plus one; 0 for none.
static PLACES: [u8; 4096] = places();

const fn places() -> [u8; 4096] {
    let mut places = [0; 4096];
    let mut place = 0;
    while place < TABLE.len() {
        let mut number = TABLE[place].first;
        while number <= TABLE[place].last {
            places[number as usize] = place as u8 + 1;
            number += 1;
        }
        place += 1;
    }
    places
}

/// The row of a register.
pub(super) fn row_of(number: u16) -> Option<&'static Row> {
    let place = PLACES.get(usize::from(number)).copied().unwrap_or(0);
    usize::from(place).checked_sub(1).map(|place| &TABLE[place])
}

/// The name of a register, as assemblers know it.
pub fn name(number: u16) -> Option<String> {
    let row = row_of(number)?;
    Some(match number & 0xff0 {
        0x3a0 | 0x3b0 => format!("{}{}", row.name, number & 0xf),
        _ if row.first == row.last => row.name.to_owned(),
        _ => format!("{}{}", row.name, number & 0x1f),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_do_not_overlap() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].first <= pair[0].last && pair[0].last < pair[1].first);
        }
    }

    #[test]
    fn names_of_numbered_registers_have_their_number() {
        for (number, expected) in [
            (0x300, "mstatus"),
            (0x323, "mhpmevent3"),
            (0x33f, "mhpmevent31"),
            (0x3a2, "pmpcfg2"),
            (0x3bf, "pmpaddr15"),
            (0xb03, "mhpmcounter3"),
            (0xc1f, "hpmcounter31"),
        ] {
            assert_eq!(name(number).as_deref(), Some(expected));
        }
        assert_eq!(name(0x3a1), None);
    }
}
