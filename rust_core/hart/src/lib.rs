//! The RV64GC hart: what one hardware thread is and how it executes instructions.
//!
//! The crate knows one hart, its memory management and its cost model. It knows nothing of devices
//! (they are behind the bus trait), of machines or of monitors.

pub mod float;
pub mod isa;
pub mod op;

pub use isa::InstructionClass;
pub use op::Op;
