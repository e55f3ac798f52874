//! What every instruction does, one line a case. The expected values are worked out from the text of
//! the specification.

mod atomic;
mod bits;
mod control;
mod float_arithmetic;
mod float_convert;
mod hypervisor;
mod integer;
mod memory;
mod multiply;
#[path = "../privileged_world/mod.rs"]
mod privileged_world;
mod support;
mod system;

use dcsim_hart::isa::INSTRUCTIONS;

#[test]
fn every_row_of_the_table_has_a_case() {
    let covered = [
        integer::opcodes(),
        multiply::opcodes(),
        bits::opcodes(),
        control::opcodes(),
        memory::opcodes(),
        atomic::opcodes(),
        float_arithmetic::opcodes(),
        float_convert::opcodes(),
        system::opcodes(),
        hypervisor::opcodes(),
    ]
    .concat();
    let rows = INSTRUCTIONS.iter().filter(|row| !covered.contains(&row.opcode));
    let missing: Vec<&str> = rows.map(|row| row.mnemonic).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
