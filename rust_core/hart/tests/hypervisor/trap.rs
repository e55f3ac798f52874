//! Traps and returns with the hypervisor extension: where they go, what they leave in the
//! registers, and what they cost.
//!
//! Expected values are those of the hypervisor extension, "Traps".

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::{
    Exception, HostedModes, Interrupt, Privilege, Timing, Trap, TrapOutcome, TrapRecord,
};

const PC: u64 = RAM + 0x100;
const MACHINE_HANDLER: u64 = RAM + 0x1000;
const HOST_HANDLER: u64 = RAM + 0x2000;
const GUEST_HANDLER: u64 = RAM + 0x3000;
const VALUE: u64 = 0x77;

fn at(mode: (Privilege, bool)) -> World {
    at_with(mode, Timing::uniform())
}

fn at_with(mode: (Privilege, bool), timing: Timing) -> World {
    let mut world = world_with(timing);
    world.write(csr::MTVEC, MACHINE_HANDLER);
    world.write(csr::STVEC, HOST_HANDLER);
    world.write(hcsr::VSTVEC, GUEST_HANDLER);
    world.hart.pc = PC;
    enter(&mut world, mode);
    world
}

/// The exceptions that `medeleg` and `hedeleg` can delegate.
fn delegable(cause: Exception) -> (bool, bool) {
    let to_host = cause != Exception::EcallFromMachine;
    let to_guest = to_host && cause.code() != 9 && cause.code() != 10 && cause.code() < 20;
    (to_host, to_guest)
}

/// Every exception in every mode, delegated and not: the mode and the handler that it goes to.
#[test]
fn exceptions_go_where_they_are_delegated() {
    for cause in Exception::ALL {
        for from in MODES {
            for (medeleg, hedeleg) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let mut world = at(from);
                world.write(csr::MEDELEG, medeleg << cause.code());
                world.write(hcsr::HEDELEG, hedeleg << cause.code());
                let (to_host, to_guest) = delegable(cause);
                let down = medeleg != 0 && to_host && from != M_MODE;
                let further = down && from.1 && hedeleg != 0 && to_guest;
                let outcome = world.hart.take_trap(Trap::new(cause, VALUE));
                assert_eq!(outcome, TrapOutcome::Vectored);
                let (to, handler, registers) = if further {
                    (VS_MODE, GUEST_HANDLER, [hcsr::VSEPC, hcsr::VSCAUSE, hcsr::VSTVAL])
                } else if down {
                    (HS_MODE, HOST_HANDLER, [csr::SEPC, csr::SCAUSE, csr::STVAL])
                } else {
                    (M_MODE, MACHINE_HANDLER, [csr::MEPC, csr::MCAUSE, csr::MTVAL])
                };
                assert_eq!((mode(&world), world.hart.pc), (to, handler), "{cause:?} {from:?}");
                let values = registers.map(|number| world.read(number));
                assert_eq!(values, [PC, cause.code(), VALUE], "{cause:?} {from:?}");
            }
        }
    }
}

/// The bits of a status register after a trap from here, out of those that say where from.
fn expected_machine(from: (Privilege, bool)) -> u64 {
    from.0.code() << 11 | if from.1 { hstatus::MSTATUS_MPV } else { 0 }
}

#[test]
fn a_trap_to_machine_mode_remembers_the_world() {
    let fields = status::MPP | hstatus::MSTATUS_MPV;
    for from in MODES {
        let mut world = at(from);
        world.set(csr::MSTATUS, fields);
        world.hart.take_trap(Trap::new(Exception::IllegalInstruction, 0));
        assert_eq!(world.read(csr::MSTATUS) & fields, expected_machine(from), "{from:?}");
    }
}

#[test]
fn a_trap_to_hs_mode_remembers_the_world_and_the_guests_privilege() {
    for from in [U_MODE, HS_MODE, VU_MODE, VS_MODE] {
        for before in [0, hstatus::SPVP] {
            let mut world = at(from);
            world.write(csr::MEDELEG, u64::MAX);
            world.write(hcsr::HSTATUS, before | if from.1 { 0 } else { hstatus::SPV });
            world.hart.take_trap(Trap::new(Exception::IllegalInstruction, 0));
            let after = world.read(hcsr::HSTATUS);
            let is_supervisor = from.0 == Privilege::Supervisor;
            assert_eq!(after & hstatus::SPV != 0, from.1, "{from:?}");
            assert_eq!(world.read(csr::SSTATUS) & status::SPP != 0, is_supervisor);
            let spvp = if from.1 { is_supervisor } else { before != 0 };
            assert_eq!(after & hstatus::SPVP != 0, spvp, "{from:?}");
        }
    }
}

