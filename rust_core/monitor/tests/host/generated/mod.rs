//! Kernels that are sequences of random actions: registers written and read back, page tables
//! changed and fenced, accesses of every kind to pages with every kind of entry, devices, user code,
//! floating point, firmware calls.
//!
//! Their trap handler logs every trap with the registers that tell about it and the count of retired
//! instructions, and goes on. Nothing in them depends on how much time passes.

mod actions;

use super::assembly::{Assembler, x};
use dcsim_hart::isa::{Opcode, Register};
use dcsim_machine::random::Random;

const BASE: u64 = 0x8020_0000;
const HANDLER: u64 = 0x1000;
const USER_CODE: u64 = 0x2000;
const BODY: u64 = 0x4000;
const TABLES: u64 = 0x8_0000;
const EXECUTABLE: u64 = 0x9_0000;
const DATA: u64 = 0xa_0000;
const IMAGE_BYTES: u64 = 0xb_0000;
/// Where the log begins.
pub const LOG: u64 = BASE + 0x10_0000;

/// Pages under test: the first half holds code, the other data.
const TEST_PAGES: u64 = 16;
const TEST: u64 = 0x4000_0000;
/// The same pages again as part of a 2 MiB page.
const LARGE: u64 = 0x4020_0000;
/// User code; traps below it in address resume the kernel.
const USER: u64 = 0x7f00_0000;

const FINISHER: u64 = 0x0010_0000;

/// `jalr x0, 0(x26)`: what pages of code are full of.
const RETURN: u32 = 0x000d_0067;

/// Registers with a purpose: where to resume, the log, the lowest address of user code.
const RESUME: Register = x(26);
const LOG_POINTER: Register = x(27);
const USER_BOUND: Register = x(24);

mod csr {
    pub const SSTATUS: u16 = 0x100;
    pub const SIE: u16 = 0x104;
    pub const STVEC: u16 = 0x105;
    pub const SCOUNTEREN: u16 = 0x106;
    pub const SENVCFG: u16 = 0x10a;
    pub const SSCRATCH: u16 = 0x140;
    pub const SEPC: u16 = 0x141;
    pub const SCAUSE: u16 = 0x142;
    pub const STVAL: u16 = 0x143;
    pub const SIP: u16 = 0x144;
    pub const STIMECMP: u16 = 0x14d;
    pub const SATP: u16 = 0x180;
    pub const INSTRET: u16 = 0xc02;
}

/// Page-table flags.
const V: u64 = 1;
const R: u64 = 2;
const W: u64 = 4;
const X: u64 = 8;
const A: u64 = 64;
const D: u64 = 128;
const G: u64 = 32;
const KERNEL: u64 = V | R | W | X | G | A | D;

/// Tables, each a page: two address spaces, and a four-level one over the second.
const ROOT_A: u64 = 0;
const ROOT_B: u64 = 1;
const ROOT_FOUR: u64 = 2;
const MIDDLE_A: u64 = 3;
const MIDDLE_B: u64 = 4;
const LEAVES_A: u64 = 5;
const LEAVES_B: u64 = 6;
const KERNEL_MIDDLE: u64 = 7;
const USER_LEAVES: u64 = 8;

fn table(number: u64) -> u64 {
    BASE + TABLES + number * 4096
}

fn entry(address: u64, flags: u64) -> u64 {
    address >> 12 << 10 | flags
}

/// A kernel that grows.
pub struct Generator {
    random: Random,
    image: Vec<u8>,
    body: Assembler,
}

