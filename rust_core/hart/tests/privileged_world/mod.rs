//! A small machine for tests of privileged behaviour: one hart, memory, a device and page tables.
// Each test file uses its own part; a failure of a helper is a failure of its test.
#![allow(dead_code, clippy::unwrap_used)]

use dcsim_hart::{
    Abort, Bus, BusError, CsrEffect, CsrOp, Exception, Hart, InterruptLines, IsaProfile, Ports,
    Privilege, Signal, Timing, Trap, Width,
};
use dcsim_memory::{Frames, Memory, PageStore, PhysicalAddress};

/// First address of memory.
pub const RAM: u64 = 0x8000_0000;
/// Size of memory in pages.
pub const PAGES: u64 = 64;
/// Address of the device.
pub const DEVICE: u64 = 0x1000_0000;
/// Page-table entry bits.
pub const V: u64 = 1;
pub const R: u64 = 2;
pub const W: u64 = 4;
pub const X: u64 = 8;
pub const U: u64 = 16;
pub const G: u64 = 32;
pub const A: u64 = 64;
pub const D: u64 = 128;

pub const PRIVILEGES: [Privilege; 3] = [Privilege::User, Privilege::Supervisor, Privilege::Machine];

/// Registers that tests name often.
pub mod csr {
    pub const SSTATUS: u16 = 0x100;
    pub const SIE: u16 = 0x104;
    pub const STVEC: u16 = 0x105;
    pub const SEPC: u16 = 0x141;
    pub const SCAUSE: u16 = 0x142;
    pub const STVAL: u16 = 0x143;
    pub const SIP: u16 = 0x144;
    pub const STIMECMP: u16 = 0x14d;
    pub const SATP: u16 = 0x180;
    pub const MSTATUS: u16 = 0x300;
    pub const MEDELEG: u16 = 0x302;
    pub const MIDELEG: u16 = 0x303;
    pub const MIE: u16 = 0x304;
    pub const MTVEC: u16 = 0x305;
    pub const MCOUNTEREN: u16 = 0x306;
    pub const MENVCFG: u16 = 0x30a;
    pub const MEPC: u16 = 0x341;
    pub const MCAUSE: u16 = 0x342;
    pub const MTVAL: u16 = 0x343;
    pub const MIP: u16 = 0x344;
    pub const PMPCFG0: u16 = 0x3a0;
    pub const PMPADDR0: u16 = 0x3b0;
}

/// Fields of `mstatus`.
pub mod status {
    pub const SIE: u64 = 1 << 1;
    pub const MIE: u64 = 1 << 3;
    pub const SPIE: u64 = 1 << 5;
    pub const MPIE: u64 = 1 << 7;
    pub const SPP: u64 = 1 << 8;
    pub const MPP: u64 = 3 << 11;
    pub const MPP_S: u64 = 1 << 11;
    pub const FS: u64 = 3 << 13;
    pub const MPRV: u64 = 1 << 17;
    pub const SUM: u64 = 1 << 18;
    pub const MXR: u64 = 1 << 19;
    pub const TVM: u64 = 1 << 20;
    pub const TW: u64 = 1 << 21;
    pub const TSR: u64 = 1 << 22;
}

/// `menvcfg.ADUE`.
pub const ADUE: u64 = 1 << 61;
/// `menvcfg.STCE`.
pub const STCE: u64 = 1 << 63;

/// Sixteen registers of eight bytes, of which the last answers nothing, and settable lines.
#[derive(Default)]
pub struct Device {
    pub registers: [u64; 15],
    pub lines: InterruptLines,
    pub signal: Option<Signal>,
    /// Accesses made: address, width in bytes, and the clock.
    pub seen: Vec<(u64, u64, u64)>,
}

impl Device {
    fn register(
        &mut self,
        address: u64,
        width: Width,
        now_cycles: u64,
    ) -> Result<&mut u64, BusError> {
        self.seen.push((address, width.bytes(), now_cycles));
        let index = address.checked_sub(DEVICE).ok_or(BusError)? / 8;
        self.registers.get_mut(index as usize).ok_or(BusError)
    }
}

impl Bus for Device {
    fn load(
        &mut self,
        _: &mut Memory<'_>,
        address: u64,
        width: Width,
        now_cycles: u64,
    ) -> Result<u64, BusError> {
        self.register(address, width, now_cycles).copied()
    }

    fn store(
        &mut self,
        _: &mut Memory<'_>,
        address: u64,
        width: Width,
        value: u64,
        now_cycles: u64,
    ) -> Result<Signal, BusError> {
        *self.register(address, width, now_cycles)? = value;
        Ok(self.signal.unwrap_or(Signal::None))
    }

    fn interrupt_lines(&self, _: usize) -> InterruptLines {
        self.lines
    }
}

/// The machine.
pub struct World {
    pub store: PageStore,
    pub frames: Frames,
    pub device: Device,
    pub hart: Hart,
    next_table: u64,
}

impl World {
    /// A machine whose hart has the plain timing.
    pub fn new() -> Self {
        Self::with_timing(Timing::uniform())
    }

    pub fn with_timing(timing: Timing) -> Self {
        Self::of(Hart::new(0, IsaProfile::Rv64gc, timing))
    }

