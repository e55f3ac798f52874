//! Engines: how a hart executes instructions.
//!
//! An [`Engine`] changes the state of a hart exactly as executing one instruction after the other
//! would. Whatever an engine works out beforehand (decoded blocks, costs, translations) never
//! changes a result: not registers, not memory, not the clock, not a counter, and not the
//! instruction before which an interrupt is taken. Cutting a run into several changes nothing
//! either.
//!
//! The definition that engines meet, for each instruction:
//!
//! 1. If the clock has reached the end of the run, stop. If an interrupt is pending and enabled,
//!    take it. Otherwise the instruction *starts*.
//! 2. Fetch it: a miss in the instruction TLB charges its walk. A fetch that fails traps and costs
//!    what an illegal instruction does.
//! 3. Charge the cycles of its class, at least one.
//! 4. Execute it: walks, devices and whatever else it meets charge theirs. If it traps, that
//!    charges the latency of trap entry; otherwise the instruction counts as retired.
//!
//! [`Interpreter`] is the reference.

mod code_cache;
mod code_page;
mod cost;
mod dispatch;
mod exact;
mod guest;
mod interpreter;
mod operation;

pub use code_page::Marks;
pub(crate) use exact::After;
pub use interpreter::Interpreter;
pub(crate) use operation::Step;

use crate::bus::Ports;
use crate::hart::Hart;
use crate::trap::Stop;

/// Something that executes instructions.
pub trait Engine {
    /// Executes the instructions that start before the hart's clock reaches `until_cycles`, unless
    /// something else ends the run first.
    fn run(&mut self, hart: &mut Hart, ports: &mut Ports<'_>, until_cycles: u64) -> Stop;
}
