//! What the trapped instructions of a guest kernel ask for.
//!
//! Decoding is the hart's own; here its result is sorted into the few things that the monitor
//! emulates. Everything else that traps is the guest's own affair.

use dcsim_hart::isa::{Opcode, Register, decode};
use dcsim_hart::{Privilege, Width};

/// A sensitive instruction.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Sensitive {
    /// An access to a control and status register.
    Csr(CsrAccess),
    /// SRET.
    SupervisorReturn,
    /// SFENCE.VMA; the registers are `R0` where the instruction names none.
    AddressFence {
        /// Holds the address.
        address: Register,
        /// Holds the address-space identifier.
        asid: Register,
    },
    /// WFI.
    WaitForInterrupt,
}

/// What is done to a control and status register.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum CsrChange {
    /// The value is replaced.
    Write,
    /// Bits are set.
    Set,
    /// Bits are cleared.
    Clear,
}

/// Where the operand of a CSR instruction comes from.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum CsrOperand {
    /// A register.
    Register(Register),
    /// Five bits of the instruction.
    Immediate(u64),
}

/// A CSR instruction.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct CsrAccess {
    /// The register.
    pub number: u16,
    /// What is done to it.
    pub change: CsrChange,
    /// With what.
    pub operand: CsrOperand,
    /// Gets the old value.
    pub destination: Register,
}

impl CsrAccess {
    /// Whether the register is written at all: setting or clearing by `x0` or 0 only reads.
    pub fn writes(&self) -> bool {
        let nothing =
            matches!(self.operand, CsrOperand::Register(Register::R0) | CsrOperand::Immediate(0));
        self.change == CsrChange::Write || !nothing
    }

    /// Whether a privilege allows the access, as far as the number of the register tells.
    pub fn is_allowed_to(&self, privilege: Privilege) -> bool {
        let lowest = u64::from(self.number >> 8 & 3);
        let read_only = self.number >> 10 == 3;
        privilege.code() >= lowest && !(read_only && self.writes())
    }

    /// The value to write, from the old one and the operand.
    pub fn result(&self, old: u64, operand: u64) -> u64 {
        match self.change {
            CsrChange::Write => operand,
            CsrChange::Set => old | operand,
            CsrChange::Clear => old & !operand,
        }
    }
}

/// Finds out whether the instruction with these bits is sensitive, and what it asks for.
pub fn sensitive(bits: u32) -> Option<Sensitive> {
    let op = decode(bits)?;
    let csr = |change, immediate| {
        let operand = if immediate {
            CsrOperand::Immediate(u64::from(op.rs1.bits()))
        } else {
            CsrOperand::Register(op.rs1)
        };
        Sensitive::Csr(CsrAccess { number: op.imm as u16, change, operand, destination: op.rd })
    };
    Some(match op.opcode {
        Opcode::Csrrw => csr(CsrChange::Write, false),
        Opcode::Csrrs => csr(CsrChange::Set, false),
        Opcode::Csrrc => csr(CsrChange::Clear, false),
        Opcode::Csrrwi => csr(CsrChange::Write, true),
        Opcode::Csrrsi => csr(CsrChange::Set, true),
        Opcode::Csrrci => csr(CsrChange::Clear, true),
        Opcode::Sret => Sensitive::SupervisorReturn,
        Opcode::Wfi => Sensitive::WaitForInterrupt,
        Opcode::SfenceVma => Sensitive::AddressFence { address: op.rs1, asid: op.rs2 },
        _ => return None,
    })
}

/// A load or store as it has to be made at a device.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct DeviceAccess {
    /// How many bytes.
    pub width: Width,
    /// Which way, and with which register.
    pub transfer: Transfer,
    /// The register that holds the base address.
    pub base: Register,
    /// What is added to it.
    pub offset: i64,
    /// Bytes of the instruction.
    pub length: u64,
}

/// The register that a device access reads or writes.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Transfer {
    /// To an integer register, sign-extended or not.
    Load {
        /// The register.
        to: Register,
        /// Whether the value is sign-extended.
        signed: bool,
    },
    /// To a floating-point register.
    FloatLoad {
        /// The register.
        to: Register,
    },
    /// From an integer register.
    Store {
        /// The register.
        from: Register,
    },
    /// From a floating-point register.
    FloatStore {
        /// The register.
        from: Register,
    },
}

