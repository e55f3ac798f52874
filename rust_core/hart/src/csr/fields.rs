//! Fields of control and status registers.
//!
//! Privileged architecture, the register figures of the machine-level and supervisor-level
//! chapters.

/// Fields of `mstatus` and `sstatus`.
pub mod status {
    use crate::hart::Privilege;

    /// Supervisor interrupts enabled.
    pub const SIE: u64 = 1 << 1;
    /// Machine interrupts enabled.
    pub const MIE: u64 = 1 << 3;
    /// `SIE` before the trap to supervisor mode.
    pub const SPIE: u64 = 1 << 5;
    /// `MIE` before the trap to machine mode.
    pub const MPIE: u64 = 1 << 7;
    /// Privilege before the trap to supervisor mode: set for supervisor.
    pub const SPP: u64 = 1 << 8;
    /// Privilege before the trap to machine mode.
    pub const MPP: u64 = 3 << MPP_SHIFT;
    /// Position of `MPP`.
    pub const MPP_SHIFT: u32 = 11;
    /// State of the floating-point unit: 0 off, 1 initial, 2 clean, 3 dirty.
    pub const FS: u64 = 3 << 13;
    /// Loads and stores have the privilege in `MPP`.
    pub const MPRV: u64 = 1 << 17;
    /// Supervisor loads and stores may touch user pages.
    pub const SUM: u64 = 1 << 18;
    /// Loads may read executable pages.
    pub const MXR: u64 = 1 << 19;
    /// Supervisor access to `satp` and SFENCE.VMA trap.
    pub const TVM: u64 = 1 << 20;
    /// WFI traps below machine mode.
    pub const TW: u64 = 1 << 21;
    /// SRET traps in supervisor mode.
    pub const TSR: u64 = 1 << 22;
    /// The trap to machine mode wrote a guest virtual address.
    pub const GVA: u64 = 1 << 38;
    /// The trap to machine mode came from a guest.
    pub const MPV: u64 = 1 << 39;
    /// XLEN of user mode: 2 for 64 bits.
    pub const UXL_64: u64 = 2 << 32;
    /// XLEN of supervisor mode.
    pub const SXL_64: u64 = 2 << 34;
    /// Some state is dirty.
    pub const SD: u64 = 1 << 63;

    /// The fields that a write of `mstatus` can change on every hart.
    pub const MACHINE_WRITABLE: u64 = SUPERVISOR_WRITABLE | MIE | MPIE | MPP | MPRV;
    /// The fields with which machine mode has instructions of supervisor mode trap.
    pub const SUPERVISOR_TRAPS: u64 = TVM | TW | TSR;
    /// The fields that the hypervisor extension adds.
    pub const HYPERVISOR: u64 = GVA | MPV;
    /// The fields that a write of `sstatus` can change.
    pub const SUPERVISOR_WRITABLE: u64 = SIE | SPIE | SPP | FS | SUM | MXR;
    /// The fields that `sstatus` shows.
    pub const SUPERVISOR_VISIBLE: u64 = SUPERVISOR_WRITABLE | UXL_64 | SD;

    /// The privilege in `MPP`.
    pub fn previous_machine_privilege(mstatus: u64) -> Privilege {
        Privilege::from_code((mstatus & MPP) >> MPP_SHIFT).unwrap_or(Privilege::User)
    }

    /// The privilege in `SPP`.
    pub const fn previous_supervisor_privilege(mstatus: u64) -> Privilege {
        if mstatus & SPP == 0 { Privilege::User } else { Privilege::Supervisor }
    }
}

/// Fields of `hstatus`.
pub mod hypervisor_status {
    /// The trap to HS mode wrote a guest virtual address.
    pub const GVA: u64 = 1 << 6;
    /// The trap to HS mode came from a guest.
    pub const SPV: u64 = 1 << 7;
    /// Privilege of the guest before the trap to HS mode: set for VS.
    pub const SPVP: u64 = 1 << 8;
    /// User mode may access a guest's memory.
    pub const HU: u64 = 1 << 9;
    /// `satp` and SFENCE.VMA trap in VS mode.
    pub const VTVM: u64 = 1 << 20;
    /// WFI traps in VS mode.
    pub const VTW: u64 = 1 << 21;
    /// SRET traps in VS mode.
    pub const VTSR: u64 = 1 << 22;
    /// XLEN of VS mode: 2 for 64 bits.
    pub const VSXL_64: u64 = 2 << 32;
    /// The fields that a write can change.
    pub const WRITABLE: u64 = GVA | SPV | SPVP | HU | VTVM | VTW | VTSR;
}

