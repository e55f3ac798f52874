//! Registers that cases set, access and print.

use crate::layout::number;

/// Numbers of the registers of the extension, and a few more.
#[allow(missing_docs, reason = "the names are the specification's")]
pub mod hnumber {
    pub const SENVCFG: u16 = 0x10a;
    pub const VSSTATUS: u16 = 0x200;
    pub const VSIE: u16 = 0x204;
    pub const VSTVEC: u16 = 0x205;
    pub const VSSCRATCH: u16 = 0x240;
    pub const VSEPC: u16 = 0x241;
    pub const VSCAUSE: u16 = 0x242;
    pub const VSTVAL: u16 = 0x243;
    pub const VSIP: u16 = 0x244;
    pub const VSTIMECMP: u16 = 0x24d;
    pub const VSATP: u16 = 0x280;
    pub const MTINST: u16 = 0x34a;
    pub const MTVAL2: u16 = 0x34b;
    pub const HSTATUS: u16 = 0x600;
    pub const HEDELEG: u16 = 0x602;
    pub const HIDELEG: u16 = 0x603;
    pub const HIE: u16 = 0x604;
    pub const HTIMEDELTA: u16 = 0x605;
    pub const HCOUNTEREN: u16 = 0x606;
    pub const HGEIE: u16 = 0x607;
    pub const HENVCFG: u16 = 0x60a;
    pub const HTVAL: u16 = 0x643;
    pub const HIP: u16 = 0x644;
    pub const HVIP: u16 = 0x645;
    pub const HTINST: u16 = 0x64a;
    pub const HGATP: u16 = 0x680;
    pub const HGEIP: u16 = 0xe12;
}
use hnumber::{
    HCOUNTEREN, HEDELEG, HENVCFG, HGATP, HGEIE, HGEIP, HIDELEG, HIE, HIP, HSTATUS, HTIMEDELTA,
    HTINST, HTVAL, HVIP, MTINST, MTVAL2, SENVCFG, VSATP, VSCAUSE, VSEPC, VSIE, VSIP, VSSCRATCH,
    VSSTATUS, VSTVAL, VSTVEC,
};

/// The registers that every case has set for it, in an order in which none undoes another: `menvcfg`
/// governs `henvcfg`, `hideleg` governs `vsie`.
pub const CONTROL: [u16; 36] = [
    number::MENVCFG,
    number::MEDELEG,
    number::MIDELEG,
    number::MIE,
    number::MIP,
    number::MCOUNTEREN,
    number::SATP,
    number::STVEC,
    number::SCOUNTEREN,
    SENVCFG,
    number::SSCRATCH,
    number::SEPC,
    number::SCAUSE,
    number::STVAL,
    HSTATUS,
    HEDELEG,
    HIDELEG,
    HIE,
    HTIMEDELTA,
    HCOUNTEREN,
    HENVCFG,
    HTVAL,
    HVIP,
    HTINST,
    HGATP,
    VSSTATUS,
    VSTVEC,
    VSSCRATCH,
    VSEPC,
    VSCAUSE,
    VSTVAL,
    VSATP,
    MTVAL2,
    MTINST,
    number::MEPC,
    number::MSTATUS,
];

/// The registers that a case leaves behind. Those that the call of a handler changes come first.
pub const PRINTED: [u16; 46] = [
    number::MSTATUS,
    number::MCAUSE,
    number::MEPC,
    number::MTVAL,
    MTVAL2,
    MTINST,
    number::MEDELEG,
    number::MIDELEG,
    number::MIE,
    number::MIP,
    number::MENVCFG,
    number::MCOUNTEREN,
    number::SSTATUS,
    number::SIE,
    number::SIP,
    number::STVEC,
    number::SCOUNTEREN,
    SENVCFG,
    number::SSCRATCH,
    number::SEPC,
    number::SCAUSE,
    number::STVAL,
    number::SATP,
    HSTATUS,
    HEDELEG,
    HIDELEG,
    HIE,
    HIP,
    HVIP,
    HTIMEDELTA,
    HCOUNTEREN,
    HENVCFG,
    HTVAL,
    HTINST,
    HGATP,
    HGEIE,
    HGEIP,
    VSSTATUS,
    VSIE,
    VSIP,
    VSTVEC,
    VSSCRATCH,
    VSEPC,
    VSCAUSE,
    VSTVAL,
    VSATP,
];

/// What can be written to a register: its bits, of those that mean the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Writable {
    /// The register.
    pub number: u16,
    /// Its bits.
    pub mask: u64,
}

const fn bits(number: u16, mask: u64) -> Writable {
    Writable { number, mask }
}

/// SIE, SPIE, SPP, FS, SUM, MXR.
const STATUS: u64 = 0xc_6122;
/// Causes that have a code, and the bit of interrupts.
const CAUSE: u64 = 1 << 63 | 0x3f;

/// Registers that instructions of a case write; neither where a handler is nor a root of tables.
pub const WRITTEN: [Writable; 24] = [
    bits(number::SSTATUS, STATUS),
    bits(number::SIE, 0x222),
    bits(number::SIP, 0x2),
    bits(number::SCOUNTEREN, 7),
    bits(SENVCFG, 1),
    bits(number::SSCRATCH, u64::MAX),
    bits(number::SCAUSE, CAUSE),
    bits(number::STVAL, u64::MAX),
    bits(HSTATUS, 0x70_03c0),
    bits(HEDELEG, 0xb1ff),
    bits(HIDELEG, 0x444),
    bits(HIE, 0x444),
    bits(HIP, 0x4),
    // See `Case::set_pending`.
    bits(HVIP, 0x44),
    bits(HTIMEDELTA, u64::MAX),
    bits(HCOUNTEREN, 7),
    bits(HTVAL, u64::MAX),
    bits(MTVAL2, u64::MAX),
    bits(VSSTATUS, STATUS),
    bits(VSIE, 0x222),
    bits(VSIP, 0x2),
    bits(VSSCRATCH, u64::MAX),
    bits(VSCAUSE, CAUSE),
    bits(VSTVAL, u64::MAX),
];

/// Whether writing a register may make an interrupt pending.
pub const fn is_pending(number: u16) -> bool {
    matches!(number, number::SIP | HIP | HVIP | VSIP)
}

/// The bits that can be written to a register, if instructions of a case write it.
pub fn mask(number: u16) -> Option<u64> {
    WRITTEN.iter().find(|row| row.number == number).map(|row| row.mask)
}
