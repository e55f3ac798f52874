//! The neighbour of a hostile guest: it computes something that is known, and must come to it.

use super::cell::Cell;
use super::layout::{IMAGE, MEMORY, MEMORY_BYTES, PAGE};
use super::play::{announce, configuration, registers_and_pages};
use crate::assembler::{Assembler, csr, immediate, register, store};
use dcsim_hart::IsaProfile;
use dcsim_hart::isa::Opcode;
use dcsim_memory::PageStore;
use dcsim_monitor::{ExitKind, Host};

use super::kernel::{numbers, x};

/// Rounds over its memory.
const ROUNDS: u64 = 6;
/// Where its memory is, and how many places in it are changed, so many bytes apart.
const WORK: u64 = 0x4000;
const PLACES: u64 = 384;
const DISTANCE: u64 = 64;
/// Where its table is, if it has one, and its result.
const TABLE: u64 = 0x2000;
const RESULT: u64 = 0x3000;

const MULTIPLIER: u64 = 0x41c6_4e6d;
const INCREMENT: u64 = 0x39;
const SEED: u64 = 0x1234_5679;

/// No neighbour needs longer alone.
const LIMIT_NS: u64 = 20_000_000;

/// What the computation comes to.
pub fn result() -> u64 {
    let mut memory = vec![0u64; PLACES as usize];
    let (mut state, mut sum) = (SEED, 0u64);
    for _ in 0..ROUNDS {
        for place in &mut memory {
            state = state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
            *place ^= state;
            sum = sum.wrapping_add(*place);
        }
    }
    sum
}

/// The kernel that computes it, and switches itself off.
fn image(paravirtual: bool) -> Vec<u8> {
    let mut code = Assembler::new(IMAGE);
    if !paravirtual {
        code.load_address(x(5), IMAGE + TABLE);
        code.op(immediate(Opcode::Srli, x(5), x(5), 12));
        code.op(immediate(Opcode::Addi, x(6), x(0), 8));
        code.op(immediate(Opcode::Slli, x(6), x(6), 60));
        code.op(register(Opcode::Or, x(5), x(5), x(6)));
        code.op(csr(Opcode::Csrrw, x(0), numbers::SATP, x(5)));
    }
    code.constant(x(20), ROUNDS);
    code.constant(x(23), SEED);
    code.constant(x(25), MULTIPLIER);
    code.op(immediate(Opcode::Addi, x(24), x(0), 0));
    let round = code.here();
    code.load_address(x(22), IMAGE + WORK);
    code.constant(x(21), PLACES);
    let place = code.here();
    code.op(register(Opcode::Mul, x(23), x(23), x(25)));
    code.op(immediate(Opcode::Addi, x(23), x(23), INCREMENT as i64));
    code.op(immediate(Opcode::Ld, x(7), x(22), 0));
    code.op(register(Opcode::Xor, x(7), x(7), x(23)));
    code.op(store(Opcode::Sd, x(7), x(22), 0));
    code.op(register(Opcode::Add, x(24), x(24), x(7)));
    code.op(immediate(Opcode::Addi, x(22), x(22), DISTANCE as i64));
    code.op(immediate(Opcode::Addi, x(21), x(21), -1));
    code.branch(Opcode::Bne, x(21), x(0), place);
    // The firmware's version: a call that changes nothing.
    call(&mut code, 0x10, 0);
    code.op(immediate(Opcode::Addi, x(20), x(20), -1));
    code.branch(Opcode::Bne, x(20), x(0), round);
    code.load_address(x(5), IMAGE + RESULT);
    code.op(store(Opcode::Sd, x(24), x(5), 0));
    call(&mut code, 0x5352_5354, 0);
    let end = code.here();
    code.jump(x(0), end);
    code.pad_to(IMAGE + TABLE + 16);
    code.raw(&((MEMORY >> 12) << 10 | 0xcf).to_le_bytes());
    code.pad_to(IMAGE + WORK);
    code.finish()
}

fn call(code: &mut Assembler, extension: u64, function: u64) {
    code.constant(x(17), extension);
    code.constant(x(16), function);
    code.constant(x(10), 0);
    code.constant(x(11), 0);
    code.op(dcsim_hart::op::Op::new(Opcode::Ecall, 4));
}

/// A neighbour, and what becomes of it alone.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Under what it runs.
    pub cell: Cell,
    /// Its kernel.
    pub image: Vec<u8>,
    /// A digest of its registers and its memory in the end.
    pub digest: u64,
    /// How long it took.
    pub alone_ns: u64,
}

impl Neighbour {
    /// One for each cell with a monitor on hardware with this instruction set.
    pub fn on(isa: IsaProfile) -> Vec<Self> {
        Cell::on(isa).into_iter().map(Self::alone).collect()
    }

    fn alone(cell: Cell) -> Self {
        let paravirtual = cell.technique.needs_interface();
        let image = announce(image(paravirtual), paravirtual);
        let mut store = PageStore::new(64 << 20);
        let (digest, alone_ns) = run_alone(&mut store, cell, &image).unwrap_or_else(|error| {
            unreachable!("{cell}: a kernel that harms nobody has failed: {error}")
        });
        Self { cell, image, digest, alone_ns }
    }
}

/// Runs a neighbour with the host to itself. Returns the digest, and the time that it took.
fn run_alone(store: &mut PageStore, cell: Cell, image: &[u8]) -> Result<(u64, u64), String> {
    let text = |error: dcsim_monitor::HostError| error.to_string();
    let mut host = Host::new(cell.hardware(), 1, 8 << 20).map_err(text)?;
    let vm = host.create_vm(store, configuration(cell, MEMORY_BYTES), image, None).map_err(text)?;
    host.load(store, 0, vm, 0).map_err(text)?;
    let exit = host.run(store, LIMIT_NS).map_err(text)?;
    if !matches!(exit.kind, ExitKind::Shutdown { code: 0 }) {
        return Err(format!("{exit:?}"));
    }
    host.unload(store, 0).map_err(text)?;
    let mut state = host.save_vm(store, vm).map_err(text)?;
    let page = (IMAGE + RESULT - MEMORY) / PAGE;
    let found = store.page(state.pages[page as usize]).first_chunk().copied();
    let digest = registers_and_pages(&state, store);
    state.release(store);
    host.release(store);
    match found.map(u64::from_le_bytes) {
        Some(found) if found == result() => Ok((digest, exit.time_ns)),
        found => Err(format!("the result is {found:x?}, and not {:#x}", result())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_come_to_the_known_result_everywhere() {
        for isa in IsaProfile::ALL {
            assert!(!Neighbour::on(isa).is_empty());
        }
    }
}