/// Bits of `mip`, `mie`, `mideleg` and their supervisor views; the position is the code of the
/// cause.
pub mod interrupt {
    /// Supervisor software.
    pub const SSIP: u64 = 1 << 1;
    /// Machine software.
    pub const MSIP: u64 = 1 << 3;
    /// Virtual supervisor software.
    pub const VSSIP: u64 = 1 << 2;
    /// Supervisor timer.
    pub const STIP: u64 = 1 << 5;
    /// Virtual supervisor timer.
    pub const VSTIP: u64 = 1 << 6;
    /// Machine timer.
    pub const MTIP: u64 = 1 << 7;
    /// Supervisor external.
    pub const SEIP: u64 = 1 << 9;
    /// Virtual supervisor external.
    pub const VSEIP: u64 = 1 << 10;
    /// Machine external.
    pub const MEIP: u64 = 1 << 11;
    /// The interrupts of supervisor level: those that can be delegated.
    pub const SUPERVISOR: u64 = SSIP | STIP | SEIP;
    /// The interrupts of VS level. In VS mode each has the number of the one below it.
    pub const VIRTUAL: u64 = VSSIP | VSTIP | VSEIP;
    /// All but those of VS level.
    pub const ALL: u64 = SUPERVISOR | MSIP | MTIP | MEIP;
    /// The bit of `mcause` that tells interrupts from exceptions.
    pub const CAUSE: u64 = 1 << 63;
}

/// Fields of `satp`.
pub mod satp {
    /// `MODE` without translation.
    pub const BARE: u64 = 0;
    /// `MODE` with three levels of tables.
    pub const SV39: u64 = 8;
    /// `MODE` with four levels of tables.
    pub const SV48: u64 = 9;

    /// The translation mode.
    pub const fn mode(satp: u64) -> u64 {
        satp >> 60
    }

    /// Whether the mode is one that there is.
    pub const fn has_mode(satp: u64) -> bool {
        matches!(mode(satp), BARE | SV39 | SV48)
    }

    /// The address-space identifier.
    pub const fn asid(satp: u64) -> u16 {
        (satp >> 44) as u16
    }

    /// The physical address of the root table.
    pub const fn root(satp: u64) -> u64 {
        (satp & ((1 << 44) - 1)) << 12
    }
}

/// Fields of `hgatp`. `MODE` and the place of the root are those of `satp`.
pub mod hgatp {
    /// The bits of the virtual-machine identifier.
    pub const VMID: u64 = 0x3fff << 44;
    /// The bits of the page number of the root, which is 16 KiB and aligned.
    pub const ROOT: u64 = ((1 << 44) - 1) & !3;

    /// The virtual-machine identifier.
    pub const fn vmid(hgatp: u64) -> u16 {
        ((hgatp & VMID) >> 44) as u16
    }
}

/// Fields of `menvcfg`, `henvcfg` and `senvcfg`.
pub mod environment {
    /// Fences of I/O imply memory.
    pub const FIOM: u64 = 1 << 0;
    /// Accessed and dirty bits are updated by hardware (Svadu).
    pub const ADUE: u64 = 1 << 61;
    /// `stimecmp` exists for supervisor mode (Sstc).
    pub const STCE: u64 = 1 << 63;
}

/// Bits of `mcounteren`, `scounteren` and `mcountinhibit`.
pub mod counter {
    /// `cycle`.
    pub const CYCLE: u64 = 1 << 0;
    /// `time`; not in `mcountinhibit`.
    pub const TIME: u64 = 1 << 1;
    /// `instret`.
    pub const INSTRET: u64 = 1 << 2;
}
