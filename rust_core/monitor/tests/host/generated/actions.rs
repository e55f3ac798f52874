//! What a generated kernel does, one action at a time.

use super::super::assembly::{Assembler, x};
use super::{
    BASE, BODY, DATA, EXECUTABLE, Generator, HANDLER, LARGE, LEAVES_A, LEAVES_B, LOG_POINTER,
    RESUME, ROOT_A, ROOT_B, ROOT_FOUR, TEST, TEST_PAGES, USER, csr, table,
};
use dcsim_hart::isa::Opcode;

const DEVICES: [u64; 6] =
    [0x1000_0000, 0x1000_0007, 0x0c00_0004, 0x0c00_2080, 0x1000_1000, 0x0200_4000];
/// Where nothing is.
const HOLES: [u64; 3] = [0x0300_0000, 0x2000_0000, 0x1000_9000];

impl Generator {
    fn address(&mut self) -> u64 {
        let page = self.random.below(TEST_PAGES);
        let offset = match self.random.below(8) {
            0 => 4096 - 1 - self.random.below(8),
            1 => self.random.below(4096),
            _ => self.random.below(512) * 8,
        };
        match self.random.below(20) {
            0 => self.pick(&HOLES),
            1..=3 => self.pick(&DEVICES),
            4 => 1 << (38 + self.random.below(26)),
            5..=7 => LARGE + DATA + page % 8 * 4096 + offset,
            8 => u64::MAX - self.random.below(8),
            _ => TEST + page * 4096 + offset,
        }
    }

    /// A load, store or atomic operation anywhere. Stores to pages of code keep them code.
    pub(super) fn access(&mut self) {
        let address = self.address();
        self.body.constant(x(6), address);
        let in_code = (TEST..TEST + 4096 * TEST_PAGES / 2 + 8).contains(&address)
            || (TEST - 8..TEST).contains(&address);
        let opcode = if in_code {
            self.pick(&[Opcode::Ld, Opcode::Lw, Opcode::Lhu, Opcode::Lb, Opcode::LrD])
        } else {
            self.pick(&[
                Opcode::Lb,
                Opcode::Lhu,
                Opcode::Lw,
                Opcode::Ld,
                Opcode::Lwu,
                Opcode::Lh,
                Opcode::Sb,
                Opcode::Sh,
                Opcode::Sw,
                Opcode::Sd,
                Opcode::AmoaddW,
                Opcode::AmoswapD,
                Opcode::LrD,
                Opcode::ScW,
                Opcode::Flw,
                Opcode::Fsd,
                Opcode::Fld,
                Opcode::Fsw,
            ])
        };
        self.body.op(opcode, x(5), x(6), x(5), 0);
    }

    pub(super) fn csr_access(&mut self) {
        let number = self.pick(&[
            csr::SSTATUS,
            csr::SIE,
            csr::SCOUNTEREN,
            csr::SENVCFG,
            csr::SSCRATCH,
            csr::SEPC,
            csr::SCAUSE,
            csr::STVAL,
            csr::SIP,
            csr::INSTRET,
            csr::SATP,
            csr::STIMECMP,
            0x001,
            0x002,
            0x003,
            0x300,
            0x342,
            0x5c0,
            0xc00,
            0xc03,
            0xf14,
            0x7c0,
            0x10c,
            0x200,
        ]);
        if number == csr::INSTRET {
            return self.body.read_csr(x(5), number);
        }
        if number == 0xc00 {
            // What it reads depends on time; whether it traps does not.
            return self.body.csr(Opcode::Csrrs, x(0), number, x(0));
        }
        if matches!(number, csr::SATP | csr::STIMECMP) {
            return self.body.read_csr(x(5), number);
        }
        let opcode = self.pick(&[
            Opcode::Csrrw,
            Opcode::Csrrs,
            Opcode::Csrrc,
            Opcode::Csrrwi,
            Opcode::Csrrsi,
            Opcode::Csrrci,
        ]);
        let value = self.random.next_u64();
        self.body.constant(x(7), value);
        let source = self.pick(&[x(0), x(7), x(7), x(7)]);
        self.body.csr(opcode, x(5), number, source);
    }

    pub(super) fn privileged(&mut self) {
        match self.random.below(6) {
            0 => self.body.plain(Opcode::Ebreak),
            1 => self.body.plain(Opcode::Mret),
            2 => self.body.words.push(0xffff_ffff),
            3 => self.fence(true),
            4 => self.body.op(Opcode::FenceI, x(0), x(0), x(0), 0),
            _ => self.body.op(Opcode::Fence, x(0), x(0), x(0), 0xff),
        }
    }

    /// An SFENCE.VMA; without `narrow`, of all address spaces.
    fn fence(&mut self, narrow: bool) {
        let address = self.address();
        self.body.constant(x(6), address);
        let asid = self.random.below(4);
        self.body.immediate(Opcode::Addi, x(7), x(0), asid as i64);
        let rs1 = self.pick(&[x(0), x(6)]);
        let rs2 = if narrow { self.pick(&[x(0), x(7)]) } else { x(0) };
        self.body.op(Opcode::SfenceVma, x(0), rs1, rs2, 0);
    }

    pub(super) fn float(&mut self) {
        match self.random.below(4) {
            0 => self.body.op(Opcode::FaddD, x(1), x(2), x(3), 0),
            1 => self.body.op(Opcode::FmvDX, x(2), x(5), x(0), 0),
            2 => self.body.op(Opcode::FmvXD, x(5), x(1), x(0), 0),
            _ => self.body.op(Opcode::FdivD, x(3), x(2), x(1), 7),
        }
    }

