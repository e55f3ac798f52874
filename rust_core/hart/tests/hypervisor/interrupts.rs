//! Interrupts of VS level: where they are pending and enabled, when they are taken, and the guest's
//! timer.
//!
//! Expected values are those of the hypervisor extension, "Hypervisor Interrupt Registers",
//! "Virtual Supervisor Interrupt Registers" and "Virtual Supervisor Timer Register".

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

use crate::world::*;
use dcsim_hart::{CsrOp, Interrupt, InterruptLines, Privilege, Trap, Wait};

const VSSI: u64 = 1 << 2;
const VSTI: u64 = 1 << 6;
const VSEI: u64 = 1 << 10;
const ALL_VIRTUAL: u64 = VSSI | VSTI | VSEI;
/// Supervisor interrupts, as `mip` has them.
const SUPERVISOR: u64 = 1 << 1 | 1 << 5 | 1 << 9;

#[test]
fn pending_bits_show_where_the_extension_says() {
    for bit in [VSSI, VSTI, VSEI] {
        for hideleg in [0, ALL_VIRTUAL] {
            let mut world = world();
            world.write(hcsr::HIDELEG, hideleg);
            world.write(hcsr::HVIP, bit);
            let shown = [hcsr::HVIP, hcsr::HIP, csr::MIP].map(|number| world.read(number));
            assert_eq!(shown, [bit; 3]);
            assert_eq!(world.read(csr::SIP), 0);
            assert_eq!(world.read(hcsr::VSIP), (bit & hideleg) >> 1);
            let in_guest = access(&mut world, VS_MODE, csr::SIP, CsrOp::Read).unwrap().0;
            assert_eq!(in_guest, (bit & hideleg) >> 1);
        }
    }
}

#[test]
fn enable_bits_are_one_register_under_three_names() {
    for bit in [VSSI, VSTI, VSEI] {
        for hideleg in [0, ALL_VIRTUAL] {
            for (number, value) in [(hcsr::HIE, bit), (csr::MIE, bit), (hcsr::VSIE, bit >> 1)] {
                let mut world = world();
                world.write(hcsr::HIDELEG, hideleg);
                world.write(number, value);
                let set = number != hcsr::VSIE || hideleg != 0;
                let expected = if set { bit } else { 0 };
                assert_eq!(world.read(csr::MIE) & ALL_VIRTUAL, expected);
                assert_eq!(world.read(hcsr::HIE), expected);
                assert_eq!(world.read(hcsr::VSIE), (expected & hideleg) >> 1);
                assert_eq!(world.read(csr::SIE), 0);
            }
        }
    }
}

/// Only the software interrupt can be written outside `hvip`, and by the guest only if it is
/// delegated.
#[test]
fn only_the_software_interrupt_can_be_raised_elsewhere() {
    for (number, shift) in [(hcsr::HIP, 0), (csr::MIP, 0), (hcsr::VSIP, 1)] {
        for hideleg in [0, ALL_VIRTUAL] {
            let mut world = world();
            world.write(hcsr::HIDELEG, hideleg);
            world.write(number, ALL_VIRTUAL >> shift);
            let may = number != hcsr::VSIP || hideleg != 0;
            assert_eq!(world.read(hcsr::HVIP), if may { VSSI } else { 0 }, "{number:#x}");
            world.write(hcsr::HVIP, ALL_VIRTUAL);
            world.write(number, 0);
            let left = if may { VSTI | VSEI } else { ALL_VIRTUAL };
            assert_eq!(world.read(hcsr::HVIP), left, "{number:#x}");
        }
    }
}

#[test]
fn supervisor_views_do_not_show_interrupts_of_vs_level() {
    let mut world = world();
    world.write(csr::MIDELEG, u64::MAX);
    world.write(csr::SIE, u64::MAX);
    assert_eq!(world.read(csr::MIE), SUPERVISOR);
    world.write(csr::SIP, u64::MAX);
    assert_eq!(world.read(hcsr::HVIP), 0);
}

