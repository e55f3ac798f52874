//! Machines that run small programs under the firmware.

use super::{Machine, MachineConfig, MachineStop};
use crate::board::{BoardConfig, map};
use crate::devices::finisher::PowerEvent;
use crate::firmware::FirmwareConfig;
use crate::test_utils::Program;
use dcsim_hart::isa::Register as R;
use dcsim_hart::{Privilege, Timing};
use dcsim_memory::{PageStore, PhysicalAddress};

const IPI: u64 = 0x73_5049;
const TIME: u64 = 0x5449_4d45;
const RFENCE: u64 = 0x5246_4e43;
const HSM: u64 = 0x48_534d;
const SRST: u64 = 0x5352_5354;
const DBCN: u64 = 0x4442_434e;

const SSTATUS: u16 = 0x100;
const SIE: u16 = 0x104;
const STVEC: u16 = 0x105;
const SEPC: u16 = 0x141;
const SCAUSE: u16 = 0x142;
const STVAL: u16 = 0x143;
const SIP: u16 = 0x144;
const STIMECMP: u16 = 0x14d;
const TIME_CSR: u16 = 0xc01;

/// A page that programs share with tests.
const NOTES: u64 = 0x8010_0000;

struct World {
    machine: Machine,
    store: PageStore,
}

fn config(harts: usize) -> MachineConfig {
    let board = BoardConfig { harts, ram_bytes: 16 << 20, ..BoardConfig::default() };
    MachineConfig { board, ..MachineConfig::default() }
}

impl World {
    fn new(config: MachineConfig, program: &Program) -> Self {
        let mut world = Self { machine: Machine::new(config), store: PageStore::new(64 << 20) };
        world.machine.boot(&mut world.store, &program.bytes(), "").unwrap();
        world
    }

    fn run(&mut self, until: u64) -> MachineStop {
        self.machine.run(&mut self.store, until)
    }

    /// Runs a program that switches the machine off.
    fn finish(&mut self) {
        assert_eq!(self.run(10_000_000), MachineStop::Power(PowerEvent::Off { code: 0 }));
    }

    fn note(&mut self, index: u64) -> u64 {
        let address = PhysicalAddress(NOTES + 8 * index);
        self.machine.memory(&mut self.store).read_u64(address).unwrap()
    }
}

fn program() -> Program {
    Program::new(map::KERNEL_BASE)
}

/// Stores a register to the notes.
fn write_note(program: &mut Program, index: i32, register: R) {
    program.li(R::R31, NOTES).sd(register, R::R31, 8 * index);
}

fn finished(config: MachineConfig, program: &Program) -> World {
    let mut world = World::new(config, program);
    world.finish();
    world
}

#[test]
fn the_kernel_is_entered_as_the_specification_says() {
    let mut program = program();
    program.spin();
    let mut world = World::new(config(1), &program);
    let hart = world.machine.hart(0).unwrap();
    assert_eq!((hart.pc, hart.privilege), (0x8020_0000, Privilege::Supervisor));
    assert_eq!((hart.x[10], hart.x[11]), (0, 0x8100_0000 - 4096));
    assert_eq!((hart.csrs.satp, hart.csrs.mstatus & 2), (0, 0));
    let entry = hart.clock.cycles;
    assert!(entry > 0, "the firmware's work costs time");
    assert_eq!(world.run(entry + 10), MachineStop::Deadline);
    let hart = world.machine.hart(0).unwrap();
    assert_eq!((hart.clock.cycles, hart.counters.instructions), (entry + 10, 10));
}

#[test]
fn calls_return_their_values_and_keep_other_registers() {
    let mut program = program();
    program.li(R::R8, 88).call(0x10, 0, &[]);
    for (index, register) in [R::R10, R::R11, R::R8, R::R17].into_iter().enumerate() {
        write_note(&mut program, index as i32, register);
    }
    program.call(0x999, 0, &[]);
    write_note(&mut program, 4, R::R10);
    program.power_off();
    let mut world = finished(config(1), &program);
    let notes: Vec<u64> = (0..5).map(|index| world.note(index)).collect();
    assert_eq!(notes, [0, 0x0200_0000, 88, 0x10, -2_i64 as u64]);
}

