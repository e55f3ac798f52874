//! Control and status registers: which exist, who may access them, and what they can hold.
//!
//! Expected values are those of the privileged architecture: the CSR listing, and the rules of each
//! register's section.

#![allow(clippy::unwrap_used)] // In helpers: their failure is a failure of the test.

mod privileged_world;

use dcsim_hart::{
    CsrEffect, CsrOp, Hart, IsaProfile, Privilege, Timing, Trap, Width, csr as registers,
};
use privileged_world::{ADUE, PRIVILEGES, RAM, STCE, World, csr, status};

/// What a register needs besides the privilege in its number.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    /// `mstatus.FS` not off.
    Float,
    /// The bit of the counter in the enable registers.
    Counter,
    /// A counter that is not there: only machine mode may read it.
    AbsentCounter,
    /// `menvcfg.STCE` and `mcounteren.TM` below machine mode.
    TimeCompare,
    /// `mstatus.TVM` clear below machine mode.
    NoVirtualMemoryTrap,
}

/// The registers of RV64GC with S, Zicntr, Zihpm, Sstc and 16 protection entries.
const EXISTING: &[(u16, u16, Needs)] = &[
    (0x001, 0x003, Needs::Float),
    (0x100, 0x100, Needs::Nothing),
    (0x104, 0x106, Needs::Nothing),
    (0x10a, 0x10a, Needs::Nothing),
    (0x140, 0x144, Needs::Nothing),
    (0x14d, 0x14d, Needs::TimeCompare),
    (0x180, 0x180, Needs::NoVirtualMemoryTrap),
    (0x300, 0x306, Needs::Nothing),
    (0x30a, 0x30a, Needs::Nothing),
    (0x320, 0x320, Needs::Nothing),
    (0x323, 0x33f, Needs::Nothing),
    (0x340, 0x344, Needs::Nothing),
    (0x3a0, 0x3a0, Needs::Nothing),
    (0x3a2, 0x3a2, Needs::Nothing),
    (0x3b0, 0x3bf, Needs::Nothing),
    (0x7a0, 0x7a3, Needs::Nothing),
    (0xb00, 0xb00, Needs::Nothing),
    (0xb02, 0xb1f, Needs::Nothing),
    (0xc00, 0xc02, Needs::Counter),
    (0xc03, 0xc1f, Needs::AbsentCounter),
    (0xf11, 0xf15, Needs::Nothing),
];

fn needs(number: u16) -> Option<Needs> {
    let row = EXISTING.iter().find(|(first, last, _)| (*first..=*last).contains(&number));
    row.map(|(_, _, needs)| *needs)
}

/// Whether a read is legal, with everything that can be enabled on or off.
fn may_read(number: u16, privilege: Privilege, enabled: bool) -> bool {
    let is_machine = privilege == Privilege::Machine;
    let need = match needs(number) {
        None => return false,
        Some(Needs::Nothing) => true,
        Some(Needs::Float) => enabled,
        Some(Needs::AbsentCounter) => is_machine,
        Some(Needs::Counter | Needs::TimeCompare | Needs::NoVirtualMemoryTrap) => {
            enabled || is_machine
        }
    };
    need && privilege.code() >= u64::from(number >> 8 & 3)
}

fn world(enabled: bool) -> World {
    let mut world = World::new();
    if enabled {
        world.set(csr::MSTATUS, status::FS);
        world.write(csr::MCOUNTEREN, u64::MAX);
        world.write(0x106, u64::MAX);
        world.write(csr::MENVCFG, STCE);
    } else {
        world.set(csr::MSTATUS, status::TVM);
    }
    world
}

#[test]
fn every_number_is_readable_exactly_where_the_architecture_says() {
    for enabled in [false, true] {
        let mut world = world(enabled);
        for number in 0..0x1000 {
            for privilege in PRIVILEGES {
                let result = world.access(privilege, number, CsrOp::Read);
                let legal = may_read(number, privilege, enabled);
                assert_eq!(result.is_ok(), legal, "{number:#x} {privilege:?} {enabled}");
                assert!(legal || result == Err(Trap::ILLEGAL));
            }
        }
    }
}

