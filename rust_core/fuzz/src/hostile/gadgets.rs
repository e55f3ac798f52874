//! What a hostile kernel does: one thing at a time.

use super::calls;
use super::devices;
use super::entries;
use super::harts;
use super::kernel::{BASE, Kernel, numbers, x};
use super::layout::{
    DATA, DATA_PAGES, PAGE, PROGRAM, TABLE_PAGES, TABLES, USER, boundary, physical, virtual_address,
};
use crate::assembler::{csr, immediate, register, store};
use crate::random::Random;
use dcsim_hart::IsaProfile;
use dcsim_hart::isa::{Flow, Opcode, Register, encode};
use dcsim_hart::op::Op;

type Gadget = fn(&mut Kernel);

/// What a paravirtual kernel does first: it builds an address space, and goes into it.
pub const PARAVIRTUAL_START: Gadget = calls::build_address_space;

/// Gadgets, with how often each comes.
const GADGETS: [(u64, Gadget); 27] = [
    (6, access_register),
    (3, privileged),
    (3, return_anywhere),
    (2, visit_user),
    (5, forge_entries),
    (4, switch_tables),
    (9, touch),
    (2, jump_anywhere),
    (4, devices::touch_register),
    (6, devices::drive_queue),
    (2, devices::drive_balloon),
    (2, devices::enable_interrupts),
    (3, devices::acknowledge_interrupts),
    (1, devices::use_console),
    (4, calls::call_firmware),
    (2, calls::call_monitor),
    (5, work),
    (2, rewrite_code),
    (4, raise_interrupts),
    (4, any_instructions),
    (2, float),
    (2, harts::start),
    (3, harts::interrupt),
    (4, harts::fence),
    (1, harts::spin),
    (1, harts::stop),
    (2, harts::contend),
];

/// The next gadget.
pub fn choose(random: &mut Random, paravirtual: bool) -> Gadget {
    if paravirtual && random.once_in(3) {
        return random.pick(&[calls::call_monitor as Gadget, calls::apply, calls::forge_and_use]);
    }
    let total = GADGETS.iter().map(|(weight, _)| weight).sum();
    let mut drawn = random.below(total);
    for (weight, gadget) in GADGETS {
        if drawn < weight {
            return gadget;
        }
        drawn -= weight;
    }
    work
}

/// A register that gadgets may change.
fn free_register(random: &mut Random) -> Register {
    x(random.below(25) as usize)
}

/// Any instruction but one that the kernel would not come back from, with any operands; it leaves
/// alone the registers that have a purpose.
pub fn any_instruction(random: &mut Random) -> Op {
    loop {
        let rows = IsaProfile::Rv64gch.instructions();
        let row = &rows[random.below(rows.len() as u64) as usize];
        // A wait ends a guest; jumps and branches lead in circles.
        let ends = row.opcode == Opcode::Wfi || row.flow != Flow::Next;
        if !ends || random.once_in(600) {
            return Op {
                rd: free_register(random),
                rs1: x(random.below(32) as usize),
                rs2: x(random.below(32) as usize),
                rs3: x(random.below(32) as usize),
                imm: random.bits() as i64,
                ..Op::new(row.opcode, 4)
            };
        }
    }
}

fn any_instructions(kernel: &mut Kernel) {
    for _ in 0..=kernel.random.below(8) {
        let op = any_instruction(&mut kernel.random);
        kernel.code.op(op);
    }
}

/// Registers of supervisor mode.
const SUPERVISOR: [u16; 13] =
    [0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180, 0x5a8];
/// Registers of machine mode, of the hypervisor extension, counters, and of the unit for floats.
const OTHERS: [u16; 30] = [
    0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x340, 0x341, 0x342, 0x343, 0x344,
    0x3a0, 0x3b0, 0x600, 0x602, 0x603, 0x604, 0x605, 0x606, 0x607, 0x60a, 0x645, 0x680, 0x200,
    0x280, 0xc00, 0xc02, 0x003,
];

