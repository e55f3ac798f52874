//! Registers of the hypervisor extension: who may access them, what they can hold, and which stand
//! in for which.
//!
//! Expected values are those of the sections of the hypervisor extension about each register, and
//! of its list of virtual-instruction exceptions.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::{CsrOp, Hart, IsaProfile, Privilege, SecondStage, Timing, Trap};

/// The registers that the extension adds, those of HS level and above.
const ADDED: [u16; 26] = [
    hcsr::VSSTATUS,
    hcsr::VSIE,
    hcsr::VSTVEC,
    hcsr::VSSCRATCH,
    hcsr::VSEPC,
    hcsr::VSCAUSE,
    hcsr::VSTVAL,
    hcsr::VSIP,
    hcsr::VSTIMECMP,
    hcsr::VSATP,
    hcsr::MTINST,
    hcsr::MTVAL2,
    hcsr::HSTATUS,
    hcsr::HEDELEG,
    hcsr::HIDELEG,
    hcsr::HIE,
    hcsr::HTIMEDELTA,
    hcsr::HCOUNTEREN,
    hcsr::HGEIE,
    hcsr::HENVCFG,
    hcsr::HTVAL,
    hcsr::HIP,
    hcsr::HVIP,
    hcsr::HTINST,
    hcsr::HGATP,
    hcsr::HGEIP,
];

/// A world in which every enable is set.
fn enabled() -> World {
    let mut world = world();
    world.set(csr::MSTATUS, status::FS);
    world.write(csr::MENVCFG, STCE | ADUE);
    world.write(hcsr::HENVCFG, STCE | ADUE);
    for number in [csr::MCOUNTEREN, hcsr::HCOUNTEREN, 0x106] {
        world.write(number, u64::MAX);
    }
    world.set(hcsr::VSSTATUS, status::FS);
    world
}

/// The level of a register: two bits of its number; 2 is for HS mode.
fn level(number: u16) -> u16 {
    number >> 8 & 3
}

#[test]
fn the_added_registers_are_there_only_with_the_extension() {
    let without = World::new();
    let with = world();
    for number in 0..0x1000 {
        let added = ADDED.contains(&number);
        let (before, after) = (without.hart.read_csr(number), with.hart.read_csr(number));
        assert_eq!(after.is_some(), before.is_some() || added, "{number:#x}");
        assert!(before.is_none() || !added, "{number:#x}");
    }
}

/// In every mode, with everything enabled: a guest may not what is for HS mode, and is told so by a
/// virtual-instruction exception where HS mode may.
#[test]
fn every_register_is_readable_where_the_extension_says() {
    let mut world = enabled();
    for number in 0..0x1000 {
        let exists = world.hart.read_csr(number).is_some();
        // Counters that are not there: their enable bits are 0 even for HS mode.
        let is_absent_counter = (0xc03..=0xc1f).contains(&number);
        for mode in MODES {
            let hs_may = exists && level(number) < 3 && !is_absent_counter;
            let may = match mode {
                M_MODE => exists,
                HS_MODE => hs_may,
                VS_MODE => hs_may && level(number) < 2,
                _ => hs_may && level(number) == 0,
            };
            let result = access(&mut world, mode, number, CsrOp::Read);
            let refusal = if mode.1 && hs_may { Trap::VIRTUAL } else { Trap::ILLEGAL };
            assert_eq!(
                result.err(),
                if may { None } else { Some(refusal) },
                "{number:#x} {mode:?}"
            );
        }
    }
}

#[test]
fn writes_of_read_only_registers_are_illegal_even_in_a_guest() {
    let mut world = enabled();
    for number in [hcsr::HGEIP, 0xc00, 0xc01, 0xc02] {
        for mode in MODES {
            let result = access(&mut world, mode, number, CsrOp::Write(0));
            assert_eq!(result.err(), Some(Trap::ILLEGAL), "{number:#x} {mode:?}");
        }
    }
}

