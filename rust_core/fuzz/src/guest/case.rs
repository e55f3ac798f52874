//! What a case begins with: its mode, its registers, and what it may access.

use super::registers::{hnumber, mask};
use super::tables::{Tables, Target, USER_CODE, first_root, second_root};
use crate::layout::{MEMORY, PAGE, number};
use crate::random::Random;
use crate::values;
use dcsim_hart::Privilege;

/// A mode: privilege, and whether it is a guest's.
pub type Mode = (Privilege, bool);

/// HS mode.
pub const HS: Mode = (Privilege::Supervisor, false);
/// VS mode.
pub const VS: Mode = (Privilege::Supervisor, true);
/// VU mode.
pub const VU: Mode = (Privilege::User, true);
/// User mode.
pub const USER: Mode = (Privilege::User, false);
/// Machine mode.
pub const MACHINE: Mode = (Privilege::Machine, false);

/// Calls of HS and VS mode, and of machine mode, are not delegated: they end a case.
const CALLS: u64 = 0xe00;
const ADUE: u64 = 1 << 61;
const SOFTWARE_INTERRUPT: u64 = 2;
const EXTERNAL_INTERRUPT: u64 = 0x400;
/// Interrupts of VS level.
const VIRTUAL: u64 = 0x444;
/// GVA, SPV, SPVP, HU, VTVM, VTW, VTSR.
const HSTATUS: u64 = 0x70_03c0;
/// SIE, SPIE, MPIE, SPP, FS, SUM, MXR, TVM, TW, TSR. GVA is 0, as QEMU 10 does not clear it.
const MSTATUS: u64 = 0x7c_61a2;
const MPP_SHIFT: u32 = 11;
const MPV: u64 = 1 << 39;
const FS: u64 = 3 << 13;
const VSSTATUS: u64 = 0xc_6122;

/// A case before its code.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it starts in.
    pub mode: Mode,
    /// `MODE` of `vsatp` and `hgatp`.
    pub first: u64,
    /// See `first`.
    pub second: u64,
    /// Pages that a guest's access may go to.
    pub pages: Vec<(u64, Target)>,
    /// The values of the registers of the tables of [`super::registers`]; others are 0.
    values: Vec<(u16, u64)>,
}

/// Handlers, and where a return leads.
#[derive(Clone, Copy, Debug)]
pub struct Handlers {
    /// That of HS mode.
    pub host: u64,
    /// That of VS mode.
    pub guest: u64,
}

/// A random case.
pub fn random(random: &mut Random, tables: &Tables, handlers: Handlers) -> Case {
    let modes = [HS, HS, VS, VS, VS, VU, VU, VU, USER, MACHINE];
    let (first, second) = (random.pick(&[0, 8, 8, 9]), random.pick(&[0, 8, 8, 8, 9]));
    let pages = match (first, second) {
        (0, _) => &tables.frames,
        // Where a table would be where no memory is, QEMU 10 raises a page fault, not an access fault.
        (_, 0) => &tables.direct,
        _ => &tables.pages,
    };
    let mut case =
        Case { mode: random.pick(&modes), first, second, pages: pages.clone(), values: Vec::new() };
    case.set_plain(random);
    case.set_delegation(random);
    case.set_status(random);
    let vsatp = first << 60 | random.below(4) << 44 | first_root(tables.start, first) >> 12;
    let hgatp = second << 60 | random.below(4) << 44 | second_root(tables.start, second) >> 12;
    case.set(hnumber::VSATP, if first == 0 { 0 } else { vsatp });
    case.set(hnumber::HGATP, if second == 0 { 0 } else { hgatp });
    case.set(number::STVEC, handlers.host);
    case.set(hnumber::VSTVEC, handlers.guest);
    case
}

impl Case {
    fn set(&mut self, number: u16, value: u64) {
        self.values.retain(|(other, _)| *other != number);
        self.values.push((number, value));
    }

    /// What a register is set to.
    pub fn value(&self, number: u16) -> u64 {
        self.values.iter().find(|(other, _)| *other == number).map_or(0, |(_, value)| *value)
    }

