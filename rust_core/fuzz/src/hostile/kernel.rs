//! A hostile kernel: a prologue, a trap handler, and gadgets one after the other, for ever.
//!
//! Whatever a gadget does ends in a trap or at its end, and either way the next one follows: so
//! kernels get through all of them, and again, with what they have wrecked. A generator that the
//! code itself carries makes each pass another.

use super::calls;
use super::cell::Cell;
use super::entries;
use super::gadgets;
use super::harts;
use super::layout::{
    BODY, BODY_END, DATA, DATA_PAGES, HANDLER, IMAGE, IMAGE_BYTES, LIST_PAGES, LISTS, PAGE, QUEUES,
    SHARED, USER, WINDOW, virtual_address,
};
use super::lists;
use crate::assembler::{Assembler, address, csr, far_address, immediate, register, store};
use crate::random::Random;
use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::op::Op;

/// The multiplier of the code's own generator.
const MULTIPLIER: Register = x(25);
/// The state of the code's own generator.
const STATE: Register = x(26);
/// The address of the image.
pub const BASE: Register = x(27);
/// Where the code goes on after a trap.
const RESUME: Register = x(29);
/// Registers that the handler takes.
const SCRATCH: Register = x(30);

/// Room that a gadget needs at most.
const GADGET_BYTES: u64 = 1600;

/// Numbers of registers.
pub mod numbers {
    /// Status.
    pub const SSTATUS: u16 = 0x100;
    /// Interrupt enables.
    pub const SIE: u16 = 0x104;
    /// Trap vector.
    pub const STVEC: u16 = 0x105;
    /// Where a trap returns to.
    pub const SEPC: u16 = 0x141;
    /// Cause of a trap.
    pub const SCAUSE: u16 = 0x142;
    /// Pending interrupts.
    pub const SIP: u16 = 0x144;
    /// Timer.
    pub const STIMECMP: u16 = 0x14d;
    /// Translation.
    pub const SATP: u16 = 0x180;
    /// The time.
    pub const TIME: u16 = 0xc01;
}

/// The integer register with this number.
pub const fn x(number: usize) -> Register {
    Register::ALL[number]
}

/// By what a kernel reaches what runs it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Interface {
    /// The hart's registers.
    Registers,
    /// The paravirtual interface; it lives in its window.
    Paravirtual,
    /// The same in user mode, where calls and a shared page take the place of registers.
    ParavirtualInUserMode,
}

impl Interface {
    fn of(cell: Cell) -> Self {
        match (cell.technique.needs_interface(), cell.isa.drops_writes()) {
            (false, _) => Self::Registers,
            (true, false) => Self::Paravirtual,
            (true, true) => Self::ParavirtualInUserMode,
        }
    }
}

/// What a kernel is made for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Style {
    /// How it reaches what runs it.
    pub interface: Interface,
    /// Nothing but random bytes follows the prologue.
    pub noise: bool,
    /// Its handler switches translation off.
    pub untranslates: bool,
    /// All harts that there are execute from the beginning.
    pub starts_all: bool,
}

impl Style {
    fn choose(random: &mut Random, cell: Cell) -> Self {
        let interface = Interface::of(cell);
        Self {
            interface,
            noise: random.once_in(16),
            untranslates: random.once_in(2),
            starts_all: !random.once_in(4),
        }
    }

    /// Whether it knows the paravirtual interface.
    pub fn is_paravirtual(self) -> bool {
        self.interface != Interface::Registers
    }

    /// Whether it is in user mode, and knows it.
    pub fn in_user_mode(self) -> bool {
        self.interface == Interface::ParavirtualInUserMode
    }
}

/// A kernel under construction.
#[derive(Debug)]
pub struct Kernel {
    /// What is not known yet.
    pub random: Random,
    /// The code.
    pub code: Assembler,
    /// What it is made for.
    pub style: Style,
}

/// The image of the kernel with this seed, for a cell.
pub fn image(seed: u64, cell: Cell) -> Vec<u8> {
    let mut random = Random::new(seed);
    let style = Style::choose(&mut random, cell);
    let mut kernel = Kernel { random, code: Assembler::new(IMAGE), style };
    kernel.prologue();
    kernel.handler();
    kernel.body();
    kernel.user_code();
    kernel.data()
}

