//! What surrounds a sequence: its privilege, its translation, and the memory that it may touch.

use crate::layout::{LANDING, LANDING_PAGES, MEMORY, PAGE, SAVE, SCRATCH, SCRATCH_PAGES, TABLES};
use crate::random::Random;
use crate::tables::{
    self, Mapping, SET_BYTES, SUPERVISOR_CODE, Tables, Target, USER_ALIAS, USER_CODE, bit,
};
use dcsim_hart::Privilege;

/// Memory that a sequence may touch, and how.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The first address.
    pub start: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is behind it.
    pub target: Target,
    /// Whether a load is sure to succeed: so that a store-conditional after a load-reserved has a
    /// reservation.
    pub is_readable: bool,
    /// Whether the translation permits a store to some privilege, with nothing to be marked first.
    pub is_writable: bool,
    /// Whether an atomic operation faults in the same way everywhere. QEMU makes the load before
    /// the store when it executes without parallelism, as here: so where only the load is
    /// permitted, it marks the page as accessed, which the specification allows but the core does
    /// not do; and where physical memory is not there, or protected, it fails to load before it
    /// finds that it may not store.
    pub is_atomic: bool,
}

/// How the harness enters a sequence: values for the control and status registers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Control {
    /// Translation.
    pub satp: u64,
    /// Physical address of the page tables, or of memory that never changes.
    pub tables: u64,
    /// Exceptions that supervisor mode handles.
    pub medeleg: u64,
    /// Whether supervisor mode handles its software interrupt.
    pub mideleg: u64,
    /// Whether that is enabled.
    pub mie: u64,
    /// Whether that is pending.
    pub mip: u64,
    /// Whether hardware sets accessed and dirty bits.
    pub menvcfg: u64,
    /// Privilege and the bits that govern access.
    pub mstatus: u64,
    /// A range of physical memory with protection of its own.
    pub pmpaddr0: u64,
    /// Its protection, and that of everything else.
    pub pmpcfg0: u64,
    /// Whether to fence before the sequence.
    pub fence: u64,
}

/// What surrounds a sequence.
#[derive(Clone, Debug)]
pub struct World {
    /// What the sequence runs as.
    pub privilege: Privilege,
    /// Where the sequence finds [`MEMORY`], to execute it.
    pub code: u64,
    /// Where supervisor mode finds [`MEMORY`].
    pub supervisor: u64,
    /// Where the sequence can write [`MEMORY`].
    pub aliases: Vec<u64>,
    /// Memory to load from and store to.
    pub windows: Vec<Window>,
    /// Pages of returns to jump to.
    pub landings: Vec<u64>,
    /// How it is entered.
    pub control: Control,
}

mod status {
    pub const SIE: u64 = 1 << 1;
    pub const SPIE: u64 = 1 << 5;
    pub const MPIE: u64 = 1 << 7;
    pub const FS: u64 = 3 << 13;
    pub const MPP_SHIFT: u32 = 11;
    pub const MPRV: u64 = 1 << 17;
    pub const SUM: u64 = 1 << 18;
    pub const MXR: u64 = 1 << 19;
    pub const TVM: u64 = 1 << 20;
    pub const TW: u64 = 1 << 21;
    pub const TSR: u64 = 1 << 22;
}

const SOFTWARE_INTERRUPT: u64 = 1 << 1;
const ADUE: u64 = 1 << 61;
/// Everything is allowed by the second entry.
const PMP_ALL: u64 = 0x1f00;
mod pmp {
    pub const R: u64 = 1;
    pub const W: u64 = 2;
    pub const X: u64 = 4;
    pub const FOUR: u64 = 2 << 3;
    pub const POWER: u64 = 3 << 3;
}

/// Calls stay with machine mode: one of them ends the sequence.
const CALLS: u64 = 0x700;

/// Machine mode without translation.
pub fn bare() -> World {
    let mut world = World {
        privilege: Privilege::Machine,
        code: MEMORY,
        supervisor: MEMORY,
        aliases: vec![MEMORY],
        windows: vec![physical_window()],
        landings: (0..LANDING_PAGES).map(|page| LANDING + PAGE * page).collect(),
        control: Control { tables: SAVE + PAGE, ..Control::default() },
    };
    world.control.pmpcfg0 = PMP_ALL;
    world.control.mstatus = status::FS | 3 << status::MPP_SHIFT;
    world
}

fn physical_window() -> Window {
    Window {
        start: SCRATCH,
        bytes: SCRATCH_PAGES * PAGE,
        target: Target::Scratch,
        is_readable: true,
        is_writable: true,
        is_atomic: true,
    }
}

