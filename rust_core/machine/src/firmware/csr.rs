//! Numbers of the control and status registers that firmware uses (privileged architecture,
//! "CSR Listing").

/// Supervisor interrupt enables.
pub const SIE: u16 = 0x104;
/// Supervisor trap vector.
pub const STVEC: u16 = 0x105;
/// Counters that user mode may read.
pub const SCOUNTEREN: u16 = 0x106;
/// Supervisor scratch.
pub const SSCRATCH: u16 = 0x140;
/// Supervisor exception address.
pub const SEPC: u16 = 0x141;
/// Supervisor trap cause.
pub const SCAUSE: u16 = 0x142;
/// Supervisor trap value.
pub const STVAL: u16 = 0x143;
/// Supervisor timer compare value.
pub const STIMECMP: u16 = 0x14d;
/// Supervisor address translation.
pub const SATP: u16 = 0x180;
/// Machine status.
pub const MSTATUS: u16 = 0x300;
/// Exception delegation.
pub const MEDELEG: u16 = 0x302;
/// Interrupt delegation.
pub const MIDELEG: u16 = 0x303;
/// Machine interrupt enables.
pub const MIE: u16 = 0x304;
/// Counters that supervisor mode may read.
pub const MCOUNTEREN: u16 = 0x306;
/// Environment of supervisor mode.
pub const MENVCFG: u16 = 0x30a;
/// Machine exception address.
pub const MEPC: u16 = 0x341;
/// Machine trap cause.
pub const MCAUSE: u16 = 0x342;
/// Machine trap value.
pub const MTVAL: u16 = 0x343;
/// Pending interrupts.
pub const MIP: u16 = 0x344;
/// Configuration of the first protection entries.
pub const PMPCFG0: u16 = 0x3a0;
/// Address of the first protection entry.
pub const PMPADDR0: u16 = 0x3b0;
