//! Traps and returns, interrupts, and waiting for them.
//!
//! Expected values are those of the privileged architecture: delegation, the status stack,
//! vectoring, the order of interrupts.

mod privileged_world;

use dcsim_hart::{
    Exception, HostedModes, Interrupt, Privilege, Reservation, Timing, Trap, TrapOutcome,
    TrapRecord, Wait, Width,
};
use privileged_world::{PRIVILEGES, STCE, World, csr, status};

const HANDLER: u64 = 0x8000_1000;
const SUPERVISOR_HANDLER: u64 = 0x8000_2000;
const PC: u64 = 0x8000_0342;

fn world_at(privilege: Privilege) -> World {
    let mut world = World::new();
    world.write(csr::MTVEC, HANDLER);
    world.write(csr::STVEC, SUPERVISOR_HANDLER);
    world.hart.pc = PC;
    world.hart.set_privilege(privilege);
    world
}

#[test]
fn exceptions_go_where_they_are_delegated_but_never_down() {
    // Those of the hypervisor extension do not occur, and cannot be delegated.
    let is_of_guests = |cause: &Exception| cause.code() == 10 || cause.code() >= 20;
    for cause in Exception::ALL.into_iter().filter(|cause| !is_of_guests(cause)) {
        for from in PRIVILEGES {
            for delegated in [0, 1 << cause.code(), !(1 << cause.code())] {
                let mut world = world_at(from);
                world.write(csr::MEDELEG, delegated);
                let down = delegated >> cause.code() & 1 != 0
                    && cause != Exception::EcallFromMachine
                    && from != Privilege::Machine;

                let outcome = world.hart.take_trap(Trap::new(cause, 0x77));

                assert_eq!(outcome, TrapOutcome::Vectored);
                let (mode, handler, registers) = if down {
                    (
                        Privilege::Supervisor,
                        SUPERVISOR_HANDLER,
                        [csr::SEPC, csr::SCAUSE, csr::STVAL],
                    )
                } else {
                    (Privilege::Machine, HANDLER, [csr::MEPC, csr::MCAUSE, csr::MTVAL])
                };
                assert_eq!((world.hart.privilege, world.hart.pc), (mode, handler));
                assert_eq!(registers.map(|number| world.read(number)), [PC, cause.code(), 0x77]);
            }
        }
    }
}

#[test]
fn the_trap_registers_of_the_other_mode_are_left_alone() {
    let mut world = world_at(Privilege::User);
    world.hart.take_trap(Trap::new(Exception::Breakpoint, 5));
    for number in [csr::SEPC, csr::SCAUSE, csr::STVAL] {
        assert_eq!(world.read(number), 0);
    }
}

#[test]
fn entry_pushes_the_status_stack() {
    for from in PRIVILEGES {
        for enabled in [0, status::MIE] {
            let mut world = world_at(from);
            let others = status::SIE | status::SPIE | status::MPRV | status::SUM;
            world.write(csr::MSTATUS, others | enabled);
            world.hart.take_trap(Trap::new(Exception::Breakpoint, 0));
            let stacked = if enabled != 0 { status::MPIE } else { 0 };
            let expected = others | stacked | from.code() << 11;
            assert_eq!(world.read(csr::MSTATUS) & 0x7f_f9aa, expected);
        }
    }
    for from in [Privilege::User, Privilege::Supervisor] {
        for enabled in [0, status::SIE] {
            let mut world = world_at(from);
            world.write(csr::MEDELEG, 1 << 3);
            let others = status::MIE | status::MPIE | status::MPP | status::MXR;
            world.write(csr::MSTATUS, others | enabled);
            world.hart.take_trap(Trap::new(Exception::Breakpoint, 0));
            let stacked = if enabled != 0 { status::SPIE } else { 0 };
            let expected = others | stacked | from.code() << 8;
            assert_eq!(world.read(csr::MSTATUS) & 0x7f_f9aa, expected);
        }
    }
}