    /// Changes an entry of a page under test and fences it.
    fn change_tables(&mut self) {
        let index = self.random.below(TEST_PAGES);
        let leaves = self.pick(&[LEAVES_A, LEAVES_B]);
        let value = self.test_entry(index);
        self.body.constant(x(6), table(leaves) + index * 8);
        self.body.constant(x(7), value);
        self.body.store(Opcode::Sd, x(7), x(6), 0);
        self.body.constant(x(6), TEST + index * 4096 + self.random.clone().below(4096));
        let rs1 = self.pick(&[x(0), x(6)]);
        self.body.op(Opcode::SfenceVma, x(0), rs1, x(0), 0);
    }

    fn switch_space(&mut self) {
        let (mode, root) = self.pick(&[
            (0, 0),
            (8, ROOT_A),
            (8, ROOT_A),
            (8, ROOT_B),
            (8, ROOT_B),
            (9, ROOT_FOUR),
            (10, ROOT_A),
            (3, ROOT_A),
        ]);
        // Address spaces that share tables keep to one identifier each.
        let satp = if mode == 0 { 0 } else { mode << 60 | (root + 1) << 44 | table(root) >> 12 };
        self.body.constant(x(6), satp);
        self.body.csr(Opcode::Csrrw, x(5), csr::SATP, x(6));
    }

    /// Sets the address behind the next `instructions` instructions as the place to resume.
    fn resume_after(&mut self, instructions: u64) {
        let length = Assembler::constant_length();
        let target = BASE + BODY + self.body.here() + 4 * (length + instructions);
        self.body.constant(RESUME, target);
    }

    fn jump(&mut self) {
        let page = self.random.below(TEST_PAGES / 2);
        let offset = self.random.below(1024) * 4;
        let address = match self.random.below(8) {
            0 => self.pick(&HOLES),
            1 => LARGE + EXECUTABLE + page * 4096 + offset,
            _ => TEST + page * 4096 + offset,
        };
        self.body.constant(x(6), address);
        self.resume_after(1);
        self.body.immediate(Opcode::Jalr, x(1), x(6), 0);
    }

    /// Returns to user mode, or to supervisor mode in user code.
    fn enter_user(&mut self) {
        self.body.constant(x(6), USER);
        self.body.write_csr(csr::SEPC, x(6));
        self.body.immediate(Opcode::Addi, x(7), x(0), 0x100);
        self.body.csr(Opcode::Csrrc, x(0), csr::SSTATUS, x(7));
        if self.chance(15) {
            self.body.csr(Opcode::Csrrs, x(0), csr::SSTATUS, x(7));
        } else {
            self.body.immediate(Opcode::Addi, x(0), x(0), 0);
        }
        self.resume_after(1);
        self.body.plain(Opcode::Sret);
    }

    fn interrupt(&mut self) {
        match self.random.below(4) {
            0 => {
                self.body.csr(Opcode::Csrrsi, x(0), csr::SIE, x(2));
                self.body.csr(Opcode::Csrrsi, x(0), csr::SIP, x(2));
            }
            1 => {
                self.body.immediate(Opcode::Addi, x(6), x(0), 32);
                self.body.csr(Opcode::Csrrs, x(0), csr::SIE, x(6));
                self.body.write_csr(csr::STIMECMP, x(0));
            }
            2 => {
                // Nothing waits for ever: something enabled is pending.
                self.body.csr(Opcode::Csrrci, x(0), csr::SSTATUS, x(2));
                self.body.csr(Opcode::Csrrsi, x(0), csr::SIE, x(2));
                self.body.csr(Opcode::Csrrsi, x(0), csr::SIP, x(2));
                self.body.plain(Opcode::Wfi);
                self.body.csr(Opcode::Csrrci, x(0), csr::SIP, x(2));
            }
            _ => {
                let mode = self.random.below(4);
                self.body.constant(x(6), BASE + HANDLER + mode);
                self.body.csr(Opcode::Csrrw, x(5), csr::STVEC, x(6));
            }
        }
    }

    /// A call of the firmware: base, timer, inter-processor interrupt, fences, none.
    fn call(&mut self) {
        let (extension, function, first) = self.pick(&[
            (0x10, 0, 0),
            (0x10, 3, 0x5449_4d45),
            (0x0073_5049, 0, 1),
            (0x5246_4e43, 1, 1),
            (0x5246_4e43, 0, 1),
            (0x0048_534d, 2, 0),
            (0x1234, 0, 0),
        ]);
        self.body.constant(x(17), extension);
        self.body.constant(x(16), function);
        self.body.constant(x(10), first);
        for register in 11..16 {
            self.body.immediate(Opcode::Addi, x(register), x(0), 0);
        }
        self.body.plain(Opcode::Ecall);
        self.body.store(Opcode::Sd, x(10), LOG_POINTER, 0);
        self.body.store(Opcode::Sd, x(11), LOG_POINTER, 8);
        self.body.immediate(Opcode::Addi, LOG_POINTER, LOG_POINTER, 64);
    }

    pub(super) fn action(&mut self) {
        match self.random.below(20) {
            0..=6 => self.access(),
            7..=10 => self.csr_access(),
            11 => self.privileged(),
            12 => self.float(),
            13 => self.change_tables(),
            14 => self.switch_space(),
            15 => self.jump(),
            16 => self.enter_user(),
            17 => self.interrupt(),
            18 => self.call(),
            _ => self.fence(true),
        }
        // What was read, where the next trap shows it.
    }
}

impl Assembler {
    /// Instructions of [`Assembler::constant`].
    fn constant_length() -> u64 {
        8
    }
}
