//! What the executions of one instruction show of it.
//!
//! Popek and Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures",
//! Communications of the ACM 17(7), 1974, section 4. Their machine has one relocation register;
//! this one has page tables, and more registers that only a supervisor owns. So what they call
//! the relocation is here the place of the frames (location-sensitive) and every other such
//! register (resource-sensitive).

use super::observation::{
    Difference, Observation, Outcome, control_differences, visible_differences,
};
use super::registers::Registers;
use super::report::{Class, Instruction, Kind, Mode, Proof, Sensitivity, Trials};
use super::state::State;
use super::subject::Subject;

/// The executions of one state: each in user mode and in supervisor mode.
#[derive(Debug)]
pub(super) struct Runs {
    /// As it is.
    pub(super) plain: [Observation; 2],
    /// With frames and page tables in another place.
    pub(super) moved: [Observation; 2],
    /// With other values in the registers of supervisor mode.
    pub(super) altered: [Observation; 2],
}

/// A way in which an instruction is sensitive, with the state that shows it.
#[derive(Debug)]
struct Witness {
    sensitivity: Sensitivity,
    proof: Proof,
    /// The instruction does not trap in user mode in this very state.
    is_complete: bool,
}

/// What has been found about one instruction.
#[derive(Debug)]
pub(super) struct Findings {
    in_guest: bool,
    trials: [Trials; 2],
    witnesses: Vec<Witness>,
}

impl Findings {
    /// Nothing yet; of an instruction in a guest of the hypervisor extension, or outside.
    pub(super) fn new(in_guest: bool) -> Self {
        Self { in_guest, trials: [Trials::default(); 2], witnesses: Vec::new() }
    }

    /// Takes up the executions of one state.
    pub(super) fn add(&mut self, state: &State, runs: &Runs, registers: &Registers) {
        for mode in Mode::ALL {
            self.trials[mode as usize].count(runs.plain[mode as usize].outcome);
        }
        let is_complete = runs.plain[Mode::User as usize].outcome == Outcome::Retired;
        for sensitivity in Sensitivity::ALL {
            // A guest's modes are its own, and so is what tells them apart.
            if self.in_guest && sensitivity.kind == Kind::Mode {
                continue;
            }
            if self.wants(sensitivity, is_complete) && is_shown(runs, sensitivity) {
                let proof = self.prove(state, runs, sensitivity, registers);
                self.witnesses.retain(|witness| witness.sensitivity != sensitivity);
                self.witnesses.push(Witness { sensitivity, proof, is_complete });
            }
        }
    }

    /// Whether a state that shows this would be worth keeping: the first one, or the first in which
    /// the instruction does not trap in user mode.
    fn wants(&self, sensitivity: Sensitivity, is_complete: bool) -> bool {
        let known = self.witnesses.iter().find(|witness| witness.sensitivity == sensitivity);
        known.is_none_or(|witness| is_complete && !witness.is_complete)
    }

    /// What it all means.
    pub(super) fn conclude(mut self, subject: &Subject) -> Instruction {
        self.witnesses.sort_by_key(|witness| witness.sensitivity);
        let sensitivities: Vec<_> =
            self.witnesses.iter().map(|witness| witness.sensitivity).collect();
        let class = self.class();
        let offends = class == Class::Sensitive;
        let proofs = self.witnesses.into_iter().filter(|_| offends);
        Instruction {
            name: subject.name.clone(),
            extension: format!("{:?}", subject.extension()),
            class,
            user: self.trials[Mode::User as usize],
            supervisor: self.trials[Mode::Supervisor as usize],
            sensitivities,
            proofs: proofs.map(|witness| witness.proof).collect(),
        }
    }

    fn prove(
        &self,
        state: &State,
        runs: &Runs,
        sensitivity: Sensitivity,
        registers: &Registers,
    ) -> Proof {
        let watched = registers.watched(self.in_guest);
        let (first, second) = compared(runs, sensitivity);
        let differences: Vec<Difference> = match sensitivity.kind {
            Kind::Control => control_differences(first, watched),
            _ => visible_differences(first, second, &registers.guest),
        };
        let in_user_mode = runs.plain[Mode::User as usize].outcome.words();
        Proof::new(sensitivity, state, first, in_user_mode, differences, watched)
    }

    fn class(&self) -> Class {
        let [user, supervisor] = self.trials;
        let is_observed = |trials: Trials| trials.completed + trials.trapped > 0;
        match (user.completed, supervisor.completed) {
            _ if !is_observed(user) || !is_observed(supervisor) => Class::Unobserved,
            (0, 0) => Class::TrapsInBoth,
            // No monitor stands between a guest's supervisor mode and the hart.
            _ if self.in_guest && !self.witnesses.is_empty() => Class::Sensitive,
            (0, _) => Class::Privileged,
            _ if self.witnesses.is_empty() => Class::Innocuous,
            _ => Class::Sensitive,
        }
    }
}

/// The two executions that are compared: for a change of control the same one twice.
fn compared(runs: &Runs, sensitivity: Sensitivity) -> (&Observation, &Observation) {
    let mode = sensitivity.mode as usize;
    let plain = &runs.plain[mode];
    match sensitivity.kind {
        Kind::Control => (plain, plain),
        Kind::Mode => (&runs.plain[Mode::User as usize], &runs.plain[Mode::Supervisor as usize]),
        Kind::Location => (plain, &runs.moved[mode]),
        Kind::Resource => (plain, &runs.altered[mode]),
    }
}

fn is_shown(runs: &Runs, sensitivity: Sensitivity) -> bool {
    let (first, second) = compared(runs, sensitivity);
    match sensitivity.kind {
        Kind::Control => first.controls(),
        Kind::Mode => shows_mode(first, second),
        Kind::Location | Kind::Resource => first.is_told_from(second),
    }
}

/// What traps in user mode alone is what a monitor wants; and what changes control in one mode
/// alone is control-sensitive, whatever the program sees of it.
fn shows_mode(user: &Observation, supervisor: &Observation) -> bool {
    let controls = user.controls() || supervisor.controls();
    user.outcome == Outcome::Retired && !controls && user.is_told_from(supervisor)
}