#[test]
fn a_trap_to_vs_mode_changes_vs_registers_only() {
    for from in [VU_MODE, VS_MODE] {
        let mut world = at(from);
        world.write(csr::MEDELEG, u64::MAX);
        world.write(hcsr::HEDELEG, u64::MAX);
        world.write(hcsr::VSSTATUS, status::SIE);
        world.write(csr::SSTATUS, status::SIE);
        let watched = [hcsr::HSTATUS, csr::SSTATUS, csr::SEPC, hcsr::HTVAL, csr::MEPC];
        let before = watched.map(|number| world.read(number));
        world.hart.take_trap(Trap::new(Exception::Breakpoint, VALUE));
        assert_eq!(watched.map(|number| world.read(number)), before);
        let spp = if from == VS_MODE { status::SPP } else { 0 };
        let after = world.read(hcsr::VSSTATUS) & (status::SIE | status::SPIE | status::SPP);
        assert_eq!(after, status::SPIE | spp);
    }
}

/// Exceptions whose trap value is an address.
fn has_address(cause: Exception) -> bool {
    [0, 1, 3, 4, 5, 6, 7, 12, 13, 15, 20, 21, 23].contains(&cause.code())
}

#[test]
fn gva_says_that_the_value_is_a_guests_address() {
    for cause in Exception::ALL {
        for from in MODES {
            for medeleg in [0, u64::MAX] {
                let mut world = at(from);
                world.write(csr::MEDELEG, medeleg);
                world.write(hcsr::HSTATUS, hstatus::GVA);
                world.set(csr::MSTATUS, hstatus::MSTATUS_GVA);
                world.hart.take_trap(Trap::new(cause, VALUE));
                let expected = from.1 && has_address(cause);
                let (number, bit) = match mode(&world) {
                    HS_MODE => (hcsr::HSTATUS, hstatus::GVA),
                    _ => (csr::MSTATUS, hstatus::MSTATUS_GVA),
                };
                assert_eq!(world.read(number) & bit != 0, expected, "{cause:?} {from:?}");
            }
        }
    }
}

#[test]
fn guest_page_faults_fill_the_second_value_and_the_instruction() {
    let fault = Trap {
        guest_value: 0x1234,
        guest_instruction: 0x3020,
        ..Trap::new(Exception::StoreGuestPageFault, VALUE)
    };
    for medeleg in [0, u64::MAX] {
        for trap in [fault, Trap::new(Exception::LoadPageFault, VALUE)] {
            let mut world = at(VS_MODE);
            world.write(csr::MEDELEG, medeleg);
            let registers = match medeleg {
                0 => [hcsr::MTVAL2, hcsr::MTINST],
                _ => [hcsr::HTVAL, hcsr::HTINST],
            };
            for number in registers {
                world.write(number, 99);
            }
            world.hart.take_trap(trap);
            let expected = [trap.guest_value, trap.guest_instruction];
            assert_eq!(registers.map(|number| world.read(number)), expected);
        }
    }
}

#[test]
fn interrupts_clear_the_second_value_and_gva() {
    let mut world = at(VS_MODE);
    world.write(csr::MIDELEG, u64::MAX);
    world.write(hcsr::HSTATUS, hstatus::GVA);
    world.write(hcsr::HTVAL, 5);
    world.write(hcsr::HTINST, 5);
    world.hart.take_interrupt(Interrupt::SupervisorTimer);
    assert_eq!([hcsr::HTVAL, hcsr::HTINST].map(|number| world.read(number)), [0, 0]);
    assert_eq!(world.read(hcsr::HSTATUS) & (hstatus::GVA | hstatus::SPV), hstatus::SPV);
    assert_eq!(world.read(csr::SCAUSE), 1 << 63 | 5);
}

/// Interrupts of VS level keep their codes in HS mode, and have the supervisor's in VS mode.
#[test]
fn interrupts_of_vs_level_are_the_guests_own_there() {
    let all = [
        (Interrupt::VirtualSoftware, 2),
        (Interrupt::VirtualTimer, 6),
        (Interrupt::VirtualExternal, 10),
    ];
    for (interrupt, code) in all {
        for vectored in [0, 1] {
            let mut world = at(VU_MODE);
            world.write(hcsr::VSTVEC, GUEST_HANDLER | vectored);
            world.write(hcsr::HIDELEG, 1 << code);
            world.hart.take_interrupt(interrupt);
            assert_eq!(mode(&world), VS_MODE);
            assert_eq!(world.read(hcsr::VSCAUSE), 1 << 63 | (code - 1));
            assert_eq!(world.hart.pc, GUEST_HANDLER + vectored * 4 * (code - 1));
        }
        let mut world = at(VU_MODE);
        world.hart.take_interrupt(interrupt);
        assert_eq!((mode(&world), world.read(csr::SCAUSE)), (HS_MODE, 1 << 63 | code));
    }
}

