//! The core as an oracle: a hart, memory, a console, a timer and nothing else.

use crate::layout::{BASE, FINISHER, MEMORY, MEMORY_BYTES, UART};
use dcsim_hart::engine::{Engine, Interpreter};
use dcsim_hart::{
    Bus, BusError, Clock, Counters, Hart, InterruptLines, IsaProfile, Ports, Privilege, Signal,
    Stop, Timing, Width,
};
use dcsim_memory::{Frames, Memory, PAGE_BYTES, PageId, PageStore, PhysicalAddress};

/// The software-interrupt register of the only hart.
pub const MSIP: u64 = 0x0200_0000;
/// The timer-compare register of the only hart.
pub const MTIMECMP: u64 = 0x0200_4000;

/// A UART that is always ready to send, the register that ends the run, and the two registers of
/// the hart's interruptor.
#[derive(Debug, Default)]
struct Devices {
    printed: Vec<u8>,
    lines: InterruptLines,
}

impl Bus for Devices {
    fn load(
        &mut self,
        _memory: &mut Memory<'_>,
        address: u64,
        _width: Width,
        _now_cycles: u64,
    ) -> Result<u64, BusError> {
        match address {
            // The line status register: transmitter empty.
            address if address == UART + 5 => Ok(0x60),
            MSIP => Ok(u64::from(self.lines.machine_software)),
            MTIMECMP => Ok(self.lines.machine_timer_compare),
            _ => Err(BusError),
        }
    }

    fn store(
        &mut self,
        _memory: &mut Memory<'_>,
        address: u64,
        _width: Width,
        value: u64,
        _now_cycles: u64,
    ) -> Result<Signal, BusError> {
        match address {
            UART => self.printed.push(value as u8),
            FINISHER => return Ok(Signal::Stop),
            MSIP => self.lines.machine_software = value & 1 != 0,
            MTIMECMP => self.lines.machine_timer_compare = value,
            _ => return Err(BusError),
        }
        Ok(if address == UART { Signal::None } else { Signal::Interrupts })
    }

    fn interrupt_lines(&self, _hart: usize) -> InterruptLines {
        self.lines
    }
}

/// How execution is divided, which must change nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace<'a> {
    /// In one run.
    Whole,
    /// Stopping at each of these cycles.
    Cuts(&'a [u64]),
    /// One instruction after the other.
    Steps,
    /// Every page is shared at first, and there is never room for a copy before it is needed: each
    /// first write stops the hart, and is made again.
    Scarce,
}

/// A machine that programs run on one after the other. Its engine and its page store outlive
/// programs: nothing of one may be seen by the next.
#[derive(Debug)]
pub struct Machine {
    /// The hart.
    pub hart: Hart,
    store: PageStore,
    frames: Frames,
    engine: Interpreter,
    devices: Devices,
    hoard: Hoard,
}

/// What keeps pages scarce.
#[derive(Debug, Default)]
struct Hoard {
    /// The same memory, so that all of its pages are shared.
    twin: Option<Frames>,
    /// Pages that take up all of the room; one is given back at a time.
    pages: Vec<PageId>,
}

/// All that a program can tell, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    x: [u64; 32],
    f: [u64; 32],
    pc: u64,
    privilege: Privilege,
    csrs: String,
    clock: Clock,
    counters: Counters,
    reservation: String,
    printed: Vec<u8>,
    lines: InterruptLines,
    memory_hash: u64,
}

impl Machine {
    /// A machine with `memory_bytes` of zeros from [`MEMORY`] upwards.
    pub fn new(memory_bytes: u64) -> Self {
        Self::with_isa(IsaProfile::Rv64gc, memory_bytes)
    }

    /// The same with another instruction set.
    pub fn with_isa(isa: IsaProfile, memory_bytes: u64) -> Self {
        Self {
            hart: Hart::new(0, isa, Timing::uniform()),
            // Room for every frame, a copy of it, and the page of zeros.
            store: PageStore::new(2 * memory_bytes + PAGE_BYTES as u64),
            frames: Frames::new(PhysicalAddress(MEMORY), memory_bytes / PAGE_BYTES as u64),
            engine: Interpreter::new(),
            devices: Devices::default(),
            hoard: Hoard::default(),
        }
    }

    /// Starts anew with a program that is loaded and entered at `base`; whatever of it does not fit
    /// is left out.
    pub fn restart(&mut self, program: &[u8], base: u64, timing: Timing) {
        self.give_up_hoard();
        self.frames.release_all(&mut self.store);
        self.frames.take_dirty();
        self.devices = Devices::default();
        self.hart = Hart::new(0, self.hart.profile(), timing);
        self.hart.pc = base;
        let end = self.frames.address_of(self.frames.count());
        let room = end.0.saturating_sub(base) as usize;
        let mut memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let loaded = memory.write(PhysicalAddress(base), &program[..program.len().min(room)]);
        debug_assert!(loaded.is_ok(), "the store has room for all frames");
    }

    /// Sets the `time` from which the machine timer interrupt is pending.
    pub fn set_timer(&mut self, compare: u64) {
        self.devices.lines.machine_timer_compare = compare;
    }

