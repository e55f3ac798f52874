//! The interpreter: decoded blocks, executed one operation after the other.
//!
//! A block is executed whole where even at its worst no instruction of it starts too late;
//! otherwise as many steps as are sure to start in time, at least the one that starts now, and the
//! clock is looked at again. Interrupts are looked for only where they can have come about: when a
//! run begins, at the cycle of the next timer, and after instructions that say so.

use super::Engine;
use super::code_cache::CodeCache;
use super::code_page::{CodePage, Marks};
use super::cost::Costs;
use super::dispatch::dispatch;
use super::exact::{Execution, Leave, Source};
use super::operation::ILLEGAL_CLASS;
use crate::bus::Ports;
use crate::float::HostControl;
use crate::hart::Hart;
use crate::isa::instruction_length;
use crate::trap::{Abort, Stop};
use dcsim_memory::{PAGE_BYTES, PageId};

const PAGE: u64 = PAGE_BYTES as u64;

/// The reference engine. It belongs to a machine and serves all its harts.
#[derive(Debug)]
pub struct Interpreter {
    cache: CodeCache,
    costs: Costs,
    /// The last instruction that no page holds whole.
    single: CodePage,
}

/// How far to execute before the next look at interrupts and at the end of the run.
#[derive(Copy, Clone, Debug)]
struct Limit {
    /// Instructions that start at or after this cycle do not.
    cycles: u64,
    /// Only one instruction.
    once: bool,
}

/// Where the next instruction was fetched from.
#[derive(Copy, Clone, Debug)]
enum Fetched {
    /// A page: the number of its decoded code, and its offset in the page store.
    Page(usize, usize),
    /// Halfword by halfword: an instruction that crosses a page, or in a page of which only parts
    /// may be executed.
    Single(u32),
}

/// One instruction, whatever the clock says.
const ONE: Limit = Limit { cycles: u64::MAX, once: true };

impl Engine for Interpreter {
    fn run(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, until_cycles: u64) -> Stop {
        self.begin(hart, ports);
        let _control = HostControl::establish();
        let stop = self.run_until(hart, ports, until_cycles);
        hart.end_float_status();
        stop
    }
}

impl Default for Interpreter {
    fn default() -> Self {
        Self::new()
    }
}

impl Interpreter {
    /// An interpreter with nothing decoded.
    pub fn new() -> Self {
        let single = CodePage::new(PageId::ZERO, 0);
        Self { cache: CodeCache::default(), costs: Costs::default(), single }
    }

    /// Executes one instruction, or takes one interrupt or trap. `None` if the run can go on.
    pub fn step(&mut self, hart: &mut Hart, ports: &mut Ports<'_>) -> Option<Stop> {
        self.begin(hart, ports);
        let _control = HostControl::establish();
        let leave = self.go_on(hart, ports).or_else(|| take_interrupt(hart));
        let leave = leave.unwrap_or_else(|| self.run_pages(hart, ports, ONE));
        hart.end_float_status();
        match leave {
            Leave::Stop(stop) => Some(stop),
            Leave::Fetch | Leave::Look => None,
        }
    }

    fn run_until(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, until_cycles: u64) -> Stop {
        while hart.has_begun || hart.clock.cycles < until_cycles {
            let leave = self.go_on(hart, ports).or_else(|| take_interrupt(hart));
            let leave = leave.unwrap_or_else(|| {
                let cycles = until_cycles.min(hart.interrupt_deadline());
                self.run_pages(hart, ports, Limit { cycles, once: false })
            });
            if let Leave::Stop(stop) = leave {
                return stop;
            }
        }
        Stop::Deadline
    }

    /// Counts the instructions that start at these halfwords of a page apart from now on, in
    /// [`crate::Counters::marked_instructions`]; `None` counts none. This is an instrument of the
    /// simulator: nothing that a program can see depends on it.
    pub fn mark(&mut self, page: PageId, marks: Option<Marks>) {
        self.cache.mark(page, marks);
    }

    fn begin(&mut self, hart: &mut Hart, ports: &Ports<'_>) {
        hart.begin_run(ports);
        hart.begin_float_status();
        let costs = Costs::new(hart.timing(), hart.profile(), hart.missing());
        if self.costs != costs {
            self.costs = costs;
            self.cache.clear();
        }
    }

    /// Executes the instruction that has begun, if one has: before the clock or an interrupt is
    /// looked at.
    fn go_on(&mut self, hart: &mut Hart, ports: &mut Ports<'_>) -> Option<Leave> {
        std::mem::take(&mut hart.has_begun).then(|| self.run_pages(hart, ports, ONE))
    }