#[test]
fn the_debug_console_and_the_reset_extension_work() {
    let mut program = program();
    program.li(R::R5, NOTES).li(R::R6, u64::from_le_bytes(*b"hello\n\0\0")).sd(R::R6, R::R5, 0);
    program.call(DBCN, 0, &[6, NOTES, 0]).call(SRST, 0, &[0, 1]);
    let mut world = World::new(config(1), &program);
    assert_eq!(world.run(1_000_000), MachineStop::Power(PowerEvent::Off { code: 1 }));
    assert_eq!(world.machine.board_mut().console_output(), b"hello\n");
    assert_eq!(world.run(2_000_000), MachineStop::Power(PowerEvent::Off { code: 1 }), "still off");
}

/// A program that sets the timer, waits, and notes the time at which it went on and `scause`.
fn timer_program(set: impl FnOnce(&mut Program)) -> Program {
    let mut program = program();
    set(&mut program);
    program.li(R::R5, 1 << 5).csrs(SIE, R::R5).wfi();
    program.csrr(R::R7, TIME_CSR);
    write_note(&mut program, 0, R::R7);
    program.csrr(R::R7, SIP);
    write_note(&mut program, 1, R::R7);
    program.power_off();
    program
}

#[test]
fn a_waiting_hart_goes_on_when_its_timer_expires() {
    let with_call = timer_program(|program| {
        program.call(TIME, 0, &[500]);
    });
    let own = timer_program(|program| {
        program.li(R::R5, 500).csrw(STIMECMP, R::R5);
    });
    let machine_timer = FirmwareConfig { supervisor_timer: false, ..FirmwareConfig::default() };
    let without = MachineConfig { firmware: Some(machine_timer), ..config(1) };
    for (config, program) in [(config(1), &with_call), (config(1), &own), (without, &with_call)] {
        let mut world = finished(config, program);
        let time = world.note(0);
        assert!((500..502).contains(&time), "went on at {time}");
        assert_eq!(world.note(1) & 1 << 5, 1 << 5, "the supervisor timer is pending");
        assert!(world.machine.idle_cycles(0) > 40_000);
    }
}

#[test]
fn setting_the_timer_anew_clears_the_interrupt() {
    let mut program = program();
    program.call(TIME, 0, &[1]).li(R::R5, 1 << 5).csrs(SIE, R::R5).wfi();
    program.call(TIME, 0, &[u64::MAX]).csrr(R::R7, SIP);
    write_note(&mut program, 0, R::R7);
    program.power_off();
    for supervisor_timer in [true, false] {
        let firmware = FirmwareConfig { supervisor_timer, ..FirmwareConfig::default() };
        let config = MachineConfig { firmware: Some(firmware), ..config(1) };
        assert_eq!(finished(config, &program).note(0), 0);
    }
}

#[test]
fn an_illegal_instruction_is_the_kernels_affair() {
    let mut program = program();
    let handler = program.here() + 4 * 64;
    program.li(R::R5, handler).csrw(STVEC, R::R5);
    let bad = program.here();
    program.word(0xffff_ffff);
    while program.here() < handler {
        program.addi(R::R0, R::R0, 0);
    }
    for (index, csr) in [SCAUSE, SEPC, STVAL, SSTATUS].into_iter().enumerate() {
        program.csrr(R::R7, csr);
        write_note(&mut program, index as i32, R::R7);
    }
    program.power_off();
    let mut world = finished(config(1), &program);
    assert_eq!((world.note(0), world.note(1), world.note(2)), (2, bad, 0xffff_ffff));
    assert_eq!(world.note(3) & 0x122, 0x100, "from supervisor mode, interrupts off");
}

/// Hart 0 starts hart 1, which adds its number and `a1` to the notes; hart 0 waits for that.
fn two_harts() -> Program {
    let mut program = program();
    let second = program.bne_forward(R::R10, R::R0);
    let start = program.here();
    program.call(HSM, 0, &[1, map::KERNEL_BASE, 70]);
    write_note(&mut program, 1, R::R10);
    program.li(R::R5, NOTES);
    let again = program.label();
    program.ld(R::R6, R::R5, 0).beq(R::R6, R::R0, again);
    program.call(HSM, 2, &[1]);
    write_note(&mut program, 2, R::R11);
    program.power_off();
    program.land(second);
    assert!(start > 0);
    program.add(R::R11, R::R11, R::R10);
    write_note(&mut program, 0, R::R11);
    program.spin();
    program
}

