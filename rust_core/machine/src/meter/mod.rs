//! The meter: the only way for a handler to touch the state of a machine.
//!
//! Firmware and monitors are Rust code that plays a mode of the simulated hart. What such a handler
//! costs is not a constant: it names registers, memory, page tables and TLBs only through a
//! [`Meter`], and each primitive charges the cycles of the instructions that real software would
//! execute for it, with the latencies of the hart's own profile. So the cost of an exit is the
//! work that its handler did.
//!
//! What lies between the accesses, decoding and deciding, is assumed: a handler charges it by the
//! name of an [`Assumption`], and every result lists them all.
//!
//! A handler cannot reach past its meter:
//!
//! ```compile_fail
//! fn handler(meter: &mut dcsim_machine::Meter<'_>) {
//!     meter.hart.x[10] = 0; // the field is private: use `write_register`
//! }
//! ```
//!
//! ```
//! use dcsim_hart::isa::Register;
//!
//! fn handler(meter: &mut dcsim_machine::Meter<'_>) {
//!     meter.write_register(Register::R10, 0);
//! }
//! ```

mod assumption;
mod handler;
mod primitive;

pub use assumption::Assumption;
pub use handler::Meter;
pub use primitive::Primitive;