    /// Executes until the limit, or until there may be an interrupt to take.
    fn run_pages(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, limit: Limit) -> Leave {
        while hart.clock.cycles < limit.cycles {
            let fetched = match self.fetch(hart, ports) {
                Ok(fetched) => fetched,
                Err(abort) => return self.abort_fetch(hart, abort),
            };
            let (code, source, once) = match fetched {
                Fetched::Page(number, slab_offset) => {
                    (self.cache.page_mut(number), Source::Page(slab_offset), limit.once)
                }
                Fetched::Single(bits) => (&mut self.single, Source::Bits(bits), true),
            };
            // A limit in the past lets only the instruction that starts now execute.
            let part = Limit { cycles: if once { 0 } else { limit.cycles }, once };
            let leave = run_page(hart, ports, (code, source, &self.costs), part);
            if leave != Leave::Fetch || limit.once {
                return leave;
            }
        }
        Leave::Look
    }

    /// A fetch that fails costs what an illegal instruction does: so time passes even where the
    /// trap vector is such an address as well.
    fn abort_fetch(&self, hart: &mut Hart, abort: Abort) -> Leave {
        match abort {
            Abort::Trap(trap) => {
                hart.clock.cycles += self.costs.of(ILLEGAL_CLASS).cycles;
                hart.take_trap(trap).into()
            }
            Abort::StoreFull => {
                hart.has_begun = true;
                Leave::Stop(Stop::StoreFull)
            }
        }
    }

    /// Fetches the instruction at `pc`.
    #[inline(always)]
    fn fetch(&mut self, hart: &mut Hart, ports: &mut Ports<'_>) -> Result<Fetched, Abort> {
        if let Some(offset) = hart.fast_fetch(hart.pc) {
            let page = offset - offset % PAGE_BYTES;
            if let Some(number) = self.cache.find(ports.memory.store, page)
                && offset - page + 4 <= PAGE_BYTES
            {
                return Ok(Fetched::Page(number, page));
            }
        }
        self.fetch_slowly(hart, ports)
    }

    #[cold]
    #[inline(never)]
    fn fetch_slowly(&mut self, hart: &mut Hart, ports: &mut Ports<'_>) -> Result<Fetched, Abort> {
        let fetched = hart.fetch_page(ports, hart.pc)?;
        hart.sync_generation(ports);
        if let Some(page) = fetched {
            let start = page.slab_offset + (hart.pc % PAGE) as usize;
            let bytes = ports.memory.store.bytes();
            let low = u16::from_le_bytes([bytes[start], bytes[start + 1]]);
            if hart.pc % PAGE + instruction_length(low) as u64 <= PAGE {
                let number = self.cache.adopt(page.page, page.version);
                return Ok(Fetched::Page(number, page.slab_offset));
            }
        }
        let bits = fetch_bits(hart, ports)?;
        self.single.hold_single(bits, hart.pc % PAGE, &self.costs);
        Ok(Fetched::Single(bits))
    }
}

/// Executes blocks of one page, from `pc` on, until the program leaves it.
#[inline(always)]
fn run_page(
    hart: &mut Hart,
    ports: &mut Ports<'_>,
    (code, source, costs): (&mut CodePage, Source, &Costs),
    limit: Limit,
) -> Leave {
    let page = hart.pc & !(PAGE - 1);
    let mut pc = hart.pc;
    let mut has_started = true;
    loop {
        let offset = pc.wrapping_sub(page);
        if offset >= PAGE {
            break;
        }
        let Some(block) = code.block(offset) else {
            if decode(code, ports, source, offset, costs) {
                continue;
            }
            break;
        };
        let mut count = block.count;
        let mut charge = block.charge;
        if hart.clock.cycles + charge.worst_cycles >= limit.cycles {
            if !has_started && hart.clock.cycles >= limit.cycles {
                hart.pc = pc;
                return if limit.once { Leave::Fetch } else { Leave::Look };
            }
            let left = limit.cycles.saturating_sub(hart.clock.cycles);
            count = code.steps_within(block, left);
            charge = charge - code.rest(block, count);
        }
        has_started = false;
        charge.make(hart);
        match dispatch(hart, ports, Execution { page, source, code, block, count }) {
            Ok(next) => pc = next,
            Err(leave) => return leave,
        }
    }
    hart.pc = pc;
    Leave::Fetch
}

/// Decodes the block at `offset`. `false` if its instruction must be fetched by itself.
#[cold]
#[inline(never)]
fn decode(
    code: &mut CodePage,
    ports: &Ports<'_>,
    source: Source,
    offset: u64,
    costs: &Costs,
) -> bool {
    match source {
        Source::Bits(_) => false,
        Source::Page(start) => {
            let bytes = &ports.memory.store.bytes()[start..start + PAGE_BYTES];
            code.decode(bytes, offset, costs)
        }
    }
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