#[test]
fn only_interrupts_are_vectored() {
    for mode in [0, 1] {
        let mut world = world_at(Privilege::User);
        world.write(csr::MTVEC, HANDLER | mode);
        world.hart.take_trap(Trap::new(Exception::StorePageFault, 0));
        assert_eq!(world.hart.pc, HANDLER);
        world.hart.take_interrupt(Interrupt::MachineTimer);
        assert_eq!(world.hart.pc, HANDLER + 4 * 7 * mode);
        assert_eq!(world.read(csr::MCAUSE), 1 << 63 | 7);
    }
    let mut world = world_at(Privilege::Supervisor);
    world.write(csr::MIDELEG, 0x222);
    world.write(csr::STVEC, SUPERVISOR_HANDLER | 1);
    world.hart.take_interrupt(Interrupt::SupervisorExternal);
    assert_eq!(world.hart.pc, SUPERVISOR_HANDLER + 36);
    assert_eq!(world.read(csr::SCAUSE), 1 << 63 | 9);
    assert_eq!(world.read(csr::SEPC), PC);
}

#[test]
fn mret_pops_the_status_stack() {
    for to in PRIVILEGES {
        for stacked in [0, status::MPIE] {
            let mut world = world_at(Privilege::Machine);
            let others = status::SIE | status::SPP | status::SUM;
            world.write(csr::MSTATUS, others | stacked | to.code() << 11 | status::MPRV);
            world.write(csr::MEPC, PC + 4);

            assert_eq!(world.hart.mret(), Ok(()));

            assert_eq!((world.hart.privilege, world.hart.pc), (to, PC + 4));
            let enabled = if stacked != 0 { status::MIE } else { 0 };
            let kept = if to == Privilege::Machine { status::MPRV } else { 0 };
            let expected = others | enabled | status::MPIE | kept;
            assert_eq!(world.read(csr::MSTATUS) & 0x7f_f9aa, expected);
        }
    }
}

#[test]
fn sret_pops_the_status_stack() {
    for from in [Privilege::Supervisor, Privilege::Machine] {
        for (previous, to) in [(0, Privilege::User), (status::SPP, Privilege::Supervisor)] {
            for stacked in [0, status::SPIE] {
                let mut world = world_at(from);
                let others = status::MIE | status::MPP;
                world.write(csr::MSTATUS, others | stacked | previous | status::MPRV);
                world.write(csr::SEPC, PC + 2);

                assert_eq!(world.hart.sret(), Ok(()));

                assert_eq!((world.hart.privilege, world.hart.pc), (to, PC + 2));
                let enabled = if stacked != 0 { status::SIE } else { 0 };
                let expected = others | enabled | status::SPIE;
                assert_eq!(world.read(csr::MSTATUS) & 0x7f_f9aa, expected);
            }
        }
    }
}

#[test]
fn privileged_instructions_are_illegal_below_their_level() {
    for (bits, user, supervisor) in [(0, true, false), (status::TSR, true, true)] {
        for (from, illegal) in [(Privilege::User, user), (Privilege::Supervisor, supervisor)] {
            let mut world = world_at(from);
            world.set(csr::MSTATUS, bits);
            assert_eq!(world.hart.sret().is_err(), illegal);
        }
    }
    for from in PRIVILEGES {
        let mut world = world_at(from);
        assert_eq!(world.hart.mret().is_err(), from != Privilege::Machine);
        let mut world = world_at(from);
        assert_eq!(world.hart.wfi().is_err(), from == Privilege::User);
        assert_eq!(world.hart.sfence_vma(None, None).is_err(), from == Privilege::User);
        world.set(csr::MSTATUS, status::TW | status::TVM | status::TSR);
        assert_eq!(world.hart.wfi().is_err(), from != Privilege::Machine);
        assert_eq!(world.hart.sfence_vma(None, None).is_err(), from != Privilege::Machine);
    }
}

#[test]
fn an_illegal_instruction_reports_its_bits_and_others_their_own_value() {
    let illegal = Trap::ILLEGAL.with_instruction(0x3020_0073);
    assert_eq!((illegal.cause, illegal.value), (Exception::IllegalInstruction, 0x3020_0073));
    let fault = Trap::new(Exception::LoadPageFault, 0x1000);
    assert_eq!(fault.with_instruction(0x13), fault);
}

