//! Small kernels assembled by hand, for what happens to code and to the cache.
//!
//! All of memory and all devices are where they are, for every right, and once more where a test
//! maps them. Every trap goes on where the code said beforehand.

use super::assembly::{Assembler, x};
use super::machine::Guest;
use dcsim_hart::isa::{Opcode, Register};

/// Where the kernel begins; it is assembled there.
pub(super) const BASE: u64 = 0x8020_0000;
/// The end of memory.
pub(super) const END: u64 = 0x8080_0000;
/// Code of user mode.
const USER: u64 = BASE + 0x1_0000;
const HANDLER: u64 = BASE + 0x1_1000;
const ROOT: u64 = BASE + 0x1_2000;
const MIDDLE: u64 = BASE + 0x1_3000;
const LEAVES: u64 = BASE + 0x1_4000;
/// A second address space: it differs in the pages of tests.
const OTHER_ROOT: u64 = BASE + 0x1_5000;
const OTHER_MIDDLE: u64 = BASE + 0x1_6000;
const OTHER_LEAVES: u64 = BASE + 0x1_7000;
/// The table for the half gibibyte in which the cache is.
pub(super) const HIGH: u64 = BASE + 0x1_8000;
/// Small pages in that.
pub(super) const HIGH_LEAVES: u64 = BASE + 0x1_9000;
/// Pages for tests: code, and data.
pub(super) const CODE: u64 = BASE + 0x2_0000;
pub(super) const DATA: u64 = BASE + 0x3_0000;
const FINISHER: u64 = 0x0010_0000;
/// Where tests map small pages.
pub(super) const MAPPED: u64 = 0x4000_0000;

const SSTATUS: u16 = 0x100;
const STVEC: u16 = 0x105;
const SEPC: u16 = 0x141;
const SATP: u16 = 0x180;

/// Where a trap goes on.
pub(super) const RESUME: Register = x(26);

/// Flags of table entries: everything, and with the user.
pub(super) const ALL: u64 = 0xcf;
pub(super) const ALL_USER: u64 = 0xdf;
/// To read and execute only; to read and write only; for the user to execute only.
pub(super) const EXECUTE: u64 = 0xcb;
pub(super) const DATA_ONLY: u64 = 0xc7;
pub(super) const USER_CODE: u64 = 0xdb;
const POINTER: u64 = 1;

/// `jalr x0, 0(x1)`.
pub(super) const RETURN: u32 = 0x0000_8067;

/// `addi x10, x10, amount`.
pub(super) fn add(amount: u32) -> u32 {
    0x0005_0513 | amount << 20
}

/// A table entry.
pub(super) fn entry(address: u64, flags: u64) -> u64 {
    address >> 12 << 10 | flags
}

/// The word of one instruction.
pub(super) fn word(build: impl FnOnce(&mut Assembler)) -> u32 {
    let mut code = Assembler::default();
    build(&mut code);
    code.words[0]
}

/// A kernel that grows.
pub(super) struct Small {
    image: Vec<u8>,
    pub(super) code: Assembler,
    user: Assembler,
}

impl Small {
    /// A kernel that has switched its tables on.
    pub(super) fn new() -> Self {
        let (image, code) = (Vec::new(), Assembler::default());
        let mut small = Self { image, code, user: Assembler::default() };
        let spaces = [(ROOT, MIDDLE, LEAVES), (OTHER_ROOT, OTHER_MIDDLE, OTHER_LEAVES)];
        for (root, middle, leaves) in spaces {
            small.place(root, &entry(0, ALL).to_le_bytes());
            small.place(root + 8, &entry(middle, POINTER).to_le_bytes());
            small.place(root + 16, &entry(0x8000_0000, ALL).to_le_bytes());
            small.place(root + 8 * 510, &entry(HIGH, POINTER).to_le_bytes());
            small.place(middle, &entry(leaves, POINTER).to_le_bytes());
        }
        small.handler();
        small.write(STVEC, HANDLER);
        small.write(SSTATUS, 3 << 13);
        small.switch(0);
        small
    }

