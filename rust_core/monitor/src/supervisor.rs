//! The supervisor mode that a deprivileged guest kernel believes to have.
//!
//! Privileged architecture, chapter "Supervisor-Level ISA". The guest kernel runs in user mode;
//! its supervisor registers are the fields here. A register that hardware of this kind would
//! legalise on a write is legalised in the same way, so that a guest cannot tell the difference.

use crate::instruction::{CsrAccess, CsrOperand};
use dcsim_hart::csr::fields::{counter, environment, interrupt, satp, status};
use dcsim_hart::{Interrupt, Privilege};
use dcsim_machine::Meter;

/// Numbers of the registers that the monitor emulates.
pub mod csr {
    /// Supervisor status.
    pub const SSTATUS: u16 = 0x100;
    /// Interrupt enables.
    pub const SIE: u16 = 0x104;
    /// Trap vector.
    pub const STVEC: u16 = 0x105;
    /// Counters that user mode may read.
    pub const SCOUNTEREN: u16 = 0x106;
    /// Environment of user mode.
    pub const SENVCFG: u16 = 0x10a;
    /// Scratch.
    pub const SSCRATCH: u16 = 0x140;
    /// Address of the trapped instruction.
    pub const SEPC: u16 = 0x141;
    /// Cause of the trap.
    pub const SCAUSE: u16 = 0x142;
    /// Value of the trap.
    pub const STVAL: u16 = 0x143;
    /// Pending interrupts.
    pub const SIP: u16 = 0x144;
    /// Timer compare value.
    pub const STIMECMP: u16 = 0x14d;
    /// Address translation.
    pub const SATP: u16 = 0x180;
    /// The first of the user counters.
    pub const CYCLE: u16 = 0xc00;
    /// The `time` counter.
    pub const TIME: u16 = 0xc01;
    /// The retired-instruction counter.
    pub const INSTRET: u16 = 0xc02;
    /// The last of the user counters.
    pub const HPMCOUNTER31: u16 = 0xc1f;
}

/// The counters that the firmware lets supervisor mode read.
const COUNTERS: u64 = counter::CYCLE | counter::TIME | counter::INSTRET;

/// What the guest's supervisor sees of the world outside its registers.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Inputs {
    /// The `time` counter.
    pub time: u64,
    /// The level of the external interrupt.
    pub external: bool,
}

/// Supervisor registers of a guest, and the privilege it believes to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Supervisor {
    /// User or supervisor.
    pub privilege: Privilege,
    /// The writable fields of `sstatus`.
    pub status: u64,
    /// `stvec`.
    pub vector: u64,
    /// `sie`.
    pub enable: u64,
    /// The software-interrupt bit of `sip`: the only one that software sets.
    pub software_pending: bool,
    /// `scounteren`.
    pub counter_enable: u64,
    /// `senvcfg`.
    pub environment: u64,
    /// `sscratch`.
    pub scratch: u64,
    /// `sepc`.
    pub exception_pc: u64,
    /// `scause`.
    pub cause: u64,
    /// `stval`.
    pub trap_value: u64,
    /// `satp`.
    pub translation: u64,
    /// `stimecmp`.
    pub timer_compare: u64,
}

impl Default for Supervisor {
    /// Everything off; no timer.
    fn default() -> Self {
        Self {
            privilege: Privilege::Supervisor,
            status: 0,
            vector: 0,
            enable: 0,
            software_pending: false,
            counter_enable: 0,
            environment: 0,
            scratch: 0,
            exception_pc: 0,
            cause: 0,
            trap_value: 0,
            translation: 0,
            timer_compare: u64::MAX,
        }
    }
}

impl Supervisor {
    /// The state in which firmware enters a kernel at `entry`: interrupts and translation off, the
    /// floating-point unit and the counters on.
    pub fn at_entry(entry: u64) -> Self {
        Self { status: status::FS, vector: entry & !3, counter_enable: COUNTERS, ..Self::default() }
    }
}

impl Supervisor {
    /// `sstatus` as a read returns it.
    pub fn read_status(&self) -> u64 {
        let dirty = if self.status & status::FS == status::FS { status::SD } else { 0 };
        self.status | status::UXL_64 | dirty
    }

