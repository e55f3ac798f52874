//! Translated guests beside the same guests on bare metal, instruction by instruction.
//!
//! Two machines execute the same guest: one by translation, one hardware instruction at a time, the
//! other on bare metal, as far as the first has got by the count of instructions that the guest saw
//! retire ([`pair`]). At every instruction of translated code the guest's state, as the monitor would
//! report it there, has to be the one that bare metal has between two instructions; and at every
//! place of the cache, the first time that it is reached, faults and interruptions are made to happen
//! ([`faults`]). What was executed, and of which kinds, is counted ([`coverage`]).
//!
//! A guest's `time` stands still here, so that nothing depends on how long anything takes.

mod cache;
mod code;
mod coverage;
mod faults;
mod guests;
mod holes;
mod machine;
mod mixed;
mod pair;
mod small;

#[path = "../../../tests/host/assembly.rs"]
#[allow(dead_code, reason = "other tests share it")]
mod assembly;
#[path = "../../../tests/host/generated/mod.rs"]
mod generated;

/// Longer tests, for `make fuzz`: the factor by which there are more seeds.
fn length() -> u64 {
    let given = std::env::var("DCSIM_TEST_LENGTH").ok();
    given.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}
