//! Generated code in which everything that is translated in a way of its own stands beside everything
//! else, with any register: sensitive instructions that are inlined, results that depend on where
//! they are, jumps of all kinds, floating point, devices, long and short instructions, and such as
//! are written over.

use super::assembly::x;
use super::machine::Guest;
use dcsim_hart::Op;
use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_machine::random::Random;

const BASE: u64 = 0x8020_0000;
const HANDLER: u64 = BASE + 0x1_0000;
const DATA: u64 = BASE + 0x1_2000;
const ROOT: u64 = BASE + 0x1_4000;
const SERIAL_PORT: u64 = 0x1000_0000;
const FINISHER: u64 = 0x0010_0000;

/// The page of data, the serial port, what the handler uses: no instruction changes them else.
const DATA_POINTER: Register = x(2);
const DEVICE_POINTER: Register = x(3);
const HANDLER_OWN: Register = x(4);
const RESERVED: [Register; 3] = [DATA_POINTER, DEVICE_POINTER, HANDLER_OWN];

const SSTATUS: u16 = 0x100;
const SIE: u16 = 0x104;
const STVEC: u16 = 0x105;
const SCAUSE: u16 = 0x142;
const SIP: u16 = 0x144;
const SATP: u16 = 0x180;
/// Registers that hold what is written: sscratch, sepc, scause, stval.
const KEPT: [u16; 4] = [0x140, 0x141, 0x142, 0x143];
/// Registers that every kernel reads: those, sip, sie, stvec, instret, time.
const READABLE: [u16; 9] = [0x140, 0x141, 0x142, 0x143, 0x144, 0x104, 0x105, 0xc02, 0xc01];
const FLOAT: [u16; 3] = [1, 2, 3];

/// How often the code is gone through.
const ROUNDS: i64 = 3;
/// Where the number of rounds is.
const COUNT: i64 = 2040;

struct Mixed {
    random: Random,
    code: Vec<u8>,
    /// Whether some of it is written over.
    is_written: bool,
    /// Where instructions are that may be written over, each with one of the same length.
    slots: Vec<usize>,
    /// Where constants are that have to be the address of one of these.
    writers: Vec<(usize, Register)>,
}

impl Mixed {
    fn word(&mut self, op: &Op) {
        self.code.extend_from_slice(&encode(op).to_le_bytes());
    }

    fn op(&mut self, opcode: Opcode, rd: Register, rs1: Register, rs2: Register, imm: i64) {
        self.word(&Op { rd, rs1, rs2, imm, ..Op::new(opcode, 4) });
    }

    fn immediate(&mut self, opcode: Opcode, rd: Register, rs1: Register, imm: i64) {
        self.op(opcode, rd, rs1, x(0), imm);
    }