    /// `sip`: levels from outside and the software bit.
    pub fn pending(&self, inputs: Inputs) -> u64 {
        let when = |raised: bool, bit: u64| if raised { bit } else { 0 };
        when(self.software_pending, interrupt::SSIP)
            | when(inputs.time >= self.timer_compare, interrupt::STIP)
            | when(inputs.external, interrupt::SEIP)
    }

    /// Whether a WFI would end: something enabled is pending, be interrupts on or off.
    pub fn wakes(&self, inputs: Inputs) -> bool {
        self.pending(inputs) & self.enable != 0
    }

    /// Whether the privilege and `sstatus.SIE` let an interrupt through now.
    pub fn interruptible(&self) -> bool {
        self.privilege == Privilege::User || self.status & status::SIE != 0
    }

    /// The interrupt to take before the next instruction.
    pub fn deliverable(&self, inputs: Inputs) -> Option<Interrupt> {
        if !self.interruptible() {
            return None;
        }
        let ready = self.pending(inputs) & self.enable;
        Interrupt::BY_PRIORITY.into_iter().find(|interrupt| ready & interrupt.bit() != 0)
    }

    /// The `time` from which the timer has to be looked at again: it is enabled, would wake the
    /// guest, and has not expired.
    pub fn timer_deadline(&self, time: u64) -> Option<u64> {
        let armed = self.enable & interrupt::STIP != 0 && self.timer_compare != u64::MAX;
        (armed && time < self.timer_compare).then_some(self.timer_compare)
    }

    /// Takes a trap into supervisor mode and returns the address of its handler.
    pub fn enter_trap(&mut self, cause: u64, value: u64, pc: u64) -> u64 {
        let was_enabled = self.status & status::SIE != 0;
        let from_supervisor = self.privilege == Privilege::Supervisor;
        self.status &= !(status::SIE | status::SPIE | status::SPP);
        self.status |= if was_enabled { status::SPIE } else { 0 };
        self.status |= if from_supervisor { status::SPP } else { 0 };
        self.privilege = Privilege::Supervisor;
        self.exception_pc = pc;
        self.cause = cause;
        self.trap_value = value;
        self.handler_address(cause)
    }

    /// Returns from a trap: gives the address to go on at.
    pub fn leave_trap(&mut self) -> u64 {
        let enable = if self.status & status::SPIE != 0 { status::SIE } else { 0 };
        let to_supervisor = self.status & status::SPP != 0;
        self.status = self.status & !(status::SIE | status::SPP) | enable | status::SPIE;
        self.privilege = if to_supervisor { Privilege::Supervisor } else { Privilege::User };
        self.exception_pc
    }

    fn handler_address(&self, cause: u64) -> u64 {
        let base = self.vector & !3;
        let vectored = self.vector & 3 == 1 && cause & interrupt::CAUSE != 0;
        if vectored { base.wrapping_add(4 * (cause & !interrupt::CAUSE)) } else { base }
    }

    /// Reads a supervisor register, or `None` if this is none of them.
    pub fn read(&self, number: u16, inputs: Inputs) -> Option<u64> {
        Some(match number {
            csr::SSTATUS => self.read_status(),
            csr::SIE => self.enable,
            csr::STVEC => self.vector,
            csr::SCOUNTEREN => self.counter_enable,
            csr::SENVCFG => self.environment,
            csr::SSCRATCH => self.scratch,
            csr::SEPC => self.exception_pc,
            csr::SCAUSE => self.cause,
            csr::STVAL => self.trap_value,
            csr::SIP => self.pending(inputs),
            csr::STIMECMP => self.timer_compare,
            csr::SATP => self.translation,
            _ => return None,
        })
    }

    /// Does what an access to a register of this record does: the register gets its new value, if
    /// it is written at all, and the instruction's destination the old one.
    pub fn access(&mut self, meter: &mut Meter<'_>, access: &CsrAccess, old: u64) {
        if access.writes() {
            let operand = match access.operand {
                CsrOperand::Register(register) => meter.read_register(register),
                CsrOperand::Immediate(value) => value,
            };
            meter.store_state(1);
            self.write(access.number, access.result(old, operand));
        }
        meter.write_register(access.destination, old);
    }

