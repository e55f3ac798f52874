//! Generated programs, and the machines that they are run on to be compared.
//!
//! A *generator* makes a program from a seed. An *oracle* runs it and says what came out. The two
//! know nothing of each other, so every generator can be put before every oracle.
//!
//! [`image::build`] packs many short random instruction sequences into one bare machine-mode
//! program, which prints all registers after each sequence. The same bytes run on the core
//! ([`core::run`]) and on QEMU ([`qemu::run`]), and [`report::first_difference`] compares.

pub mod assembler;
pub mod core;
pub mod image;
pub mod qemu;
pub mod random;
pub mod report;
pub mod sequence;