#[test]
fn read_only_registers_refuse_every_kind_of_write() {
    for number in 0..0x1000 {
        for op in [CsrOp::Write(0), CsrOp::Set(0), CsrOp::Clear(0)] {
            let mut world = world(true);
            let result = world.access(Privilege::Machine, number, op);
            let legal = needs(number).is_some() && number >> 10 != 3;
            assert_eq!(result.is_ok(), legal, "{number:#x} {op:?}");
        }
    }
}

/// The registers that the hypervisor extension adds: they have names on every hart.
fn of_hypervisor_extension(number: u16) -> bool {
    let added = [
        0x200, 0x204, 0x205, 0x240, 0x241, 0x242, 0x243, 0x244, 0x24d, 0x280, 0x34a, 0x34b, 0x600,
        0x602, 0x603, 0x604, 0x605, 0x606, 0x607, 0x60a, 0x643, 0x644, 0x645, 0x64a, 0x680, 0xe12,
    ];
    added.contains(&number)
}

#[test]
fn all_registers_have_names() {
    for number in 0..0x1000 {
        let exists = needs(number).is_some() || of_hypervisor_extension(number);
        assert_eq!(registers::name(number).is_some(), exists, "{number:#x}");
    }
    assert_eq!(registers::name(csr::STIMECMP).as_deref(), Some("stimecmp"));
}

/// Registers whose writable bits are fixed and independent: number, bits that stay 0 when ones are
/// written are the complement of the first mask, bits that stay 1 when zeros are written.
const MASKS: &[(u16, u64, u64)] = &[
    (0x001, 0x1f, 0),
    (0x002, 0x7, 0),
    (0x003, 0xff, 0),
    (0x106, 0x7, 0),
    (0x10a, 0x1, 0),
    (0x140, u64::MAX, 0),
    (0x141, !1, 0),
    (0x142, u64::MAX, 0),
    (0x143, u64::MAX, 0),
    (0x14d, u64::MAX, 0),
    (0x302, 0xb3ff, 0),
    (0x303, 0x222, 0),
    (0x304, 0xaaa, 0),
    (0x306, 0x7, 0),
    (0x30a, 1 | ADUE | STCE, 0),
    (0x320, 0x5, 0),
    (0x323, 0, 0),
    (0x340, u64::MAX, 0),
    (0x341, !1, 0),
    (0x342, u64::MAX, 0),
    (0x343, u64::MAX, 0),
    (0x3b0, (1 << 54) - 1, 0),
    (0x7a1, 0, 0),
    (0xb03, 0, 0),
];

#[test]
fn fields_that_are_not_there_read_zero() {
    for (number, ones, zeros) in MASKS {
        let mut world = world(true);
        world.write(*number, u64::MAX);
        assert_eq!(world.read(*number), *ones, "{number:#x}");
        world.write(*number, 0);
        assert_eq!(world.read(*number), *zeros, "{number:#x}");
    }
}

#[test]
fn set_and_clear_change_only_their_bits_and_return_the_old_value() {
    let mut world = World::new();
    let mut access = |op| world.access(Privilege::Machine, 0x340, op).map(|(old, _)| old);
    assert_eq!(access(CsrOp::Write(0b1100)), Ok(0));
    assert_eq!(access(CsrOp::Set(0b0110)), Ok(0b1100));
    assert_eq!(access(CsrOp::Clear(0b0100)), Ok(0b1110));
    assert_eq!(access(CsrOp::Read), Ok(0b1010));
}

#[test]
fn identity_registers_read_as_promised() {
    let mut world = World::new();
    for number in [0xf11, 0xf12, 0xf13, 0xf14, 0xf15] {
        assert_eq!(world.read(number), 0);
    }
    world.hart = Hart::new(3, IsaProfile::Rv64gc, Timing::uniform());
    assert_eq!(world.read(0xf14), 3);
}

