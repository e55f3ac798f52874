//! A translated guest, and the same guest on bare metal.

use super::coverage::{Coverage, Key, Kind};
use super::faults::{self, Injected};
use super::machine::{Guest, Machine};
use crate::binary_translation::BinaryTranslation;
use crate::binary_translation::registers::take_over;
use crate::binary_translation::sheet::Place;
use crate::config::{PagingKind, TechniqueKind};
use crate::cpu_state::CpuState;
use crate::supervisor::Supervisor;
use crate::technique::Phase;
use dcsim_hart::csr::fields::status;

/// No guest here executes more.
const MOST_INSTRUCTIONS: u64 = 3_000_000;

/// No guest here takes more steps of its monitor, but for what is injected, from one instruction to
/// the next.
const MOST_STEPS: u64 = 1_000;

/// What is compared at every instruction.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Registers {
    pc: u64,
    x: [u64; 32],
    supervisor: Supervisor,
}

impl Registers {
    fn of(state: &CpuState) -> Self {
        Self { pc: state.pc, x: state.x, supervisor: state.supervisor.clone() }
    }
}

/// The two machines.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) translated: Machine,
    pub(super) bare: Machine,
    pub(super) coverage: Coverage,
    /// What is done to each place of the cache when it is first reached.
    injected: &'static [Injected],
    /// The place where the hart is, once that is done.
    visited: Option<Key>,
}

impl Pair {
    /// Both machines, about to execute the guest's first instruction.
    pub(super) fn new(guest: &Guest, paging: PagingKind, injected: &'static [Injected]) -> Self {
        Self {
            translated: Machine::new(guest, TechniqueKind::BinaryTranslation, paging),
            bare: Machine::new(guest, TechniqueKind::BareMetal, PagingKind::None),
            coverage: Coverage::default(),
            injected,
            visited: None,
        }
    }

    /// Executes the guest to its end. Says what is wrong if anything differs.
    pub(super) fn run(&mut self) -> Result<(), String> {
        let (mut steps, mut reached) = (0, 0);
        while self.translated.status.is_none() {
            if self.is_in_guest() {
                self.follow()?;
                self.visit()?;
            }
            self.step()?;
            let count = self.translated.instructions();
            steps = if count == reached { steps + 1 } else { 0 };
            reached = count;
            if steps > MOST_STEPS {
                return Err(format!("the guest makes no progress behind instruction {count}"));
            }
        }
        while self.bare.status.is_none() {
            self.step_bare()?;
        }
        self.compare_ends()
    }

    /// What the guest has in `x10`, in the end.
    pub(super) fn sum(&self) -> u64 {
        self.bare.hart().x[10]
    }

    fn compare_ends(&mut self) -> Result<(), String> {
        let ends = [&mut self.bare, &mut self.translated]
            .map(|machine| (machine.status, machine.console(), machine.instructions()));
        if ends[0] != ends[1] {
            return Err(format!("the ends differ: {ends:?}"));
        }
        let states = [&mut self.bare, &mut self.translated].map(|machine| {
            machine.host.unload(&mut machine.store, 0).unwrap();
            machine.host.save_vm(&mut machine.store, machine.vm).unwrap()
        });
        let differences =
            states[0].differences_between(&self.bare.store, &states[1], &self.translated.store);
        if differences.is_empty() { Ok(()) } else { Err(format!("in the end: {differences:?}")) }
    }

    /// Whether the hart of the translated guest is about to execute an instruction for it.
    fn is_in_guest(&self) -> bool {
        self.translated.translation().base.life.phase == Phase::Guest
    }

    /// Where in the cache the hart is.
    pub(super) fn place(&self) -> Option<Place> {
        self.translated.translation().place_in_guest(self.translated.hart().pc)
    }