#[test]
fn ecall_tells_where_it_comes_from() {
    let codes = PRIVILEGES.map(|privilege| Exception::ecall_from(privilege).code());
    assert_eq!(codes, [8, 9, 11]);
}

#[test]
fn a_trap_into_a_hosted_mode_stops_after_doing_all_the_architecture_does() {
    let mut world = world_at(Privilege::User);
    world.hart.hosted = HostedModes { machine: true, supervisor: false };
    world.write(csr::MEDELEG, 1 << 8);

    let down = world.hart.take_trap(Trap::new(Exception::EcallFromUser, 0));
    assert_eq!(down, TrapOutcome::Vectored);

    world.hart.pc = PC;
    let up = world.hart.take_trap(Trap::new(Exception::EcallFromSupervisor, 0));
    let record = TrapRecord {
        to: Privilege::Machine,
        from: Privilege::Supervisor,
        from_virtual: false,
        cause: 9,
        value: 0,
        pc: PC,
    };
    assert_eq!(up, TrapOutcome::Hosted(record));
    assert_eq!((world.read(csr::MEPC), world.read(csr::MCAUSE)), (PC, 9));
    assert_eq!(world.read(csr::MSTATUS) & status::MPP, status::MPP_S);
    assert_eq!(world.hart.privilege, Privilege::Machine);
}

#[test]
fn a_monitor_can_play_supervisor_mode() {
    let mut world = world_at(Privilege::User);
    world.hart.hosted = HostedModes { machine: false, supervisor: true };
    world.write(csr::MEDELEG, 1 << 2);
    let outcome = world.hart.take_trap(Trap::ILLEGAL.with_instruction(0x1234));
    let record = TrapRecord {
        to: Privilege::Supervisor,
        from: Privilege::User,
        from_virtual: false,
        cause: 2,
        value: 0x1234,
        pc: PC,
    };
    assert_eq!(outcome, TrapOutcome::Hosted(record));
    let machine = world.hart.take_trap(Trap::new(Exception::Breakpoint, 0));
    assert_eq!(machine, TrapOutcome::Vectored);
}

#[test]
fn transitions_cost_what_the_profile_says() {
    let timing = Timing { trap_cycles: 17, return_cycles: 9, ..Timing::uniform() };
    let mut world = World::with_timing(timing);
    world.hart.take_trap(Trap::ILLEGAL);
    world.hart.take_interrupt(Interrupt::MachineTimer);
    assert_eq!(world.hart.clock.cycles, 34);
    world.hart.mret().unwrap();
    assert_eq!(world.hart.clock.cycles, 43);
    let counters = world.hart.counters;
    assert_eq!((counters.exceptions, counters.interrupts, counters.returns), (1, 1, 1));
    assert_eq!(counters.transition_cycles, 43);
}

#[test]
fn a_trap_ends_the_reservation() {
    let mut world = World::new();
    world.hart.reservation = Some(Reservation { address: 0, width: Width::Word, value: 0 });
    world.hart.take_trap(Trap::ILLEGAL);
    assert_eq!(world.hart.reservation, None);
}

/// A world in which every interrupt is pending that is in `pending`.
fn world_with_pending(privilege: Privilege, pending: u64) -> World {
    let mut world = world_at(privilege);
    world.write(csr::MIP, pending);
    world.device.lines.machine_external = pending & 0x800 != 0;
    world.device.lines.machine_software = pending & 0x8 != 0;
    world.device.lines.machine_timer_compare = if pending & 0x80 != 0 { 0 } else { u64::MAX };
    world.begin();
    world
}

/// The rules of taking interrupts, from the section on the machine interrupt registers.
fn expected(
    privilege: Privilege,
    [pending, enabled, delegated]: [u64; 3],
    [mie, sie]: [bool; 2],
) -> Option<u64> {
    let ready = pending & enabled;
    let machine = privilege != Privilege::Machine || mie;
    let supervisor = privilege == Privilege::User || (privilege == Privilege::Supervisor && sie);
    let groups = [(machine, ready & !delegated), (supervisor, ready & delegated)];
    groups
        .into_iter()
        .filter(|(on, _)| *on)
        .find_map(|(_, bits)| [11, 3, 7, 9, 1, 5].into_iter().find(|code| bits >> code & 1 != 0))
}

