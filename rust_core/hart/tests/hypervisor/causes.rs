//! Every exception, raised by an instruction that raises it, and all that is told of it, wherever it
//! is handled.
//!
//! Expected values are those of the hypervisor extension, "Trap Cause Codes", "Hypervisor Trap Value
//! Register", "Hypervisor Trap Instruction Register" and "Transformed Instruction or
//! Pseudoinstruction". A transformed instruction is never written here, which the specification
//! permits: 0 stands for it.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::isa::{Opcode, Register, encode};
use dcsim_hart::{Exception, Interpreter, Op, Privilege};
use dcsim_memory::PhysicalAddress;
use std::collections::BTreeSet;

/// Where the instruction is, and where it loads from and stores to: by tables of its own.
const CODE_PAGE: u64 = PAGE;
const DATA_PAGE: u64 = PAGE + 0x4000_0000;
const CODE: u64 = 0x5000;
/// A guest-physical address that the second stage maps to where nothing is, and one that it lacks.
const HOLE: u64 = GUEST_RAM + PAGES * 4096;
const ABSENT: u64 = HOLE + 4096;
/// The pseudoinstructions for a 64-bit read and write of a table.
const READ_OF_TABLE: u64 = 0x3000;
const WRITE_OF_TABLE: u64 = 0x3020;

/// What the trap value is.
#[derive(Clone, Copy, Debug)]
enum Value {
    Nothing,
    Bits,
    Address(u64),
}

/// An exception and how to raise it.
#[derive(Clone, Copy, Debug)]
struct Case {
    from: (Privilege, bool),
    op: Op,
    /// What is wrong with the guest's translation.
    damage: fn(&mut Guest),
    cause: Exception,
    value: Value,
    /// Of a guest-page fault: the guest-physical address, and the pseudoinstruction.
    guest: (u64, u64),
}

fn load() -> Op {
    Op { rd: Register::R11, rs1: Register::R10, ..Op::new(Opcode::Ld, 4) }
}

fn store() -> Op {
    Op { rs1: Register::R10, rs2: Register::R11, ..Op::new(Opcode::Sd, 4) }
}

/// An atomic operation, aligned or not: `a1` is the address less a byte.
fn atomic(opcode: Opcode) -> Op {
    Op { rd: Register::R12, rs1: Register::R11, ..Op::new(opcode, 4) }
}

fn plain(opcode: Opcode) -> Op {
    Op::new(opcode, 4)
}

/// Makes an entry of the first stage lead to this guest-physical address.
fn redirect(guest: &mut Guest, va: u64, target: u64) {
    guest.map_first_to(va, 0, target >> 2 | V | R | W | X | A | D);
}

/// The table that the last level of the walk for the data is in, as an offset in memory.
fn data_table(guest: &mut Guest) -> u64 {
    let slot = guest.map_first(DATA_PAGE, 0, DATA, V | R | W | X | A | D);
    slot - RAM
}

fn lose_table(guest: &mut Guest) {
    let table = data_table(guest);
    guest.map_second(table & !0xfff, 0, 0);
}

/// The table is there to read, and an entry in it has to be marked.
fn protect_table(guest: &mut Guest) {
    guest.world.write(csr::MENVCFG, ADUE);
    guest.world.write(hcsr::HENVCFG, ADUE);
    let table = data_table(guest);
    guest.map_first(DATA_PAGE, 0, DATA, V | R | W | X);
    guest.map_second(table & !0xfff, 0, ALL & !W & !D);
}

fn case(op: Op, damage: fn(&mut Guest), cause: Exception, value: Value) -> Case {
    Case { from: VS_MODE, op, damage, cause, value, guest: (0, 0) }
}

fn guest_case(op: Op, damage: fn(&mut Guest), cause: Exception, guest: (u64, u64)) -> Case {
    Case { guest, ..case(op, damage, cause, Value::Address(DATA_PAGE)) }
}

