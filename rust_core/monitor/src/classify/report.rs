//! The classification of an instruction set: what it says of each instruction, and the verdicts.

use super::exclusions::Exclusion;
use super::observation::{Difference, Observation, Outcome};
use super::registers::is_of_machine_mode;
use super::state::State;
use dcsim_hart::csr;
use dcsim_hart::isa::{Format, Register, RegisterField, decode, disassemble};
use serde::Serialize;
use std::collections::BTreeMap;

/// The modes that are compared.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// That of programs, and of a guest kernel under a monitor.
    User,
    /// That of a kernel which has the machine to itself.
    Supervisor,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::User, Self::Supervisor];
}

/// In what way an instruction is sensitive.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It changes the mode, the relocation, what interrupts may do, or other state that its program
    /// does not own, without a trap.
    Control,
    /// A program can tell by it which mode it is in.
    Mode,
    /// A program can tell by it where its memory is.
    Location,
    /// A program can tell by it what other supervisor state holds.
    Resource,
}

/// One finding: an instruction is sensitive in this way when it is executed in this mode.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Sensitivity {
    /// In what way.
    pub kind: Kind,
    /// In which mode. A mode-sensitive instruction is executed in both, and counts for user mode.
    pub mode: Mode,
}

impl Sensitivity {
    /// All that are looked for.
    pub const ALL: [Self; 7] = [
        Self::new(Kind::Control, Mode::User),
        Self::new(Kind::Control, Mode::Supervisor),
        Self::new(Kind::Mode, Mode::User),
        Self::new(Kind::Location, Mode::User),
        Self::new(Kind::Location, Mode::Supervisor),
        Self::new(Kind::Resource, Mode::User),
        Self::new(Kind::Resource, Mode::Supervisor),
    ];

    const fn new(kind: Kind, mode: Mode) -> Self {
        Self { kind, mode }
    }
}

/// What an instruction is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Traps in user mode whenever it is executed there, and not always in supervisor mode.
    Privileged,
    /// Traps in either mode whenever it is executed: no monitor ever misses it.
    TrapsInBoth,
    /// Sensitive, and does not always trap in user mode: what a monitor cannot see.
    Sensitive,
    /// Neither.
    Innocuous,
    /// No state let it do anything but trap on its memory access.
    Unobserved,
}

/// How often an instruction did what in one mode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Trials {
    /// It completed.
    pub completed: u32,
    /// It trapped.
    pub trapped: u32,
    /// Its memory access trapped: exempt.
    pub exempt: u32,
}

impl Trials {
    pub(super) fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Retired => &mut self.completed,
            Outcome::Trapped(_) => &mut self.trapped,
            Outcome::MemoryTrap => &mut self.exempt,
        };
        *counter += 1;
    }
}

/// A machine state and what happened in it. Together with the seed, the instruction's name and the
/// number of the state give the state again.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Proof {
    /// What it shows.
    pub sensitivity: Sensitivity,
    /// The number of the state.
    pub state: u32,
    /// The instruction's encoding.
    pub encoding: String,
    /// The same for an assembler.
    pub assembly: String,
    /// Where it is.
    pub pc: String,
    /// What user mode does with it in this state.
    pub in_user_mode: String,
    /// What differs: between before and after for a change of control, otherwise between the two
    /// executions that are compared.
    pub differences: Vec<Difference>,
    /// The integer registers that the instruction names.
    pub operands: Vec<&'static str>,
    /// Integer registers before.
    pub registers: BTreeMap<&'static str, String>,
    /// Control and status registers before, but for machine mode's; those that are not here are 0.
    pub csrs: BTreeMap<String, String>,
}

impl Proof {
    pub(super) fn new(
        sensitivity: Sensitivity,
        state: &State,
        observation: &Observation,
        in_user_mode: String,
        differences: Vec<Difference>,
        watched: &[u16],
    ) -> Self {
        let hexadecimal = |value: u64| format!("{value:#x}");
        let integer =
            |register: Register| (register.integer_name(), hexadecimal(state.x[register.index()]));
        let csrs = watched.iter().zip(&observation.before.registers);
        let csrs = csrs
            .filter(|(number, value)| **value != 0 && !is_of_machine_mode(**number))
            .filter_map(|(&number, &value)| Some((csr::name(number)?, hexadecimal(value))));
        Self {
            sensitivity,
            state: state.number,
            encoding: format!("{:#010x}", state.word),
            assembly: disassemble(state.word, state.pc),
            pc: hexadecimal(state.pc),
            in_user_mode,
            differences,
            operands: operands(state.word),
            registers: Register::ALL.into_iter().skip(1).map(integer).collect(),
            csrs: csrs.collect(),
        }
    }
}

/// The names of the integer registers that an instruction names.
fn operands(word: u32) -> Vec<&'static str> {
    let Some(op) = decode(word) else { return Vec::new() };
    let format = op.opcode.row().format;
    let fields = format.fields();
    let source = if format == Format::CsrImmediate { RegisterField::Absent } else { fields.rs1 };
    let all = [(fields.rd, op.rd), (source, op.rs1), (fields.rs2, op.rs2)];
    let named = all
        .into_iter()
        .filter(|(field, register)| *field == RegisterField::Integer && *register != Register::R0);
    named.map(|(_, register)| register.integer_name()).collect()
}

/// What was found about one instruction.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Instruction {
    /// Its mnemonic; for a CSR instruction with the name of the register.
    pub name: String,
    /// The extension that defines it.
    pub extension: String,
    /// What it is.
    pub class: Class,
    /// What it did in user mode.
    pub user: Trials,
    /// What it did in supervisor mode.
    pub supervisor: Trials,
    /// In what ways it is sensitive, if it is.
    pub sensitivities: Vec<Sensitivity>,
    /// A state for each of them, if it is an offender.
    pub proofs: Vec<Proof>,
}

