//! A hart over a few frames, in one mode and at one place, that executes one instruction at a time.

use super::exclusions::{SATP, VSATP, ignored};
use super::layout::{CODE, DATA_BYTES, FRAMES, Place, RAM, STALE, is_stale};
use super::observation::{Control, Observation, Outcome, Visible};
use super::registers::{Registers, guest_bits, is_of_configuration, is_of_guest};
use super::state::State;
use dcsim_hart::csr::fields::{counter, environment, interrupt};
use dcsim_hart::{
    Csrs, Engine, Hart, HostedModes, IsaProfile, NoDevices, Ports, Privilege, Reservation, Stop,
    Timing, Width,
};
use dcsim_memory::{Frames, Memory, MemoryError, PAGE_BYTES, PageStore, PhysicalAddress};

const MIDELEG: u16 = 0x303;
const MIE: u16 = 0x304;
const MCOUNTEREN: u16 = 0x306;
const MENVCFG: u16 = 0x30a;
const MIP: u16 = 0x344;
const HIDELEG: u16 = 0x603;
const HCOUNTEREN: u16 = 0x606;
const HENVCFG: u16 = 0x60a;
const HGATP: u16 = 0x680;
const PMPCFG0: u16 = 0x3a0;
const PMPADDR0: u16 = 0x3b0;

/// One entry for all addresses, with all rights.
const PMP_EVERYTHING: u64 = 0x1f;

/// Every execution begins at this cycle, so that no clock tells two of them apart.
const BEGIN_CYCLES: u64 = 1000;

/// What all worlds share: the pages behind their frames, and the engine.
#[derive(Debug)]
pub(super) struct Shared<E> {
    pub(super) store: PageStore,
    pub(super) engine: E,
}

/// The mode that a world's instructions are executed in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct WorldMode {
    pub(super) privilege: Privilege,
    /// In a guest of the hypervisor extension.
    pub(super) in_guest: bool,
}

impl WorldMode {
    fn is_for_user(self) -> bool {
        self.privilege == Privilege::User
    }

    /// The mode whose translations are to outlive the instruction: a guest's own are its affair.
    fn watched(self) -> Self {
        let privilege = if self.in_guest { Privilege::Supervisor } else { self.privilege };
        Self { privilege, in_guest: false }
    }

    fn enter(self, hart: &mut Hart) {
        hart.set_mode(self.privilege, self.in_guest);
    }
}

/// A hart with its memory.
#[derive(Debug)]
pub(super) struct World {
    mode: WorldMode,
    place: Place,
    frames: Frames,
    hart: Hart,
    /// The registers that every execution begins with, but for those that its state gives.
    initial: Csrs,
}

/// Which of its two sets of register values a state has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Values {
    First,
    Second,
}

impl World {
    /// A hart in this mode, with its pages at this place.
    pub(super) fn new(
        store: &mut PageStore,
        profile: IsaProfile,
        mode: WorldMode,
        place: Place,
    ) -> Result<Self, MemoryError> {
        let mut frames = Frames::new(RAM, FRAMES);
        let mut memory = Memory { store, frames: &mut frames };
        let map = if mode.in_guest { Place::map_guest } else { Place::map };
        map(&place, &mut memory, mode.is_for_user())?;
        let mut hart = Hart::new(0, profile, Timing::uniform());
        hart.hosted = HostedModes { machine: true, supervisor: true };
        configure(&mut hart);
        let initial = hart.csrs.clone();
        Ok(Self { mode, place, frames, hart, initial })
    }

    /// The hart, to ask what it has.
    pub(super) fn hart(&self) -> &Hart {
        &self.hart
    }

    /// Executes the instruction of a state.
    pub(super) fn execute<E: Engine>(
        &mut self,
        shared: &mut Shared<E>,
        registers: &Registers,
        state: &State,
        values: Values,
    ) -> Result<Observation, MemoryError> {
        let Self { mode, place, frames, hart, initial } = self;
        let (mode, place) = (*mode, *place);
        let stale_for = (mode.in_guest, mode.is_for_user());
        let Shared { store, engine } = shared;
        let mut ports = Ports { memory: Memory { store, frames }, bus: &mut NoDevices };
        fill(&mut ports.memory, place, state)?;
        reset(hart, initial);
        apply(hart, mode, place, registers, state, values);
        place.map_stale(&mut ports.memory, stale_for, true)?;
        let has_stale = holds_stale(hart, mode, &mut ports);
        place.map_stale(&mut ports.memory, stale_for, false)?;
        let csrs = hart.csrs.clone();
        mode.enter(hart);
        let before = control(hart, mode, registers, has_stale);

        let stop = engine.run(hart, &mut ports, BEGIN_CYCLES + 1);
        let visible = visible(hart, mode, registers, &ports.memory, place)?;
        let mut after = control(hart, mode, registers, has_stale);
        after.waits = stop == Stop::WaitForInterrupt && !mode.in_guest;
        hart.csrs = csrs;
        after.keeps_translation = holds_stale(hart, mode, &mut ports);
        Ok(Observation { outcome: Outcome::of(stop), before, visible, after })
    }
}