#[test]
fn one_hart_starts_another() {
    let mut world = finished(config(2), &two_harts());
    assert_eq!((world.note(0), world.note(1), world.note(2)), (71, 0, 0));
    let harts = [0, 1].map(|number| world.machine.hart(number).unwrap().privilege);
    assert_eq!(harts, [Privilege::Supervisor; 2]);
}

#[test]
fn a_started_hart_begins_no_earlier_than_it_was_asked() {
    let mut program = program();
    let second = program.bne_forward(R::R10, R::R0);
    program.csrr(R::R8, TIME_CSR);
    write_note(&mut program, 0, R::R8);
    program.call(HSM, 0, &[1, map::KERNEL_BASE, 0]).li(R::R5, NOTES);
    let again = program.label();
    program.ld(R::R6, R::R5, 8).beq(R::R6, R::R0, again);
    program.power_off();
    program.land(second).csrr(R::R8, TIME_CSR);
    write_note(&mut program, 1, R::R8);
    program.spin();
    let mut timing = Timing::uniform();
    timing.timebase_hz = timing.hz;
    timing.ipi_cycles = 200;
    let mut world = finished(MachineConfig { timing, ..config(2) }, &program);
    let (asked, began) = (world.note(0), world.note(1));
    assert!(began > asked, "{began} after {asked}");
}

#[test]
fn an_interrupt_wakes_another_hart() {
    let mut program = program();
    let second = program.bne_forward(R::R10, R::R0);
    program.call(HSM, 0, &[1, map::KERNEL_BASE, 0]).li(R::R5, NOTES);
    let again = program.label();
    program.ld(R::R6, R::R5, 0).beq(R::R6, R::R0, again);
    program.call(IPI, 0, &[0b10, 0]).li(R::R5, NOTES);
    let again = program.label();
    program.ld(R::R6, R::R5, 8).beq(R::R6, R::R0, again);
    program.power_off();
    program.land(second);
    program.li(R::R6, 1);
    write_note(&mut program, 0, R::R6);
    program.li(R::R5, 2).csrs(SIE, R::R5).wfi().csrr(R::R7, SIP);
    write_note(&mut program, 1, R::R7);
    program.spin();
    let mut world = finished(config(2), &program);
    assert_eq!(world.note(1), 2, "the supervisor software interrupt");
}

#[test]
fn a_remote_fence_is_done_when_the_call_returns() {
    // Both harts ask each other for fences at the same time: neither may wait for ever.
    let mut program = program();
    let second = program.bne_forward(R::R10, R::R0);
    program.call(HSM, 0, &[1, map::KERNEL_BASE, 0]);
    program.li(R::R9, 20);
    let again = program.label();
    program.call(RFENCE, 1, &[0b11, 0, 0, 0]).addi(R::R9, R::R9, -1).bne(R::R9, R::R0, again);
    write_note(&mut program, 0, R::R10);
    program.li(R::R5, NOTES);
    let again = program.label();
    program.ld(R::R6, R::R5, 8).beq(R::R6, R::R0, again);
    program.power_off();
    program.land(second);
    program.li(R::R9, 20);
    let again = program.label();
    program.call(RFENCE, 0, &[0, u64::MAX]).addi(R::R9, R::R9, -1).bne(R::R9, R::R0, again);
    program.li(R::R6, 1);
    write_note(&mut program, 1, R::R6);
    program.spin();
    let mut world = finished(config(2), &program);
    assert_eq!(world.note(0), 0);
    let interrupts = world.machine.hart(1).unwrap().counters.interrupts;
    assert!(interrupts >= 1, "hart 1 took {interrupts} interrupts");
}

