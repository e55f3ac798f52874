//! A machine with the hypervisor extension and a guest in it, for tests of the extension.
//!
//! The guest's memory is all of the machine's, at other addresses: guest-physical `GUEST_RAM + n`
//! is `RAM + n`. Both stages map what a test asks for, by pages of the size that it asks for.
// Each test file uses its own part; a failure of a helper is a failure of its test.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../privileged_world/mod.rs"]
mod privileged_world;

pub use privileged_world::*;

use dcsim_hart::{
    Abort, CsrEffect, CsrOp, Exception, Hart, IsaProfile, Privilege, Timing, Trap, Width,
};

/// First guest-physical address of memory.
pub const GUEST_RAM: u64 = 0x4000_0000;
/// What tests map of the guest's virtual addresses.
pub const PAGE: u64 = 0x1234_5000;
/// `MODE` values.
pub const BARE: u64 = 0;
pub const SV39: u64 = 8;
pub const SV48: u64 = 9;
/// All that a leaf of the second stage needs.
pub const ALL: u64 = V | R | W | X | U | A | D;
/// Where data is, as an offset in memory.
pub const DATA: u64 = 0x3000;

/// Registers of the extension.
pub mod hcsr {
    pub const VSSTATUS: u16 = 0x200;
    pub const VSIE: u16 = 0x204;
    pub const VSTVEC: u16 = 0x205;
    pub const VSSCRATCH: u16 = 0x240;
    pub const VSEPC: u16 = 0x241;
    pub const VSCAUSE: u16 = 0x242;
    pub const VSTVAL: u16 = 0x243;
    pub const VSIP: u16 = 0x244;
    pub const VSTIMECMP: u16 = 0x24d;
    pub const VSATP: u16 = 0x280;
    pub const MTINST: u16 = 0x34a;
    pub const MTVAL2: u16 = 0x34b;
    pub const HSTATUS: u16 = 0x600;
    pub const HEDELEG: u16 = 0x602;
    pub const HIDELEG: u16 = 0x603;
    pub const HIE: u16 = 0x604;
    pub const HTIMEDELTA: u16 = 0x605;
    pub const HCOUNTEREN: u16 = 0x606;
    pub const HGEIE: u16 = 0x607;
    pub const HENVCFG: u16 = 0x60a;
    pub const HTVAL: u16 = 0x643;
    pub const HIP: u16 = 0x644;
    pub const HVIP: u16 = 0x645;
    pub const HTINST: u16 = 0x64a;
    pub const HGATP: u16 = 0x680;
    pub const HGEIP: u16 = 0xe12;
}

/// Fields of `hstatus`, and of `mstatus` beyond those of other harts.
pub mod hstatus {
    pub const GVA: u64 = 1 << 6;
    pub const SPV: u64 = 1 << 7;
    pub const SPVP: u64 = 1 << 8;
    pub const HU: u64 = 1 << 9;
    pub const VTVM: u64 = 1 << 20;
    pub const VTW: u64 = 1 << 21;
    pub const VTSR: u64 = 1 << 22;
    pub const MSTATUS_GVA: u64 = 1 << 38;
    pub const MSTATUS_MPV: u64 = 1 << 39;
}

/// The modes: privilege, and V.
pub const U_MODE: (Privilege, bool) = (Privilege::User, false);
pub const HS_MODE: (Privilege, bool) = (Privilege::Supervisor, false);
pub const M_MODE: (Privilege, bool) = (Privilege::Machine, false);
pub const VU_MODE: (Privilege, bool) = (Privilege::User, true);
pub const VS_MODE: (Privilege, bool) = (Privilege::Supervisor, true);
pub const MODES: [(Privilege, bool); 5] = [U_MODE, HS_MODE, M_MODE, VU_MODE, VS_MODE];

/// A machine that is open to all modes, in HS mode.
pub fn world() -> World {
    world_with(Timing::uniform())
}

pub fn world_with(timing: Timing) -> World {
    let mut world = World::of(Hart::new(0, IsaProfile::Rv64gch, timing));
    world.write(csr::PMPADDR0, u64::MAX);
    world.write(csr::PMPCFG0, 0x1f);
    enter(&mut world, HS_MODE);
    world
}

pub fn enter(world: &mut World, (privilege, virtualised): (Privilege, bool)) {
    world.hart.set_mode(privilege, virtualised);
}

pub fn mode(world: &World) -> (Privilege, bool) {
    (world.hart.privilege, world.hart.virtualised)
}

/// Accesses a register as an instruction in this mode does.
pub fn access(
    world: &mut World,
    mode: (Privilege, bool),
    number: u16,
    op: CsrOp,
) -> Result<(u64, CsrEffect), Trap> {
    enter(world, mode);
    world.hart.csr_access(number, op)
}

pub const fn levels(mode: u64) -> u32 {
    mode as u32 - 5
}

