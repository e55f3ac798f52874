//! A hart over a few frames, in one mode and at one place, that executes one instruction at a time.

use super::exclusions::{SATP, VSATP, ignored};
use super::layout::{CODE, DATA_BYTES, FRAMES, Place, RAM, STALE, is_stale};
use super::observation::{Control, Observation, Outcome, Visible};
use super::registers::Registers;
use super::state::State;
use dcsim_hart::csr::fields::{counter, environment, interrupt};
use dcsim_hart::{
    Bus, BusError, Csrs, Engine, Hart, HostedModes, InterruptLines, IsaProfile, Ports, Privilege,
    Reservation, Signal, Stop, Timing, Width,
};
use dcsim_memory::{Frames, Memory, MemoryError, PAGE_BYTES, PageStore, PhysicalAddress};

const MIDELEG: u16 = 0x303;
const MIE: u16 = 0x304;
const MCOUNTEREN: u16 = 0x306;
const MENVCFG: u16 = 0x30a;
const MIP: u16 = 0x344;
const PMPCFG0: u16 = 0x3a0;
const PMPADDR0: u16 = 0x3b0;

/// One entry for all addresses, with all rights.
const PMP_EVERYTHING: u64 = 0x1f;

/// Every execution begins at this cycle, so that no clock tells two of them apart.
const BEGIN_CYCLES: u64 = 1000;

/// A machine without devices.
struct NoDevices;

impl Bus for NoDevices {
    fn load(&mut self, _: &mut Memory<'_>, _: u64, _: Width, _: u64) -> Result<u64, BusError> {
        Err(BusError)
    }

    fn store(
        &mut self,
        _: &mut Memory<'_>,
        _: u64,
        _: Width,
        _: u64,
        _: u64,
    ) -> Result<Signal, BusError> {
        Err(BusError)
    }

    fn interrupt_lines(&self, _: usize) -> InterruptLines {
        InterruptLines::default()
    }
}

/// What all worlds share: the pages behind their frames, and the engine.
#[derive(Debug)]
pub(super) struct Shared<E> {
    pub(super) store: PageStore,
    pub(super) engine: E,
}

/// A hart with its memory.
#[derive(Debug)]
pub(super) struct World {
    mode: Privilege,
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
        mode: Privilege,
        place: Place,
    ) -> Result<Self, MemoryError> {
        let mut frames = Frames::new(RAM, FRAMES);
        let mut memory = Memory { store, frames: &mut frames };
        place.map(&mut memory, mode == Privilege::User)?;
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
        let for_user = self.mode == Privilege::User;
        let Shared { store, engine } = shared;
        let memory = Memory { store, frames: &mut self.frames };
        let mut ports = Ports { memory, bus: &mut NoDevices };
        fill(&mut ports.memory, self.place, state)?;
        self.place.map_stale(&mut ports.memory, for_user, true)?;
        enter(&mut self.hart, self.mode, &self.initial);
        apply(&mut self.hart, self.place, registers, state, values);
        let has_stale = holds_stale(&mut self.hart, &mut ports);
        self.place.map_stale(&mut ports.memory, for_user, false)?;
        let csrs = self.hart.csrs.clone();
        let before = control(&self.hart, registers, has_stale);

        let stop = engine.run(&mut self.hart, &mut ports, BEGIN_CYCLES + 1);
        let visible = visible(&self.hart, &ports.memory, self.place)?;
        let mut after = control(&self.hart, registers, has_stale);
        after.waits = stop == Stop::WaitForInterrupt;
        enter_again(&mut self.hart, self.mode, csrs);
        after.keeps_translation = holds_stale(&mut self.hart, &mut ports);
        Ok(Observation { outcome: Outcome::of(stop), before, visible, after })
    }
}

/// Has machine mode let the others do whatever they may.
fn configure(hart: &mut Hart) {
    let environment = environment::STCE | environment::ADUE;
    for (number, value) in [
        (PMPADDR0, u64::MAX),
        (PMPCFG0, PMP_EVERYTHING),
        (MIDELEG, interrupt::SUPERVISOR),
        (MCOUNTEREN, counter::TIME),
        (MENVCFG, environment),
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

/// Enters a mode with the initial registers, a fresh clock and empty TLBs.
fn enter(hart: &mut Hart, mode: Privilege, initial: &Csrs) {
    hart.csrs = initial.clone();
    hart.clock.cycles = BEGIN_CYCLES;
    hart.counters.instructions = 0;
    hart.set_mode(mode, false);
    hart.flush_translations(None, None);
    hart.flush_second_stage(None);
}

/// Enters a mode with the registers of before, and whatever the TLBs hold.
fn enter_again(hart: &mut Hart, mode: Privilege, csrs: Csrs) {
    hart.csrs = csrs;
    hart.set_mode(mode, false);
}

/// Gives the hart the registers of a state. No interrupt is both pending and enabled.
fn apply(hart: &mut Hart, place: Place, registers: &Registers, state: &State, values: Values) {
    let set = &state.registers[usize::from(values == Values::Second)];
    for (&number, &value) in registers.varied.iter().zip(set) {
        hart.write_csr(number, value);
    }
    for number in [SATP, VSATP] {
        hart.write_csr(number, place.satp(state.asid));
    }
    let pending = hart.read_csr(MIP).unwrap_or(0);
    let enabled = hart.read_csr(MIE).unwrap_or(0);
    hart.write_csr(MIE, enabled & !pending);
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
fn holds_stale(hart: &mut Hart, ports: &mut Ports<'_>) -> bool {
    hart.begin_run(ports);
    hart.load(ports, STALE, Width::Double).is_ok_and(is_stale)
}

fn control(hart: &Hart, registers: &Registers, keeps_translation: bool) -> Control {
    let read = |&number: &u16| hart.read_csr(number).unwrap_or(0) & !ignored(number);
    let registers = registers.privileged.iter().map(read).collect();
    let (privilege, virtualised) = (hart.privilege, hart.virtualised);
    Control { privilege, virtualised, registers, waits: false, keeps_translation }
}

fn visible(hart: &Hart, memory: &Memory<'_>, place: Place) -> Result<Visible, MemoryError> {
    let mut bytes = vec![0; DATA_BYTES + PAGE_BYTES];
    for (page, address) in bytes.chunks_mut(PAGE_BYTES).zip(place.visible()) {
        memory.read(address, page)?;
    }
    Ok(Visible {
        pc: hart.pc,
        x: hart.x,
        f: hart.f,
        fflags: hart.csrs.fflags,
        frm: hart.csrs.frm,
        memory: bytes,
    })
}