#[test]
fn misa_names_rv64gc_and_cannot_be_changed() {
    let mut world = World::new();
    let letters = world.read(0x301) & ((1 << 26) - 1);
    for letter in b'A'..=b'Z' {
        let present = letters >> (letter - b'A') & 1 != 0;
        assert_eq!(present, b"ABCDFIMSU".contains(&letter), "{}", letter as char);
    }
    assert_eq!(world.read(0x301) >> 62, 2);
    world.write(0x301, 0);
    assert_eq!(world.read(0x301) & ((1 << 26) - 1), letters);
}

#[test]
fn mstatus_has_its_fields_and_no_others() {
    let mut world = World::new();
    let fixed = 2 << 32 | 2 << 34;
    assert_eq!(world.read(csr::MSTATUS), fixed);
    world.write(csr::MSTATUS, u64::MAX);
    let fields = 0x7f_f9aa & !(3 << 15) & !(3 << 9) & !(1 << 6);
    assert_eq!(world.read(csr::MSTATUS), fixed | fields | 1 << 63);
    world.write(csr::MSTATUS, 0);
    assert_eq!(world.read(csr::MSTATUS), fixed);
}

#[test]
fn mpp_cannot_hold_the_reserved_mode() {
    for before in [0, 1, 3] {
        let mut world = World::new();
        world.write(csr::MSTATUS, before << 11);
        world.write(csr::MSTATUS, 2 << 11 | status::MIE);
        assert_eq!(world.read(csr::MSTATUS) >> 11 & 3, before);
        assert_ne!(world.read(csr::MSTATUS) & status::MIE, 0);
    }
}

#[test]
fn sstatus_is_a_window_on_mstatus() {
    let mut world = World::new();
    world.write(csr::MSTATUS, u64::MAX);
    let visible = 1 << 1 | 1 << 5 | 1 << 8 | 3 << 13 | 1 << 18 | 1 << 19 | 2 << 32 | 1 << 63;
    assert_eq!(world.read(csr::SSTATUS), visible);

    let machine_fields = world.read(csr::MSTATUS) & !visible;
    world.write(csr::SSTATUS, 0);
    assert_eq!(world.read(csr::SSTATUS), 2 << 32);
    assert_eq!(world.read(csr::MSTATUS), machine_fields | 2 << 32);
}

#[test]
fn sd_says_that_floating_point_state_is_dirty() {
    let mut world = World::new();
    for (state, dirty) in [(0, 0), (1, 0), (2, 0), (3, 1)] {
        world.write(csr::MSTATUS, state << 13);
        assert_eq!(world.read(csr::MSTATUS) >> 63, dirty);
        assert_eq!(world.read(csr::SSTATUS) >> 63, dirty);
    }
}

#[test]
fn floating_point_registers_share_their_bits_and_make_the_state_dirty() {
    let mut world = World::new();
    for (number, value, all) in [(0x001, 0x15, 0x15), (0x002, 3, 0x75), (0x003, 0xe9, 0xe9)] {
        world.write(csr::MSTATUS, 1 << 13);
        let read = world.access(Privilege::User, number, CsrOp::Read);
        assert!(read.is_ok());
        assert_eq!(world.read(csr::MSTATUS) >> 13 & 3, 1, "reading leaves the state alone");
        assert!(world.access(Privilege::User, number, CsrOp::Write(value)).is_ok());
        assert_eq!(world.read(csr::MSTATUS) >> 13 & 3, 3);
        assert_eq!(world.read(0x003), all);
    }
    assert_eq!((world.read(0x001), world.read(0x002)), (0x09, 7));
}

#[test]
fn trap_vectors_refuse_reserved_modes() {
    for number in [csr::MTVEC, csr::STVEC] {
        let mut world = World::new();
        world.write(number, 0x8000_0101);
        assert_eq!(world.read(number), 0x8000_0101);
        for reserved in [2, 3] {
            world.write(number, 0x9000_0000 | reserved);
            assert_eq!(world.read(number), 0x8000_0101);
        }
        world.write(number, 0x9000_0000);
        assert_eq!(world.read(number), 0x9000_0000);
    }
}