    pub(super) fn place(&mut self, address: u64, bytes: &[u8]) {
        let start = (address - BASE) as usize;
        self.image.resize(self.image.len().max(start + bytes.len()), 0);
        self.image[start..][..bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn place_words(&mut self, address: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.place(address, &bytes);
    }

    fn handler(&mut self) {
        let mut code = Assembler::default();
        code.write_csr(SEPC, RESUME);
        code.immediate(Opcode::Addi, x(30), x(0), 0x100);
        code.csr(Opcode::Csrrs, x(0), SSTATUS, x(30));
        code.plain(Opcode::Sret);
        self.place(HANDLER, &code.bytes());
    }

    pub(super) fn write(&mut self, number: u16, value: u64) {
        self.code.constant(x(5), value);
        self.code.write_csr(number, x(5));
    }

    /// Switches to one of the two address spaces, each with an identifier of its own.
    pub(super) fn switch(&mut self, space: u64) {
        let root = [ROOT, OTHER_ROOT][space as usize];
        self.write(SATP, 8 << 60 | (space + 1) << 44 | root >> 12);
    }

    /// Maps a page for tests in one of the address spaces from the start.
    pub(super) fn map(&mut self, space: u64, index: u64, value: u64) {
        let leaves = [LEAVES, OTHER_LEAVES][space as usize];
        self.place(leaves + 8 * index, &value.to_le_bytes());
    }

    /// Maps it now, without a fence.
    pub(super) fn remap(&mut self, space: u64, index: u64, value: u64) {
        let leaves = [LEAVES, OTHER_LEAVES][space as usize];
        self.store(leaves + 8 * index, value);
    }

    /// Fences an address, or everything.
    pub(super) fn fence(&mut self, address: Option<u64>) {
        let register = if address.is_some() { x(5) } else { x(0) };
        self.code.constant(x(5), address.unwrap_or(0));
        self.code.op(Opcode::SfenceVma, x(0), register, x(0), 0);
    }

    /// Stores a doubleword.
    pub(super) fn store(&mut self, address: u64, value: u64) {
        self.code.constant(x(8), address);
        self.code.constant(x(9), value);
        self.code.store(Opcode::Sd, x(9), x(8), 0);
    }

    /// Stores a word.
    pub(super) fn store_word(&mut self, address: u64, value: u32) {
        self.code.constant(x(8), address);
        self.code.constant(x(9), u64::from(value));
        self.code.store(Opcode::Sw, x(9), x(8), 0);
    }

    /// Code whose traps go on behind it.
    pub(super) fn attempt(&mut self, build: impl FnOnce(&mut Assembler)) {
        let mut code = Assembler::default();
        build(&mut code);
        let mut target = Assembler::default();
        target.constant(RESUME, 0);
        let end = BASE + self.code.here() + target.here() + code.here();
        self.code.constant(RESUME, end);
        self.code.words.extend(code.words);
    }

    /// Calls what is at an address.
    pub(super) fn call(&mut self, address: u64) {
        self.attempt(|code| {
            code.constant(x(5), address);
            code.immediate(Opcode::Jalr, x(1), x(5), 0);
        });
    }

    /// Executes code in user mode; it ends with a call of the kernel. The page is mapped there.
    pub(super) fn user(&mut self, page: u64, build: impl FnOnce(&mut Assembler)) {
        let start = self.user.here();
        build(&mut self.user);
        self.user.plain(Opcode::Ecall);
        self.attempt(|code| {
            code.constant(x(5), page + start);
            code.write_csr(SEPC, x(5));
            code.immediate(Opcode::Addi, x(5), x(0), 0x100);
            code.csr(Opcode::Csrrc, x(0), SSTATUS, x(5));
            code.plain(Opcode::Sret);
        });
    }

    /// The entry that maps user code.
    pub(super) fn user_entry() -> u64 {
        entry(USER, USER_CODE)
    }

    /// A loop: the code so many times. It leaves `x25` alone, which counts.
    pub(super) fn repeat(&mut self, times: u64, build: impl FnOnce(&mut Self)) {
        self.code.constant(x(25), times);
        let start = self.code.here();
        build(self);
        self.code.immediate(Opcode::Addi, x(25), x(25), -1);
        self.code.store(Opcode::Beq, x(0), x(25), 8);
        let back = start as i64 - self.code.here() as i64;
        self.code.immediate(Opcode::Jal, x(0), x(0), back);
    }

    /// The guest.
    pub(super) fn finish(mut self) -> Guest {
        self.code.constant(x(5), FINISHER);
        self.code.constant(x(6), 0x5555);
        self.code.store(Opcode::Sw, x(6), x(5), 0);
        let (code, user) = (self.code.bytes(), self.user.bytes());
        assert!(BASE + code.len() as u64 <= USER && user.len() < 4096);
        self.place(BASE, &code);
        self.place(USER, &user);
        Guest::new(self.image)
    }
}
