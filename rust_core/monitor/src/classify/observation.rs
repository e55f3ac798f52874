//! What one execution of one instruction showed.

use dcsim_hart::isa::Register;
use dcsim_hart::{Exception, Privilege, Stop, csr};
use serde::Serialize;

/// How an instruction ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It completed.
    Retired,
    /// It trapped, with this cause.
    Trapped(u64),
    /// Its memory access trapped: the state does not count.
    MemoryTrap,
}

impl Outcome {
    /// The outcome of a run that ended so.
    pub(super) fn of(stop: Stop) -> Self {
        match stop {
            Stop::Trap(record) if is_memory_trap(record.cause) => Self::MemoryTrap,
            Stop::Trap(record) => Self::Trapped(record.cause),
            _ => Self::Retired,
        }
    }

    /// What happened, in words.
    pub(super) fn words(self) -> String {
        match self {
            Self::Retired => "completes".to_owned(),
            Self::MemoryTrap => "has a memory trap".to_owned(),
            Self::Trapped(cause) => format!("traps with cause {cause}"),
        }
    }
}

/// Misaligned, access and page faults, those of guests included.
fn is_memory_trap(cause: u64) -> bool {
    let code = |exception: Exception| exception.code();
    let memory_traps = [
        Exception::InstructionMisaligned,
        Exception::InstructionAccessFault,
        Exception::LoadMisaligned,
        Exception::LoadAccessFault,
        Exception::StoreMisaligned,
        Exception::StoreAccessFault,
        Exception::InstructionPageFault,
        Exception::LoadPageFault,
        Exception::StorePageFault,
        Exception::InstructionGuestPageFault,
        Exception::LoadGuestPageFault,
        Exception::StoreGuestPageFault,
    ];
    memory_traps.map(code).contains(&cause)
}

/// What a program can see of its machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Visible {
    pub(super) pc: u64,
    pub(super) x: [u64; 32],
    pub(super) f: [u64; 32],
    pub(super) fflags: u8,
    pub(super) frm: u8,
    /// Its pages, by virtual address.
    pub(super) memory: Vec<u8>,
    /// In a guest, its mode and the values of [`Registers::guest`](super::registers::Registers).
    pub(super) guest: Option<(Privilege, Vec<u64>)>,
}

/// What a program does not own: mode, resources, and what the TLB holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Control {
    /// The mode; `None` for those of a guest, which are its own.
    pub(super) mode: Option<Privilege>,
    /// Values of the registers that are watched.
    pub(super) registers: Vec<u64>,
    /// The processor is given up until an interrupt.
    pub(super) waits: bool,
    /// The TLB still holds what it held.
    pub(super) keeps_translation: bool,
}

impl Control {
    /// The mode, in words.
    fn mode_name(&self) -> String {
        self.mode.map_or_else(|| "a guest's".to_owned(), |mode| format!("{mode:?}").to_lowercase())
    }
}

/// One execution.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    pub(super) outcome: Outcome,
    pub(super) before: Control,
    /// What the program sees afterwards.
    pub(super) visible: Visible,
    pub(super) after: Control,
}

impl Observation {
    /// Whether the instruction completed and changed what its program does not own.
    pub(super) fn controls(&self) -> bool {
        self.outcome == Outcome::Retired && self.before != self.after
    }

    /// Whether a program could tell this execution from another.
    pub(super) fn is_told_from(&self, other: &Self) -> bool {
        let outcomes = [self.outcome, other.outcome];
        if outcomes.contains(&Outcome::MemoryTrap) {
            return false;
        }
        match outcomes.map(|outcome| outcome == Outcome::Retired) {
            [true, true] => self.visible != other.visible,
            completed => completed[0] != completed[1],
        }
    }
}

/// Something that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// What: a register, an address, the mode.
    pub of: String,
    /// What it is in the first state, or before.
    pub first: String,
    /// What it is in the second state, or afterwards.
    pub second: String,
}

impl Difference {
    fn new(of: impl Into<String>, first: impl Into<String>, second: impl Into<String>) -> Self {
        Self { of: of.into(), first: first.into(), second: second.into() }
    }

    fn of_values(of: impl Into<String>, first: u64, second: u64) -> Option<Self> {
        let show = |value| format!("{value:#x}");
        (first != second).then(|| Self::new(of, show(first), show(second)))
    }
}

/// What a program sees that differs between two executions. `guest` are the numbers of the registers
/// that a guest sees too.
pub(super) fn visible_differences(
    first: &Observation,
    second: &Observation,
    guest: &[u16],
) -> Vec<Difference> {
    if first.outcome != second.outcome {
        let words = |observation: &Observation| observation.outcome.words();
        return vec![Difference::new("instruction", words(first), words(second))];
    }
    let (one, other) = (&first.visible, &second.visible);
    let registers = Register::ALL.into_iter().flat_map(|register| {
        let index = register.index();
        let integer = Difference::of_values(register.integer_name(), one.x[index], other.x[index]);
        let float = Difference::of_values(register.float_name(), one.f[index], other.f[index]);
        [integer, float]
    });
    let rest = [
        Difference::of_values("pc", one.pc, other.pc),
        Difference::of_values("fflags", one.fflags.into(), other.fflags.into()),
        Difference::of_values("frm", one.frm.into(), other.frm.into()),
        memory_difference(&one.memory, &other.memory),
    ];
    let own = guest_differences(one, other, guest);
    registers.chain(rest).flatten().chain(own).collect()
}

fn guest_differences(one: &Visible, other: &Visible, numbers: &[u16]) -> Vec<Difference> {
    let (Some((mode, registers)), Some((other_mode, others))) = (&one.guest, &other.guest) else {
        return Vec::new();
    };
    let mode = Difference::of_values("mode", mode.code(), other_mode.code());
    mode.into_iter().chain(register_differences(numbers, registers, others)).collect()
}

fn register_differences(numbers: &[u16], first: &[u64], second: &[u64]) -> Vec<Difference> {
    let values = numbers.iter().zip(first.iter().zip(second));
    let differences = values.filter_map(|(&number, (&first, &second))| {
        let name = csr::name(number).unwrap_or_else(|| format!("{number:#x}"));
        Difference::of_values(name, first, second)
    });
    differences.collect()
}

fn memory_difference(one: &[u8], other: &[u8]) -> Option<Difference> {
    let at = one.iter().zip(other).position(|(one, other)| one != other)?;
    let name = format!("byte {at} of its memory");
    Difference::of_values(name, one[at].into(), other[at].into())
}

/// What an execution changed that its program does not own.
pub(super) fn control_differences(observation: &Observation, watched: &[u16]) -> Vec<Difference> {
    let (before, after) = (&observation.before, &observation.after);
    let of_registers = register_differences(watched, &before.registers, &after.registers);
    let others = [
        (before.mode != after.mode)
            .then(|| Difference::new("mode", before.mode_name(), after.mode_name())),
        (before.waits != after.waits)
            .then(|| Difference::new("processor", "executes", "waits for an interrupt")),
        (before.keeps_translation != after.keeps_translation)
            .then(|| Difference::new("TLB", "holds a translation", "does not hold it")),
    ];
    of_registers.into_iter().chain(others.into_iter().flatten()).collect()
}