/// The exceptions of an instruction itself.
fn of_instructions() -> Vec<Case> {
    let none: fn(&mut Guest) = |_| {};
    let csr_op = Op { imm: hcsr::HSTATUS.into(), ..plain(Opcode::Csrrw) };
    let call =
        |from, cause| Case { from, ..case(plain(Opcode::Ecall), none, cause, Value::Nothing) };
    vec![
        case(plain(Opcode::Mret), none, Exception::IllegalInstruction, Value::Bits),
        case(csr_op, none, Exception::VirtualInstruction, Value::Bits),
        case(plain(Opcode::Ebreak), none, Exception::Breakpoint, Value::Address(CODE_PAGE)),
        call(VU_MODE, Exception::EcallFromUser),
        call(HS_MODE, Exception::EcallFromSupervisor),
        call(VS_MODE, Exception::EcallFromVirtualSupervisor),
        call(M_MODE, Exception::EcallFromMachine),
    ]
}

/// The exceptions of memory, but for those of the second stage.
fn of_memory() -> Vec<Case> {
    let none: fn(&mut Guest) = |_| {};
    let data = Value::Address(DATA_PAGE);
    let misaligned = Value::Address(DATA_PAGE + 1);
    let code = Value::Address(CODE_PAGE);
    let nowhere: fn(&mut Guest) = |guest| redirect(guest, DATA_PAGE, HOLE);
    let unmapped: fn(&mut Guest) = |guest| {
        guest.map_first_to(DATA_PAGE, 0, 0);
    };
    vec![
        case(atomic(Opcode::LrD), none, Exception::LoadMisaligned, misaligned),
        case(atomic(Opcode::AmoaddD), none, Exception::StoreMisaligned, misaligned),
        case(load(), nowhere, Exception::LoadAccessFault, data),
        case(store(), nowhere, Exception::StoreAccessFault, data),
        case(load(), |g| redirect(g, CODE_PAGE, HOLE), Exception::InstructionAccessFault, code),
        case(load(), unmapped, Exception::LoadPageFault, data),
        case(store(), unmapped, Exception::StorePageFault, data),
        case(
            load(),
            |guest| {
                guest.map_first_to(CODE_PAGE, 0, 0);
            },
            Exception::InstructionPageFault,
            code,
        ),
    ]
}

/// The exceptions of the second stage: of the access itself, and of the walk before it.
fn of_the_second_stage(table: u64) -> Vec<Case> {
    let absent: fn(&mut Guest) = |guest| redirect(guest, DATA_PAGE, ABSENT);
    let fetch = Case {
        value: Value::Address(CODE_PAGE),
        ..guest_case(
            load(),
            |guest| redirect(guest, CODE_PAGE, ABSENT),
            Exception::InstructionGuestPageFault,
            (ABSENT, 0),
        )
    };
    let (read, write) = (Exception::LoadGuestPageFault, Exception::StoreGuestPageFault);
    vec![
        fetch,
        guest_case(load(), absent, read, (ABSENT, 0)),
        guest_case(store(), absent, write, (ABSENT, 0)),
        guest_case(load(), lose_table, read, (table, READ_OF_TABLE)),
        guest_case(store(), lose_table, write, (table, READ_OF_TABLE)),
        guest_case(load(), protect_table, read, (table, WRITE_OF_TABLE)),
        guest_case(store(), protect_table, write, (table, WRITE_OF_TABLE)),
    ]
}

/// A guest in the mode of the case, before the instruction, with what is wrong.
fn guest_before(case: &Case) -> Guest {
    let mut guest = Guest::new(SV39, SV39);
    let user = if case.from == VU_MODE { U } else { 0 };
    guest.map_first(CODE_PAGE, 0, CODE, V | R | X | A | user);
    guest.map_first(DATA_PAGE, 0, DATA, V | R | W | A | D | user);
    guest.map_second_to(HOLE, 0, (RAM + PAGES * 4096) >> 2 | ALL);
    let word = encode(&case.op);
    guest.world.memory().write_u32(PhysicalAddress(RAM + CODE), word).unwrap();
    (case.damage)(&mut guest);
    guest.world.hart.flush_second_stage(None);
    guest.world.hart.pc = if case.from.1 { CODE_PAGE } else { RAM + CODE };
    guest.world.hart.x[10] = DATA_PAGE;
    guest.world.hart.x[11] = DATA_PAGE + 1;
    enter(&mut guest.world, case.from);
    guest
}

