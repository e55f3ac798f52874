//! Where things are in a generated image.
//!
//! From [`BASE`] upwards, which is 2 MiB into the memory as kernels are: a jump to the code; the save area; the scratch memory; the landing pages;
//! the page tables; the initial records of the sequences; the code of the harness and of the
//! sequences.

use crate::assembler::Assembler;

/// The first address of memory.
pub const MEMORY: u64 = 0x8000_0000;
/// Where the image is loaded and entered.
pub const BASE: u64 = MEMORY + 0x20_0000;
/// The UART that the image prints to.
pub const UART: u64 = 0x1000_0000;
/// The test finisher that ends the run.
pub const FINISHER: u64 = 0x0010_0000;
/// Bytes of memory of the machines that run images: behind them nothing answers.
pub const MEMORY_BYTES: u64 = 64 << 20;

/// Bytes in a page.
pub const PAGE: u64 = 4096;

/// Words that a sequence leaves behind, see [`record`].
pub const RECORD_WORDS: usize = 66;

/// The page that the harness keeps its own state in.
pub const SAVE: u64 = BASE + PAGE;
/// Memory that sequences read and write.
pub const SCRATCH: u64 = BASE + 2 * PAGE;
/// Pages of scratch memory.
pub const SCRATCH_PAGES: u64 = 8;
/// Pages of nothing but returns.
pub const LANDING: u64 = SCRATCH + SCRATCH_PAGES * PAGE;
/// How many.
pub const LANDING_PAGES: u64 = 2;
/// The page tables, a set after the other.
pub const TABLES: u64 = BASE + 0x1_0000;

/// Offsets in a record: what is printed after each sequence.
pub mod record {
    /// In place of `x0`: a hash of the traps that the sequence took.
    pub const TRAPS: i64 = 0;
    /// The floating-point registers.
    pub const FLOATS: i64 = 32 * 8;
    /// The floating-point control and status register.
    pub const FCSR: i64 = 64 * 8;
    /// A hash of the scratch memory and of the page tables.
    pub const MEMORY: i64 = 65 * 8;
    /// Bytes in all.
    pub const BYTES: i64 = super::RECORD_WORDS as i64 * 8;
}

/// Offsets in the save area, behind the record.
pub mod save {
    use super::record::BYTES;

    /// Three registers of the trap handler.
    pub const SPILL: i64 = BYTES;
    /// Address of the initial record of the sequence.
    pub const CURRENT: i64 = BYTES + 24;
    /// Address behind the last initial record.
    pub const END: i64 = BYTES + 32;
    /// Address of the instruction that ends the sequence, as `mepc` shows it.
    pub const EXIT: i64 = BYTES + 40;
    /// Where machine mode finds the code.
    pub const MACHINE_CODE: i64 = BYTES + 48;
    /// Where supervisor mode finds the code.
    pub const SUPERVISOR_CODE: i64 = BYTES + 56;
}

/// Offsets in an initial record: the registers as in a record, and what the harness sets up.
pub mod initial {
    use super::record::BYTES;

    /// See [`super::save::EXIT`].
    pub const EXIT: i64 = BYTES;
    /// See [`super::save::SUPERVISOR_CODE`].
    pub const SUPERVISOR_CODE: i64 = BYTES + 8;
    /// Physical address of the page tables.
    pub const TABLES: i64 = BYTES + 16;
    /// Whether to fence before the sequence.
    pub const FENCE: i64 = BYTES + 24;
    /// The registers of [`super::CONTROL`], in that order.
    pub const CONTROL: i64 = BYTES + 32;
    /// Bytes in all.
    pub const BYTES_IN_ALL: i64 = CONTROL + 8 * super::CONTROL.len() as i64;
}

/// The control and status registers that every sequence has set for it.
pub const CONTROL: [u16; 12] = [
    number::SATP,
    number::MEDELEG,
    number::MIDELEG,
    number::MIE,
    number::MIP,
    number::MENVCFG,
    number::STVEC,
    number::SSCRATCH,
    number::PMPADDR0,
    number::PMPCFG0,
    number::MEPC,
    number::MSTATUS,
];

/// Numbers of control and status registers.
#[allow(missing_docs, reason = "the names are the specification's")]
pub mod number {
    pub const FCSR: u16 = 0x003;
    pub const SSTATUS: u16 = 0x100;
    pub const SIE: u16 = 0x104;
    pub const STVEC: u16 = 0x105;
    pub const SCOUNTEREN: u16 = 0x106;
    pub const SSCRATCH: u16 = 0x140;
    pub const SEPC: u16 = 0x141;
    pub const SCAUSE: u16 = 0x142;
    pub const STVAL: u16 = 0x143;
    pub const SIP: u16 = 0x144;
    pub const STIMECMP: u16 = 0x14d;
    pub const SATP: u16 = 0x180;
    pub const MSTATUS: u16 = 0x300;
    pub const MEDELEG: u16 = 0x302;
    pub const MIDELEG: u16 = 0x303;
    pub const MIE: u16 = 0x304;
    pub const MTVEC: u16 = 0x305;
    pub const MCOUNTEREN: u16 = 0x306;
    pub const MENVCFG: u16 = 0x30a;
    pub const MCOUNTINHIBIT: u16 = 0x320;
    pub const MSCRATCH: u16 = 0x340;
    pub const MEPC: u16 = 0x341;
    pub const MCAUSE: u16 = 0x342;
    pub const MTVAL: u16 = 0x343;
    pub const MIP: u16 = 0x344;
    pub const PMPCFG0: u16 = 0x3a0;
    pub const PMPADDR0: u16 = 0x3b0;
    pub const MCYCLE: u16 = 0xb00;
    pub const MINSTRET: u16 = 0xb02;
    pub const CYCLE: u16 = 0xc00;
    pub const TIME: u16 = 0xc01;
    pub const INSTRET: u16 = 0xc02;
}

/// Fills the landing pages: returns of two bytes everywhere but at the ends, where one of four
/// bytes goes on from page to page.
pub fn append_landing(image: &mut Assembler) {
    let around: [u8; 4] = 0x0000_8067_u32.to_le_bytes();
    let inside: [u8; 2] = 0x8082_u16.to_le_bytes();
    for _ in 0..LANDING_PAGES {
        image.raw(&around[2..]);
        (0..PAGE / 2 - 2).for_each(|_| image.raw(&inside));
        image.raw(&around[..2]);
    }
}