    /// Runs until something stops the hart.
    pub fn run(&mut self, until_cycles: u64) -> Stop {
        let memory = Memory { store: &mut self.store, frames: &mut self.frames };
        let mut ports = Ports { memory, bus: &mut self.devices };
        self.engine.run(&mut self.hart, &mut ports, until_cycles)
    }

    /// Runs until the deadline, the finisher or a wait that nothing will end. Traps into hosted
    /// modes are handled by going on at the trap vector, waits by moving the clock.
    pub fn run_on(&mut self, until_cycles: u64, pace: Pace<'_>) -> Stop {
        if pace == Pace::Scarce {
            self.hoard();
        }
        let mut stop = Stop::Deadline;
        let cuts = if let Pace::Cuts(cuts) = pace { cuts } else { &[] };
        for cut in cuts.iter().copied().filter(|cut| *cut < until_cycles).chain([until_cycles]) {
            stop = self.run_part(cut, until_cycles, pace == Pace::Steps);
            if stop != Stop::Deadline {
                break;
            }
        }
        stop
    }

    fn run_part(&mut self, until_cycles: u64, end_cycles: u64, by_steps: bool) -> Stop {
        loop {
            let stop = if by_steps { self.step(until_cycles) } else { self.run(until_cycles) };
            match stop {
                Stop::Trap(_) => {}
                Stop::WaitForInterrupt => match self.hart.next_timer_cycle() {
                    Some(wake) => self.hart.clock.cycles = wake.min(end_cycles),
                    None => return stop,
                },
                Stop::StoreFull => match self.hoard.pages.pop() {
                    Some(page) => self.store.release(page),
                    None => return stop,
                },
                _ => return stop,
            }
        }
    }

    /// Shares all pages and fills up the store.
    fn hoard(&mut self) {
        self.hoard.twin = Some(self.frames.clone_shared(&mut self.store));
        while let Ok(page) = self.store.insert(&[1; PAGE_BYTES]) {
            self.hoard.pages.push(page);
        }
    }

    /// How many of the pages that take up the room are left.
    pub fn hoarded_pages(&self) -> usize {
        self.hoard.pages.len()
    }

    fn give_up_hoard(&mut self) {
        let Hoard { twin, pages } = std::mem::take(&mut self.hoard);
        for page in pages {
            self.store.release(page);
        }
        if let Some(mut twin) = twin {
            twin.release_all(&mut self.store);
        }
    }

    fn step(&mut self, until_cycles: u64) -> Stop {
        while self.hart.clock.cycles < until_cycles {
            let memory = Memory { store: &mut self.store, frames: &mut self.frames };
            let mut ports = Ports { memory, bus: &mut self.devices };
            if let Some(stop) = self.engine.step(&mut self.hart, &mut ports) {
                return stop;
            }
        }
        Stop::Deadline
    }

    /// The bytes that the program printed.
    pub fn printed(&self) -> &[u8] {
        &self.devices.printed
    }

    /// What can be compared.
    pub fn state(&self) -> State {
        let hart = &self.hart;
        State {
            x: hart.x,
            f: hart.f,
            pc: hart.pc,
            privilege: hart.privilege,
            csrs: format!("{:x?}", hart.csrs),
            clock: hart.clock,
            counters: hart.counters,
            reservation: format!("{:?}", hart.reservation),
            printed: self.devices.printed.clone(),
            lines: self.devices.lines,
            memory_hash: self.memory_hash(),
        }
    }

    fn memory_hash(&self) -> u64 {
        let frames = (0..self.frames.count()).map(|number| self.frames.address_of(number));
        let pages = frames.filter_map(|address| self.frames.page_id(address));
        pages.flat_map(|page| self.store.page(page).as_chunks::<8>().0).fold(0, |hash, word| {
            (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x100_0000_01b3).rotate_left(29)
        })
    }
}

/// A trap that was taken: cause, address and value.
pub type TakenTrap = [u64; 3];

/// Runs an image on a new machine, in one piece.
pub fn run(isa: IsaProfile, image: &[u8], cycles: u64) -> (Stop, Machine) {
    let mut machine = Machine::with_isa(isa, MEMORY_BYTES);
    machine.restart(image, BASE, Timing::uniform());
    let stop = machine.run(cycles);
    (stop, machine)
}

/// The same, slowly; returns the traps that it took.
pub fn traps(image: &[u8], cycles: u64) -> Vec<TakenTrap> {
    let mut machine = Machine::new(MEMORY_BYTES);
    machine.restart(image, BASE, Timing::uniform());
    let mut traps = Vec::new();
    let mut seen = 0;
    while machine.hart.clock.cycles < cycles
        && machine.run(machine.hart.clock.cycles + 1) == Stop::Deadline
    {
        let hart = &machine.hart;
        let taken = hart.counters.exceptions + hart.counters.interrupts;
        if taken != seen {
            seen = taken;
            traps.push(match hart.privilege {
                Privilege::Machine => [hart.csrs.mcause, hart.csrs.mepc, hart.csrs.mtval],
                _ => [hart.csrs.scause, hart.csrs.sepc, hart.csrs.stval],
            });
        }
    }
    traps
}
