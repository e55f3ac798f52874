//! The way off the fast path.
//!
//! The cost of a block is charged when it begins. Whatever may look at the clock or at the
//! counters, or may not complete, is done through [`Execution::precisely`]: before it the charges
//! of the steps still to come are taken back, so that clock and counters are exactly those of the
//! instruction, and if the block goes on they are made again.

use super::code_page::{Block, CodePage};
use super::cost::Charge;
use super::operation::Step;
use crate::bus::{Ports, Signal, Width};
use crate::execute::float;
use crate::hart::Hart;
use crate::trap::{Abort, Stop, Trap, TrapOutcome};

/// What follows an instruction that has completed.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum After {
    /// The next step.
    Next,
    /// The next instruction, fetched anew.
    Fetch,
    /// The next instruction, unless there is an interrupt to take.
    Look,
    /// The instruction at `pc`, which the instruction has set, unless there is an interrupt.
    Returned,
    /// The end of the run.
    Stop(Stop),
}

impl From<Signal> for After {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::None => Self::Next,
            Signal::CodeWritten => Self::Fetch,
            Signal::Interrupts => Self::Look,
            Signal::Stop => Self::Stop(Stop::Bus),
        }
    }
}

/// Why a page's blocks are left. The hart's `pc` is that of the next instruction.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Leave {
    /// To fetch the next instruction.
    Fetch,
    /// To look for interrupts, and at the clock.
    Look,
    /// To end the run.
    Stop(Stop),
}

impl From<TrapOutcome> for Leave {
    fn from(outcome: TrapOutcome) -> Self {
        match outcome {
            TrapOutcome::Vectored => Self::Look,
            TrapOutcome::Hosted(record) => Self::Stop(Stop::Trap(record)),
        }
    }
}

/// Where the bits of instructions are.
#[derive(Copy, Clone, Debug)]
pub(super) enum Source {
    /// In the page at this offset in the page store.
    Page(usize),
    /// Here: those of the only instruction.
    Bits(u32),
}

/// The execution of a block.
#[derive(Copy, Clone, Debug)]
pub(super) struct Execution<'a> {
    /// Virtual address of the page.
    pub(super) page: u64,
    /// What the steps were decoded from.
    pub(super) source: Source,
    /// The decoded page.
    pub(super) code: &'a CodePage,
    /// The block, or the first steps of one.
    pub(super) block: &'a Block,
    /// The number of steps whose cost has been charged.
    pub(super) count: u32,
}

