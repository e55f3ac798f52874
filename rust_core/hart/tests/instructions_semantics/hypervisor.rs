//! Instructions of the hypervisor extension: loads and stores of a guest's memory, and that they
//! are there only with the extension. Here the guest's addresses are physical ones.

use crate::privileged_world::{csr, status};
use crate::support::{A0, A1, A2, CODE, DATA, Machine, VECTOR, op};
use dcsim_hart::isa::Opcode::{self, *};
use dcsim_hart::isa::encode;
use dcsim_hart::{Exception, Op};

/// What is in memory: all bytes differ, and the sign bit of each size is set.
const BYTES: u64 = 0x8899_aabb_ccdd_eeff;

/// What a load of it gives.
const LOADS: &[(Opcode, u64)] = &[
    (HlvB, 0xffff_ffff_ffff_ffff),
    (HlvBu, 0xff),
    (HlvH, 0xffff_ffff_ffff_eeff),
    (HlvHu, 0xeeff),
    (HlvxHu, 0xeeff),
    (HlvW, 0xffff_ffff_ccdd_eeff),
    (HlvWu, 0xccdd_eeff),
    (HlvxWu, 0xccdd_eeff),
    (HlvD, BYTES),
];

/// What a store of the complement over it leaves.
const STORES: &[(Opcode, u64)] = &[
    (HsvB, 0x8899_aabb_ccdd_ee00),
    (HsvH, 0x8899_aabb_ccdd_1100),
    (HsvW, 0x8899_aabb_3322_1100),
    (HsvD, !BYTES),
];

pub fn opcodes() -> Vec<Opcode> {
    let memory = LOADS.iter().chain(STORES).map(|case| case.0);
    memory.chain([HfenceVvma, HfenceGvma]).collect()
}

/// In machine mode; the guest may access everything.
fn machine() -> Machine {
    let mut machine = Machine::with_hypervisor();
    machine.world.write(csr::PMPADDR0, u64::MAX);
    machine.world.write(csr::PMPCFG0, 0x1f);
    machine.world.poke(DATA, BYTES);
    machine.set(A0, DATA);
    machine
}

#[test]
fn loads_extend_what_the_guest_has() {
    for (opcode, expected) in LOADS {
        let mut machine = machine();
        machine.execute(&Op { rs2: crate::support::ZERO, ..op(*opcode, 0) });
        assert_eq!((machine.trap(), machine.get(A2)), (None, *expected), "{opcode:?}");
    }
}

#[test]
fn stores_change_their_bytes() {
    for (opcode, expected) in STORES {
        let mut machine = machine();
        machine.set(A1, !BYTES);
        machine.execute(&op(*opcode, 0));
        assert_eq!((machine.trap(), machine.world.peek(DATA)), (None, *expected), "{opcode:?}");
    }
}

#[test]
fn without_the_extension_they_are_illegal() {
    for opcode in opcodes() {
        let mut machine = Machine::new();
        machine.world.write(csr::MSTATUS, status::MPP);
        let word = encode(&op(opcode, 0));
        machine.execute_word(word);
        let expected = (Exception::IllegalInstruction.code(), u64::from(word));
        assert_eq!(machine.trap(), Some(expected), "{opcode:?}");
        assert_eq!(machine.world.hart.pc, VECTOR);
    }
}

#[test]
fn fences_go_on_with_the_next_instruction() {
    for opcode in [HfenceVvma, HfenceGvma] {
        let mut machine = machine();
        machine.execute(&op(opcode, 0));
        assert_eq!((machine.trap(), machine.world.hart.pc), (None, CODE + 4));
    }
}