/// Register, the bits that writing ones sets, and those that writing zeros leaves.
const MASKS: &[(u16, u64, u64)] = &[
    // XLEN of the guest's user mode is 64; SD follows FS.
    (hcsr::VSSTATUS, 1 << 63 | 2 << 32 | 0xc_6122, 2 << 32),
    (hcsr::VSTVEC, !2, 0),
    (hcsr::VSSCRATCH, u64::MAX, 0),
    (hcsr::VSEPC, !1, 0),
    (hcsr::VSCAUSE, u64::MAX, 0),
    (hcsr::VSTVAL, u64::MAX, 0),
    (hcsr::VSTIMECMP, u64::MAX, 0),
    (hcsr::MTINST, u64::MAX, 0),
    (hcsr::MTVAL2, u64::MAX, 0),
    // VSXL is 64 bits; VSBE and VGEIN are read-only 0.
    (hcsr::HSTATUS, 2 << 32 | 0x70_03c0, 2 << 32),
    // As the table of `hedeleg` lists them.
    (hcsr::HEDELEG, 0xc_b1ff, 0),
    (hcsr::HIDELEG, 0x444, 0),
    (hcsr::HIE, 0x444, 0),
    (hcsr::HTIMEDELTA, u64::MAX, 0),
    (hcsr::HCOUNTEREN, 7, 0),
    // GEILEN is 0.
    (hcsr::HGEIE, 0, 0),
    (hcsr::HENVCFG, STCE | ADUE | 1, 0),
    (hcsr::HTVAL, u64::MAX, 0),
    (hcsr::HVIP, 0x444, 0),
    (hcsr::HTINST, u64::MAX, 0),
    // Exceptions 10, 20 to 23 can be delegated to HS mode.
    (csr::MEDELEG, 0xf0_b7ff, 0),
    // Interrupts of VS level always are.
    (csr::MIDELEG, 0x666, 0x444),
    (csr::MIE, 0xeee, 0),
];

/// Registers whose bits other registers govern, and what they hold when those let them: the guest's
/// interrupts delegated, and pending software interrupts without the others.
const GOVERNED: &[(u16, u64, u64)] =
    &[(hcsr::VSIE, 0x222, 0), (hcsr::VSIP, 0x2, 0), (hcsr::HIP, 0x4, 0), (hcsr::HGEIP, 0, 0)];

/// Registers with a test of their own, as their fields depend on each other.
const DEPENDENT: [u16; 2] = [hcsr::VSATP, hcsr::HGATP];

#[test]
fn no_register_is_left_out() {
    let listed = |number: &u16| {
        let tables = MASKS.iter().chain(GOVERNED);
        tables.map(|row| row.0).chain(DEPENDENT).any(|other| other == *number)
    };
    let missing: Vec<u16> = ADDED.into_iter().filter(|number| !listed(number)).collect();
    assert_eq!(missing, []);
}

/// Every bit of every register by itself, set where all others are clear and clear where all others
/// are set: it holds if it can be written, and no other bit follows it but SD.
#[test]
fn every_bit_holds_whatever_the_others_are() {
    const SD: u64 = 1 << 63;
    const FS: u64 = 3 << 13;
    for &(number, ones, zeros) in MASKS.iter().chain(GOVERNED) {
        let summary = |value: u64| match number {
            hcsr::VSSTATUS => value & !SD | if value & FS == FS { SD } else { 0 },
            _ => value,
        };
        // The mode of a trap vector is one field of two bits; 2 and 3 are no modes.
        let bits = if number == hcsr::VSTVEC { 2..64 } else { 0..64 };
        for bit in bits.filter(|_| number != hcsr::HGEIP) {
            for value in [1_u64 << bit, !(1_u64 << bit)] {
                let value = if number == hcsr::VSTVEC { value & !3 } else { value };
                let mut world = enabled();
                world.write(hcsr::HIDELEG, u64::MAX);
                world.write(number, value);
                let expected = summary(value & ones | zeros);
                assert_eq!(world.read(number), expected, "{number:#x}, bit {bit}");
            }
        }
    }
}

/// The modes of a guest's trap vector; after a write of another it still has one of them.
#[test]
fn a_guests_trap_vector_has_two_modes() {
    for before in [0, 1] {
        for mode in 0..4 {
            let mut world = world();
            world.write(hcsr::VSTVEC, 0x1000 | before);
            world.write(hcsr::VSTVEC, 0x2000 | mode);
            let after = world.read(hcsr::VSTVEC);
            assert!(after & 3 < 2, "{before} {mode}");
            assert!(mode > 1 || after == 0x2000 | mode, "{before} {mode}");
        }
    }
}