    /// A machine with this hart.
    pub fn of(hart: Hart) -> Self {
        let mut world = Self {
            store: PageStore::new(16 << 20),
            frames: Frames::new(PhysicalAddress(RAM), PAGES),
            device: Device::default(),
            hart,
            next_table: RAM + 48 * 4096,
        };
        world.begin();
        world
    }

    /// A machine whose physical memory protection allows everything.
    pub fn open() -> Self {
        Self::open_with_timing(Timing::uniform())
    }

    pub fn open_with_timing(timing: Timing) -> Self {
        let mut world = Self::with_timing(timing);
        world.write(csr::PMPADDR0, u64::MAX);
        world.write(csr::PMPCFG0, 0x1f);
        world
    }

    /// Calls `action` with the hart and its ports.
    pub fn with<T>(&mut self, action: impl FnOnce(&mut Hart, &mut Ports<'_>) -> T) -> T {
        let memory = Memory { store: &mut self.store, frames: &mut self.frames };
        action(&mut self.hart, &mut Ports { memory, bus: &mut self.device })
    }

    /// What an engine does when a run begins.
    pub fn begin(&mut self) {
        self.with(|hart, ports| hart.begin_run(ports));
    }

    pub fn memory(&mut self) -> Memory<'_> {
        Memory { store: &mut self.store, frames: &mut self.frames }
    }

    pub fn peek(&mut self, address: u64) -> u64 {
        self.memory().read_u64(PhysicalAddress(address)).unwrap()
    }

    pub fn poke(&mut self, address: u64, value: u64) {
        self.memory().write_u64(PhysicalAddress(address), value).unwrap();
        self.begin();
    }

    /// Reads a register in machine mode.
    pub fn read(&self, number: u16) -> u64 {
        self.hart.read_csr(number).unwrap()
    }

    /// Writes a register as machine mode does.
    pub fn write(&mut self, number: u16, value: u64) -> CsrEffect {
        self.hart.write_csr(number, value).unwrap()
    }

    /// Sets bits of a register as machine mode does.
    pub fn set(&mut self, number: u16, bits: u64) {
        let value = self.read(number) | bits;
        self.write(number, value);
    }

    /// Accesses a register as an instruction at `privilege` does.
    pub fn access(
        &mut self,
        privilege: Privilege,
        number: u16,
        op: CsrOp,
    ) -> Result<(u64, CsrEffect), Trap> {
        self.hart.set_privilege(privilege);
        let result = self.hart.csr_access(number, op);
        self.hart.set_privilege(Privilege::Machine);
        result
    }

    pub fn load(&mut self, va: u64, width: Width) -> Result<u64, Abort> {
        self.with(|hart, ports| hart.load(ports, va, width))
    }

    pub fn store(&mut self, va: u64, width: Width, value: u64) -> Result<Signal, Abort> {
        self.with(|hart, ports| hart.store(ports, va, width, value))
    }

    /// Fetches two bytes the way an engine does that decodes whole pages.
    pub fn fetch(&mut self, va: u64) -> Result<u16, Abort> {
        self.with(|hart, ports| {
            let Some(offset) = hart.fetch_offset(ports, va)? else {
                return hart.fetch_halfword(ports, va);
            };
            let bytes = &ports.memory.store.bytes()[offset..offset + 2];
            Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
        })
    }

    /// A page for a table, all zeros.
    pub fn new_table(&mut self) -> u64 {
        self.next_table += 4096;
        self.next_table - 4096
    }

    /// Makes an entry for `va` at `level` of the tables under `root`; creates tables in between.
    pub fn map(&mut self, root: u64, levels: u32, va: u64, level: u32, entry: u64) -> u64 {
        let mut table = root;
        for above in (level + 1..levels).rev() {
            let slot = table + index(va, above) * 8;
            if self.peek(slot) & V == 0 {
                let next = self.new_table();
                self.poke(slot, next >> 2 | V);
            }
            table = (self.peek(slot) >> 10) << 12;
        }
        let slot = table + index(va, level) * 8;
        self.poke(slot, entry);
        slot
    }

    /// The address of the entry for `va` at `level` of existing three-level tables.
    pub fn slot(&mut self, root: u64, va: u64, level: u32) -> u64 {
        let mut table = root;
        for above in (level + 1..3).rev() {
            table = (self.peek(table + index(va, above) * 8) >> 10) << 12;
        }
        table + index(va, level) * 8
    }

    /// Maps a 4 KiB page of three-level tables; returns the address of its entry.
    pub fn map_page(&mut self, root: u64, va: u64, physical: u64, bits: u64) -> u64 {
        self.map(root, 3, va, 0, physical >> 2 | bits)
    }

    /// Switches to three-level tables.
    pub fn use_sv39(&mut self, root: u64, asid: u64) {
        self.write(csr::SATP, 8 << 60 | asid << 44 | root >> 12);
    }
}

/// The slot of `va` in a table of `level`.
pub fn index(va: u64, level: u32) -> u64 {
    va >> (12 + 9 * level) & 0x1ff
}

/// The exception with this trap value, as an aborted instruction reports it.
pub fn trap<T>(cause: Exception, value: u64) -> Result<T, Abort> {
    Err(Abort::Trap(Trap::new(cause, value)))
}

/// A small reproducible generator for property tests (`SplitMix64`).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