#[test]
fn mret_goes_to_the_world_that_mpv_names() {
    for mpv in [false, true] {
        for privilege in [Privilege::User, Privilege::Supervisor, Privilege::Machine] {
            let mut world = at(M_MODE);
            world.write(csr::MEPC, PC + 8);
            world.write(csr::MSTATUS, expected_machine((privilege, mpv)) | status::MPIE);
            world.hart.mret().unwrap();
            let expected = (privilege, mpv && privilege != Privilege::Machine);
            assert_eq!((mode(&world), world.hart.pc), (expected, PC + 8));
            let after = world.read(csr::MSTATUS);
            assert_eq!(after & (hstatus::MSTATUS_MPV | status::MPP), 0);
            assert_ne!(after & status::MIE, 0);
        }
    }
}

#[test]
fn sret_of_hs_mode_goes_to_the_world_that_spv_names() {
    for from in [HS_MODE, M_MODE] {
        for spv in [false, true] {
            for privilege in [Privilege::User, Privilege::Supervisor] {
                let mut world = at(from);
                world.write(csr::SEPC, PC + 8);
                world.write(hcsr::VSEPC, PC + 16);
                let spp = if privilege == Privilege::Supervisor { status::SPP } else { 0 };
                world.write(csr::SSTATUS, spp | status::SPIE);
                world.write(hcsr::HSTATUS, if spv { hstatus::SPV } else { 0 });
                world.hart.sret().unwrap();
                assert_eq!((mode(&world), world.hart.pc), ((privilege, spv), PC + 8));
                assert_eq!(world.read(hcsr::HSTATUS) & hstatus::SPV, 0);
                let after = world.read(csr::SSTATUS) & (status::SPP | status::SPIE | status::SIE);
                assert_eq!(after, status::SPIE | status::SIE);
            }
        }
    }
}

#[test]
fn sret_of_vs_mode_stays_in_the_guest() {
    for (spp, to) in [(0, VU_MODE), (status::SPP, VS_MODE)] {
        let mut world = at(VS_MODE);
        world.write(hcsr::VSEPC, PC + 8);
        world.write(hcsr::VSSTATUS, spp | status::SPIE);
        let (host, before) = (world.read(csr::SSTATUS), world.read(hcsr::HSTATUS));
        world.hart.sret().unwrap();
        assert_eq!((mode(&world), world.hart.pc), (to, PC + 8));
        assert_eq!((world.read(csr::SSTATUS), world.read(hcsr::HSTATUS)), (host, before));
        let after = world.read(hcsr::VSSTATUS) & (status::SPP | status::SPIE | status::SIE);
        assert_eq!(after, status::SPIE | status::SIE);
    }
}

/// Only what changes V pays for the change.
#[test]
fn a_change_of_the_world_costs_what_the_profile_says() {
    let timing = Timing {
        trap_cycles: 3,
        return_cycles: 5,
        world_switch_cycles: 70,
        world_return_cycles: 90,
        ..Timing::uniform()
    };
    for from in MODES {
        for (medeleg, hedeleg) in [(0, 0), (u64::MAX, 0), (u64::MAX, u64::MAX)] {
            let mut world = at_with(from, timing.clone());
            world.write(csr::MEDELEG, medeleg);
            world.write(hcsr::HEDELEG, hedeleg);
            world.hart.take_trap(Trap::new(Exception::Breakpoint, 0));
            let leaves = from.1 && !world.hart.virtualised;
            let entry = if leaves { 70 } else { 3 };
            assert_eq!(world.hart.clock.cycles, entry, "{from:?}");
            if mode(&world) == M_MODE {
                world.hart.mret().unwrap();
            } else {
                world.hart.sret().unwrap();
            }
            assert_eq!(mode(&world), from);
            let both = entry + if leaves { 90 } else { 5 };
            assert_eq!(world.hart.clock.cycles, both, "{from:?}");
            assert_eq!(world.hart.counters.transition_cycles, both);
        }
    }
}

/// A monitor that plays HS mode is told of the world; a guest's own traps are not its business.
#[test]
fn a_monitor_plays_hs_mode_and_never_vs_mode() {
    let mut world = at(VS_MODE);
    world.hart.hosted = HostedModes { machine: false, supervisor: true };
    world.write(csr::MEDELEG, u64::MAX);
    world.write(hcsr::HEDELEG, 1 << 3);
    let own = world.hart.take_trap(Trap::new(Exception::Breakpoint, 0));
    assert_eq!((own, mode(&world)), (TrapOutcome::Vectored, VS_MODE));
    world.hart.pc = PC;
    let outcome = world.hart.take_trap(Trap::VIRTUAL.with_instruction(0x73));
    let record = TrapRecord {
        to: Privilege::Supervisor,
        from: Privilege::Supervisor,
        from_virtual: true,
        cause: 22,
        value: 0x73,
        pc: PC,
    };
    assert_eq!(outcome, TrapOutcome::Hosted(record));
    assert_eq!(mode(&world), HS_MODE);
}
