//! Generated programs, and the machines that they are run on to be compared.
//!
//! A *generator* makes a program from a seed. An *oracle* runs it and says what came out. The two
//! know nothing of each other, so every generator can be put before every oracle.
//!
//! [`image::build`] packs many short random instruction sequences into one bare program, which
//! prints all registers after each sequence. The same bytes run on the core ([`core::run`]) and on
//! QEMU ([`qemu::run`]), and [`differential::compare`] tells what differs.
//!
//! [`guest::image::build`] does the same for the hypervisor extension: [`guest::compare`] tells what
//! differs of what traps leave in the registers of all levels.
//!
//! [`hostile`] makes kernels that try to reach what is not theirs, and plays them on hosts that check
//! every access.
//!
//! [`noise::start`] fills a machine with random bytes. Only the core runs those: nothing may panic
//! or hang, and how execution is divided into runs must not show.

pub mod access;
pub mod assembler;
pub mod core;
pub mod differential;
pub mod encoding;
pub mod guest;
pub mod harness;
pub mod hostile;
pub mod image;
pub mod layout;
pub mod noise;
pub mod qemu;
pub mod random;
pub mod report;
pub mod sequence;
pub mod system;
pub mod tables;
pub mod values;
pub mod world;