#[test]
fn fields_hold_what_they_can() {
    for &(number, ones, zeros) in MASKS {
        let mut world = enabled();
        let value = if number == hcsr::VSTVEC { !2 } else { u64::MAX };
        world.write(number, value);
        assert_eq!(world.read(number), ones, "{number:#x}");
        world.write(number, 0);
        assert_eq!(world.read(number), zeros, "{number:#x}");
    }
}

#[test]
fn after_reset_nothing_is_delegated_or_translated() {
    let world = world();
    let others =
        [hcsr::HEDELEG, hcsr::HIDELEG, hcsr::HGATP, hcsr::VSATP, hcsr::HVIP, hcsr::HENVCFG];
    assert_eq!(others.map(|number| world.read(number)), [0; 6]);
    assert_eq!(world.read(hcsr::HSTATUS), 2 << 32);
    assert!(!world.hart.virtualised);
}

#[test]
fn mstatus_has_the_fields_of_the_previous_world() {
    let mut world = world();
    let fields = hstatus::MSTATUS_GVA | hstatus::MSTATUS_MPV;
    world.write(csr::MSTATUS, fields);
    assert_eq!(world.read(csr::MSTATUS) & fields, fields);
    assert_eq!(world.read(csr::SSTATUS) & fields, 0);
    let mut without = World::new();
    without.write(csr::MSTATUS, fields);
    assert_eq!(without.read(csr::MSTATUS) & fields, 0);
}

#[test]
fn hgatp_takes_the_modes_that_there_are() {
    let mut world = world();
    let all = (1 << 60) - 1;
    for mode in 0..16 {
        world.write(hcsr::HGATP, 8 << 60 | 5 << 44 | 0x8_0000);
        world.write(hcsr::HGATP, mode << 60 | all);
        // VMIDs have 14 bits; the root is aligned to 16 KiB.
        let fields = 0x3fff << 44 | ((1 << 44) - 4);
        let expected = match mode {
            0 => 0,
            9 => 9 << 60 | fields,
            // A mode that is not there leaves MODE, but not the other fields.
            _ => 8 << 60 | fields,
        };
        assert_eq!(world.read(hcsr::HGATP), expected, "{mode}");
    }
}

#[test]
fn a_part_without_a_second_stage_has_a_read_only_mode() {
    let hart = Hart::new(0, IsaProfile::Rv64gch, Timing::uniform());
    let mut world = World::of(hart.with_second_stage(SecondStage::BareOnly));
    for mode in 0..16 {
        world.write(hcsr::HGATP, mode << 60 | 1 << 44 | 0x8_0000);
        assert_eq!(world.read(hcsr::HGATP), 0, "{mode}");
    }
    world.hart.reset(0);
    assert_eq!(world.hart.second_stage(), SecondStage::BareOnly);
}

#[test]
fn vsatp_ignores_modes_that_are_not_there() {
    for mode in 0..16 {
        for as_guest in [false, true] {
            let mut world = world();
            world.write(hcsr::VSATP, 8 << 60 | 1);
            let value = mode << 60 | 0xabcd << 44 | 0x8_0000;
            let (number, mode_of_access) =
                if as_guest { (csr::SATP, VS_MODE) } else { (hcsr::VSATP, HS_MODE) };
            access(&mut world, mode_of_access, number, CsrOp::Write(value)).unwrap();
            let legal = [0, 8, 9].contains(&mode);
            assert_eq!(world.read(hcsr::VSATP), if legal { value } else { 8 << 60 | 1 });
            assert_eq!(world.read(csr::SATP), 0);
        }
    }
}

/// In a guest each supervisor register is its replica, and the host's stays as it is.
#[test]
fn replicas_stand_in_for_supervisor_registers() {
    let replicas = [
        csr::STVEC,
        0x140,
        csr::SEPC,
        csr::SCAUSE,
        csr::STVAL,
        csr::STIMECMP,
        csr::SATP,
        csr::SSTATUS,
    ];
    for number in replicas {
        let mut world = enabled();
        let before = world.read(number);
        let value = if number == csr::SSTATUS { status::SUM | status::SPIE } else { 0x1234_5678 };
        let value = if number == csr::SATP { 8 << 60 | 0x77 } else { value };
        access(&mut world, VS_MODE, number, CsrOp::Write(value)).unwrap();
        let seen = access(&mut world, VS_MODE, number, CsrOp::Read).unwrap().0;
        assert_eq!(seen, world.read(number + 0x100), "{number:#x}");
        assert_eq!(seen & value, value, "{number:#x}");
        assert_eq!(world.read(number), before, "{number:#x}");
    }
}

