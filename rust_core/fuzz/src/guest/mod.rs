//! Programs for the hypervisor extension: guests, and what runs them.
//!
//! A program is many *cases*. Machine mode sets the registers of a case and enters a short random
//! sequence in any mode: HS, VS, VU, U, or its own. The first trap ends the case, wherever it is
//! handled: the handlers of HS and VS mode do nothing but call machine mode, which prints all
//! registers and goes on with the next case. So one trap is seen as the level that it goes to sees
//! it, with nothing done to it.

pub mod case;
pub mod compare;
pub mod harness;
pub mod image;
pub mod layout;
pub mod registers;
pub mod tables;
pub mod unit;