    /// One step, and the books kept of what it executed.
    fn step(&mut self) -> Result<(), String> {
        let before = self.translated.host.counters(self.translated.vm).unwrap();
        let pc = self.translated.hart().pc;
        let in_cache = self.place().is_some_and(|place| self.has_sheet(place));
        let visited = self.visited.take();
        self.translated.step()?;
        let after = self.translated.host.counters(self.translated.vm).unwrap();
        let of_kernel = after.translation_instructions - before.translation_instructions;
        let of_user = after.direct_instructions - before.direct_instructions;
        if of_kernel + of_user > 1 {
            return Err(format!("{of_kernel} and {of_user} instructions in one step"));
        }
        let histograms =
            [(of_kernel, &mut self.coverage.kernel), (of_user, &mut self.coverage.user)];
        for (retired, histogram) in histograms {
            if retired > 0 {
                *histogram.entry(pc).or_default() += retired;
            }
        }
        if of_kernel > 0 && !in_cache {
            self.coverage.astray.insert(pc);
        }
        if of_kernel > 0 && !visited.is_some_and(|key| self.coverage.faulted.contains(&key)) {
            return Err(format!("no faults were injected at {pc:x}"));
        }
        if after.instructions() > MOST_INSTRUCTIONS {
            return Err("the guest does not end".to_owned());
        }
        Ok(())
    }

    fn has_sheet(&self, place: Place) -> bool {
        self.translated.translation().cache.sheets.get(place).is_some()
    }

    fn step_bare(&mut self) -> Result<(), String> {
        self.bare.step()?;
        if self.bare.instructions() > MOST_INSTRUCTIONS {
            return Err("the guest does not end on bare metal".to_owned());
        }
        Ok(())
    }

    /// The state of the guest that the monitor would report now.
    fn reported(&self) -> Registers {
        let (translator, hart) = (self.translated.translation(), self.translated.hart());
        let mut supervisor = translator.base.life.guest.clone();
        let (mut pc, mut x) = (hart.pc, hart.x);
        if translator.loan.is_out() {
            if translator.in_kernel() {
                take_over(hart, &mut supervisor);
            }
        } else {
            supervisor.status = supervisor.status & !status::FS | hart.csrs.mstatus & status::FS;
        }
        if let Some(place) = self.place() {
            let registers;
            (pc, registers) = BinaryTranslation::boundary(hart, &translator.position(place));
            for (register, value) in registers {
                x[register.index()] = value;
            }
            x[0] = 0;
        }
        Registers { pc, x, supervisor }
    }

    /// Lets bare metal come to where the translated guest is: to a state between two instructions
    /// that is the one reported, with as many instructions retired.
    fn follow(&mut self) -> Result<(), String> {
        let reported = self.reported();
        let count = self.translated.instructions();
        while self.bare.instructions() < count && self.bare.status.is_none() {
            self.step_bare()?;
        }
        let mut first = None;
        while self.bare.instructions() == count && self.bare.status.is_none() {
            if let Some(state) = self.bare.bare_state() {
                let here = Registers::of(&state);
                if here == reported {
                    return Ok(());
                }
                first.get_or_insert(here);
            }
            // Taking a trap retires nothing.
            self.step_bare()?;
        }
        let place = self.place();
        let position = place.map(|place| self.translated.translation().position(place));
        Err(format!(
            "instruction {count}, {place:x?}, {position:x?}:\nbare metal {first:x?}\nreported {reported:x?}"
        ))
    }

    /// Notes where the hart is; injects faults if it has not been there.
    fn visit(&mut self) -> Result<(), String> {
        let Some(place) = self.place() else {
            let is_direct = !self.translated.translation().is_translated_mode();
            return if is_direct { Ok(()) } else { Err("the guest left the cache".to_owned()) };
        };
        if !self.translated.is_mapped(place) {
            // It is not going to be executed, but looked at.
            return Ok(());
        }
        let frame = self.translated.frame_of(place).ok_or(format!("no sheet at {place:x}"))?;
        let bits = self.translated.bits_at(frame);
        let translator = self.translated.translation();
        let position = translator.position(place);
        let owner = translator.cache.sheets.get(place).map(|sheet| sheet.owner);
        let key = (place, bits, position.guest, translator.base.life.guest.privilege);
        self.visited = Some(key);
        if self.coverage.executed.contains_key(&key) {
            return Ok(());
        }
        self.coverage.executed.insert(key, Kind::of(owner, &position, bits));
        let expected = self.bare.bare_state().ok_or("bare metal is in its firmware")?;
        for injected in self.injected {
            faults::inject(&mut self.translated, place, frame, *injected, &expected)
                .map_err(|error| format!("{injected:?} at {place:x}, {position:x?}: {error}"))?;
        }
        self.coverage.faulted.insert(key);
        Ok(())
    }
}