    /// Where a mode finds what is at a physical address of memory.
    pub fn code_address(&self, mode: Mode, physical: u64) -> u64 {
        let is_moved = mode == VU && self.first != 0;
        if is_moved { physical - MEMORY + USER_CODE } else { physical }
    }

    /// Says where the code is, and where returns lead: to its end, as some mode finds it.
    pub fn place(&mut self, random: &mut Random, start: u64, end: u64) {
        self.set(number::MEPC, self.code_address(self.mode, start));
        for register in [number::SEPC, hnumber::VSEPC] {
            let mode = random.pick(&[VS, VU]);
            self.set(register, self.code_address(mode, end));
        }
    }

    /// Registers that only hold something.
    fn set_plain(&mut self, random: &mut Random) {
        for number in [
            number::SSCRATCH,
            number::STVAL,
            number::SCAUSE,
            number::SCOUNTEREN,
            hnumber::SENVCFG,
            hnumber::HTVAL,
            hnumber::HTIMEDELTA,
            hnumber::HCOUNTEREN,
            hnumber::VSSCRATCH,
            hnumber::VSCAUSE,
            hnumber::VSTVAL,
            hnumber::MTVAL2,
        ] {
            let value = values::integer(random) & mask(number).unwrap_or(0);
            self.set(number, value);
        }
        self.set(number::MCOUNTEREN, random.below(8));
    }

    fn set_delegation(&mut self, random: &mut Random) {
        let many = |random: &mut Random| random.bits() | random.bits();
        self.set(
            number::MEDELEG,
            if random.once_in(3) { 0 } else { many(random) & 0xf0_b7ff & !CALLS },
        );
        self.set(hnumber::HEDELEG, if random.once_in(3) { 0 } else { many(random) & 0xb1ff });
        self.set(number::MIDELEG, random.bits() & SOFTWARE_INTERRUPT);
        self.set(hnumber::HIDELEG, random.bits() & VIRTUAL);
        if random.once_in(3) {
            self.set(number::MIE, random.bits() & (SOFTWARE_INTERRUPT | VIRTUAL));
            self.set_pending(random);
        }
        self.set(hnumber::HIE, self.value(number::MIE) & VIRTUAL);
    }

    /// An external interrupt is alone: QEMU 10 takes the pending interrupt with the lowest code first.
    fn set_pending(&mut self, random: &mut Random) {
        if random.once_in(4) {
            self.set(hnumber::HVIP, EXTERNAL_INTERRUPT);
        } else {
            self.set(number::MIP, random.bits() & SOFTWARE_INTERRUPT);
            self.set(hnumber::HVIP, random.bits() & VIRTUAL & !EXTERNAL_INTERRUPT);
        }
    }

    /// Whether the external interrupt of VS level is pending.
    pub fn has_external_interrupt(&self) -> bool {
        self.value(hnumber::HVIP) & EXTERNAL_INTERRUPT != 0
    }

    fn set_status(&mut self, random: &mut Random) {
        let mut status = random.bits() & MSTATUS | self.mode.0.code() << MPP_SHIFT;
        status |= if self.mode.1 { MPV } else { 0 };
        // Mostly on.
        status |= if random.once_in(3) { 0 } else { FS };
        self.set(number::MSTATUS, status);
        self.set(hnumber::HSTATUS, random.bits() & HSTATUS);
        self.set(hnumber::VSSTATUS, random.bits() & VSSTATUS);
        // For an access in a guest's place QEMU 10 asks `menvcfg` alone.
        let marks = random.bits() & ADUE;
        let guest_marks = if self.mode.1 { random.bits() & marks } else { marks };
        self.set(number::MENVCFG, marks);
        self.set(hnumber::HENVCFG, guest_marks | random.below(2));
    }

    /// An address in a page that a guest may access, often near its end.
    pub fn target(&self, random: &mut Random, wanted: impl Fn(Target) -> bool) -> (u64, Target) {
        let (page, target) = loop {
            let page = random.pick(&self.pages);
            if wanted(page.1) {
                break page;
            }
        };
        (page + random.below(PAGE / 8) * 8, target)
    }
}
