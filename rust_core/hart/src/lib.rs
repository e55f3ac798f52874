//! The RV64GC hart: what one hardware thread is and how it executes instructions.
//!
//! The crate knows one hart, its memory management and its cost model. It knows nothing of devices
//! (they are behind the bus trait), of machines or of monitors.

#![allow(
    clippy::inline_always,
    reason = "the engine's loop is to be one function, without a call an instruction"
)]

pub mod bus;
mod cache;
pub mod clock;
pub mod counters;
pub mod csr;
pub mod engine;
mod execute;
pub mod float;
mod float_status;
pub mod hart;
pub mod interrupt;
pub mod isa;
mod missing;
pub mod mmu;
mod mode;
pub mod op;
pub mod pmp;
pub mod profile;
pub mod timing;
mod transition;
pub mod trap;

pub use bus::{Bus, BusError, InterruptLines, NoDevices, Ports, Signal, Width};
pub use cache::OwnLines;
pub use clock::Clock;
pub use counters::Counters;
pub use csr::{CsrEffect, CsrOp, Csrs, Untrapped};
pub use engine::{Engine, Interpreter};
pub use hart::{Hart, HostedModes, Privilege};
pub use interrupt::Interrupt;
pub use isa::InstructionClass;
pub use missing::Missing;
pub use mmu::{FetchedPage, Reservation, Right};
pub use op::Op;
pub use profile::{IsaProfile, SecondStage};
pub use timing::{DataCacheShape, Timing, TlbShape};
pub use trap::{Abort, Exception, Stop, Trap, TrapOutcome, TrapRecord, Wait};