#[test]
fn a_stopped_hart_says_so_and_can_be_started_again() {
    let mut program = program();
    let second = program.bne_forward(R::R10, R::R0);
    for round in 1..=2_u64 {
        program.call(HSM, 0, &[1, map::KERNEL_BASE, round]);
        write_note(&mut program, 2, R::R10);
        let again = program.label();
        program.call(HSM, 2, &[1]).addi(R::R12, R::R11, -1).bne(R::R12, R::R0, again);
    }
    program.power_off();
    program.land(second).li(R::R5, NOTES).amoadd(R::R0, R::R11, R::R5).call(HSM, 1, &[]).spin();
    let mut world = finished(config(2), &program);
    assert_eq!((world.note(0), world.note(2)), (3, 0));
}

#[test]
fn a_suspended_hart_resumes_behind_the_call_or_at_its_resume_point() {
    for non_retentive in [false, true] {
        let mut program = program();
        let resumed = program.bne_forward(R::R11, R::R8);
        program.li(R::R5, 1 << 5).csrs(SIE, R::R5).call(TIME, 0, &[400]);
        let kind = if non_retentive { 0x8000_0000 } else { 0 };
        program.li(R::R8, 1).call(HSM, 3, &[kind, map::KERNEL_BASE, 9]);
        program.csrr(R::R7, TIME_CSR);
        write_note(&mut program, 0, R::R7);
        program.power_off();
        program.land(resumed).csrr(R::R7, TIME_CSR);
        write_note(&mut program, 1, R::R7);
        program.power_off();
        let mut world = World::new(config(1), &program);
        // The first entry has `a1` in both registers that the branch compares.
        let tree = world.machine.hart(0).unwrap().x[11];
        world.machine.cores[0].hart.x[8] = tree;
        world.finish();
        let (behind, at_resume_point) = (world.note(0), world.note(1));
        let (time, other) =
            if non_retentive { (at_resume_point, behind) } else { (behind, at_resume_point) };
        assert!((400..402).contains(&time), "went on at {time}");
        assert_eq!(other, 0);
    }
}

#[test]
fn without_firmware_programs_begin_in_machine_mode() {
    let mut program = program();
    program.csrr(R::R7, 0xf14);
    write_note(&mut program, 0, R::R7);
    program.power_off();
    let config = MachineConfig { firmware: None, ..config(1) };
    let mut world = World::new(config, &program);
    assert_eq!(world.machine.hart(0).unwrap().privilege, Privilege::Machine);
    world.finish();
}

/// Everything that can be seen of a machine.
fn picture(world: &mut World) -> (Vec<String>, Vec<u8>, Vec<u64>) {
    let harts = (0..)
        .map_while(|number| world.machine.hart(number))
        .map(|hart| {
            let (x, csrs, clock) = (&hart.x, &hart.csrs, &hart.clock);
            format!("{:x} {x:?} {csrs:?} {clock:?} {:?}", hart.pc, hart.counters)
        })
        .collect();
    let state = world.machine.save(&mut world.store);
    let board = state.board().encode();
    state.release(&mut world.store);
    let notes = (0..8).map(|index| world.note(index)).collect();
    (harts, board, notes)
}

#[test]
fn cutting_a_run_changes_nothing() {
    let program = timer_program(|program| {
        program.call(TIME, 0, &[20]);
    });
    let mut whole = World::new(config(1), &program);
    whole.run(5_000);
    let mut cut = World::new(config(1), &program);
    for until in (0..=5_000).step_by(7) {
        cut.run(until);
    }
    cut.run(5_000);
    assert_eq!(picture(&mut whole), picture(&mut cut));
}

#[test]
fn cutting_at_epochs_changes_nothing_for_several_harts() {
    let mut timing = Timing::uniform();
    timing.ipi_cycles = 50;
    let config = MachineConfig { timing, ..config(2) };
    let mut whole = World::new(config.clone(), &two_harts());
    whole.run(600);
    let mut cut = World::new(config, &two_harts());
    for until in (0..=600).step_by(50) {
        cut.run(until);
    }
    assert_eq!(picture(&mut whole), picture(&mut cut));
}

#[test]
fn a_restored_machine_goes_on_as_if_it_had_never_stopped() {
    for until in [0, 130, 300, 450] {
        let mut straight = World::new(config(2), &two_harts());
        straight.run(until);
        let mut state = straight.machine.save(&mut straight.store);
        straight.run(800);
        let expected = picture(&mut straight);

        straight.machine.restore(&mut straight.store, &mut state).unwrap();
        straight.run(800);
        assert_eq!(picture(&mut straight), expected, "restored at {until}");
        state.release(&mut straight.store);
    }
}