/// Reads and writes of control and status registers.
fn access_register(kernel: &mut Kernel) {
    for _ in 0..=kernel.random.below(4) {
        let random = &mut kernel.random;
        let number = match random.below(8) {
            0 => random.below(4096) as u16,
            1 | 2 => random.pick(&OTHERS),
            _ => random.pick(&SUPERVISOR),
        };
        let opcode = random.pick(&[
            Opcode::Csrrw,
            Opcode::Csrrs,
            Opcode::Csrrc,
            Opcode::Csrrwi,
            Opcode::Csrrsi,
            Opcode::Csrrci,
        ]);
        // A lost handler or lost tables end what can be tried: not too often.
        let reads = matches!(number, numbers::STVEC | numbers::SATP) && !random.once_in(16);
        let (opcode, source) =
            if reads { (Opcode::Csrrs, x(0)) } else { (opcode, free_register(random)) };
        let (to, value) = (free_register(random), boundary(random));
        if random.once_in(2) {
            kernel.set(source, value);
        } else {
            kernel.draw(x(7));
        }
        kernel.code.op(csr(opcode, to, number, source));
    }
    if kernel.random.once_in(4) {
        kernel.install_handler();
    }
}

/// Instructions that no user may execute.
fn privileged(kernel: &mut Kernel) {
    for _ in 0..=kernel.random.below(3) {
        let opcode = kernel.random.pick(&[
            Opcode::SfenceVma,
            Opcode::SfenceVma,
            Opcode::FenceI,
            Opcode::Ebreak,
            Opcode::Mret,
            Opcode::HfenceVvma,
            Opcode::HfenceGvma,
            Opcode::HlvD,
            Opcode::HlvxWu,
            Opcode::HsvD,
        ]);
        let target = virtual_address(&mut kernel.random);
        kernel.set(x(5), target);
        let registers = [x(0), x(5), x(6)];
        let (first, second) = (kernel.random.pick(&registers), kernel.random.pick(&registers));
        kernel.code.op(register(opcode, x(0), first, second));
    }
}

/// A return from a trap that was none.
fn return_anywhere(kernel: &mut Kernel) {
    if kernel.style.in_user_mode() {
        let counter = virtual_address(&mut kernel.random);
        return calls::return_to_program(kernel, counter);
    }
    if kernel.random.once_in(8) {
        let target = virtual_address(&mut kernel.random);
        kernel.set(x(5), target);
        kernel.write_csr(numbers::SEPC, x(5));
    } else {
        kernel.write_csr(numbers::SEPC, x(29));
    }
    let (opcode, bits) =
        (kernel.random.pick(&[Opcode::Csrrs, Opcode::Csrrc]), kernel.random.pick(&[0x100, 0x120]));
    kernel.code.constant(x(6), bits);
    kernel.code.op(csr(opcode, x(0), numbers::SSTATUS, x(6)));
    kernel.plain(Opcode::Sret);
}

/// User mode, until it traps.
fn visit_user(kernel: &mut Kernel) {
    if kernel.random.once_in(2) {
        arm_timer(kernel);
    }
    if kernel.style.in_user_mode() {
        return calls::return_to_program(kernel, PROGRAM);
    }
    kernel.point(x(5), USER);
    kernel.write_csr(numbers::SEPC, x(5));
    kernel.code.constant(x(6), 0x100);
    kernel.code.op(csr(Opcode::Csrrc, x(0), numbers::SSTATUS, x(6)));
    kernel.plain(Opcode::Sret);
}

/// Entries of tables: forged by the generator, or by the code itself out of others.
fn forge_entries(kernel: &mut Kernel) {
    for _ in 0..=kernel.random.below(5) {
        let page = kernel.random.below(TABLE_PAGES);
        kernel.point(x(6), TABLES + page * PAGE);
        // What is dense is met again.
        let bits = kernel.random.pick(&[3, 4, 4, 9]);
        kernel.draw_scaled(x(7), bits, 3);
        kernel.code.op(register(Opcode::Add, x(6), x(6), x(7)));
        if kernel.random.once_in(3) {
            let bits = kernel.random.pick(&[4, 8, 12]);
            kernel.draw_scaled(x(8), bits, 10);
            let entry = entries::entry(&mut kernel.random, page);
            kernel.set(x(5), entry);
            kernel.code.op(register(Opcode::Xor, x(5), x(5), x(8)));
        } else {
            let entry = entries::entry(&mut kernel.random, page);
            kernel.set(x(5), entry);
        }
        kernel.code.op(store(Opcode::Sd, x(5), x(6), 0));
    }
    if !kernel.random.once_in(60) {
        keep_image(kernel);
    }
    fence(kernel);
}