impl Kernel {
    /// Puts a constant into a register.
    pub fn set(&mut self, to: Register, value: u64) {
        self.code.ops(far_address(to, value as i64));
    }

    /// Puts the address of an offset in the image into a register.
    pub fn point(&mut self, to: Register, offset: u64) {
        self.code.constant(to, offset);
        self.code.op(register(Opcode::Add, to, to, BASE));
    }

    /// Draws a number of the code's own, different in each pass.
    pub fn draw(&mut self, to: Register) {
        self.code.op(register(Opcode::Mul, STATE, STATE, MULTIPLIER));
        self.code.op(immediate(Opcode::Addi, STATE, STATE, 0x3a7));
        self.code.op(immediate(Opcode::Srli, to, STATE, 24));
    }

    /// A number below a power of two, times another, drawn by the code.
    pub fn draw_scaled(&mut self, to: Register, bits: u32, shift: u32) {
        self.draw(to);
        self.code.op(immediate(Opcode::Slli, to, to, i64::from(64 - bits)));
        self.code.op(immediate(Opcode::Srli, to, to, i64::from(64 - bits)));
        self.code.op(immediate(Opcode::Slli, to, to, i64::from(shift)));
    }

    /// Writes a control and status register.
    pub fn write_csr(&mut self, number: u16, from: Register) {
        self.code.op(csr(Opcode::Csrrw, x(0), number, from));
    }

    /// An instruction without operands.
    pub fn plain(&mut self, opcode: Opcode) {
        self.code.op(Op::new(opcode, 4));
    }

    fn prologue(&mut self) {
        self.code.load_address(BASE, IMAGE);
        if self.style.in_user_mode() || self.style.is_paravirtual() && !self.random.once_in(4) {
            // From here on it executes where no root of its own can take the code away.
            self.set(x(5), WINDOW);
            self.code.op(register(Opcode::Add, BASE, BASE, x(5)));
            let ahead = (self.code.here() - IMAGE) as i64 + 4;
            self.code.op(immediate(Opcode::Jalr, x(0), BASE, ahead));
        }
        let (multiplier, state) = (self.random.bits() | 1, self.random.bits());
        self.code.constant(MULTIPLIER, multiplier & 0x7fff_ffff | 5);
        self.code.constant(STATE, state & 0x7fff_ffff);
        // Each hart, whose number this is, draws numbers of its own.
        self.code.op(register(Opcode::Add, STATE, STATE, x(10)));
        self.install_handler();
        if self.style.starts_all {
            harts::start_all(self);
        }
        if !self.style.in_user_mode() {
            let status = 0x6000 | self.random.bits() & 0xc_0000;
            self.set(x(5), status);
            self.write_csr(numbers::SSTATUS, x(5));
        }
        for number in 1..25 {
            let value = virtual_address(&mut self.random);
            self.set(x(number), value);
        }
        self.jump_to(BODY);
        self.code.pad_to(IMAGE + HANDLER);
    }

    /// Lets traps come to the handler.
    pub fn install_handler(&mut self) {
        if self.style.in_user_mode() {
            return calls::share(self);
        }
        self.point(x(5), HANDLER);
        self.write_csr(numbers::STVEC, x(5));
    }

    fn jump_to(&mut self, offset: u64) {
        self.code.jump(x(0), IMAGE + offset);
    }

    /// An exception: on with the next gadget. An interrupt: its reason goes away.
    fn handler(&mut self) {
        if self.style.in_user_mode() {
            return self.handler_in_user_mode();
        }
        let supervisor = x(31);
        let code = &mut self.code;
        code.op(csr(Opcode::Csrrs, SCRATCH, numbers::SCAUSE, x(0)));
        let branch = code.here();
        code.op(Op::new(Opcode::Addi, 4));
        if self.style.untranslates && !self.style.is_paravirtual() {
            code.op(csr(Opcode::Csrrw, x(0), numbers::SATP, x(0)));
        }
        code.op(csr(Opcode::Csrrw, x(0), numbers::SEPC, RESUME));
        code.constant(supervisor, 0x100);
        code.op(csr(Opcode::Csrrs, x(0), numbers::SSTATUS, supervisor));
        code.op(Op::new(Opcode::Sret, 4));
        let interrupts = code.here();
        code.patch(branch, store(Opcode::Blt, x(0), SCRATCH, (interrupts - branch) as i64));
        code.op(immediate(Opcode::Addi, supervisor, x(0), -1));
        code.op(csr(Opcode::Csrrw, x(0), numbers::STIMECMP, supervisor));
        code.op(Op { imm: i64::from(numbers::SIP), rs1: x(2), ..Op::new(Opcode::Csrrci, 4) });
        // A device's interrupt stays: it is masked.
        code.op(immediate(Opcode::Slli, SCRATCH, SCRATCH, 1));
        code.op(immediate(Opcode::Addi, supervisor, x(0), 18));
        code.op(store(Opcode::Bne, supervisor, SCRATCH, 8));
        code.op(csr(Opcode::Csrrw, x(0), numbers::SIE, x(0)));
        code.op(Op::new(Opcode::Sret, 4));
        code.pad_to(IMAGE + BODY);
    }