#[test]
fn registers_without_a_replica_are_shared() {
    for (number, value) in [(0x106, 5), (0x10a, 1)] {
        let mut world = world();
        access(&mut world, VS_MODE, number, CsrOp::Write(value)).unwrap();
        assert_eq!(world.read(number), value);
    }
}

#[test]
fn henvcfg_shows_only_what_menvcfg_enables() {
    for bit in [STCE, ADUE] {
        let mut world = world();
        world.write(hcsr::HENVCFG, bit);
        assert_eq!(world.read(hcsr::HENVCFG), 0);
        world.write(csr::MENVCFG, bit);
        world.write(hcsr::HENVCFG, bit);
        assert_eq!(world.read(hcsr::HENVCFG), bit);
        world.write(csr::MENVCFG, 0);
        assert_eq!(world.read(hcsr::HENVCFG), 0);
    }
}

/// Every combination of the enable bits of a counter, in every mode.
#[test]
fn counters_are_readable_as_three_registers_say() {
    for number in [0xc00, 0xc01, 0xc02] {
        let bit = 1 << (number & 3);
        for combination in 0..8 {
            let is_on = |which: u64| combination >> which & 1 != 0;
            let mut world = world();
            for (which, register) in [csr::MCOUNTEREN, hcsr::HCOUNTEREN, 0x106].iter().enumerate() {
                world.write(*register, if is_on(which as u64) { bit } else { !bit });
            }
            let (by_machine, by_hypervisor, by_supervisor) = (is_on(0), is_on(1), is_on(2));
            for mode in MODES {
                let may = match mode {
                    M_MODE => true,
                    HS_MODE => by_machine,
                    U_MODE => by_machine && by_supervisor,
                    VS_MODE => by_machine && by_hypervisor,
                    _ => by_machine && by_hypervisor && by_supervisor,
                };
                let refusal = if mode.1 && by_machine { Trap::VIRTUAL } else { Trap::ILLEGAL };
                let result = access(&mut world, mode, number, CsrOp::Read).err();
                assert_eq!(
                    result,
                    if may { None } else { Some(refusal) },
                    "{combination:b} {mode:?}"
                );
            }
        }
    }
}

#[test]
fn a_guests_time_has_the_delta() {
    let mut world = enabled();
    world.hart.clock.cycles = 100_000;
    for delta in [0, 500, 0_u64.wrapping_sub(300)] {
        world.write(hcsr::HTIMEDELTA, delta);
        for (mode, added) in [(HS_MODE, 0), (U_MODE, 0), (VS_MODE, delta), (VU_MODE, delta)] {
            let time = access(&mut world, mode, 0xc01, CsrOp::Read).unwrap().0;
            assert_eq!(time, 1000_u64.wrapping_add(added), "{mode:?}");
        }
    }
}

/// `stimecmp` in VS mode needs STCE and TM of both levels; who has taken it away decides what kind
/// of exception it is.
#[test]
fn a_guests_timer_needs_both_levels() {
    for combination in 0..16_u64 {
        let is_on = |which: u64| combination >> which & 1 != 0;
        let mut world = world();
        world.write(csr::MENVCFG, if is_on(0) { STCE } else { 0 });
        world.write(csr::MCOUNTEREN, if is_on(1) { 2 } else { 0 });
        world.write(hcsr::HENVCFG, if is_on(2) { STCE } else { 0 });
        world.write(hcsr::HCOUNTEREN, if is_on(3) { 2 } else { 0 });
        let (by_machine, by_hypervisor) = (is_on(0) && is_on(1), is_on(2) && is_on(3));
        let result = access(&mut world, VS_MODE, csr::STIMECMP, CsrOp::Read).err();
        let expected = match (by_machine, by_hypervisor) {
            (true, true) => None,
            (true, false) => Some(Trap::VIRTUAL),
            (false, _) => Some(Trap::ILLEGAL),
        };
        assert_eq!(result, expected, "{combination:b}");
        let of_host = access(&mut world, HS_MODE, hcsr::VSTIMECMP, CsrOp::Read).is_ok();
        assert_eq!(of_host, by_machine, "{combination:b}");
    }
}