    /// Writes a supervisor register after making the value a legal one; `None` if this is none
    /// of them.
    pub fn write(&mut self, number: u16, value: u64) -> Option<()> {
        match number {
            csr::SSTATUS => self.status = value & status::SUPERVISOR_WRITABLE,
            csr::SIE => self.enable = value & interrupt::SUPERVISOR,
            csr::STVEC => self.write_vector(value),
            csr::SCOUNTEREN => self.counter_enable = value & COUNTERS,
            csr::SENVCFG => self.environment = value & environment::FIOM,
            csr::SSCRATCH => self.scratch = value,
            csr::SEPC => self.exception_pc = value & !1,
            csr::SCAUSE => self.cause = value,
            csr::STVAL => self.trap_value = value,
            csr::SIP => self.software_pending = value & interrupt::SSIP != 0,
            csr::STIMECMP => self.timer_compare = value,
            csr::SATP => self.write_translation(value),
            _ => return None,
        }
        Some(())
    }

    /// Modes above 1 are reserved: such a write keeps the mode.
    fn write_vector(&mut self, value: u64) {
        let mode = if value & 2 == 0 { value & 1 } else { self.vector & 1 };
        self.vector = value & !3 | mode;
    }

    /// A write with a mode that does not exist has no effect at all.
    fn write_translation(&mut self, value: u64) {
        if matches!(satp::mode(value), satp::BARE | satp::SV39 | satp::SV48) {
            self.translation = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_stacks_the_interrupt_enable_and_the_privilege() {
        let mut guest = Supervisor { status: status::SIE, vector: 0x1001, ..Default::default() };
        guest.privilege = Privilege::User;
        assert_eq!(guest.enter_trap(8, 0, 0x4000), 0x1000);
        assert_eq!(guest.status, status::SPIE);
        assert_eq!(guest.privilege, Privilege::Supervisor);
        assert_eq!((guest.exception_pc, guest.cause), (0x4000, 8));
        assert_eq!(guest.leave_trap(), 0x4000);
        assert_eq!(guest.status, status::SIE | status::SPIE);
        assert_eq!(guest.privilege, Privilege::User);
    }

    #[test]
    fn only_interrupts_use_the_vector_table() {
        let mut guest = Supervisor { vector: 0x1001, ..Default::default() };
        assert_eq!(guest.enter_trap(interrupt::CAUSE | 9, 0, 0), 0x1000 + 36);
        assert_eq!(guest.enter_trap(9, 0, 0), 0x1000);
    }

    #[test]
    fn external_comes_before_software_before_timer() {
        let mut guest = Supervisor { enable: interrupt::SUPERVISOR, ..Default::default() };
        guest.privilege = Privilege::User;
        guest.software_pending = true;
        guest.timer_compare = 5;
        let inputs = Inputs { time: 5, external: true };
        assert_eq!(guest.deliverable(inputs), Some(Interrupt::SupervisorExternal));
        let inputs = Inputs { external: false, ..inputs };
        assert_eq!(guest.deliverable(inputs), Some(Interrupt::SupervisorSoftware));
        guest.software_pending = false;
        assert_eq!(guest.deliverable(inputs), Some(Interrupt::SupervisorTimer));
        assert_eq!(guest.deliverable(Inputs { time: 4, ..inputs }), None);
    }

    #[test]
    fn a_masked_interrupt_wakes_but_is_not_delivered() {
        let guest = Supervisor { enable: interrupt::SEIP, ..Default::default() };
        let inputs = Inputs { time: 0, external: true };
        assert_eq!(guest.deliverable(inputs), None);
        assert!(guest.wakes(inputs));
    }

    #[test]
    fn illegal_values_are_legalised() {
        let mut guest = Supervisor::default();
        guest.write(csr::SATP, 8 << 60 | 5);
        guest.write(csr::SATP, 10 << 60 | 7);
        assert_eq!(guest.translation, 8 << 60 | 5);
        guest.write(csr::SSTATUS, u64::MAX);
        assert_eq!(guest.read_status(), status::SUPERVISOR_VISIBLE);
        guest.write(csr::SEPC, 0x1003);
        assert_eq!(guest.exception_pc, 0x1002);
        guest.write(csr::SIP, u64::MAX);
        assert_eq!(guest.pending(Inputs::default()), interrupt::SSIP);
        assert_eq!(guest.write(0x300, 0), None);
    }
}