/// A guest with its tables.
pub struct Guest {
    pub world: World,
    /// `MODE` of both stages.
    pub first: u64,
    pub second: u64,
    /// The root tables: a guest-physical and a physical address.
    pub first_root: u64,
    pub second_root: u64,
}

impl Guest {
    /// A guest in VS mode whose memory the second stage maps by 4 KiB pages with all rights.
    pub fn new(first: u64, second: u64) -> Self {
        Self::with_timing(first, second, Timing::uniform())
    }

    pub fn with_timing(first: u64, second: u64, timing: Timing) -> Self {
        let mut guest = Self::bare(first, second, timing);
        for page in 0..PAGES {
            guest.map_second(page * 4096, 0, ALL);
        }
        guest
    }

    /// The same without any mapping.
    pub fn bare(first: u64, second: u64, timing: Timing) -> Self {
        let mut world = world_with(timing);
        // Four pages for the root, which is aligned to its size.
        let second_root = [(); 4].map(|()| world.new_table())[0];
        assert_eq!(second_root % 0x4000, 0);
        let first_root = world.new_table();
        let mut guest = Self { world, first, second, first_root: 0, second_root };
        guest.first_root = guest.guest_address(first_root);
        guest.use_vmid(0);
        guest.use_asid(0);
        enter(&mut guest.world, VS_MODE);
        guest
    }

    pub fn use_vmid(&mut self, vmid: u64) {
        let value = self.second << 60 | vmid << 44 | self.second_root >> 12;
        self.world.write(hcsr::HGATP, if self.second == BARE { 0 } else { value });
    }

    pub fn use_asid(&mut self, asid: u64) {
        let value = self.first << 60 | asid << 44 | self.first_root >> 12;
        self.world.write(hcsr::VSATP, if self.first == BARE { 0 } else { value });
    }

    /// Where the guest finds what is at a physical address.
    pub fn guest_address(&self, physical: u64) -> u64 {
        if self.second == BARE { physical } else { physical - RAM + GUEST_RAM }
    }

    pub fn physical_address(&self, guest: u64) -> u64 {
        if self.second == BARE { guest } else { guest - GUEST_RAM + RAM }
    }

    /// Maps the page at this offset in memory with the second stage; returns where the entry is.
    pub fn map_second(&mut self, offset: u64, level: u32, bits: u64) -> u64 {
        self.map_second_to(GUEST_RAM + offset, level, (RAM + offset) >> 2 | bits)
    }

    /// Makes an entry of the second stage for a guest-physical address.
    pub fn map_second_to(&mut self, guest: u64, level: u32, entry: u64) -> u64 {
        if self.second == BARE {
            return 0;
        }
        let top = levels(self.second) - 1;
        let mut table = self.second_root;
        for above in (level + 1..=top).rev() {
            let mask = if above == top { 0x7ff } else { 0x1ff };
            let slot = table + (guest >> (12 + 9 * above) & mask) * 8;
            if self.world.peek(slot) & V == 0 {
                let next = self.world.new_table();
                self.world.poke(slot, next >> 2 | V);
            }
            table = (self.world.peek(slot) >> 10) << 12;
        }
        let mask = if level == top { 0x7ff } else { 0x1ff };
        let slot = table + (guest >> (12 + 9 * level) & mask) * 8;
        self.world.poke(slot, entry);
        slot
    }

    /// Maps `va` to the page at this offset in memory with the first stage; returns where the
    /// entry is.
    pub fn map_first(&mut self, va: u64, level: u32, offset: u64, bits: u64) -> u64 {
        let guest = self.guest_address(RAM + offset);
        self.map_first_to(va, level, guest >> 2 | bits)
    }

    /// Makes an entry of the first stage.
    pub fn map_first_to(&mut self, va: u64, level: u32, entry: u64) -> u64 {
        if self.first == BARE {
            return 0;
        }
        let mut table = self.physical_address(self.first_root);
        for above in (level + 1..levels(self.first)).rev() {
            let slot = table + index(va, above) * 8;
            if self.world.peek(slot) & V == 0 {
                let next = self.world.new_table();
                let next = self.guest_address(next);
                self.world.poke(slot, next >> 2 | V);
            }
            let next = self.world.peek(slot) >> 10 << 12;
            table = self.physical_address(next);
        }
        let slot = table + index(va, level) * 8;
        self.world.poke(slot, entry);
        slot
    }

    pub fn load(&mut self, va: u64) -> Result<u64, Abort> {
        self.world.load(va, Width::Double)
    }

    /// The page-table entries that something reads.
    pub fn references(&mut self, action: impl FnOnce(&mut Self)) -> u64 {
        let before = self.world.hart.counters.walk_references;
        action(self);
        self.world.hart.counters.walk_references - before
    }
}

/// The guest-page fault with these values.
pub fn guest_fault<T>(cause: Exception, va: u64, guest: u64, instruction: u64) -> Result<T, Abort> {
    let (guest_value, guest_instruction) = (guest >> 2, instruction);
    Err(Abort::Trap(Trap { guest_value, guest_instruction, ..Trap::new(cause, va) }))
}
