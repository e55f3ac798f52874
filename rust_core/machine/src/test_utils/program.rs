//! A small assembler for programs in tests (unprivileged architecture, "Instruction Set Listings").

use dcsim_hart::isa::Register as R;

/// A program under construction.
#[derive(Clone, Debug)]
pub struct Program {
    base: u64,
    words: Vec<u32>,
}

/// A place in a program that jumps go to.
#[derive(Copy, Clone, Debug)]
pub struct Label(u64);

/// A forward branch whose target is still to come.
#[derive(Copy, Clone, Debug)]
pub struct Forward(usize);

impl Program {
    /// An empty program for an address.
    pub fn new(base: u64) -> Self {
        Self { base, words: Vec::new() }
    }

    /// The bytes of the program.
    pub fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The address of the next instruction.
    pub fn here(&self) -> u64 {
        self.base + 4 * self.words.len() as u64
    }

    /// A label at the next instruction.
    pub fn label(&self) -> Label {
        Label(self.here())
    }

    /// Appends an instruction word.
    pub fn word(&mut self, word: u32) -> &mut Self {
        self.words.push(word);
        self
    }

    /// `rd = value`, by shifts and additions of eleven bits.
    pub fn li(&mut self, rd: R, value: u64) -> &mut Self {
        self.addi(rd, R::R0, (value >> 55 & 0x7ff) as i32);
        for shift in [44, 33, 22, 11, 0] {
            self.immediate(0x13, 1, rd, rd, 11);
            self.addi(rd, rd, (value >> shift & 0x7ff) as i32);
        }
        self
    }

    /// `rd = rs1 + immediate`.
    pub fn addi(&mut self, rd: R, rs1: R, immediate: i32) -> &mut Self {
        self.immediate(0x13, 0, rd, rs1, immediate)
    }

    /// `rd = rs1 + rs2`.
    pub fn add(&mut self, rd: R, rs1: R, rs2: R) -> &mut Self {
        self.word(0x33 | number(rd) << 7 | number(rs1) << 15 | number(rs2) << 20)
    }

    /// Loads eight bytes.
    pub fn ld(&mut self, rd: R, rs1: R, offset: i32) -> &mut Self {
        self.immediate(0x03, 3, rd, rs1, offset)
    }

    /// Loads a byte without sign.
    pub fn lbu(&mut self, rd: R, rs1: R, offset: i32) -> &mut Self {
        self.immediate(0x03, 4, rd, rs1, offset)
    }

    /// Stores eight bytes.
    pub fn sd(&mut self, rs2: R, rs1: R, offset: i32) -> &mut Self {
        self.store(3, rs2, rs1, offset)
    }

    /// Stores four bytes.
    pub fn sw(&mut self, rs2: R, rs1: R, offset: i32) -> &mut Self {
        self.store(2, rs2, rs1, offset)
    }

    /// Stores a byte.
    pub fn sb(&mut self, rs2: R, rs1: R, offset: i32) -> &mut Self {
        self.store(0, rs2, rs1, offset)
    }

    /// Adds atomically to eight bytes in memory.
    pub fn amoadd(&mut self, rd: R, rs2: R, rs1: R) -> &mut Self {
        self.word(0x302f | number(rd) << 7 | number(rs1) << 15 | number(rs2) << 20)
    }

    /// Branches back if the registers are equal.
    pub fn beq(&mut self, rs1: R, rs2: R, target: Label) -> &mut Self {
        let word = branch(0, rs1, rs2, target.0.wrapping_sub(self.here()) as u32);
        self.word(word)
    }

    /// Branches back if the registers differ.
    pub fn bne(&mut self, rs1: R, rs2: R, target: Label) -> &mut Self {
        let word = branch(1, rs1, rs2, target.0.wrapping_sub(self.here()) as u32);
        self.word(word)
    }

    /// Branches forward if the registers differ, to where [`Program::land`] says.
    pub fn bne_forward(&mut self, rs1: R, rs2: R) -> Forward {
        self.word(branch(1, rs1, rs2, 0));
        Forward(self.words.len() - 1)
    }

    /// Lets a forward branch go to the next instruction.
    pub fn land(&mut self, forward: Forward) -> &mut Self {
        let distance = 4 * (self.words.len() - forward.0) as u32;
        self.words[forward.0] |= branch_bits(distance);
        self
    }

    /// An endless loop.
    pub fn spin(&mut self) -> &mut Self {
        self.word(0x6f)
    }

    /// Writes a control and status register.
    pub fn csrw(&mut self, csr: u16, rs1: R) -> &mut Self {
        self.word(0x1073 | u32::from(csr) << 20 | number(rs1) << 15)
    }

    /// Reads a control and status register.
    pub fn csrr(&mut self, rd: R, csr: u16) -> &mut Self {
        self.word(0x2073 | u32::from(csr) << 20 | number(rd) << 7)
    }

    /// Sets bits of a control and status register.
    pub fn csrs(&mut self, csr: u16, rs1: R) -> &mut Self {
        self.word(0x2073 | u32::from(csr) << 20 | number(rs1) << 15)
    }

    /// ECALL.
    pub fn ecall(&mut self) -> &mut Self {
        self.word(0x73)
    }

    /// WFI.
    pub fn wfi(&mut self) -> &mut Self {
        self.word(0x1050_0073)
    }

    /// SRET.
    pub fn sret(&mut self) -> &mut Self {
        self.word(0x1020_0073)
    }

    /// An SBI call: `a7`, `a6`, then the arguments from `a0` on.
    pub fn call(&mut self, extension: u64, function: u64, arguments: &[u64]) -> &mut Self {
        let registers = [R::R10, R::R11, R::R12, R::R13, R::R14, R::R15];
        for (register, value) in registers.into_iter().zip(arguments) {
            self.li(register, *value);
        }
        self.li(R::R17, extension).li(R::R16, function).ecall()
    }

    /// Switches the machine off with the code 0, through the test finisher.
    pub fn power_off(&mut self) -> &mut Self {
        self.li(R::R5, 0x10_0000).li(R::R6, 0x5555).sw(R::R6, R::R5, 0).spin()
    }

    fn immediate(&mut self, opcode: u32, kind: u32, rd: R, rs1: R, value: i32) -> &mut Self {
        let bits = (value as u32) << 20;
        self.word(opcode | number(rd) << 7 | kind << 12 | number(rs1) << 15 | bits)
    }

    fn store(&mut self, kind: u32, rs2: R, rs1: R, offset: i32) -> &mut Self {
        let offset = offset as u32;
        let bits = (offset >> 5) << 25 | (offset & 0x1f) << 7;
        self.word(0x23 | kind << 12 | number(rs1) << 15 | number(rs2) << 20 | bits)
    }
}

fn number(register: R) -> u32 {
    register as u32
}

fn branch(kind: u32, rs1: R, rs2: R, distance: u32) -> u32 {
    0x63 | kind << 12 | number(rs1) << 15 | number(rs2) << 20 | branch_bits(distance)
}

fn branch_bits(distance: u32) -> u32 {
    let bit = |position: u32| distance >> position & 1;
    bit(12) << 31 | (distance >> 5 & 0x3f) << 25 | (distance >> 1 & 0xf) << 8 | bit(11) << 7
}
