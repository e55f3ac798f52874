//! The interpreter: decoded blocks, executed one operation after the other.
//!
//! A block is executed whole where even at its worst no instruction of it starts too late;
//! otherwise as many steps as are sure to start in time, at least the one that starts now, and the
//! clock is looked at again. Interrupts are looked for only where they can have come about: when a
//! run begins, at the cycle of the next timer, and after instructions that say so.

use super::Engine;
use super::code_cache::CodeCache;
use super::code_page::{Block, Single};
use super::cost::{Charge, Costs};
use super::dispatch::dispatch;
use super::exact::{Execution, Leave, Source};
use crate::bus::Ports;
use crate::float::HostControl;
use crate::hart::Hart;
use crate::isa::instruction_length;
use crate::trap::{Abort, Stop};
use dcsim_memory::PAGE_BYTES;

const PAGE: u64 = PAGE_BYTES as u64;

/// The reference engine. It belongs to a machine and serves all its harts.
#[derive(Debug, Default)]
pub struct Interpreter {
    cache: CodeCache,
    costs: Costs,
    /// The last instruction that no page holds whole.
    single: Option<(u32, u64, Single)>,
}

/// What must not be passed before the next look at interrupts and at the end of the run.
#[derive(Copy, Clone, Debug)]
struct Limit {
    cycles: u64,
    /// Leave after the first instruction.
    single_step: bool,
}

impl Engine for Interpreter {
    fn run(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, until_cycles: u64) -> Stop {
        self.begin(hart, ports);
        let _control = HostControl::establish();
        loop {
            if hart.clock.cycles >= until_cycles {
                return Stop::Deadline;
            }
            let limit = match take_interrupt(hart) {
                Some(leave) => Err(leave),
                None => Ok(until_cycles.min(hart.interrupt_deadline())),
            };
            let cycles = match limit {
                Ok(cycles) => cycles,
                Err(Leave::Stop(stop)) => return stop,
                Err(_) => continue,
            };
            if let Leave::Stop(stop) =
                self.run_pages(hart, ports, Limit { cycles, single_step: false })
            {
                return stop;
            }
        }
    }
}

impl Interpreter {
    /// An interpreter with nothing decoded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Executes one instruction, or takes one interrupt or trap. `None` if the run can go on.
    pub fn step(&mut self, hart: &mut Hart, ports: &mut Ports<'_>) -> Option<Stop> {
        self.begin(hart, ports);
        let _control = HostControl::establish();
        let leave = match take_interrupt(hart) {
            Some(leave) => leave,
            None => self.run_pages(hart, ports, Limit { cycles: u64::MAX, single_step: true }),
        };
        match leave {
            Leave::Stop(stop) => Some(stop),
            Leave::Fetch | Leave::Look => None,
        }
    }

    fn begin(&mut self, hart: &mut Hart, ports: &Ports<'_>) {
        hart.begin_run(ports);
        if !self.costs.are_of(hart.timing()) {
            self.costs = Costs::new(hart.timing());
            self.cache.clear();
            self.single = None;
        }
    }

    /// Executes until the limit, or until there may be an interrupt to take.
    fn run_pages(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, limit: Limit) -> Leave {
        while hart.clock.cycles < limit.cycles {
            let leave = match self.enter_page(hart, ports) {
                Ok(Some(place)) => self.run_page(hart, ports, place, limit),
                Ok(None) => self.run_single(hart, ports),
                Err(abort) => abort_fetch(hart, abort),
            };
            if leave != Leave::Fetch || limit.single_step {
                return leave;
            }
        }
        Leave::Look
    }

    /// Finds the decoded code of the page at `pc`: its number, and where the page is in the page
    /// store. `None` if instructions there must be fetched one by one.
    #[inline]
    fn enter_page(
        &mut self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
    ) -> Result<Option<(usize, usize)>, Abort> {
        let known = hart.fast_fetch(hart.pc).map(|offset| offset - offset % PAGE_BYTES);
        let found =
            known.and_then(|start| Some((self.cache.find(ports.memory.store, start)?, start)));
        match found {
            Some(place) => Ok(Some(place)),
            None => self.fetch_page(hart, ports),
        }
    }