#[test]
fn virtual_memory_traps_take_the_registers_of_their_level() {
    for (tvm, vtvm) in [(0, 0), (status::TVM, 0), (0, hstatus::VTVM)] {
        let mut world = world();
        world.set(csr::MSTATUS, tvm);
        world.set(hcsr::HSTATUS, vtvm);
        let mut refusal = |mode, number| access(&mut world, mode, number, CsrOp::Read).err();
        let host = (tvm != 0).then_some(Trap::ILLEGAL);
        assert_eq!(refusal(HS_MODE, csr::SATP), host);
        assert_eq!(refusal(HS_MODE, hcsr::HGATP), host);
        assert_eq!(refusal(HS_MODE, hcsr::VSATP), None);
        assert_eq!(refusal(M_MODE, hcsr::HGATP), None);
        assert_eq!(refusal(VS_MODE, csr::SATP), (vtvm != 0).then_some(Trap::VIRTUAL));
        for number in [hcsr::HGATP, hcsr::VSATP] {
            assert_eq!(refusal(VS_MODE, number), Some(Trap::VIRTUAL));
        }
        assert_eq!(refusal(VU_MODE, csr::SATP), Some(Trap::VIRTUAL));
    }
}

/// A floating-point register that is off is an illegal instruction whoever has switched it off.
#[test]
fn floating_point_registers_need_both_status_registers() {
    for (host, guest) in [(0, 1), (1, 0), (1, 1)] {
        let mut world = world();
        world.write(csr::MSTATUS, host << 13);
        world.write(hcsr::VSSTATUS, guest << 13);
        let both = host & guest != 0;
        let result = access(&mut world, VS_MODE, 0x003, CsrOp::Write(1)).err();
        assert_eq!(result, if both { None } else { Some(Trap::ILLEGAL) });
        if both {
            assert_eq!(world.read(csr::MSTATUS) & status::FS, status::FS);
            assert_eq!(world.read(hcsr::VSSTATUS) & status::FS, status::FS);
        }
        let in_host = access(&mut world, HS_MODE, 0x003, CsrOp::Read).is_ok();
        assert_eq!(in_host, host != 0);
    }
}

#[test]
fn machine_mode_is_never_a_guests() {
    let mut world = world();
    enter(&mut world, VS_MODE);
    world.hart.set_privilege(Privilege::Machine);
    assert_eq!(mode(&world), M_MODE);
}

/// Hypervisor extension, "Hypervisor and Virtual Supervisor CSRs": with bit 7 of `misa` clear, the
/// hart behaves as though the extension were not implemented.
#[test]
fn without_its_letter_the_extension_is_not_there() {
    const MISA: u16 = 0x301;
    const LETTER: u64 = 1 << 7;
    let mut world = enabled();
    world.write(hcsr::HSTATUS, 1 << 7);
    let all = world.read(MISA);
    assert_eq!(all & LETTER, LETTER);
    world.write(MISA, all & !LETTER);
    assert_eq!(world.read(MISA), all & !LETTER);
    let hart = &mut world.hart;
    assert!(ADDED.into_iter().all(|number| hart.read_csr(number).is_none()));
    for privilege in [Privilege::Machine, Privilege::Supervisor] {
        hart.set_privilege(privilege);
        let accessed = ADDED.map(|number| hart.csr_access(number, CsrOp::Read));
        assert!(accessed.into_iter().all(|result| result == Err(Trap::ILLEGAL)));
        assert_eq!(hart.hfence_gvma(None), Err(Trap::ILLEGAL));
        assert_eq!(hart.hfence_vvma(None, None), Err(Trap::ILLEGAL));
    }
    // Nor does a return lead into a guest.
    hart.set_privilege(Privilege::Supervisor);
    assert_eq!(hart.sret(), Ok(()));
    assert!(!hart.virtualised);
    world.hart.set_privilege(Privilege::Machine);
    world.write(MISA, all);
    assert_eq!((world.read(MISA), world.read(hcsr::HSTATUS)), (all, 2 << 32));
}
