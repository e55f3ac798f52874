//! Control and status registers: their storage and the one way for instructions to reach them.
//!
//! `table` has one row for each register: its number, its name, who may access it beyond what
//! the number says, and what reading and writing do. The rules that hold for every register
//! (privilege and read-only in the number, set and clear) are here.
//!
//! Privileged architecture, "Control and Status Registers (CSRs)".

mod counters;
pub mod fields;
mod float;
mod guest;
mod hypervisor;
mod interrupts;
mod legacy;
mod machine;
mod supervisor;
mod table;

pub use counters::EventCounter;
pub use table::name;

use crate::hart::Hart;
use crate::mode::Mode;
use crate::pmp::Pmp;
use crate::profile::IsaProfile;
use crate::trap::Trap;
pub use legacy::Untrapped;
use table::Row;

/// The storage of the control and status registers.
///
/// Values are legal ones: writes by instructions pass through the table, which makes them so.
/// What a register shows can be more than its field here (`mip`, `cycle`), and `sstatus`, `sie`
/// and `sip` are views with no storage of their own. Code outside the crate reads and writes
/// registers by number with [`Hart::read_csr`] and [`Hart::write_csr`].
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The names are those of the architecture.
pub struct Csrs {
    pub mhartid: u64,
    pub misa: u64,
    pub mstatus: u64,
    pub medeleg: u64,
    pub mideleg: u64,
    pub mie: u64,
    /// The bits that software can write; see [`Hart::interrupts_pending`].
    pub mip: u64,
    pub mtvec: u64,
    pub mscratch: u64,
    pub mepc: u64,
    pub mcause: u64,
    pub mtval: u64,
    pub mtval2: u64,
    pub mtinst: u64,
    pub mcounteren: u64,
    pub mcountinhibit: u64,
    pub menvcfg: u64,
    pub mcycle: EventCounter,
    pub minstret: EventCounter,
    pub pmp: Pmp,
    pub stvec: u64,
    pub sscratch: u64,
    pub sepc: u64,
    pub scause: u64,
    pub stval: u64,
    pub scounteren: u64,
    pub senvcfg: u64,
    pub stimecmp: u64,
    pub satp: u64,
    pub hstatus: u64,
    pub hedeleg: u64,
    pub hideleg: u64,
    /// The bits that software can write; see [`Hart::interrupts_pending`].
    pub hvip: u64,
    pub hcounteren: u64,
    pub htimedelta: u64,
    pub henvcfg: u64,
    pub htval: u64,
    pub htinst: u64,
    pub hgatp: u64,
    pub vsstatus: u64,
    pub vstvec: u64,
    pub vsscratch: u64,
    pub vsepc: u64,
    pub vscause: u64,
    pub vstval: u64,
    pub vstimecmp: u64,
    pub vsatp: u64,
    /// Accrued floating-point exceptions, five bits.
    pub fflags: u8,
    /// Dynamic rounding mode, three bits.
    pub frm: u8,
}

impl Csrs {
    /// The registers of hart `id` after reset.
    pub(crate) fn new(id: usize, profile: IsaProfile) -> Self {
        let mideleg = if profile.has_hypervisor() { fields::interrupt::VIRTUAL } else { 0 };
        Self {
            mhartid: id as u64,
            misa: machine::misa(profile),
            mstatus: fields::status::UXL_64 | fields::status::SXL_64,
            medeleg: 0,
            mideleg,
            mie: 0,
            mip: 0,
            mtvec: 0,
            mscratch: 0,
            mepc: 0,
            mcause: 0,
            mtval: 0,
            mtval2: 0,
            mtinst: 0,
            mcounteren: 0,
            mcountinhibit: 0,
            menvcfg: 0,
            mcycle: EventCounter::default(),
            minstret: EventCounter::default(),
            pmp: Pmp::default(),
            stvec: 0,
            sscratch: 0,
            sepc: 0,
            scause: 0,
            stval: 0,
            scounteren: 0,
            senvcfg: 0,
            stimecmp: u64::MAX,
            satp: 0,
            hstatus: fields::hypervisor_status::VSXL_64,
            hedeleg: 0,
            hideleg: 0,
            hvip: 0,
            hcounteren: 0,
            htimedelta: 0,
            henvcfg: 0,
            htval: 0,
            htinst: 0,
            hgatp: 0,
            vsstatus: fields::status::UXL_64,
            vstvec: 0,
            vsscratch: 0,
            vsepc: 0,
            vscause: 0,
            vstval: 0,
            vstimecmp: u64::MAX,
            vsatp: 0,
            fflags: 0,
            frm: 0,
        }
    }
}

/// What an instruction does to a register besides reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CsrOp {
    /// Nothing: CSRRS and CSRRC with `x0` or 0.
    Read,
    /// CSRRW.
    Write(u64),
    /// CSRRS: sets the bits that are set here.
    Set(u64),
    /// CSRRC: clears them.
    Clear(u64),
}

