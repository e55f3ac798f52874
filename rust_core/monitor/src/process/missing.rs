//! Instructions that the host's processor lacks: carried out by its kernel when they trap.
//!
//! What an instruction does is said once, by the hart: the kernel is played by the same hart as one
//! that lacks nothing, in user mode, for one instruction. What that costs is the kernel's affair: the
//! memory accesses are its own, the rest is metered.

use crate::assumed;
use crate::error::HostError;
use crate::safety::rules::Code;
use crate::technique::Site;
use dcsim_hart::isa::{Extension, Row, decode, decode_compressed, instruction_length};
use dcsim_hart::{
    Hart, InstructionClass, Interpreter, Op, Ports, Privilege, Reservation, Stop, TrapRecord,
};
use dcsim_memory::StoreFull;
use std::collections::BTreeMap;

/// The control and status registers of the F extension: `fflags`, `frm` and `fcsr`.
const FLOAT_REGISTERS: std::ops::RangeInclusive<i64> = 1..=3;

/// What was carried out of one instruction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Emulated {
    /// How often.
    pub count: u64,
    /// The cycles of all of that, from the trap to the return.
    pub cycles: u64,
}

/// How it went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carried {
    /// It is done.
    Out,
    /// It, or an interrupt before it, trapped in its turn; the program is where it was.
    Trapped(TrapRecord),
}

/// An instruction that is to be carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    name: &'static str,
    class: InstructionClass,
}

/// The part of the kernel that does it.
#[derive(Debug, Default)]
pub(super) struct Emulator {
    interpreter: Interpreter,
    /// What a load-reserved left for the store-conditional: a return from a trap ends the hart's own.
    reservation: Option<Reservation>,
    table: BTreeMap<&'static str, Emulated>,
    /// The instruction whose return is still to be accounted.
    last: Option<&'static str>,
}

impl Emulator {
    /// What an illegal instruction is that the hart would execute if it lacked nothing.
    pub(super) fn wanted(hart: &Hart, record: &TrapRecord) -> Option<Wanted> {
        let (bits, missing) = (record.value as u32, hart.missing());
        let op = decode(bits).filter(|_| !missing.is_empty())?;
        let row = op.opcode.row();
        let is_short = instruction_length(bits as u16) == 2;
        let is_displaced = is_short || !record.pc.is_multiple_of(4);
        let is_wanted = missing.contains(row.extension)
            || is_displaced && missing.contains(Extension::C)
            || names_float_register(&op, row) && missing.contains(Extension::F);
        let short = decode_compressed(bits as u16).filter(|_| is_short);
        let name = short.map_or(row.mnemonic, |(name, _)| name.row().mnemonic);
        is_wanted.then_some(Wanted { name, class: row.class })
    }

    /// Carries it out. The hart holds the program's registers before and after.
    pub(super) fn carry_out(
        &mut self,
        site: &mut Site<'_>,
        wanted: Wanted,
    ) -> Result<Carried, HostError> {
        site.meter().assume(assumed::DECODE_MISSING);
        site.guest_begins(Code::Own);
        let Site { pcpu, memory, .. } = site;
        let mut ports = Ports { memory: memory.reborrow(), bus: &mut pcpu.bus };
        let hart = &mut pcpu.hart;
        hart.set_privilege(Privilege::User);
        hart.reservation = self.reservation.take();
        let before = hart.counters.instructions;
        let stop = hart.as_whole(|hart| self.interpreter.step(hart, &mut ports));
        self.reservation = hart.reservation.take();
        hart.set_privilege(Privilege::Supervisor);
        // It retires, if it does, as the kernel's work: its own cost is that of the kernel's way.
        let own = u64::from(hart.timing().class_cycles[wanted.class as usize].max(1));
        if hart.counters.instructions != before {
            hart.clock.cycles -= own;
            hart.counters.instructions = before;
        }
        site.guest_ends();
        match stop {
            Some(Stop::Trap(record)) => Ok(Carried::Trapped(record)),
            Some(Stop::StoreFull) => {
                Err(StoreFull { limit_bytes: site.memory.store.limit_bytes() }.into())
            }
            _ => {
                charge(site, wanted.class);
                site.counters.emulated_instructions += 1;
                Ok(Carried::Out)
            }
        }
    }

    /// Accounts what an instruction took from its trap on.
    pub(super) fn note(&mut self, wanted: Wanted, cycles: u64) {
        let entry = self.table.entry(wanted.name).or_default();
        entry.count += 1;
        entry.cycles += cycles;
        self.last = Some(wanted.name);
    }

    /// Accounts the return behind it, if one was the last thing that the kernel did.
    pub(super) fn note_return(&mut self, cycles: u64) {
        if let Some(entry) = self.last.take().and_then(|name| self.table.get_mut(name)) {
            entry.cycles += cycles;
        }
    }

    /// Another thread runs, or the same one elsewhere: nothing is reserved any more.
    pub(super) fn forget_reservation(&mut self) {
        self.reservation = None;
    }

    /// All that was carried out, by instruction.
    pub(super) fn table(&self) -> &BTreeMap<&'static str, Emulated> {
        &self.table
    }
}

fn names_float_register(op: &Op, row: &Row) -> bool {
    row.class == InstructionClass::Csr && FLOAT_REGISTERS.contains(&op.imm)
}

/// Charges what the kernel does instead of the instruction: operands from the saved registers, the
/// operation, the result back.
fn charge(site: &mut Site<'_>, class: InstructionClass) {
    const OPERANDS: u64 = 2;
    let work = match class {
        InstructionClass::FloatAdd => assumed::SOFT_ADD,
        InstructionClass::FloatMultiply => assumed::SOFT_MULTIPLY,
        InstructionClass::FloatDivide => assumed::SOFT_DIVIDE,
        InstructionClass::FloatSqrt => assumed::SOFT_SQUARE_ROOT,
        InstructionClass::FloatFma => assumed::SOFT_FUSED,
        InstructionClass::FloatConvert => assumed::SOFT_CONVERT,
        _ => assumed::CARRY_OUT,
    };
    let mut meter = site.meter();
    meter.load_state(OPERANDS);
    meter.assume(work);
    meter.store_state(1);
}