/// Has machine mode, and HS mode, let the others do whatever they may.
fn configure(hart: &mut Hart) {
    let environment = environment::STCE | environment::ADUE;
    for (number, value) in [
        (PMPADDR0, u64::MAX),
        (PMPCFG0, PMP_EVERYTHING),
        (MIDELEG, interrupt::SUPERVISOR),
        (MCOUNTEREN, counter::TIME),
        (MENVCFG, environment),
        (HIDELEG, interrupt::VIRTUAL),
        (HCOUNTEREN, counter::TIME),
        (HENVCFG, environment),
    ] {
        hart.write_csr(number, value);
    }
}

/// Puts the program's pages in memory.
fn fill(memory: &mut Memory<'_>, place: Place, state: &State) -> Result<(), MemoryError> {
    let [first, second, code] = place.visible();
    let (low, high) = state.data.split_at(PAGE_BYTES);
    memory.write(first, low)?;
    memory.write(second, high)?;
    memory.write(code, &[0; PAGE_BYTES])?;
    memory.write_u32(PhysicalAddress(code.0 + state.pc - CODE), state.word)
}

/// Gives the hart the initial registers, a fresh clock and empty TLBs.
fn reset(hart: &mut Hart, initial: &Csrs) {
    hart.csrs = initial.clone();
    hart.clock.cycles = BEGIN_CYCLES;
    hart.counters.instructions = 0;
    hart.set_mode(Privilege::Supervisor, false);
    hart.flush_translations(None, None);
    hart.flush_second_stage(None);
}

/// Gives the hart the registers of a state. No interrupt is both pending and enabled.
fn apply(
    hart: &mut Hart,
    mode: WorldMode,
    place: Place,
    registers: &Registers,
    state: &State,
    values: Values,
) {
    let [first, second] = &state.registers;
    for (index, &number) in registers.varied.iter().enumerate() {
        let is_fixed = mode.in_guest && is_of_guest(number);
        let set = if values == Values::First || is_fixed { first } else { second };
        if !(mode.in_guest && is_of_configuration(number)) {
            hart.write_csr(number, set[index]);
        }
    }
    for (number, value) in roots(mode, place, state.asid) {
        hart.write_csr(number, value);
    }
    let pending = hart.read_csr(MIP).unwrap_or(0);
    let enabled = hart.read_csr(MIE).unwrap_or(0);
    hart.write_csr(MIE, enabled & !pending);
    apply_program(hart, place, state);
}

/// Where the page tables are. HS mode sees the memory of a guest as the guest's supervisor does.
fn roots(mode: WorldMode, place: Place, asid: u64) -> Vec<(u16, u64)> {
    if mode.in_guest {
        let guest = Place::guest_satp(asid);
        vec![(SATP, place.host_satp(asid)), (VSATP, guest), (HGATP, place.hgatp())]
    } else {
        vec![(SATP, place.satp(asid)), (VSATP, place.satp(asid))]
    }
}

/// Gives the hart what a program owns.
fn apply_program(hart: &mut Hart, place: Place, state: &State) {
    (hart.pc, hart.x, hart.f) = (state.pc, state.x, state.f);
    (hart.csrs.fflags, hart.csrs.frm) = (state.fflags, state.frm);
    hart.reservation = state.reservation.map(|reserved| {
        let offset = reserved.offset as usize;
        let bytes = &state.data[offset..offset + reserved.width.bytes() as usize];
        let value = bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let address = place.data_address(reserved.offset).0;
        Reservation { address, width: reserved.width, value }
    });
}

/// Whether the stale page is still read through the translation that the tables no longer have. If
/// the TLB has none, it takes the tables'.
fn holds_stale(hart: &mut Hart, mode: WorldMode, ports: &mut Ports<'_>) -> bool {
    mode.watched().enter(hart);
    hart.begin_run(ports);
    hart.load(ports, STALE, Width::Double).is_ok_and(is_stale)
}

fn control(
    hart: &Hart,
    mode: WorldMode,
    registers: &Registers,
    keeps_translation: bool,
) -> Control {
    let of_guest = |number| if mode.in_guest { guest_bits(number) } else { 0 };
    let read =
        |&number: &u16| hart.read_csr(number).unwrap_or(0) & !ignored(number) & !of_guest(number);
    Control {
        mode: (!hart.virtualised).then_some(hart.privilege),
        registers: registers.watched(mode.in_guest).iter().map(read).collect(),
        waits: false,
        keeps_translation,
    }
}

fn visible(
    hart: &Hart,
    mode: WorldMode,
    registers: &Registers,
    memory: &Memory<'_>,
    place: Place,
) -> Result<Visible, MemoryError> {
    let mut bytes = vec![0; DATA_BYTES + PAGE_BYTES];
    for (page, address) in bytes.chunks_mut(PAGE_BYTES).zip(place.visible()) {
        memory.read(address, page)?;
    }
    let read = |&number: &u16| hart.read_csr(number).unwrap_or(0);
    let guest = || (hart.privilege, registers.guest.iter().map(read).collect());
    Ok(Visible {
        pc: hart.pc,
        x: hart.x,
        f: hart.f,
        fflags: hart.csrs.fflags,
        frm: hart.csrs.frm,
        memory: bytes,
        guest: mode.in_guest.then(guest),
    })
}