#[test]
fn satp_ignores_writes_of_modes_that_are_not_there() {
    let mut world = World::new();
    let legal = 8 << 60 | 0xffff << 44 | ((1 << 44) - 1);
    world.write(csr::SATP, legal);
    assert_eq!(world.read(csr::SATP), legal);
    for mode in (1..8).chain(10..16) {
        world.write(csr::SATP, mode << 60 | 5);
        assert_eq!(world.read(csr::SATP), legal, "mode {mode}");
    }
    for mode in [9, 0, 8] {
        world.write(csr::SATP, mode << 60);
        assert_eq!(world.read(csr::SATP), mode << 60);
    }
}

#[test]
fn tvm_takes_satp_from_supervisor_mode_only() {
    let mut world = World::new();
    world.set(csr::MSTATUS, status::TVM);
    for op in [CsrOp::Read, CsrOp::Write(0)] {
        assert_eq!(world.access(Privilege::Supervisor, csr::SATP, op), Err(Trap::ILLEGAL));
        assert!(world.access(Privilege::Machine, csr::SATP, op).is_ok());
    }
}

#[test]
fn stimecmp_needs_both_the_environment_and_the_time_counter() {
    for (environment, enable, legal) in
        [(0, 0, false), (STCE, 0, false), (0, 2, false), (STCE, 2, true)]
    {
        let mut world = World::new();
        world.write(csr::MENVCFG, environment);
        world.write(csr::MCOUNTEREN, enable);
        let result = world.access(Privilege::Supervisor, csr::STIMECMP, CsrOp::Write(1));
        assert_eq!(result.is_ok(), legal);
        assert!(world.access(Privilege::Machine, csr::STIMECMP, CsrOp::Read).is_ok());
    }
}

#[test]
fn supervisor_interrupt_registers_show_what_is_delegated() {
    let mut world = World::new();
    world.write(csr::MIE, 0xaaa);
    world.write(csr::MIP, 0x222);
    for delegated in [0, 0x2, 0x20, 0x200, 0x222] {
        world.write(csr::MIDELEG, delegated);
        assert_eq!(world.read(csr::SIE), delegated);
        assert_eq!(world.read(csr::SIP), delegated);
    }
    world.write(csr::MIDELEG, 0x22);
    world.write(csr::SIE, 0);
    assert_eq!(world.read(csr::MIE), 0xa88);
    world.write(csr::SIE, u64::MAX);
    assert_eq!(world.read(csr::MIE), 0xaaa);
}

#[test]
fn only_the_software_interrupt_of_sip_can_be_written() {
    let mut world = World::new();
    world.write(csr::MIDELEG, 0x222);
    world.write(csr::SIP, u64::MAX);
    assert_eq!(world.read(csr::MIP), 0x2);
    world.write(csr::MIP, 0x222);
    world.write(csr::SIP, 0);
    assert_eq!(world.read(csr::MIP), 0x220);

    world.write(csr::MIDELEG, 0x220);
    world.write(csr::SIP, u64::MAX);
    assert_eq!(world.read(csr::MIP), 0x220, "not delegated: not even that one");
}

#[test]
fn machine_bits_of_mip_follow_their_inputs_alone() {
    let mut world = World::new();
    world.write(csr::MIP, u64::MAX);
    assert_eq!(world.read(csr::MIP), 0x222);
    world.write(csr::MIP, 0);
    world.device.lines.machine_external = true;
    world.device.lines.machine_software = true;
    world.device.lines.machine_timer_compare = 0;
    world.begin();
    assert_eq!(world.read(csr::MIP), 0x888);
    world.write(csr::MIP, 0);
    assert_eq!(world.read(csr::MIP), 0x888);
}