    #[cold]
    #[inline(never)]
    fn fetch_page(
        &mut self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
    ) -> Result<Option<(usize, usize)>, Abort> {
        let fetched = hart.fetch_page(ports, hart.pc)?;
        hart.sync_generation(ports);
        Ok(fetched.map(|page| (self.cache.adopt(page.page, page.version), page.slab_offset)))
    }

    /// Executes blocks of one page until the program leaves it.
    #[inline(always)]
    fn run_page(
        &mut self,
        hart: &mut Hart,
        ports: &mut Ports<'_>,
        (number, slab_offset): (usize, usize),
        limit: Limit,
    ) -> Leave {
        let page = hart.pc & !(PAGE - 1);
        let code = self.cache.page_mut(number);
        let mut pc = hart.pc;
        let mut has_started = true;
        loop {
            let offset = pc.wrapping_sub(page);
            if offset >= PAGE {
                hart.pc = pc;
                return Leave::Fetch;
            }
            let Some(block) = code.block(offset) else {
                let bytes = &ports.memory.store.bytes()[slab_offset..slab_offset + PAGE_BYTES];
                if code.decode(bytes, offset, &self.costs) {
                    continue;
                }
                hart.pc = pc;
                if !has_started && hart.clock.cycles >= limit.cycles {
                    return Leave::Look;
                }
                return self.run_single(hart, ports);
            };
            let mut part = block;
            let mut beyond = Charge::default();
            let worst = hart.clock.cycles + block.suffixes[0].charge.worst_cycles;
            if worst >= limit.cycles || limit.single_step {
                if !has_started && hart.clock.cycles >= limit.cycles {
                    hart.pc = pc;
                    return Leave::Look;
                }
                (part, beyond) = cut(block, hart.clock.cycles, limit);
            }
            has_started = false;
            let source = Source::Page(slab_offset);
            let execution = Execution { page, source, part, beyond };
            execution.charge(hart);
            match dispatch(hart, ports, &execution) {
                Ok(next) => pc = next,
                Err(leave) => return leave,
            }
            if limit.single_step {
                hart.pc = pc;
                return Leave::Fetch;
            }
        }
    }

    /// Fetches and executes one instruction halfword by halfword: one that crosses a page, or lies
    /// in a page of which only parts may be executed.
    #[inline(never)]
    fn run_single(&mut self, hart: &mut Hart, ports: &mut Ports<'_>) -> Leave {
        let bits = match fetch_bits(hart, ports) {
            Ok(bits) => bits,
            Err(abort) => return abort_fetch(hart, abort),
        };
        let single = Single::decode(bits, hart.pc % PAGE, &self.costs);
        let execution = Execution {
            page: hart.pc & !(PAGE - 1),
            source: Source::Bits(bits),
            part: single.block(),
            beyond: Charge::default(),
        };
        execution.charge(hart);
        match dispatch(hart, ports, &execution) {
            Ok(next) => {
                hart.pc = next;
                Leave::Fetch
            }
            Err(leave) => leave,
        }
    }
}

/// The steps of a block that are sure to start before the limit, at least the first, and the cost
/// of the others.
#[cold]
#[inline(never)]
fn cut(block: Block<'_>, now: u64, limit: Limit) -> (Block<'_>, Charge) {
    let count =
        if limit.single_step { 1 } else { block.starting_within(limit.cycles.saturating_sub(now)) };
    let part = Block { steps: &block.steps[..count], suffixes: &block.suffixes[..count] };
    (part, block.charge_from(count))
}

/// Takes the interrupt that is pending, if one is.
fn take_interrupt(hart: &mut Hart) -> Option<Leave> {
    let interrupt = hart.pending_interrupt()?;
    Some(hart.take_interrupt(interrupt).into())
}

fn fetch_bits(hart: &mut Hart, ports: &mut Ports<'_>) -> Result<u32, Abort> {
    let low = hart.fetch_halfword(ports, hart.pc)?;
    let high = if instruction_length(low) == 4 {
        hart.fetch_halfword(ports, hart.pc.wrapping_add(2))?
    } else {
        0
    };
    hart.sync_generation(ports);
    Ok(u32::from(low) | u32::from(high) << 16)
}

fn abort_fetch(hart: &mut Hart, abort: Abort) -> Leave {
    match abort {
        Abort::Trap(trap) => hart.take_trap(trap).into(),
        Abort::StoreFull => Leave::Stop(Stop::StoreFull),
    }
}
