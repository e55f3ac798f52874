//! Hostile guests: kernels that try to reach what is not theirs, under every technique.
//!
//! [`kernel::image`] makes a kernel from a seed: random privileged instructions, forged page tables,
//! devices told to move data anywhere, calls with wrong arguments, code that rewrites itself, bursts
//! of interrupts, harts that start, stop, interrupt and fence each other. [`play::play`] runs it beside a neighbour on a host that checks every access by
//! a table of owners of its own, and [`campaign::run`] does so for many seeds in every [`cell`].

mod calls;
pub mod campaign;
pub mod cell;
mod devices;
mod entries;
mod gadgets;
mod harts;
pub mod kernel;
pub mod layout;
mod lists;
pub mod neighbour;
pub mod play;
mod pressure;
