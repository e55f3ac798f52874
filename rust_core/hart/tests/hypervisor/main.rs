//! The hypervisor extension, from its specification: every field of every register, every cause of a
//! trap and what is told of it, who handles what, who may do what to which page.
//!
//! `make conformance` runs and names all of it; so does the default suite.

mod causes;
mod csr;
mod execution;
mod interrupts;
mod rights;
mod tlb;
mod trap;
mod walk;
mod world;