impl CsrOp {
    /// The value to write, made from the register's `old` one.
    fn apply(self, old: u64) -> Option<u64> {
        match self {
            Self::Read => None,
            Self::Write(value) => Some(value),
            Self::Set(bits) => Some(old | bits),
            Self::Clear(bits) => Some(old & !bits),
        }
    }
}

/// What a write means for the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CsrEffect {
    /// Nothing that it has worked out beforehand has changed.
    None,
    /// Interrupts, translation or the floating-point unit may have changed: it ends the block.
    EndBlock,
}

impl Hart {
    /// Accesses a register as an instruction of the current privilege. Returns the old value.
    ///
    /// The engine has charged the instruction's cycles and not yet counted it as retired, so that
    /// counters are read and written as the architecture says.
    pub fn csr_access(&mut self, number: u16, op: CsrOp) -> Result<(u64, CsrEffect), Trap> {
        if self.virtualised {
            return self.access_in_guest(number, op);
        }
        let row = self.row_of(number).ok_or(Trap::ILLEGAL)?;
        if !self.is_legal(row, number, op, Mode::host(self.privilege)) {
            return Err(Trap::ILLEGAL);
        }
        Ok(self.apply(row, number, op))
    }

    /// The same in a guest, where other registers stand in for some. What a guest may not, but HS
    /// mode may, is a virtual instruction.
    fn access_in_guest(&mut self, number: u16, op: CsrOp) -> Result<(u64, CsrEffect), Trap> {
        self.settle_float_status();
        let row = self.row_of(number).ok_or(Trap::ILLEGAL);
        let result = row.and_then(|row| {
            if self.is_legal(row, number, op, self.mode()) {
                Ok(self.apply(guest::substitute(number).unwrap_or(row), number, op))
            } else if self.is_legal(row, number, op, Mode::HOST_SUPERVISOR) {
                Err(Trap::VIRTUAL)
            } else {
                Err(Trap::ILLEGAL)
            }
        });
        self.lend_float_status();
        result
    }

    /// Whether a mode may access a register. In a guest `mstatus.TVM` is left out of account: it
    /// is for HS mode itself.
    #[inline]
    fn is_legal(&self, row: &Row, number: u16, op: CsrOp, mode: Mode) -> bool {
        is_within_reach(mode, number)
            && !(op != CsrOp::Read && is_read_only(number))
            && (row.accessible)(self, number, mode)
    }

    #[inline]
    fn apply(&mut self, row: &Row, number: u16, op: CsrOp) -> (u64, CsrEffect) {
        let old = (row.read)(self, number);
        let base = if op == CsrOp::Read { old } else { (row.base)(self, number) };
        let effect = match op.apply(base) {
            Some(value) => (row.write)(self, number, value),
            None => CsrEffect::None,
        };
        (old, effect)
    }

    /// The row of a register that the hart has.
    #[inline]
    fn row_of(&self, number: u16) -> Option<&'static Row> {
        table::row_of(number).filter(|row| !row.is_hypervisors || self.has_hypervisor())
    }

    /// The value that machine mode reads from a register; `None` if there is no such register.
    pub fn read_csr(&self, number: u16) -> Option<u64> {
        self.row_of(number).map(|row| (row.read)(self, number))
    }

    /// Writes a register as machine mode does; `None` if there is no such register or it is
    /// read-only.
    pub fn write_csr(&mut self, number: u16, value: u64) -> Option<CsrEffect> {
        let row = self.row_of(number).filter(|_| !is_read_only(number))?;
        Some((row.write)(self, number, value))
    }
}

/// The privilege that a register is for: two bits of its number.
const fn level(number: u16) -> u16 {
    number >> 8 & 3
}

/// In place of a privilege: the register is for HS mode, or stands in for another in a guest.
const HYPERVISOR: u16 = 2;

/// Whether a mode is privileged enough for a register.
#[inline]
fn is_within_reach(mode: Mode, number: u16) -> bool {
    /// The codes of the lowest privileges, by level: HS mode has the nominal privilege of S.
    const LOWEST: [u64; 4] = [0, 1, 1, 3];
    let level = level(number);
    mode.privilege.code() >= LOWEST[usize::from(level)]
        && !(mode.virtualised && level == HYPERVISOR)
}

/// Whether a register is there only with the hypervisor extension.
const fn is_of_hypervisor_extension(number: u16) -> bool {
    const MTINST: u16 = 0x34a;
    const MTVAL2: u16 = 0x34b;
    level(number) == HYPERVISOR || matches!(number, MTINST | MTVAL2)
}

/// Whether a register is read-only: two bits of its number.
fn is_read_only(number: u16) -> bool {
    number >> 10 == 3
}
