//! Loads and stores.

use crate::privileged_world::DEVICE;
use crate::support::{A0, A1, A2, CODE, DATA, Machine, ZERO, op};
use dcsim_hart::isa::Compressed;
use dcsim_hart::isa::Opcode::{self, *};
use dcsim_hart::isa::Register;
use dcsim_hart::{Exception, Op};

/// What memory holds from `DATA` on, as little-endian doublewords.
const MEMORY: [u64; 2] = [0x8796_a5b4_c3d2_e1f0, 0x0123_4567_89ab_cdef];

/// A load from `DATA + 8 + offset`, and what it gives.
const LOADS: &[(Opcode, i64, u64)] = &[
    (Lb, -8, 0xffff_ffff_ffff_fff0),
    (Lb, 7, 0x01),
    (Lbu, -8, 0xf0),
    (Lbu, -1, 0x87),
    (Lh, -8, 0xffff_ffff_ffff_e1f0),
    (Lh, 6, 0x0123),
    (Lhu, -8, 0xe1f0),
    (Lhu, -7, 0xd2e1),
    (Lw, -8, 0xffff_ffff_c3d2_e1f0),
    (Lw, 4, 0x0123_4567),
    (Lwu, -8, 0xc3d2_e1f0),
    (Lwu, -2, 0xcdef_8796),
    (Ld, -8, MEMORY[0]),
    (Ld, 0, MEMORY[1]),
    (Ld, -5, 0xabcd_ef87_96a5_b4c3),
];

/// A store of all ones to `DATA + 8 + offset`, and what memory holds then.
const STORES: &[(Opcode, i64, [u64; 2])] = &[
    (Sb, -8, [0x8796_a5b4_c3d2_e1ff, MEMORY[1]]),
    (Sb, 7, [MEMORY[0], 0xff23_4567_89ab_cdef]),
    (Sh, -2, [0xffff_a5b4_c3d2_e1f0, MEMORY[1]]),
    (Sh, -1, [0xff96_a5b4_c3d2_e1f0, 0x0123_4567_89ab_cdff]),
    (Sw, 0, [MEMORY[0], 0x0123_4567_ffff_ffff]),
    (Sw, -3, [0xffff_ffb4_c3d2_e1f0, 0x0123_4567_89ab_cdff]),
    (Sd, 0, [MEMORY[0], u64::MAX]),
    (Sd, -4, [0xffff_ffff_c3d2_e1f0, 0x0123_4567_ffff_ffff]),
];

/// Floating-point loads of what memory holds at `DATA`: a word is boxed.
const FLOAT_LOADS: &[(Opcode, u64)] = &[(Flw, 0xffff_ffff_c3d2_e1f0), (Fld, MEMORY[0])];

pub fn opcodes() -> Vec<Opcode> {
    let loads = LOADS.iter().map(|case| case.0).chain(FLOAT_LOADS.iter().map(|case| case.0));
    loads.chain(STORES.iter().map(|case| case.0)).chain([Fsw, Fsd]).collect()
}

fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.world.poke(DATA, MEMORY[0]);
    machine.world.poke(DATA + 8, MEMORY[1]);
    machine.set(A0, DATA + 8);
    machine
}

/// Twice, so that both the first access to a page and the later ones are seen.
#[test]
fn loads_extend_what_they_read() {
    for (opcode, offset, expected) in LOADS {
        let mut machine = machine();
        for _ in 0..2 {
            machine.set(A2, 0);
            machine.execute(&op(*opcode, *offset));
            assert_eq!(machine.get(A2), *expected, "{opcode:?} {offset}");
        }
        machine.execute(&Op { rd: A0, ..op(*opcode, *offset) });
        assert_eq!(machine.get(A0), *expected, "{opcode:?} {offset} over its base");
    }
}

#[test]
fn a_load_to_x0_leaves_it_zero() {
    for (opcode, offset, _) in LOADS {
        let mut machine = machine();
        for _ in 0..2 {
            machine.execute(&Op { rd: ZERO, ..op(*opcode, *offset) });
            assert_eq!(machine.get(ZERO), 0);
        }
        assert_eq!(machine.world.hart.pc, CODE + 8);
    }
}

#[test]
fn stores_write_their_bytes_and_no_others() {
    for (opcode, offset, expected) in STORES {
        let mut machine = machine();
        machine.set(A1, u64::MAX);
        for _ in 0..2 {
            machine
                .world
                .memory()
                .write_u64(dcsim_memory::PhysicalAddress(DATA), MEMORY[0])
                .unwrap();
            machine
                .world
                .memory()
                .write_u64(dcsim_memory::PhysicalAddress(DATA + 8), MEMORY[1])
                .unwrap();
            machine.execute(&op(*opcode, *offset));
            let memory = [machine.world.peek(DATA), machine.world.peek(DATA + 8)];
            assert_eq!(memory, *expected, "{opcode:?} {offset}");
        }
    }
}