impl Execution<'_> {
    /// The cost of the steps from `number` on that has been charged.
    fn rest(&self, number: usize) -> Charge {
        self.code.rest(self.block, number as u32) - self.code.rest(self.block, self.count)
    }

    /// Takes back the charge of the steps after step `number`, which will not be executed.
    #[inline(always)]
    pub(super) fn refund(&self, hart: &mut Hart, number: usize) {
        self.rest(number + 1).refund(hart);
    }

    /// Does `action`, all of what step `number` does, with exact clock and counters. The block
    /// goes on if it returns `Ok`.
    #[inline(always)]
    pub(super) fn precisely(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        action: impl FnOnce(&mut Hart, &mut Ports<'_>, &Step) -> Result<After, Abort>,
    ) -> Result<(), Leave> {
        let step = &self.code.steps(self.block, self.count)[number];
        let rest = self.rest(number + 1);
        // What the step costs stays; that it retires has to turn out.
        let own = Charge { cycles: 0, ..self.rest(number) - rest };
        (rest + own).refund(hart);
        hart.pc = self.page.wrapping_add(step.place.offset());
        let generation = ports.memory.frames.generation();
        let outcome = action(hart, ports, step);
        if ports.memory.frames.generation() != generation {
            hart.sync_generation(ports);
        } else if outcome == Ok(After::Next) {
            (rest + own).make(hart);
            return Ok(());
        }
        match outcome {
            Ok(after) => {
                own.make(hart);
                Err(self.leave_after(hart, step, after))
            }
            Err(abort) => Err(self.leave_by(hart, ports, number, abort)),
        }
    }

    fn leave_after(&self, hart: &mut Hart, step: &Step, after: After) -> Leave {
        if after != After::Returned {
            hart.pc = self.page.wrapping_add(step.place.end());
        }
        match after {
            After::Next | After::Fetch => Leave::Fetch,
            After::Look | After::Returned => Leave::Look,
            After::Stop(stop) => Leave::Stop(stop),
        }
    }

    fn leave_by(&self, hart: &mut Hart, ports: &Ports<'_>, number: usize, abort: Abort) -> Leave {
        let step = &self.code.steps(self.block, self.count)[number];
        match abort {
            Abort::Trap(trap) => {
                hart.take_trap(trap.with_instruction(self.bits(ports, step))).into()
            }
            Abort::StoreFull => {
                // The instruction will be made again: it has not been charged.
                hart.has_begun = true;
                let own = self.rest(number) - self.rest(number + 1);
                hart.clock.cycles -= own.cycles;
                Leave::Stop(Stop::StoreFull)
            }
        }
    }

    /// The bits of an instruction.
    fn bits(&self, ports: &Ports<'_>, step: &Step) -> u32 {
        match self.source {
            Source::Bits(bits) => bits,
            Source::Page(offset) => {
                let start = offset + step.place.offset() as usize;
                let bytes =
                    &ports.memory.store.bytes()[start..start + step.place.length() as usize];
                bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            }
        }
    }

    /// Step `number` is illegal here.
    #[cold]
    #[inline(never)]
    pub(super) fn illegal(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |_, _, _| Err(Trap::ILLEGAL.into()))
    }

    /// A system instruction.
    #[inline(never)]
    pub(super) fn system(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        action: fn(&mut Hart, &Step) -> Result<After, Abort>,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, _, step| action(hart, step))
    }

    /// A load into an integer register that the software TLB does not answer.
    #[cold]
    #[inline(never)]
    pub(super) fn load(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        width: Width,
        extend: fn(u64) -> u64,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let value = hart.load_slow(ports, address(hart, step), width)?;
            hart.x[step.rd.index()] = extend(value);
            hart.x[0] = 0;
            Ok(After::Next)
        })
    }

    /// A store from an integer register that the software TLB does not answer.
    #[cold]
    #[inline(never)]
    pub(super) fn store(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        width: Width,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let value = hart.x[step.rs2.index()];
            Ok(hart.store_slow(ports, address(hart, step), width, value)?.into())
        })
    }

    /// A load into a floating-point register that the software TLB does not answer.
    #[cold]
    #[inline(never)]
    pub(super) fn float_load(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        width: Width,
        extend: fn(u64) -> u64,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let value = hart.load_slow(ports, address(hart, step), width)?;
            float::write(hart, step.rd, extend(value));
            Ok(After::Next)
        })
    }

    /// A store from a floating-point register that the software TLB does not answer.
    #[cold]
    #[inline(never)]
    pub(super) fn float_store(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        width: Width,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let value = hart.f[step.rs2.index()];
            Ok(hart.store_slow(ports, address(hart, step), width, value)?.into())
        })
    }

    /// An atomic read-modify-write; `change` is given the old value and the source.
    #[inline(never)]
    pub(super) fn amo(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        (width, extend): (Width, fn(u64) -> u64),
        change: fn(u64, u64) -> u64,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let source = hart.x[step.rs2.index()];
            let va = hart.x[step.rs1.index()];
            let (old, signal) = hart.amo(ports, va, width, |old| change(old, source))?;
            hart.x[step.rd.index()] = extend(old);
            hart.x[0] = 0;
            Ok(signal.into())
        })
    }

    /// A load-reserved.
    #[inline(never)]
    pub(super) fn load_reserved(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        (width, extend): (Width, fn(u64) -> u64),
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let value = hart.load_reserved(ports, hart.x[step.rs1.index()], width)?;
            hart.x[step.rd.index()] = extend(value);
            hart.x[0] = 0;
            Ok(After::Next)
        })
    }

    /// A store-conditional: 0 for success, 1 for failure.
    #[inline(never)]
    pub(super) fn store_conditional(
        &self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        number: usize,
        width: Width,
    ) -> Result<(), Leave> {
        self.precisely(hart, ports, number, |hart, ports, step| {
            let (va, value) = (hart.x[step.rs1.index()], hart.x[step.rs2.index()]);
            let (stored, signal) = hart.store_conditional(ports, va, width, value)?;
            hart.x[step.rd.index()] = u64::from(!stored);
            hart.x[0] = 0;
            Ok(signal.into())
        })
    }
}

/// The address of a load or store.
#[inline(always)]
pub(super) fn address(hart: &Hart, step: &Step) -> u64 {
    hart.x[step.rs1.index()].wrapping_add_signed(step.imm)
}