/// Every case, with how many levels down its exceptions are delegated.
fn cases() -> Vec<(Case, u64)> {
    let table = {
        let mut guest = guest_before(&of_instructions()[0]);
        GUEST_RAM + data_table(&mut guest)
    };
    let all = [of_instructions(), of_memory(), of_the_second_stage(table)].concat();
    all.into_iter().flat_map(|case| (0..3).map(move |depth| (case, depth))).collect()
}

/// Where an exception goes, by the tables of `medeleg` and `hedeleg`.
fn handler(case: &Case, depth: u64) -> (Privilege, bool) {
    let code = case.cause.code();
    let is_guests = case.from.1 && code != 10 && code < 20;
    match depth {
        2 if is_guests => VS_MODE,
        1 | 2 if case.from != M_MODE && code != 11 => HS_MODE,
        _ => M_MODE,
    }
}

/// Value, second value and instruction, in the registers of the mode that handles the trap.
fn told(guest: &Guest, to: (Privilege, bool)) -> (u64, u64, [u64; 2]) {
    let read = |number| guest.world.read(number);
    match to {
        VS_MODE => (read(hcsr::VSCAUSE), read(hcsr::VSTVAL), [0, 0]),
        HS_MODE => (read(csr::SCAUSE), read(csr::STVAL), [hcsr::HTVAL, hcsr::HTINST].map(read)),
        _ => (read(csr::MCAUSE), read(csr::MTVAL), [hcsr::MTVAL2, hcsr::MTINST].map(read)),
    }
}

#[test]
fn every_exception_tells_what_it_must_wherever_it_is_handled() {
    for (case, depth) in cases() {
        let mut guest = guest_before(&case);
        guest.world.write(csr::MEDELEG, if depth > 0 { u64::MAX } else { 0 });
        guest.world.write(hcsr::HEDELEG, if depth > 1 { u64::MAX } else { 0 });
        for number in [hcsr::HTVAL, hcsr::HTINST, hcsr::MTVAL2, hcsr::MTINST] {
            guest.world.write(number, 0x5555);
        }
        guest.world.with(|hart, ports| Interpreter::new().step(hart, ports));
        let to = handler(&case, depth);
        assert_eq!(mode(&guest.world), to, "{case:x?}, {depth}");
        let value = match case.value {
            Value::Nothing => 0,
            Value::Bits => u64::from(encode(&case.op)),
            Value::Address(address) => address,
        };
        let second = if to == VS_MODE { [0, 0] } else { [case.guest.0 >> 2, case.guest.1] };
        let expected = (case.cause.code(), value, second);
        assert_eq!(told(&guest, to), expected, "{case:x?}, {depth}");
        let gva = match to {
            HS_MODE => guest.world.read(hcsr::HSTATUS) & hstatus::GVA != 0,
            M_MODE => guest.world.read(csr::MSTATUS) & hstatus::MSTATUS_GVA != 0,
            _ => continue,
        };
        let is_address = matches!(case.value, Value::Address(_));
        assert_eq!(gva, is_address && case.from.1, "{case:x?}, {depth}");
    }
}

/// Where instructions may start at any even address, nothing raises a misaligned fetch.
#[test]
fn no_exception_is_left_out() {
    let raised: BTreeSet<Exception> = cases().iter().map(|(case, _)| case.cause).collect();
    let missing: Vec<Exception> =
        Exception::ALL.into_iter().filter(|cause| !raised.contains(cause)).collect();
    assert_eq!(missing, [Exception::InstructionMisaligned]);
}