    /// Takes all events, without which no program goes on, and goes on with the next gadget.
    fn handler_in_user_mode(&mut self) {
        self.point(SCRATCH, SHARED);
        self.code.op(register(Opcode::AmoswapD, x(0), SCRATCH, x(0)));
        self.code.op(immediate(Opcode::Jalr, x(0), RESUME, 0));
        self.code.pad_to(IMAGE + BODY);
    }

    fn body(&mut self) {
        if self.style.noise {
            return self.noise();
        }
        let end = IMAGE + BODY_END - GADGET_BYTES;
        if self.style.is_paravirtual() {
            self.gadget(gadgets::PARAVIRTUAL_START);
        }
        while self.code.here() < end {
            let gadget = gadgets::choose(&mut self.random, self.style.is_paravirtual());
            self.gadget(gadget);
        }
        self.jump_to(BODY);
        self.code.pad_to(IMAGE + USER);
    }

    fn noise(&mut self) {
        let plain = self.random.once_in(2);
        while self.code.here() < IMAGE + USER {
            let random = &mut self.random;
            let word = if plain || random.once_in(8) {
                random.bits() as u32
            } else {
                encode(&gadgets::any_instruction(random))
            };
            self.code.raw(&word.to_le_bytes());
        }
    }

    /// A gadget: whatever becomes of it, the next one follows.
    fn gadget(&mut self, gadget: fn(&mut Self)) {
        let start = self.code.here();
        self.plain(Opcode::Addi);
        self.plain(Opcode::Addi);
        gadget(self);
        let end = self.code.here();
        for (number, op) in address(RESUME, start, end).into_iter().enumerate() {
            self.code.patch(start + 4 * number as u64, op);
        }
    }

    fn user_code(&mut self) {
        if self.random.once_in(2) {
            // Time for an interrupt.
            self.code.constant(x(5), 600);
            let start = self.code.here();
            self.code.op(immediate(Opcode::Addi, x(5), x(5), -1));
            self.code.branch(Opcode::Bne, x(5), x(0), start);
        }
        // Some get as far as their call.
        let accesses = self.random.pick(&[0, 8, 8, 8]);
        for _ in 0..accesses {
            let target = virtual_address(&mut self.random);
            self.set(x(5), target);
            let opcode = self.random.pick(&[Opcode::Ld, Opcode::Lbu, Opcode::Flw]);
            self.code.op(immediate(opcode, x(6), x(5), 0));
            let op = gadgets::any_instruction(&mut self.random);
            self.code.op(op);
        }
        self.plain(Opcode::Ecall);
        self.code.pad_to(IMAGE + DATA);
    }

    fn data(mut self) -> Vec<u8> {
        for _ in 0..DATA_PAGES * PAGE / 8 {
            self.code.raw(&self.random.bits().to_le_bytes());
        }
        self.code.pad_to(IMAGE + QUEUES);
        let queues = lists::queues(&mut self.random);
        self.code.raw(&queues);
        self.code.pad_to(IMAGE + LISTS);
        let slots = LIST_PAGES * PAGE / 16;
        let operations = lists::operations(&mut self.random, slots, self.style.in_user_mode());
        self.code.raw(&operations);
        let tables = if self.style.is_paravirtual() {
            lists::paravirtual_tables(&mut self.random)
        } else {
            entries::tables(&mut self.random)
        };
        self.code.raw(&tables);
        let bytes = self.code.finish();
        debug_assert_eq!(
            bytes.len() as u64,
            IMAGE_BYTES,
            "all parts are where they are said to be"
        );
        bytes
    }
}