/// Any privilege, mostly with translation by the set of tables with this number.
pub fn random(random: &mut Random, number: u64, tables: &Tables) -> World {
    let mut world = bare();
    let modes = [Privilege::Machine, Privilege::Supervisor, Privilege::User, Privilege::User];
    world.privilege = random.pick(&modes);
    set_status(&mut world, random);
    if !random.once_in(8) {
        translate(&mut world, number, tables);
    }
    if random.once_in(4) {
        protect(&mut world.control, random);
        for window in &mut world.windows {
            window.is_readable = false;
            window.is_atomic &= window.is_writable;
        }
    }
    world
}

/// Gives a range of scratch memory, or of the page tables below the root, a protection of its own:
/// four bytes, or a power of two from eight on.
///
/// Tables that may be read may be written: QEMU 10 sets accessed and dirty bits without asking
/// whether it may.
fn protect(control: &mut Control, random: &mut Random) {
    let permissions = random.pick(&[0, pmp::R, pmp::R | pmp::W, pmp::R | pmp::X, pmp::X]);
    let size = 4 << random.below(11);
    let (start, pages, permissions) = if random.once_in(4) {
        let writable = if permissions & pmp::R == 0 { 0 } else { pmp::W };
        (control.tables + SET_BYTES / 2, SET_BYTES / 2 / PAGE, permissions | writable)
    } else {
        (SCRATCH, SCRATCH_PAGES, permissions)
    };
    let range = start + random.below(pages * PAGE / size) * size;
    let mode = if size == 4 { pmp::FOUR } else { pmp::POWER };
    control.pmpaddr0 = range >> 2 | (size / 8).saturating_sub(1);
    control.pmpcfg0 |= mode | permissions;
}

fn set_status(world: &mut World, random: &mut Random) {
    let control = &mut world.control;
    let choices = [status::SUM, status::MXR, status::TVM, status::TW, status::TSR];
    let chosen = choices.into_iter().filter(|_| random.once_in(2));
    control.mstatus = chosen.fold(status::FS, |all, bit| all | bit);
    control.mstatus |= world.privilege.code() << status::MPP_SHIFT;
    for register in [&mut control.mideleg, &mut control.mie, &mut control.mip] {
        *register = random.bits() & SOFTWARE_INTERRUPT;
    }
    control.medeleg = if random.once_in(2) { random.bits() & !CALLS } else { 0 };
    if control.medeleg | control.mideleg != 0 {
        // The handler of supervisor mode has to return.
        control.mstatus &= !status::TSR;
    }
    // Machine mode's own bit is off as long as the harness runs.
    control.mstatus |= random.bits() & (status::SIE | status::SPIE | status::MPIE);
    control.menvcfg = if random.once_in(2) { ADUE } else { 0 };
    control.fence = random.below(2);
    if world.privilege == Privilege::Machine {
        // Loads and stores as user mode makes them: the previous privilege once the harness has
        // returned to the sequence.
        control.mstatus |= status::MPRV;
    }
}

/// Each set has its own address space, and the mode is part of the set: so no fence is needed.
fn translate(world: &mut World, number: u64, tables: &Tables) {
    let start = TABLES + SET_BYTES * number;
    let mode = 8 + number % 2;
    world.control.tables = start;
    world.control.satp = mode << 60 | (number + 1) << 44 | tables::root(start, mode) >> 12;
    world.supervisor = SUPERVISOR_CODE;
    world.aliases = match world.privilege {
        Privilege::Supervisor => vec![SUPERVISOR_CODE],
        Privilege::Machine | Privilege::User => vec![USER_CODE, USER_ALIAS],
    };
    world.code = match world.privilege {
        Privilege::Machine => MEMORY,
        Privilege::Supervisor => SUPERVISOR_CODE,
        Privilege::User => USER_CODE,
    };
    let landings = tables.mappings.iter().filter(|mapping| mapping.target == Target::Landing);
    if world.privilege != Privilege::Machine {
        world.landings = landings.map(|mapping| mapping.start).collect();
    }
    world.windows = tables.mappings.iter().map(|mapping| window(world, *mapping)).collect();
}

fn window(world: &World, mapping: Mapping) -> Window {
    let has = |bits| mapping.entry & bits == bits;
    let is_mine = has(bit::U) == (world.privilege != Privilege::Supervisor);
    let is_legal = has(bit::V | bit::R) && mapping.entry & bit::RESERVED == 0;
    Window {
        start: mapping.start,
        bytes: mapping.bytes,
        target: mapping.target,
        is_readable: is_legal && is_mine && has(bit::A) && mapping.target != Target::Hole,
        is_writable: has(bit::W | bit::D),
        is_atomic: has(bit::W) || (has(bit::A) && mapping.target != Target::Hole),
    }
}