/// Each interrupt in each mode, delegated or not, with each level's enable bit.
#[test]
fn interrupts_of_vs_level_are_taken_as_mode_and_delegation_say() {
    let all = [Interrupt::VirtualSoftware, Interrupt::VirtualTimer, Interrupt::VirtualExternal];
    for interrupt in all {
        for mode in MODES {
            for bits in 0..8 {
                let (delegated, host_on, guest_on) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                let mut world = world();
                world.write(hcsr::HIDELEG, if delegated { interrupt.bit() } else { 0 });
                world.write(hcsr::HVIP, interrupt.bit());
                world.write(hcsr::HIE, interrupt.bit());
                world.write(csr::SSTATUS, if host_on { status::SIE } else { 0 });
                world.write(hcsr::VSSTATUS, if guest_on { status::SIE } else { 0 });
                enter(&mut world, mode);
                let taken = match (mode, delegated) {
                    (M_MODE, _) | (U_MODE | HS_MODE, true) => false,
                    (VS_MODE, true) => guest_on,
                    (HS_MODE, false) => host_on,
                    _ => true,
                };
                let expected = taken.then_some(interrupt);
                assert_eq!(world.hart.pending_interrupt(), expected, "{mode:?} {bits:b}");
                assert!(world.hart.is_wakeup_pending());
            }
        }
    }
}

/// In VS mode what is for HS mode is always enabled; the guest's bit concerns the guest's own.
#[test]
fn a_guest_cannot_keep_interrupts_from_hs_mode() {
    let mut world = world();
    world.write(csr::MIDELEG, u64::MAX);
    world.write(csr::MIE, 1 << 1);
    world.write(csr::MIP, 1 << 1);
    enter(&mut world, HS_MODE);
    assert_eq!(world.hart.pending_interrupt(), None);
    for mode in [VS_MODE, VU_MODE] {
        enter(&mut world, mode);
        assert_eq!(world.hart.pending_interrupt(), Some(Interrupt::SupervisorSoftware));
    }
}

#[test]
fn interrupts_for_hs_mode_have_their_order() {
    let mut world = world();
    world.write(csr::MIDELEG, u64::MAX);
    world.write(csr::MIE, u64::MAX);
    world.write(csr::MIP, SUPERVISOR);
    world.write(hcsr::HVIP, ALL_VIRTUAL);
    enter(&mut world, VS_MODE);
    for (interrupt, clear) in [
        (Interrupt::SupervisorExternal, 1 << 9),
        (Interrupt::SupervisorSoftware, 1 << 1),
        (Interrupt::SupervisorTimer, 1 << 5),
        (Interrupt::VirtualExternal, VSEI),
        (Interrupt::VirtualSoftware, VSSI),
        (Interrupt::VirtualTimer, VSTI),
    ] {
        assert_eq!(world.hart.pending_interrupt(), Some(interrupt));
        let (mip, hvip) = (world.read(csr::MIP), world.read(hcsr::HVIP));
        world.write(csr::MIP, mip & !clear);
        world.write(hcsr::HVIP, hvip & !clear);
    }
    assert_eq!(world.hart.pending_interrupt(), None);
}

/// The order among levels: machine, HS, VS.
#[test]
fn higher_levels_come_first() {
    let mut world = world();
    world.device.lines = InterruptLines { machine_software: true, ..InterruptLines::default() };
    world.begin();
    world.write(csr::MIDELEG, u64::MAX);
    world.write(hcsr::HIDELEG, VSEI);
    world.write(csr::MIE, u64::MAX);
    world.write(csr::MIP, 1 << 5);
    world.write(hcsr::HVIP, VSEI);
    enter(&mut world, VU_MODE);
    assert_eq!(world.hart.pending_interrupt(), Some(Interrupt::MachineSoftware));
    world.write(csr::MIE, !(1 << 3));
    assert_eq!(world.hart.pending_interrupt(), Some(Interrupt::SupervisorTimer));
    world.write(csr::MIP, 0);
    assert_eq!(world.hart.pending_interrupt(), Some(Interrupt::VirtualExternal));
}