impl Generator {
    /// A kernel for a seed, with nothing in it.
    pub fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        Self { random, image: vec![0; IMAGE_BYTES as usize], body: Assembler::default() }
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.below(choices.len() as u64) as usize]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn place(&mut self, offset: u64, bytes: &[u8]) {
        self.image[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn set_entry(&mut self, table: u64, index: u64, value: u64) {
        self.place(TABLES + table * 4096 + index * 8, &value.to_le_bytes());
    }

    /// An entry for a page under test: mostly sensible, sometimes anything.
    fn test_entry(&mut self, index: u64) -> u64 {
        let page = self.random.below(TEST_PAGES / 2);
        let target = match self.random.below(12) {
            0 => 0x1000_0000,
            1 => 0x2000_0000,
            _ if index < TEST_PAGES / 2 => BASE + EXECUTABLE + page * 4096,
            _ => BASE + DATA + page * 4096,
        };
        let flags =
            if self.chance(80) { self.random.below(256) | V } else { self.random.below(1024) };
        let reserved = if self.chance(4) { 1 << (54 + self.random.below(10)) } else { 0 };
        // A page that is global in one address space and another page in the next is a mistake
        // that hardware may punish in any way.
        entry(target, flags & !G) | reserved
    }

    fn tables(&mut self) {
        for (root, middle, leaves) in [(ROOT_A, MIDDLE_A, LEAVES_A), (ROOT_B, MIDDLE_B, LEAVES_B)] {
            self.set_entry(root, 0, entry(0, V | R | W | A | D));
            self.set_entry(root, 1, entry(table(middle), V));
            self.set_entry(root, 2, entry(table(KERNEL_MIDDLE), V));
            self.set_entry(middle, 0, entry(table(leaves), V));
            let large = if self.chance(90) { BASE } else { BASE + 4096 };
            let flags = V | R | A | self.random.below(256) & !(X | V | G);
            self.set_entry(middle, 1, entry(large, flags));
            self.set_entry(middle, (USER >> 21) & 0x1ff, entry(table(USER_LEAVES), V));
            for index in 0..TEST_PAGES {
                let value = self.test_entry(index);
                self.set_entry(leaves, index, value);
            }
        }
        self.set_entry(ROOT_FOUR, 0, entry(table(ROOT_B), V));
        for index in 0..4 {
            self.set_entry(KERNEL_MIDDLE, index, entry(0x8000_0000 + (index << 21), KERNEL));
        }
        self.set_entry(USER_LEAVES, 0, entry(BASE + USER_CODE, V | R | X | 16 | A));
    }

    /// The handler logs, and resumes behind the instruction or where the kernel said.
    fn handler(&mut self) {
        let mut code = Assembler::default();
        let (cause, scratch, pc) = (x(29), x(30), x(31));
        // The vector table: all interrupts go the same way.
        for slot in 0..16 {
            code.immediate(Opcode::Jal, x(0), x(0), 64 - 4 * slot);
        }
        let logged =
            [csr::SCAUSE, csr::SEPC, csr::STVAL, csr::SSTATUS, csr::INSTRET, csr::SIP, csr::SIE];
        for (index, number) in logged.into_iter().enumerate() {
            code.read_csr(scratch, number);
            code.store(Opcode::Sd, scratch, LOG_POINTER, index as i64 * 8);
        }
        code.store(Opcode::Sd, x(5), LOG_POINTER, 56);
        code.immediate(Opcode::Addi, LOG_POINTER, LOG_POINTER, 64);
        code.read_csr(cause, csr::SCAUSE);
        code.read_csr(pc, csr::SEPC);
        // An interrupt: take its reason away and go on.
        code.store(Opcode::Bge, x(0), cause, 4 * 6);
        code.csr(Opcode::Csrrci, x(0), csr::SIP, x(2));
        code.immediate(Opcode::Addi, scratch, x(0), -1);
        code.write_csr(csr::STIMECMP, scratch);
        code.immediate(Opcode::Addi, x(0), x(0), 0);
        code.plain(Opcode::Sret);
        // A user's call, a fetch that failed, or a trap under test: back to the kernel.
        for (index, code_of_cause) in [8, 1, 12].into_iter().enumerate() {
            code.immediate(Opcode::Addi, scratch, x(0), code_of_cause);
            code.store(Opcode::Beq, scratch, cause, 4 * (9 - 2 * index as i64));
        }
        code.store(Opcode::Bltu, USER_BOUND, pc, 4 * 4);
        code.immediate(Opcode::Addi, pc, pc, 4);
        code.write_csr(csr::SEPC, pc);
        code.plain(Opcode::Sret);
        code.write_csr(csr::SEPC, RESUME);
        code.immediate(Opcode::Addi, scratch, x(0), 0x100);
        code.csr(Opcode::Csrrs, x(0), csr::SSTATUS, scratch);
        code.plain(Opcode::Sret);
        let bytes = code.bytes();
        self.place(HANDLER, &bytes);
    }

    fn start(&mut self) {
        let mut code = Assembler::default();
        code.constant(LOG_POINTER, LOG);
        code.constant(USER_BOUND, USER);
        code.constant(x(5), BASE + HANDLER);
        code.write_csr(csr::STVEC, x(5));
        code.constant(RESUME, BASE + BODY);
        code.immediate(Opcode::Jalr, x(0), RESUME, 0);
        let bytes = code.bytes();
        self.place(0, &bytes);
    }

    fn pages(&mut self) {
        for offset in (EXECUTABLE..DATA).step_by(4) {
            self.place(offset, &RETURN.to_le_bytes());
        }
        for page in 0..TEST_PAGES / 2 {
            let value = self.random.next_u64();
            self.place(
                DATA + page * 4096 + 8 * self.random.clone().below(500),
                &value.to_le_bytes(),
            );
        }
    }

    /// Code for user mode; it ends with a call.
    fn user_code(&mut self) {
        let mut code = std::mem::take(&mut self.body);
        for _ in 0..24 {
            match self.random.below(6) {
                0 => self.csr_access(),
                1 => self.privileged(),
                2 => self.float(),
                _ => self.access(),
            }
        }
        self.body.plain(Opcode::Ecall);
        std::mem::swap(&mut code, &mut self.body);
        let bytes = code.bytes();
        assert!(bytes.len() < 4096);
        self.place(USER_CODE, &bytes);
    }

    /// The whole of it, with so many actions.
    pub fn image(mut self, actions: usize) -> Vec<u8> {
        self.start();
        self.handler();
        self.tables();
        self.pages();
        self.user_code();
        for _ in 0..actions {
            self.action();
        }
        // Quietly off, whatever mode the actions left behind.
        self.body.csr(Opcode::Csrrci, x(0), csr::SSTATUS, x(2));
        self.body.write_csr(csr::SATP, x(0));
        self.body.constant(x(6), FINISHER);
        self.body.constant(x(7), 0x5555);
        self.body.store(Opcode::Sw, x(7), x(6), 0);
        let bytes = self.body.bytes();
        assert!(BODY + bytes.len() as u64 <= TABLES);
        self.place(BODY, &bytes);
        self.image
    }
}