impl Instruction {
    /// Whether it can be sensitive in user mode.
    pub fn is_user_sensitive(&self) -> bool {
        self.sensitivities.iter().any(|sensitivity| sensitivity.mode == Mode::User)
    }

    /// Whether it is sensitive in this way.
    pub fn has(&self, kind: Kind) -> bool {
        self.sensitivities.iter().any(|sensitivity| sensitivity.kind == kind)
    }
}

/// The verdict on one theorem.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// The number of the theorem.
    pub theorem: u32,
    /// What follows where its condition holds.
    pub name: &'static str,
    /// Its condition.
    pub condition: &'static str,
    /// Whether the condition holds.
    pub holds: bool,
    /// The instructions that break it.
    pub offenders: Vec<String>,
}

impl Verdict {
    fn new(
        (theorem, name, condition): (u32, &'static str, &'static str),
        instructions: &[Instruction],
        offends: impl Fn(&Instruction) -> bool,
    ) -> Self {
        let offenders = instructions.iter().filter(|each| each.class == Class::Sensitive);
        let offenders: Vec<_> =
            offenders.filter(|each| offends(each)).map(|each| each.name.clone()).collect();
        Self { theorem, name, condition, holds: offenders.is_empty(), offenders }
    }
}

/// How many instructions are what.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are those of classes and kinds")]
pub struct Counts {
    pub instructions: usize,
    pub privileged: usize,
    pub traps_in_both: usize,
    pub sensitive_unprivileged: usize,
    pub innocuous: usize,
    pub unobserved: usize,
    pub control_sensitive: usize,
    pub mode_sensitive: usize,
    pub location_sensitive: usize,
    pub resource_sensitive: usize,
    pub user_sensitive: usize,
}

impl Counts {
    fn of(instructions: &[Instruction]) -> Self {
        let count = |wanted: &dyn Fn(&Instruction) -> bool| {
            instructions.iter().filter(|each| wanted(each)).count()
        };
        let class = |class: Class| count(&|each| each.class == class);
        let kind = |kind: Kind| count(&|each| each.has(kind));
        Self {
            instructions: instructions.len(),
            privileged: class(Class::Privileged),
            traps_in_both: class(Class::TrapsInBoth),
            sensitive_unprivileged: class(Class::Sensitive),
            innocuous: class(Class::Innocuous),
            unobserved: class(Class::Unobserved),
            control_sensitive: kind(Kind::Control),
            mode_sensitive: kind(Kind::Mode),
            location_sensitive: kind(Kind::Location),
            resource_sensitive: kind(Kind::Resource),
            user_sensitive: count(&Instruction::is_user_sensitive),
        }
    }
}

/// What instructions do in a guest of the hypervisor extension.
///
/// There, supervisor mode is the guest's, and no trap is needed for what concerns the guest alone.
/// An offender is an instruction that changes state of HS mode or of machine mode, or shows it, in
/// either mode of the guest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct GuestTable {
    /// What is to hold.
    pub condition: &'static str,
    /// Whether it does.
    pub holds: bool,
    /// The instructions that break it.
    pub offenders: Vec<String>,
    /// How many instructions are what.
    pub counts: Counts,
    /// What is left out, besides the rest.
    pub exclusions: Vec<Exclusion>,
    /// Every instruction, in the guest's user mode and in its supervisor mode.
    pub instructions: Vec<Instruction>,
}

impl GuestTable {
    pub(super) fn new(exclusions: Vec<Exclusion>, instructions: Vec<Instruction>) -> Self {
        let offenders = instructions.iter().filter(|each| each.class == Class::Sensitive);
        let offenders: Vec<_> = offenders.map(|each| each.name.clone()).collect();
        Self {
            condition: "in a guest, every instruction traps or acts on the guest's state alone",
            holds: offenders.is_empty(),
            offenders,
            counts: Counts::of(&instructions),
            exclusions,
            instructions,
        }
    }
}

/// The classification of an instruction set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Classification {
    /// The instruction set.
    pub isa: &'static str,
    /// The seed of the states.
    pub seed: u64,
    /// States for each instruction.
    pub states: u32,
    /// How many instructions are what.
    pub counts: Counts,
    /// Theorems 1 and 3.
    pub verdicts: Vec<Verdict>,
    /// What is left out.
    pub exclusions: Vec<Exclusion>,
    /// Every instruction.
    pub instructions: Vec<Instruction>,
    /// What instructions do in a guest, if the hypervisor extension is there.
    pub guest: Option<GuestTable>,
}

impl Classification {
    pub(super) fn new(
        isa: &'static str,
        (seed, states): (u64, u32),
        exclusions: Vec<Exclusion>,
        instructions: Vec<Instruction>,
        guest: Option<GuestTable>,
    ) -> Self {
        let virtualisable = (
            1,
            "virtualisable",
            "every sensitive instruction is privileged, or traps in both modes",
        );
        let hybrid = (
            3,
            "hybrid virtualisable",
            "every user-sensitive instruction is privileged, or traps in both modes",
        );
        let verdicts = vec![
            Verdict::new(virtualisable, &instructions, |_| true),
            Verdict::new(hybrid, &instructions, Instruction::is_user_sensitive),
        ];
        let counts = Counts::of(&instructions);
        Self { isa, seed, states, counts, verdicts, exclusions, instructions, guest }
    }

    /// The verdict on a theorem, if it is one of those that are judged.
    pub fn verdict(&self, theorem: u32) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.theorem == theorem)
    }
}