/// Finds out what the instruction with these bits does to a device. `None`: devices refuse it, as
/// they do atomic operations.
pub fn device_access(bits: u32) -> Option<DeviceAccess> {
    use Width::{Byte, Double, Half, Word};
    let op = decode(bits)?;
    let load = |signed| Transfer::Load { to: op.rd, signed };
    let store = Transfer::Store { from: op.rs2 };
    let (width, transfer) = match op.opcode {
        Opcode::Lb => (Byte, load(true)),
        Opcode::Lh => (Half, load(true)),
        Opcode::Lw => (Word, load(true)),
        Opcode::Ld => (Double, load(false)),
        Opcode::Lbu => (Byte, load(false)),
        Opcode::Lhu => (Half, load(false)),
        Opcode::Lwu => (Word, load(false)),
        Opcode::Sb => (Byte, store),
        Opcode::Sh => (Half, store),
        Opcode::Sw => (Word, store),
        Opcode::Sd => (Double, store),
        Opcode::Flw => (Word, Transfer::FloatLoad { to: op.rd }),
        Opcode::Fld => (Double, Transfer::FloatLoad { to: op.rd }),
        Opcode::Fsw => (Word, Transfer::FloatStore { from: op.rs2 }),
        Opcode::Fsd => (Double, Transfer::FloatStore { from: op.rs2 }),
        _ => return None,
    };
    let length = op.place.length();
    Some(DeviceAccess { width, transfer, base: op.rs1, offset: op.imm, length })
}

/// A loaded value as the register gets it.
pub fn extend(value: u64, width: Width, signed: bool) -> u64 {
    let unused = 64 - 8 * width.bytes() as u32;
    if signed { (((value << unused) as i64) >> unused) as u64 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_hart::Op;
    use dcsim_hart::isa::encode;

    #[test]
    fn csr_instructions_are_taken_apart() {
        // csrrw a0, sscratch, a1
        let swap = sensitive(0x1405_9573).unwrap();
        let Sensitive::Csr(access) = swap else { panic!("{swap:?}") };
        assert_eq!((access.number, access.destination), (0x140, Register::R10));
        assert_eq!(access.operand, CsrOperand::Register(Register::R11));
        assert!(access.writes());
        // csrrci x0, sstatus, 2
        let Some(Sensitive::Csr(access)) = sensitive(0x1001_7073) else { panic!() };
        assert_eq!(access.result(0b111, 2), 0b101);
        // csrrs a0, sie, x0 only reads.
        let Some(Sensitive::Csr(access)) = sensitive(0x1040_2573) else { panic!() };
        assert!(!access.writes());
    }

    #[test]
    fn the_other_sensitive_instructions_are_known() {
        assert_eq!(sensitive(0x1020_0073), Some(Sensitive::SupervisorReturn));
        assert_eq!(sensitive(0x1050_0073), Some(Sensitive::WaitForInterrupt));
        let fence = Sensitive::AddressFence { address: Register::R10, asid: Register::R0 };
        assert_eq!(sensitive(0x1205_0073), Some(fence));
        assert_eq!(sensitive(0x3020_0073), None, "mret is as illegal as on a bare machine");
        assert_eq!(sensitive(0), None);
    }

    #[test]
    fn compressed_device_accesses_have_their_length() {
        // c.lw a0, 4(a1)
        let access = device_access(0x41c8).unwrap();
        assert_eq!((access.length, access.width, access.offset), (2, Width::Word, 4));
        assert_eq!(access.base, Register::R11);
        assert_eq!(access.transfer, Transfer::Load { to: Register::R10, signed: true });
        let atomic = encode(&Op::new(Opcode::AmoaddW, 4));
        assert_eq!(device_access(atomic), None);
    }

    #[test]
    fn loaded_values_are_extended() {
        assert_eq!(extend(0x80, Width::Byte, true), 0xffff_ffff_ffff_ff80);
        assert_eq!(extend(0x80, Width::Byte, false), 0x80);
        assert_eq!(extend(u64::MAX, Width::Double, false), u64::MAX);
    }
}