/// A world in which the guest's timer is on; a tick is 100 cycles.
fn with_timer(delta: u64, compare: u64) -> World {
    let mut world = world();
    world.write(csr::MENVCFG, STCE);
    world.write(hcsr::HENVCFG, STCE);
    world.write(hcsr::HTIMEDELTA, delta);
    world.write(hcsr::VSTIMECMP, compare);
    world.write(hcsr::HIE, VSTI);
    world
}

#[test]
fn the_guests_timer_compares_the_sum_unsigned_and_truncated() {
    let edges = [0, 1, 7, 1000, u64::MAX - 1000, u64::MAX - 7, u64::MAX];
    for delta in edges {
        for compare in edges {
            let mut world = with_timer(delta, compare);
            for time in [0, 1, 2, 6, 7, 8, 9, 999, 1000, 1001, 1008, 2000, 2001] {
                world.hart.clock.cycles = time * 100;
                let expected = time.wrapping_add(delta) >= compare;
                let pending = world.read(hcsr::HIP) & VSTI != 0;
                assert_eq!(pending, expected, "{delta} {compare} {time}");
            }
        }
    }
}

/// The next cycle at which the timer rises, found by looking at each tick.
#[test]
fn the_next_rise_of_the_guests_timer_is_known() {
    let edges = [0, 5, 40, 0_u64.wrapping_sub(20), 0_u64.wrapping_sub(5)];
    for delta in edges {
        for compare in [0, 3, 30, u64::MAX - 2] {
            let mut world = with_timer(delta, compare);
            let is_pending = |time: u64| time.wrapping_add(delta) >= compare;
            for now in 0..60 {
                world.hart.clock.cycles = now * 100;
                let rises = |time: &u64| is_pending(*time) && !is_pending(*time - 1);
                let next = (now + 1..200).find(rises).map(|time| time * 100);
                let found = world.hart.next_timer_cycle().filter(|cycle| *cycle < 20_000);
                // While it is pending the sum may wrap around without a moment between.
                let expected = next.or(found.filter(|cycle| is_pending(cycle / 100 - 1)));
                assert_eq!(found, expected, "{delta} {compare} {now}");
            }
        }
    }
}

#[test]
fn without_its_enable_bits_the_timer_is_what_hvip_says() {
    for (menvcfg, henvcfg) in [(0, STCE), (STCE, 0)] {
        let mut world = with_timer(0, 0);
        world.write(csr::MENVCFG, menvcfg);
        world.write(hcsr::HENVCFG, henvcfg);
        assert_eq!(world.read(hcsr::HIP), 0);
        world.write(hcsr::HVIP, VSTI);
        assert_eq!(world.read(hcsr::HIP), VSTI);
    }
    let mut world = with_timer(0, u64::MAX);
    world.write(hcsr::HVIP, VSTI);
    assert_eq!(world.read(hcsr::HIP), VSTI, "either source raises it");
}

#[test]
fn the_guests_timer_is_delivered_to_the_guest() {
    let mut world = with_timer(50, 60);
    world.write(hcsr::HIDELEG, VSTI);
    world.write(hcsr::VSSTATUS, status::SIE);
    enter(&mut world, VS_MODE);
    assert_eq!(world.hart.interrupt_deadline(), 1000);
    world.hart.clock.cycles = 1000;
    let interrupt = world.hart.pending_interrupt().unwrap();
    world.hart.take_interrupt(interrupt);
    assert_eq!((mode(&world), world.read(hcsr::VSCAUSE)), (VS_MODE, 1 << 63 | 5));
}