/// Lets the image stay where it is under the roots: a kernel that loses itself tries nothing more.
fn keep_image(kernel: &mut Kernel) {
    kernel.set(x(5), entries::IMAGE_ENTRY);
    for root in 0..2 {
        kernel.point(x(6), TABLES + root * PAGE);
        kernel.code.op(store(Opcode::Sd, x(5), x(6), entries::IMAGE_INDEX as i64 * 8));
    }
    kernel.set(x(5), entries::OUTER_ENTRY);
    kernel.code.op(store(Opcode::Sd, x(5), x(6), 0));
}

fn fence(kernel: &mut Kernel) {
    match kernel.random.below(8) {
        0 => {}
        1 | 2 => {
            let target = virtual_address(&mut kernel.random);
            kernel.set(x(5), target);
            kernel.code.op(register(Opcode::SfenceVma, x(0), x(5), x(0)));
        }
        3 => kernel.code.op(register(Opcode::SfenceVma, x(0), x(0), x(8))),
        _ => kernel.code.op(register(Opcode::SfenceVma, x(0), x(0), x(0))),
    }
}

fn switch_tables(kernel: &mut Kernel) {
    let root = entries::root(&mut kernel.random);
    kernel.set(x(5), root);
    kernel.write_csr(numbers::SATP, x(5));
    fence(kernel);
}

/// Loads, stores and atomic operations.
const ACCESSES: [Opcode; 18] = [
    Opcode::Lb,
    Opcode::Lhu,
    Opcode::Lw,
    Opcode::Ld,
    Opcode::Ld,
    Opcode::Sb,
    Opcode::Sh,
    Opcode::Sw,
    Opcode::Sd,
    Opcode::Sd,
    Opcode::Fld,
    Opcode::Fsd,
    Opcode::LrD,
    Opcode::ScD,
    Opcode::LrW,
    Opcode::AmoaddD,
    Opcode::AmoswapW,
    Opcode::AmomaxuD,
];

fn access(kernel: &mut Kernel, address: Register) {
    let opcode = kernel.random.pick(&ACCESSES);
    let row = opcode.row();
    let imm = if row.mnemonic.contains('.') { 0 } else { kernel.random.below(16) as i64 };
    let op = Op { rd: x(9), rs1: address, rs2: x(10), imm, ..Op::new(opcode, 4) };
    kernel.code.op(op);
}

/// Accesses to any address, and to those near it.
fn touch(kernel: &mut Kernel) {
    let target = virtual_address(&mut kernel.random);
    kernel.set(x(5), target);
    for _ in 0..=kernel.random.below(3) {
        access(kernel, x(5));
        let (bits, shift) = kernel.random.pick(&[(4, 12), (3, 21), (2, 30), (10, 3), (3, 0)]);
        kernel.draw_scaled(x(7), bits, shift);
        kernel.code.op(register(Opcode::Xor, x(5), x(5), x(7)));
        access(kernel, x(5));
    }
}

fn jump_anywhere(kernel: &mut Kernel) {
    let target = virtual_address(&mut kernel.random);
    kernel.set(x(5), target & !1);
    kernel.code.op(immediate(Opcode::Jalr, x(1), x(5), 0));
}

/// A loop over memory: pages of data, or what tables make of a range of addresses.
fn work(kernel: &mut Kernel) {
    let rounds = 16 + kernel.random.below(600);
    kernel.code.constant(x(10), rounds);
    if kernel.random.once_in(4) {
        let target = virtual_address(&mut kernel.random) & !0xfff;
        kernel.set(x(11), target);
    } else {
        let page = kernel.random.below(DATA_PAGES - 1);
        kernel.point(x(11), DATA + page * PAGE);
    }
    let start = kernel.code.here();
    kernel.draw_scaled(x(12), 10, 3);
    kernel.code.op(register(Opcode::Add, x(13), x(11), x(12)));
    kernel.code.op(immediate(Opcode::Ld, x(14), x(13), 0));
    for _ in 0..kernel.random.below(6) {
        let opcode = kernel.random.pick(&[Opcode::Add, Opcode::Xor, Opcode::Mul, Opcode::Rol]);
        kernel.code.op(register(opcode, x(14), x(14), x(12)));
    }
    kernel.code.op(store(Opcode::Sd, x(14), x(13), 0));
    kernel.code.op(immediate(Opcode::Addi, x(10), x(10), -1));
    kernel.code.branch(Opcode::Bne, x(10), x(0), start);
}