#[test]
fn interrupts_are_taken_by_the_rules() {
    let sets = [0, 0x2, 0x20, 0x200, 0x222, 0x8, 0x80, 0x800, 0x888, 0xaaa, 0x8a2];
    for privilege in PRIVILEGES {
        for pending in sets {
            for enabled in sets {
                for delegated in [0, 0x2, 0x220, 0x222] {
                    for (bits, enables) in [
                        (0, [false, false]),
                        (status::MIE, [true, false]),
                        (status::SIE, [false, true]),
                        (status::MIE | status::SIE, [true, true]),
                    ] {
                        let mut world = world_with_pending(privilege, pending);
                        world.write(csr::MIE, enabled);
                        world.write(csr::MIDELEG, delegated);
                        world.set(csr::MSTATUS, bits);
                        let state = [pending, enabled, delegated];
                        let taken = world.hart.pending_interrupt().map(|taken| taken as u64);
                        assert_eq!(taken, expected(privilege, state, enables));
                        assert_eq!(world.hart.interrupt_deadline() == 0, taken.is_some());
                    }
                }
            }
        }
    }
}

#[test]
fn a_delegated_interrupt_goes_to_supervisor_mode() {
    for (delegated, to) in [(0, Privilege::Machine), (0x2, Privilege::Supervisor)] {
        let mut world = world_with_pending(Privilege::User, 0x2);
        world.write(csr::MIE, 0x2);
        world.write(csr::MIDELEG, delegated);
        let interrupt = world.hart.pending_interrupt().unwrap();
        world.hart.take_interrupt(interrupt);
        assert_eq!(world.hart.privilege, to);
    }
}

#[test]
fn timers_give_the_first_cycle_at_which_they_are_pending() {
    // 1 GHz and 10 MHz: one tick is 100 cycles.
    let mut world = World::new();
    world.write(csr::MENVCFG, STCE);
    world.write(csr::STIMECMP, 9);
    world.device.lines.machine_timer_compare = 7;
    world.begin();
    assert_eq!(world.hart.next_timer_cycle(), None, "no timer interrupt is enabled");
    assert_eq!(world.hart.interrupt_deadline(), u64::MAX);

    world.write(csr::MIE, 0x20);
    assert_eq!(world.hart.next_timer_cycle(), Some(900));
    world.write(csr::MIE, 0xa0);
    assert_eq!(world.hart.next_timer_cycle(), Some(700));
    assert_eq!(world.hart.interrupt_deadline(), 700);

    world.hart.clock.cycles = 699;
    assert!(!world.hart.is_wakeup_pending());
    world.hart.clock.cycles = 700;
    assert!(world.hart.is_wakeup_pending());
    assert_eq!(world.hart.interrupt_deadline(), 900, "pending but disabled: look at the next");
    world.set(csr::MSTATUS, status::MIE);
    assert_eq!(world.hart.interrupt_deadline(), 0);
    assert_eq!(world.hart.pending_interrupt(), Some(Interrupt::MachineTimer));
}

#[test]
fn without_sstc_stimecmp_raises_nothing() {
    let mut world = World::new();
    world.write(csr::STIMECMP, 0);
    world.write(csr::MIE, 0x20);
    assert_eq!(world.hart.next_timer_cycle(), None);
    assert!(!world.hart.is_wakeup_pending());
    world.write(csr::MENVCFG, STCE);
    assert!(world.hart.is_wakeup_pending());
}

#[test]
fn wfi_goes_on_when_an_enabled_interrupt_is_pending_whatever_the_global_enables() {
    for (pending, enabled, wait) in [
        (0, 0x222, Wait::Idle),
        (0x2, 0x220, Wait::Idle),
        (0x2, 0x2, Wait::Proceed),
        (0x222, 0x200, Wait::Proceed),
    ] {
        for privilege in [Privilege::Supervisor, Privilege::Machine] {
            let mut world = world_with_pending(privilege, pending);
            world.write(csr::MIE, enabled);
            world.write(csr::MIDELEG, 0x222);
            assert_eq!(world.hart.wfi(), Ok(wait));
        }
    }
}