#[test]
fn setting_other_bits_of_mip_does_not_capture_the_external_line() {
    let mut world = World::new();
    world.device.lines.supervisor_external = true;
    world.begin();
    let (old, _) = world.access(Privilege::Machine, csr::MIP, CsrOp::Set(0x2)).unwrap();
    assert_eq!(old, 0x200, "the line is in the value read");
    world.device.lines.supervisor_external = false;
    world.begin();
    assert_eq!(world.read(csr::MIP), 0x2, "and not in the value written back");
}

#[test]
fn with_sstc_the_timer_bit_follows_stimecmp() {
    let mut world = World::new();
    world.write(csr::MIP, 0x20);
    world.write(csr::STIMECMP, 50);
    world.write(csr::MENVCFG, STCE);
    assert_eq!(world.read(csr::MIP) & 0x20, 0, "what software set does not count");
    world.write(csr::MIP, 0x20);
    assert_eq!(world.read(csr::MIP) & 0x20, 0);
    world.hart.clock.cycles = 4_999;
    assert_eq!(world.read(csr::MIP) & 0x20, 0);
    world.hart.clock.cycles = 5_000;
    assert_eq!(world.read(csr::MIP) & 0x20, 0x20);
    world.write(csr::MIP, 0);
    assert_eq!(world.read(csr::MIP) & 0x20, 0x20);
    world.write(csr::STIMECMP, 51);
    assert_eq!(world.read(csr::MIP) & 0x20, 0);
}

#[test]
fn protection_registers_cannot_hold_reserved_settings() {
    let mut world = World::new();
    world.write(csr::PMPCFG0, 0x7f);
    assert_eq!(world.read(csr::PMPCFG0), 0x1f, "bits 5 and 6 are not there");
    world.write(csr::PMPCFG0, 0x1a);
    assert_eq!(world.read(csr::PMPCFG0), 0x18, "no writing without reading");
    world.write(0x3a2, 0x9f60_0701_0203_0405);
    assert_eq!(world.read(0x3a2), 0x9f00_0701_0003_0405);
}

#[test]
fn locked_entries_stay_as_they_are() {
    let mut world = World::new();
    world.write(0x3b2, 0x2000);
    world.write(0x3b1, 0x1000);
    // Entry 2: locked top-of-range, so that entry 1 is its bottom.
    world.write(csr::PMPCFG0, 0x89 << 16);
    for (number, expected) in [(0x3b0, 7), (0x3b1, 0x1000), (0x3b2, 0x2000), (0x3b3, 7)] {
        world.write(number, 7);
        assert_eq!(world.read(number), expected, "{number:#x}");
    }
    world.write(csr::PMPCFG0, 0x1f1f_1f1f);
    assert_eq!(world.read(csr::PMPCFG0), 0x1f89_1f1f);
}

#[test]
fn toggling_interrupts_ends_no_block_unless_one_is_to_be_taken() {
    let mut world = World::new();
    world.write(csr::MIDELEG, 0x222);
    world.write(csr::MIE, 0x2);
    world.hart.set_privilege(Privilege::Supervisor);
    let mut set = |op| world.hart.csr_access(csr::SSTATUS, op).unwrap().1;
    assert_eq!(set(CsrOp::Set(status::SIE)), CsrEffect::None);
    assert_eq!(set(CsrOp::Clear(status::SIE)), CsrEffect::None);
    assert_eq!(world.write(csr::SIP, 2), CsrEffect::EndBlock);
    let mut set = |op| world.hart.csr_access(csr::SSTATUS, op).unwrap().1;
    assert_eq!(set(CsrOp::Set(status::SIE)), CsrEffect::EndBlock);
    assert_eq!(set(CsrOp::Set(status::FS)), CsrEffect::EndBlock);
}

#[test]
fn changes_made_from_outside_count_from_the_next_run() {
    let mut world = World::new();
    world.hart.privilege = Privilege::User;
    world.begin();
    assert!(world.load(RAM, Width::Byte).is_err(), "no protection entry: no access");
}