#[test]
fn a_fork_shares_pages_and_goes_its_own_way() {
    let mut world = World::new(config(2), &two_harts());
    world.run(200);
    let before = world.store.used_bytes();
    let mut copy = world.machine.fork(&mut world.store).unwrap();
    assert_eq!(world.store.used_bytes(), before);
    world.finish();
    let mut other = World { machine: copy, store: world.store };
    other.finish();
    assert_eq!(other.note(0), 71);
    copy = other.machine;
    copy.release(&mut other.store);
    world.machine.release(&mut other.store);
    assert_eq!(other.store.used_bytes(), 0);
}

#[test]
fn a_snapshot_of_another_machine_is_refused() {
    let mut world = World::new(config(1), &two_harts());
    let mut state = world.machine.save(&mut world.store);
    let mut other = Machine::new(config(2));
    assert!(other.restore(&mut world.store, &mut state).is_err());
}

#[test]
fn a_full_page_store_stops_the_run_and_loses_nothing() {
    let mut program = program();
    for page in 0..8_u64 {
        program.li(R::R5, NOTES + 4096 * page).sd(R::R5, R::R5, 0);
    }
    program.power_off();
    let mut world = World::new(config(1), &program);
    let hogs: Vec<_> = std::iter::from_fn(|| world.store.insert(&[1; 4096]).ok()).collect();
    assert_eq!(world.run(1_000_000), MachineStop::StoreFull);
    assert_eq!(world.run(1_000_000), MachineStop::StoreFull);
    for page in hogs {
        world.store.release(page);
    }
    world.finish();
    assert_eq!(world.note(7 * 512), NOTES + 7 * 4096);

    let mut undisturbed = finished(config(1), &program);
    assert_eq!(picture(&mut world), picture(&mut undisturbed));
}

#[test]
fn a_full_page_store_delays_a_call_that_writes() {
    let mut program = program();
    program.call(DBCN, 1, &[8, NOTES + 4096, 0]);
    for (index, register) in [R::R10, R::R11].into_iter().enumerate() {
        write_note(&mut program, index as i32, register);
    }
    program.power_off();
    let mut world = World::new(config(1), &program);
    world.machine.console_input(&mut world.store, b"typed").unwrap();
    let hogs: Vec<_> = std::iter::from_fn(|| world.store.insert(&[1; 4096]).ok()).collect();
    for _ in 0..2 {
        assert_eq!(world.run(1_000_000), MachineStop::StoreFull);
        assert!(matches!(world.machine.cores[0].activity, super::Activity::Trapped(_)));
    }
    for page in hogs {
        world.store.release(page);
    }
    world.finish();
    assert_eq!((world.note(0), world.note(1)), (0, 5));
    assert_eq!(world.note(512), u64::from_le_bytes(*b"typed\0\0\0"));
}

#[test]
fn typed_bytes_wake_a_hart_that_listens() {
    let mut program = program();
    // Enable the serial port's interrupt at the port, the controller and the hart; then wait.
    program.li(R::R5, map::UART.base).li(R::R6, 1).sb(R::R6, R::R5, 1);
    program.li(R::R7, map::PLIC.base + 40).sw(R::R6, R::R7, 0);
    program.li(R::R7, map::PLIC.base + 0x2080).li(R::R6, 1 << 10).sw(R::R6, R::R7, 0);
    program.li(R::R6, 1 << 9).csrs(SIE, R::R6).wfi().lbu(R::R8, R::R5, 0);
    write_note(&mut program, 0, R::R8);
    program.csrr(R::R7, TIME_CSR);
    write_note(&mut program, 1, R::R7);
    program.power_off();
    let mut world = World::new(config(1), &program);
    assert_eq!(world.run(70_000), MachineStop::Deadline);
    assert!(world.machine.is_idle());
    world.machine.console_input(&mut world.store, b"k").unwrap();
    world.finish();
    assert_eq!((world.note(0), world.note(1)), (u64::from(b'k'), 700));
}