/// WFI: who has it trap decides what kind of exception it is; otherwise it waits.
#[test]
fn waiting_traps_as_the_bits_of_each_level_say() {
    for (tw, vtw) in [(false, false), (false, true), (true, false), (true, true)] {
        for mode in MODES {
            let mut world = world();
            world.set(csr::MSTATUS, if tw { status::TW } else { 0 });
            world.set(hcsr::HSTATUS, if vtw { hstatus::VTW } else { 0 });
            enter(&mut world, mode);
            let expected = match mode {
                M_MODE => Ok(Wait::Idle),
                _ if tw => Err(Trap::ILLEGAL),
                U_MODE => Err(Trap::ILLEGAL),
                HS_MODE => Ok(Wait::Idle),
                VS_MODE if !vtw => Ok(Wait::Idle),
                _ => Err(Trap::VIRTUAL),
            };
            assert_eq!(world.hart.wfi(), expected, "{mode:?} {tw} {vtw}");
        }
    }
}

#[test]
fn an_interrupt_of_vs_level_ends_waiting() {
    let mut world = world();
    world.write(hcsr::HIDELEG, VSSI);
    world.write(hcsr::HIE, VSSI);
    enter(&mut world, VS_MODE);
    assert_eq!(world.hart.wfi(), Ok(Wait::Idle));
    world.write(hcsr::HVIP, VSSI);
    assert_eq!(world.hart.wfi(), Ok(Wait::Proceed));
}

/// Raises one interrupt, whichever level it is of.
fn raise(world: &mut World, interrupt: Interrupt) {
    let lines = InterruptLines::default();
    world.device.lines = match interrupt {
        Interrupt::MachineSoftware => InterruptLines { machine_software: true, ..lines },
        Interrupt::MachineTimer => InterruptLines { machine_timer_compare: 0, ..lines },
        Interrupt::MachineExternal => InterruptLines { machine_external: true, ..lines },
        _ => lines,
    };
    world.begin();
    world.write(csr::MIP, interrupt.bit() & SUPERVISOR);
    world.write(hcsr::HVIP, interrupt.bit() & ALL_VIRTUAL);
}

/// Where an enabled interrupt is taken, by the tables of `mideleg` and `hideleg`: those of machine
/// level cannot be delegated, those of VS level always are.
fn destination(
    interrupt: Interrupt,
    from: (Privilege, bool),
    (mideleg, hideleg): (bool, bool),
) -> Option<(Privilege, bool)> {
    let is_virtual = interrupt.bit() & ALL_VIRTUAL != 0;
    let is_supervisors = interrupt.bit() & SUPERVISOR != 0;
    if is_virtual && hideleg {
        return from.1.then_some(VS_MODE);
    }
    if is_virtual || (is_supervisors && mideleg) {
        return (from != M_MODE).then_some(HS_MODE);
    }
    Some(M_MODE)
}

/// All interrupts of all levels, in each mode, delegated and not, with everything enabled.
#[test]
fn interrupts_go_where_they_are_delegated() {
    for interrupt in Interrupt::BY_PRIORITY {
        for from in MODES {
            for (mideleg, hideleg) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut world = world();
                world.write(csr::MIDELEG, if mideleg { u64::MAX } else { 0 });
                world.write(hcsr::HIDELEG, if hideleg { u64::MAX } else { 0 });
                world.write(csr::MIE, u64::MAX);
                world.set(csr::MSTATUS, status::MIE | status::SIE);
                world.write(hcsr::VSSTATUS, status::SIE);
                raise(&mut world, interrupt);
                enter(&mut world, from);
                let expected = destination(interrupt, from, (mideleg, hideleg));
                let taken = world.hart.pending_interrupt();
                let what = format!("{interrupt:?} {from:?} {mideleg} {hideleg}");
                assert_eq!(taken, expected.map(|_| interrupt), "{what}");
                let Some(to) = expected else { continue };
                world.hart.take_interrupt(interrupt);
                assert_eq!(mode(&world), to, "{what}");
                let (number, code) = match to {
                    VS_MODE => (hcsr::VSCAUSE, interrupt.cause() - 1),
                    HS_MODE => (csr::SCAUSE, interrupt.cause()),
                    _ => (csr::MCAUSE, interrupt.cause()),
                };
                assert_eq!(world.read(number), code, "{what}");
            }
        }
    }
}