    fn half(&mut self, bits: u32) {
        self.code.extend_from_slice(&(bits as u16).to_le_bytes());
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.below(choices.len() as u64) as usize]
    }

    /// Any register, zero included.
    fn any(&mut self) -> Register {
        x(self.random.below(32) as usize)
    }

    /// A register that may be written.
    fn free(&mut self) -> Register {
        loop {
            let register = self.any();
            if !RESERVED.contains(&register) {
                return register;
            }
        }
    }

    /// One that is not zero.
    fn target(&mut self) -> Register {
        loop {
            let register = self.free();
            if register != x(0) {
                return register;
            }
        }
    }

    fn constant(&mut self, rd: Register, value: u64) {
        let mut code = super::assembly::Assembler::default();
        code.constant(rd, value);
        self.code.extend(code.bytes());
    }

    fn write(&mut self, number: u16, value: u64) {
        self.constant(x(5), value);
        self.immediate(Opcode::Csrrw, x(0), x(5), i64::from(number));
    }

    fn arithmetic(&mut self) {
        let opcode = self.pick(&[Opcode::Add, Opcode::Sub, Opcode::Xor, Opcode::Mul, Opcode::Sll]);
        let (rd, rs1, rs2) = (self.free(), self.any(), self.any());
        self.op(opcode, rd, rs1, rs2, 0);
    }

    /// `c.nop`, `c.addi`, `c.li`, `c.mv`, `c.add`.
    fn short(&mut self) {
        let (rd, rs2) = (self.target() as u32, self.target() as u32);
        let immediate = self.random.below(32) as u32;
        match self.random.below(5) {
            0 => self.half(1),
            1 => self.half(0x0001 | rd << 7 | immediate << 2),
            2 => self.half(0x4001 | rd << 7 | immediate << 2),
            3 => self.half(0x8002 | rd << 7 | rs2 << 2),
            _ => self.half(0x9002 | rd << 7 | rs2 << 2),
        }
    }

    fn csr(&mut self) {
        let (rd, rs1) = (self.free(), self.any());
        let all = [
            Opcode::Csrrw,
            Opcode::Csrrs,
            Opcode::Csrrc,
            Opcode::Csrrwi,
            Opcode::Csrrsi,
            Opcode::Csrrci,
        ];
        match self.random.below(8) {
            0 => self.immediate(Opcode::Csrrsi, rd, x(2), i64::from(SSTATUS)),
            1 => self.immediate(Opcode::Csrrci, rd, x(2), i64::from(SSTATUS)),
            2 => {
                let opcode = self.pick(&all);
                let rd = self.pick(&[rd, x(0)]);
                self.immediate(opcode, rd, rs1, i64::from(SSTATUS));
            }
            3 => self.stacked_bits(),
            4 => {
                let number = self.pick(&READABLE);
                self.immediate(Opcode::Csrrs, rd, x(0), i64::from(number));
            }
            _ => {
                let (opcode, number) = (self.pick(&all), self.pick(&KEPT));
                let rd = self.pick(&[rd, x(0)]);
                self.immediate(opcode, rd, rs1, i64::from(number));
            }
        }
    }

    /// Writes `sstatus` as a kernel does before it returns: only SPIE and SPP change.
    fn stacked_bits(&mut self) {
        let (value, bits) = (self.target(), self.pick(&[0x20, 0x100, 0x120]));
        self.immediate(Opcode::Csrrs, value, x(0), i64::from(SSTATUS));
        self.immediate(Opcode::Xori, value, value, bits);
        self.immediate(Opcode::Csrrw, x(0), value, i64::from(SSTATUS));
    }

    fn float(&mut self) {
        let (rd, rs1, rs2) = (self.any(), self.any(), self.any());
        match self.random.below(6) {
            0 => self.op(Opcode::FaddD, rd, rs1, rs2, 0),
            1 => self.op(Opcode::FmvDX, rd, rs1, x(0), 0),
            2 => {
                let rd = self.free();
                self.op(Opcode::FmvXD, rd, rs1, x(0), 0);
            }
            3 => {
                let offset = self.random.below(200) as i64 * 8;
                self.immediate(Opcode::Fld, rd, DATA_POINTER, offset);
            }
            4 => {
                let offset = self.random.below(200) as i64 * 8;
                self.op(Opcode::Fsd, x(0), DATA_POINTER, rs2, offset);
            }
            _ => {
                let (rd, number) = (self.free(), self.pick(&FLOAT));
                self.immediate(Opcode::Csrrs, rd, x(0), i64::from(number));
            }
        }
    }

    fn memory(&mut self) {
        let offset = self.random.below(1600) as i64;
        let (rd, rs2) = (self.free(), self.any());
        match self.random.below(4) {
            0 => self.immediate(Opcode::Ld, rd, DATA_POINTER, offset),
            1 => self.op(Opcode::Sd, x(0), DATA_POINTER, rs2, offset),
            2 => self.immediate(Opcode::Lbu, rd, DEVICE_POINTER, 5),
            _ => self.op(Opcode::AmoaddD, rd, DATA_POINTER, rs2, 0),
        }
    }

    /// What a jump goes over.
    fn gap(&mut self) -> i64 {
        let before = self.code.len();
        for _ in 0..self.random.below(3) {
            if self.random.below(2) == 0 { self.short() } else { self.arithmetic() }
        }
        (self.code.len() - before) as i64
    }

    fn jump(&mut self) {
        let (rd, rs1, rs2) = (self.free(), self.any(), self.any());
        let at = self.code.len();
        match self.random.below(4) {
            0 => {
                let imm = self.random.below(1 << 20) as i64 - (1 << 19);
                self.immediate(Opcode::Auipc, rd, x(0), imm << 12);
            }
            1 => {
                self.op(Opcode::Jal, rd, x(0), x(0), 4);
                let over = 4 + self.gap();
                self.patch(at, &Op { rd, imm: over, ..Op::new(Opcode::Jal, 4) });
            }
            2 => {
                let base = self.target();
                self.immediate(Opcode::Auipc, base, x(0), 0);
                self.immediate(Opcode::Jalr, rd, base, 8);
                let over = 8 + self.gap() + self.random.below(2) as i64;
                let op = Op { rd, rs1: base, imm: over, ..Op::new(Opcode::Jalr, 4) };
                self.patch(at + 4, &op);
            }
            _ => {
                let opcode = self.pick(&[Opcode::Beq, Opcode::Bne, Opcode::Blt, Opcode::Bgeu]);
                self.op(opcode, x(0), rs1, rs2, 4);
                let over = 4 + self.gap();
                self.patch(at, &Op { rs1, rs2, imm: over, ..Op::new(opcode, 4) });
            }
        }
    }

    /// An instruction that others write over.
    fn slot(&mut self) {
        self.slots.push(self.code.len());
        let (rd, rs1) = (self.free(), self.any());
        self.immediate(Opcode::Addi, rd, rs1, 0);
    }

    /// Writes over one.
    fn write_slot(&mut self) {
        let (address, rd, rs1) = (x(5), self.free(), self.any());
        let imm = self.random.below(16) as i64;
        let new = encode(&Op { rd, rs1, imm, ..Op::new(Opcode::Xori, 4) });
        self.constant(x(6), u64::from(new));
        self.writers.push((self.code.len(), address));
        self.constant(address, 0);
        match self.random.below(3) {
            0 => {
                self.op(Opcode::FmvDX, x(29), x(6), x(0), 0);
                self.op(Opcode::Fsw, x(0), address, x(29), 0);
            }
            1 => self.op(Opcode::Sh, x(0), address, x(6), 0),
            _ => self.op(Opcode::Sw, x(0), address, x(6), 0),
        }
        if self.random.below(2) == 0 {
            self.op(Opcode::FenceI, x(0), x(0), x(0), 0);
        }
    }

    /// Lets each of those that write know where.
    fn aim_writers(&mut self) {
        for (at, register) in std::mem::take(&mut self.writers) {
            let slot = self.pick(&self.slots.clone());
            let mut code = super::assembly::Assembler::default();
            code.constant(register, BASE + slot as u64);
            let bytes = code.bytes();
            self.code[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn patch(&mut self, at: usize, op: &Op) {
        self.code[at..at + 4].copy_from_slice(&encode(op).to_le_bytes());
    }

    fn element(&mut self) {
        match self.random.below(if self.is_written { 18 } else { 16 }) {
            16 => self.slot(),
            17 => self.write_slot(),
            0..=1 => self.arithmetic(),
            2..=4 => self.short(),
            5..=8 => self.csr(),
            9..=10 => self.jump(),
            11 => self.float(),
            12..=13 => self.memory(),
            14 => self.immediate(Opcode::Csrrsi, x(0), x(2), i64::from(SIP)),
            _ => {
                let opcode = self.pick(&[Opcode::FenceI, Opcode::Fence, Opcode::SfenceVma]);
                self.op(opcode, x(0), x(0), x(0), 0);
            }
        }
    }

    fn start(&mut self) {
        self.constant(DATA_POINTER, DATA);
        self.constant(DEVICE_POINTER, SERIAL_PORT);
        self.write(STVEC, HANDLER);
        self.write(SIE, 2);
        let satp = self.pick(&[0, 8 << 60 | ROOT >> 12]);
        self.write(SATP, satp);
        self.immediate(Opcode::Addi, x(5), x(0), ROUNDS);
        self.op(Opcode::Sd, x(0), DATA_POINTER, x(5), COUNT);
    }

    /// An interrupt has its reason taken away; an exception is floating point that is off.
    fn handler(&mut self) {
        let own = HANDLER_OWN;
        self.immediate(Opcode::Csrrci, x(0), x(2), i64::from(SIP));
        self.immediate(Opcode::Csrrs, own, x(0), i64::from(SCAUSE));
        self.op(Opcode::Blt, x(0), own, x(0), 12);
        self.immediate(Opcode::Lui, own, x(0), 0x6000);
        self.immediate(Opcode::Csrrs, x(0), own, i64::from(SSTATUS));
        self.op(Opcode::Sret, x(0), x(0), x(0), 0);
    }

    /// Once more, or off.
    fn finish(&mut self, body: usize) {
        self.immediate(Opcode::Ld, x(5), DATA_POINTER, COUNT);
        self.immediate(Opcode::Addi, x(5), x(5), -1);
        self.op(Opcode::Sd, x(0), DATA_POINTER, x(5), COUNT);
        self.op(Opcode::Beq, x(0), x(5), x(0), 8);
        let back = body as i64 - self.code.len() as i64;
        self.immediate(Opcode::Jal, x(0), x(0), back);
        self.constant(x(5), FINISHER);
        self.constant(x(6), 0x5555);
        self.op(Opcode::Sw, x(0), x(5), x(6), 0);
    }
}

/// The guest for a seed, with so many elements of code. Every other one is written over.
pub(super) fn guest(seed: u64, elements: usize) -> Guest {
    let mut mixed = Mixed {
        random: Random::new(seed),
        code: Vec::new(),
        is_written: seed % 2 == 1,
        slots: Vec::new(),
        writers: Vec::new(),
    };
    mixed.start();
    let body = mixed.code.len();
    mixed.slot();
    for _ in 0..elements {
        mixed.element();
    }
    mixed.finish(body);
    mixed.aim_writers();
    let mut image = std::mem::take(&mut mixed.code);
    assert!(image.len() as u64 <= HANDLER - BASE);
    image.resize((ROOT - BASE + 0x1000) as usize, 0);
    mixed.handler();
    let handler = (HANDLER - BASE) as usize;
    image[handler..][..mixed.code.len()].copy_from_slice(&mixed.code);
    // Every gigabyte is where it is.
    for index in 0..3 {
        let entry = index << 28 | 0xcf;
        let at = (ROOT - BASE + index * 8) as usize;
        image[at..at + 8].copy_from_slice(&entry.to_le_bytes());
    }
    Guest::new(image)
}