#[test]
fn floating_point_registers_go_to_memory_and_back() {
    for (opcode, expected) in FLOAT_LOADS {
        let mut machine = machine();
        for _ in 0..2 {
            machine.execute(&op(*opcode, -8));
            assert_eq!(machine.get_float(A2), *expected, "{opcode:?}");
        }
    }
    // FSW stores the low word, boxed or not.
    for (opcode, expected) in [(Fsw, MEMORY[0] & !0xffff_ffff | 0x7654_3210), (Fsd, 0x7654_3210)] {
        let mut machine = machine();
        machine.set_float(A1, 0x7654_3210);
        for _ in 0..2 {
            machine.execute(&op(opcode, -8));
            assert_eq!(machine.world.peek(DATA), expected, "{opcode:?}");
        }
    }
}

/// The largest offsets that the short forms have, each from a base that makes it `DATA + 8`.
#[test]
fn short_forms_scale_their_offsets() {
    let stack = Register::R2;
    let load = |name, opcode, rs1, imm: i64| {
        let mut machine = machine();
        machine.set(rs1, (DATA + 8).wrapping_add_signed(-imm));
        machine.execute_short(name, &Op { rd: A2, rs1, imm, ..Op::new(opcode, 4) });
        assert_eq!(machine.world.hart.pc, CODE + 2);
        (machine.get(A2), machine.get_float(A2))
    };
    let word = 0xffff_ffff_89ab_cdef;
    assert_eq!(load(Compressed::CLd, Ld, A0, 248), (MEMORY[1], 0));
    assert_eq!(load(Compressed::CLw, Lw, A0, 124), (word, 0));
    assert_eq!(load(Compressed::CFld, Fld, A0, 248), (0, MEMORY[1]));
    assert_eq!(load(Compressed::CLdsp, Ld, stack, 504), (MEMORY[1], 0));
    assert_eq!(load(Compressed::CLwsp, Lw, stack, 252), (word, 0));
    assert_eq!(load(Compressed::CFldsp, Fld, stack, 504), (0, MEMORY[1]));

    let store = |name, opcode, rs1, imm: i64| {
        let mut machine = machine();
        machine.set(rs1, (DATA + 8).wrapping_add_signed(-imm));
        machine.set(A1, 7);
        machine.set_float(A1, 7);
        machine.execute_short(name, &Op { rs1, rs2: A1, imm, ..Op::new(opcode, 4) });
        machine.world.peek(DATA + 8)
    };
    let word = 0x0123_4567_0000_0007;
    assert_eq!(store(Compressed::CSd, Sd, A0, 248), 7);
    assert_eq!(store(Compressed::CSw, Sw, A0, 124), word);
    assert_eq!(store(Compressed::CFsd, Fsd, A0, 248), 7);
    assert_eq!(store(Compressed::CSdsp, Sd, stack, 504), 7);
    assert_eq!(store(Compressed::CSwsp, Sw, stack, 252), word);
    assert_eq!(store(Compressed::CFsdsp, Fsd, stack, 504), 7);
}

/// The trap of an access to where nothing is; its value is the address.
#[test]
fn refused_accesses_trap_with_their_address() {
    let nowhere = DEVICE + 0x1000;
    for (opcode, cause) in [
        (Lb, Exception::LoadAccessFault),
        (Ld, Exception::LoadAccessFault),
        (Fld, Exception::LoadAccessFault),
        (Sb, Exception::StoreAccessFault),
        (Sd, Exception::StoreAccessFault),
        (Fsd, Exception::StoreAccessFault),
        (AmoaddD, Exception::StoreAccessFault),
        (LrD, Exception::LoadAccessFault),
        (ScD, Exception::StoreAccessFault),
    ] {
        let mut machine = Machine::new();
        machine.set(A0, nowhere - 8);
        machine.set(A2, 77);
        let offset = if matches!(opcode, AmoaddD | LrD | ScD) { 0 } else { 8 };
        machine.execute(&op(opcode, offset));
        let address = nowhere - 8 + offset as u64;
        assert_eq!(machine.trap(), Some((cause.code(), address)), "{opcode:?}");
        assert_eq!(machine.world.read(crate::privileged_world::csr::MEPC), CODE);
        assert_eq!(machine.get(A2), 77);
        assert_eq!(machine.world.hart.counters.instructions, 0);
    }
}

/// An access to a device happens at the cycle that the instructions before it have led to.
#[test]
fn devices_see_the_clock_of_the_instruction() {
    let mut machine = Machine::new();
    machine.set(A0, DEVICE);
    for _ in 0..3 {
        machine.execute(&op(Addi, 0));
    }
    machine.execute(&op(Sd, 0));
    machine.execute(&op(Ld, 8));
    assert_eq!(machine.world.device.seen, [(DEVICE, 8, 4), (DEVICE + 8, 8, 5)]);
}