/// Instructions that are written right before they are executed.
fn rewrite_code(kernel: &mut Kernel) {
    let words = 8;
    let patched = kernel.code.here() + 8 + words * 16 + 8;
    kernel.code.load_address(x(6), patched);
    for number in 0..words {
        let op = any_instruction(&mut kernel.random);
        kernel.code.constant(x(5), u64::from(encode(&op)));
        if kernel.random.once_in(8) {
            kernel.code.op(register(Opcode::Xor, x(5), x(5), x(26)));
        } else {
            kernel.plain(Opcode::Addi);
        }
        kernel.code.op(store(Opcode::Sw, x(5), x(6), number as i64 * 4));
    }
    let fence = kernel.random.pick(&[Opcode::Addi, Opcode::FenceI, Opcode::FenceI, Opcode::FenceI]);
    kernel.plain(fence);
    kernel.plain(Opcode::Addi);
    debug_assert_eq!(kernel.code.here(), patched, "what is written is what follows");
    for _ in 0..words {
        kernel.plain(Opcode::Addi);
    }
}

/// A burst of interrupts: of the timer and from itself; sometimes it waits for one.
fn raise_interrupts(kernel: &mut Kernel) {
    let waits = kernel.random.once_in(4);
    if waits && !kernel.style.in_user_mode() {
        // What has been taken before it waits does not wake it.
        kernel.code.op(csr(Opcode::Csrrci, x(6), numbers::SSTATUS, x(2)));
    }
    arm_timer(kernel);
    if waits {
        return wait(kernel);
    }
    let enable = kernel.random.pick(&[Opcode::Csrrsi, Opcode::Csrrsi, Opcode::Csrrci]);
    let old = kernel.random.pick(&[x(0), x(6)]);
    kernel.code.op(csr(enable, old, numbers::SSTATUS, x(2)));
    match kernel.random.below(6) {
        0 => kernel.code.op(csr(Opcode::Csrrsi, x(0), numbers::SIP, x(2))),
        1 => calls::call(kernel, 0x0073_5049, 0, [1, 0]),
        2 => calls::call(kernel, 0x5449_4d45, 0, [0, 0]),
        _ => {
            kernel.code.constant(x(10), 500);
            let start = kernel.code.here();
            kernel.code.op(immediate(Opcode::Addi, x(10), x(10), -1));
            kernel.code.branch(Opcode::Bne, x(10), x(0), start);
        }
    }
}

/// Lets all interrupts come that can, that of the timer soon.
fn arm_timer(kernel: &mut Kernel) {
    if kernel.style.in_user_mode() {
        let ticks = kernel.random.below(12) as i64;
        return calls::set_timer(kernel, ticks);
    }
    kernel.code.constant(x(5), 0x222);
    kernel.write_csr(numbers::SIE, x(5));
    kernel.code.op(csr(Opcode::Csrrs, x(6), numbers::TIME, x(0)));
    let ticks = kernel.random.below(12) as i64;
    kernel.code.op(immediate(Opcode::Addi, x(6), x(6), ticks));
    kernel.write_csr(numbers::STIMECMP, x(6));
}

/// Waits, in one of the ways that there are.
fn wait(kernel: &mut Kernel) {
    match kernel.random.below(8) {
        0 => calls::call(kernel, calls::HART_STATE, 3, [0, 0]),
        1 => calls::call(kernel, calls::INTERFACE, 4, [0, 0]),
        _ if kernel.style.is_paravirtual() => calls::call(kernel, calls::INTERFACE, 4, [0, 0]),
        _ => kernel.plain(Opcode::Wfi),
    }
}

/// Floating-point registers, with their unit on or off.
fn float(kernel: &mut Kernel) {
    let (opcode, bits) = kernel.random.pick(&[
        (Opcode::Csrrs, 0x6000),
        (Opcode::Csrrc, 0x6000),
        (Opcode::Csrrs, 0x2000),
    ]);
    kernel.code.constant(x(5), bits);
    kernel.code.op(csr(opcode, x(0), numbers::SSTATUS, x(5)));
    kernel.code.op(register(Opcode::FmvDX, x(3), x(5), x(0)));
    kernel.code.op(register(Opcode::FaddD, x(4), x(3), x(3)));
    let target = physical(&mut kernel.random) & !7;
    kernel.set(x(6), target);
    kernel.code.op(store(Opcode::Fsd, x(4), x(6), 0));
    kernel.code.op(immediate(Opcode::Fld, x(5), BASE, DATA as i64 & 0x7f8));
}
