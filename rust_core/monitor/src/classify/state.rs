//! Random machine states.
//!
//! A state is made from the seed, the name of the instruction and a number, and from nothing else:
//! a proof names these three and can be repeated. It has two sets of values for the registers of
//! supervisor mode, of which one run takes either.

use super::exclusions::Pin;
use super::layout::{CODE, DATA, DATA_BYTES, STALE};
use super::registers::Registers;
use super::subject::Subject;
use dcsim_hart::Width;
use dcsim_hart::isa::{Format, InstructionClass, Register, decode};
use dcsim_hart::op::Op;
use dcsim_machine::random::Random;
use dcsim_memory::PAGE_BYTES;

/// Alignment of most data addresses: that of the widest access.
const ALIGNMENT: u64 = 8;
/// The bits that a single-precision number has above it.
const BOX: u64 = 0xffff_ffff << 32;

/// One machine state, without mode and place.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) number: u32,
    /// The instruction.
    pub(super) word: u32,
    pub(super) pc: u64,
    pub(super) x: [u64; 32],
    pub(super) f: [u64; 32],
    pub(super) fflags: u8,
    pub(super) frm: u8,
    pub(super) asid: u64,
    /// Values of [`Registers::varied`], twice.
    pub(super) registers: [Vec<u64>; 2],
    pub(super) data: Vec<u8>,
    pub(super) reservation: Option<Reserved>,
}

/// A load reservation on a naturally aligned part of the data pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) offset: u64,
    pub(super) width: Width,
}

impl State {
    /// The state with this number; `None` if the instruction has no encoding.
    pub(super) fn new(
        seed: u64,
        subject: &Subject,
        number: u32,
        registers: &Registers,
    ) -> Option<Self> {
        let mut random = Random::new(mix(seed, &subject.name, number));
        let word = subject.word(&mut random, number)?;
        let asid = random.below(1 << 16);
        let mut state = Self {
            number,
            word,
            pc: CODE + random.below(PAGE_BYTES as u64 / 2 - 1) * 2,
            x: std::array::from_fn(|_| integer(&mut random, asid)),
            f: std::array::from_fn(|_| float(&mut random)),
            fflags: random.below(1 << 5) as u8,
            frm: random.below(6) as u8,
            asid,
            registers: pair(&mut random, registers),
            data: vec![0; DATA_BYTES],
            reservation: None,
        };
        state.x[0] = 0;
        random.fill(&mut state.data);
        if let Some(op) = decode(word) {
            state.aim(&mut random, &op);
        }
        Some(state)
    }

    /// Has an instruction that accesses memory find some.
    fn aim(&mut self, random: &mut Random, op: &Op) {
        let class = op.opcode.row().class;
        if !class.accesses_memory() || op.rs1 == Register::R0 {
            return;
        }
        let slots = DATA_BYTES as u64 / ALIGNMENT - 2;
        let offset = random.below(slots) * ALIGNMENT;
        let is_atomic = class == InstructionClass::Atomic;
        let skew = if is_atomic || random.below(4) != 0 { 0 } else { random.below(ALIGNMENT) };
        let displacement = displacement(op) as u64;
        self.x[op.rs1.index()] = (DATA + offset + skew).wrapping_sub(displacement);
        if is_atomic && random.below(4) != 0 {
            let is_word = self.word >> 12 & 7 == 2;
            let width = if is_word { Width::Word } else { Width::Double };
            self.reservation = Some(Reserved { offset, width });
        }
    }
}

/// What an instruction adds to its base register.
fn displacement(op: &Op) -> i64 {
    match op.opcode.row().format {
        Format::Load | Format::Store | Format::FloatLoad | Format::FloatStore => op.imm,
        _ => 0,
    }
}

/// A number for every state of every instruction (FNV-1a over what names it).
fn mix(seed: u64, name: &str, number: u32) -> u64 {
    let parts = [&seed.to_le_bytes()[..], name.as_bytes(), &number.to_le_bytes()[..]];
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A value of an integer register: anything, or something that some instruction has a use for.
fn integer(random: &mut Random, asid: u64) -> u64 {
    let value = random.next_u64();
    match random.below(8) {
        0 => value >> random.below(64),
        1 => !0 << random.below(64),
        2 => DATA + value % DATA_BYTES as u64,
        3 => STALE,
        4 => asid,
        5 => 1 << random.below(64),
        _ => value,
    }
}

/// A value of a floating-point register: either precision, or a value that is no number.
fn float(random: &mut Random) -> u64 {
    let value = random.next_u64();
    match random.below(4) {
        0 => value,
        1 => f64::from((value >> 32) as u32).to_bits(),
        2 => BOX | u64::from(f32::from((value >> 48) as u16).to_bits()),
        _ => BOX | value,
    }
}

/// Two sets of register values that agree in what is left out.
fn pair(random: &mut Random, registers: &Registers) -> [Vec<u64>; 2] {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for &number in &registers.varied {
        let (one, other) = (random.next_u64(), random.next_u64());
        let one = Pin::apply(number, one, one);
        first.push(one);
        second.push(Pin::apply(number, other, one));
    }
    [first, second]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::subject::subjects;
    use dcsim_hart::{Hart, IsaProfile, Timing};

    #[test]
    fn a_state_depends_on_seed_name_and_number_alone() {
        let hart = Hart::new(0, IsaProfile::Rv64gc, Timing::uniform());
        let registers = Registers::of(&hart);
        let all = subjects(&hart, &registers);
        let state = |seed, subject: usize, number| {
            State::new(seed, &all[subject], number, &registers).unwrap()
        };
        let (first, again) = (state(1, 5, 2), state(1, 5, 2));
        assert_eq!((first.x, first.data), (again.x, again.data));
        let others = [state(2, 5, 2), state(1, 6, 2), state(1, 5, 3)];
        assert!(others.iter().all(|other| other.x != first.x));
    }
}
