//! Units that touch memory: addresses that fit, from the windows of the world.

use crate::assembler::{address, constant, immediate, store};
use crate::encoding;
use crate::layout::PAGE;
use crate::random::Random;
use crate::sequence::{any_register, other_than, words};
use crate::tables::Target;
use crate::world::{Window, World};
use dcsim_hart::isa::{
    Compressed, Extension, Format, InstructionClass, Opcode, Register, encode, encode_compressed,
};
use dcsim_hart::op::Op;

/// An access of any kind.
pub fn any(random: &mut Random, world: &World, here: u64) -> Vec<u8> {
    let op = encoding::any(random, |row| encoding::is_plain(row) && row.class.accesses_memory());
    with_address(random, world, here, op)
}

/// A memory access whose base register is set to fit.
pub fn with_address(random: &mut Random, world: &World, here: u64, op: Op) -> Vec<u8> {
    let rs1 = if op.rs1 == Register::R0 { Register::R5 } else { op.rs1 };
    if op.opcode.row().format == Format::Atomic {
        // Always aligned: where it is not, QEMU names the cause of a misaligned load instead of
        // that of an atomic operation when it executes without parallelism, as here.
        let target = target(random, world, 7, |window| window.is_atomic);
        return addressed(address(rs1, here, target), &[Op { rs1, imm: op.imm & 3, ..op }]);
    }
    let imm = op.imm << 52 >> 52;
    let target = target_of(random, world, &op);
    let base = target.wrapping_sub(imm as u64);
    addressed(address(rs1, here, base), &[Op { rs1, imm, ..op }])
}

fn addressed(mut address: Vec<Op>, ops: &[Op]) -> Vec<u8> {
    address.extend_from_slice(ops);
    words(&address)
}

/// A 16-bit access whose base register is set to fit.
pub fn compressed(
    random: &mut Random,
    world: &World,
    here: u64,
    name: Compressed,
    op: Op,
) -> Vec<u8> {
    let target = target_of(random, world, &op);
    let mut bytes = words(&address(op.rs1, here, target.wrapping_sub(op.imm as u64)));
    let halfword = encode_compressed(name, &op).unwrap_or_default();
    bytes.extend_from_slice(&halfword.to_le_bytes());
    bytes
}

fn target_of(random: &mut Random, world: &World, op: &Op) -> u64 {
    let alignment = if random.once_in(2) { 7 } else { 0 };
    let stores = matches!(op.opcode.row().format, Format::Store | Format::FloatStore);
    target(random, world, alignment, |window| !stores || window.target != Target::Landing)
}

/// An address in a window, often near the end of a page.
///
/// Where nothing is behind a window the address is aligned: of a misaligned access the
/// specification does not say which part faults.
fn target(
    random: &mut Random,
    world: &World,
    alignment: u64,
    wanted: impl Fn(&Window) -> bool,
) -> u64 {
    let window = loop {
        let window = random.pick(&world.windows);
        if wanted(&window) {
            break window;
        }
    };
    let alignment = if window.target == Target::Hole { 7 } else { alignment };
    let page = PAGE * random.below(window.bytes / PAGE);
    let is_last = page + PAGE == window.bytes;
    // The windows of single pages lie side by side.
    let may_cross = window.bytes == PAGE || !is_last;
    let offset = if random.once_in(4) {
        PAGE - 1 - random.below(if may_cross { 8 } else { 1 }) - if may_cross { 0 } else { 8 }
    } else {
        random.below(PAGE - 8)
    };
    (window.start + page + offset) & !alignment
}

/// Load-reserved, a register instruction, store-conditional to the same address.
///
/// Where the load-reserved may trap there is no store-conditional: that may trap as well, but on
/// QEMU just fails without a reservation.
pub fn reservation(random: &mut Random, world: &World, here: u64) -> Vec<u8> {
    let pair = random.pick(&[(Opcode::LrW, Opcode::ScW), (Opcode::LrD, Opcode::ScD)]);
    let rs1 = other_than(random, &[Register::R0]);
    let rd = other_than(random, &[rs1]);
    let loaded = other_than(random, &[rs1]);
    let rs2 = any_register(random);
    let may_store = |window: &Window| window.target != Target::Landing;
    let is_ready = |window: &Window| may_store(window) && window.is_readable;
    let is_sure = world.windows.iter().any(is_ready) && !random.once_in(4);
    let alignment = if is_sure || random.once_in(2) { 7 } else { 0 };
    let target = target(random, world, alignment, |window| {
        may_store(window) && (window.is_readable || !is_sure)
    });
    let imm = random.below(4) as i64;
    let mut ops = vec![
        Op { rd: loaded, rs1, imm, ..Op::new(pair.0, 4) },
        immediate(Opcode::Addi, loaded, loaded, 1),
    ];
    if is_sure {
        ops.push(Op { rd, rs1, rs2, imm, ..Op::new(pair.1, 4) });
    }
    addressed(address(rs1, here, target), &ops)
}

/// A call of an instruction that returns, in a page that may not be executable, or in two.
pub fn landing(random: &mut Random, world: &World, here: u64) -> Vec<u8> {
    let page = random.pick(&world.landings);
    let is_last = !world.landings.contains(&(page + PAGE));
    // The first two bytes of a page are the end of the instruction before, and illegal.
    let offset = match random.below(3) {
        0 if !is_last => PAGE - 2,
        _ => 2 + (random.below(PAGE - 4) & !1),
    };
    let base = other_than(random, &[Register::R0]);
    let call = immediate(Opcode::Jalr, Register::R1, base, 0);
    addressed(address(base, here, page + offset), &[call])
}

/// Writes an instruction over one further on, fences, and executes it.
pub fn modification(random: &mut Random, world: &World, here: u64) -> Vec<u8> {
    let base = other_than(random, &[Register::R0]);
    let value = other_than(random, &[Register::R0, base]);
    let new = encoding::any(random, |row| {
        row.class == InstructionClass::Alu && row.extension != Extension::Zicsr
    });
    let [high, low] = constant(value, encode(&new));
    let slot = here - world.code + random.pick(&world.aliases);
    // The slot follows the address, of which every length needs the same number of instructions.
    let length = address(base, here, slot).len() as u64;
    let rest = [
        high,
        low,
        store(Opcode::Sw, value, base, 0),
        Op::new(Opcode::FenceI, 4),
        Op::new(Opcode::Addi, 4),
    ];
    let distance = 4 * (length + rest.len() as u64 - 1);
    addressed(address(base, here, slot + distance), &rest)
}
