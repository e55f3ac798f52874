//! The state of a hart.
//!
//! Architectural state is public: firmware and monitors play modes of the machine and reach it
//! through their own metered layer. What belongs to the implementation (modelled and software
//! TLBs, the data-cache model, the cached interrupt lines) is private to the crate.
//!
//! Invariant: the context numbers in `mmu` agree with the mode, the status registers, `satp`,
//! `vsatp` and `hgatp` whenever an instruction executes. Whatever changes those inside the crate refreshes them, and the
//! beginning of a run does so for changes made from outside.

use crate::bus::{InterruptLines, Ports, Width};
use crate::cache::{DataCache, OwnLines};
use crate::clock::Clock;
use crate::counters::Counters;
use crate::csr::Csrs;
use crate::csr::fields::status;
use crate::float_status::FloatStatus;
use crate::interrupt::TimerCycles;
use crate::missing::Missing;
use crate::mmu::{Mmu, Reservation};
use crate::mode::Mode;
use crate::profile::{IsaProfile, SecondStage};
use crate::timing::Timing;
use std::ops::Range;

/// The privilege level of a hart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Privilege {
    /// Applications.
    User = 0,
    /// Operating systems.
    Supervisor = 1,
    /// Firmware.
    Machine = 3,
}

impl Privilege {
    /// The level with this two-bit code; the reserved code 2 is none.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::User),
            1 => Some(Self::Supervisor),
            3 => Some(Self::Machine),
            _ => None,
        }
    }

    /// The two-bit code.
    pub const fn code(self) -> u64 {
        self as u64
    }
}

/// The modes that are played by Rust code instead of guest code.
///
/// A trap into such a mode does all that the architecture does and then returns
/// [`crate::Stop::Trap`] instead of fetching from the trap vector.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HostedModes {
    /// Firmware plays machine mode.
    pub machine: bool,
    /// A monitor plays supervisor mode; with the hypervisor extension HS mode, and never VS mode.
    pub supervisor: bool,
}

impl HostedModes {
    /// Whether `mode` is played by Rust code.
    pub const fn contains(self, mode: Privilege) -> bool {
        match mode {
            Privilege::Machine => self.machine,
            Privilege::Supervisor => self.supervisor,
            Privilege::User => false,
        }
    }
}

/// One hardware thread.
#[derive(Clone, Debug)]
pub struct Hart {
    /// The number of the hart, as in `mhartid`.
    pub id: usize,
    /// Integer registers; `x[0]` is always 0.
    pub x: [u64; 32],
    /// Floating-point registers, single precision boxed in NaNs.
    pub f: [u64; 32],
    /// Address of the next instruction; while one executes, its own.
    pub pc: u64,
    /// Current privilege.
    pub privilege: Privilege,
    /// The virtualisation mode V: the privilege is a guest's. Never set in machine mode, nor
    /// without the hypervisor extension.
    pub virtualised: bool,
    /// Control and status registers.
    pub csrs: Csrs,
    /// The cycle clock.
    pub clock: Clock,
    /// What has been counted.
    pub counters: Counters,
    /// The load reservation, if one is held.
    pub reservation: Option<Reservation>,
    /// The modes that Rust code plays.
    pub hosted: HostedModes,
    /// The instruction at `pc` has begun and stopped for want of room in the page store: it goes on
    /// before anything else happens.
    pub(crate) has_begun: bool,
    pub(crate) float_status: FloatStatus,
    pub(crate) profile: IsaProfile,
    pub(crate) missing: Missing,
    pub(crate) second_stage: SecondStage,
    pub(crate) timing: Timing,
    pub(crate) lines: InterruptLines,
    pub(crate) timer_cycles: TimerCycles,
    pub(crate) mmu: Mmu,
    pub(crate) data_cache: Option<DataCache>,
    /// The addresses of its own node's memory; none if all memory is equally near.
    pub(crate) local_memory: Option<Range<u64>>,
}

impl Hart {
    /// A hart in its reset state, at address 0. If it has the hypervisor extension, both stages of
    /// translation are there.
    pub fn new(id: usize, profile: IsaProfile, timing: Timing) -> Self {
        let mut hart = Self {
            id,
            x: [0; 32],
            f: [0; 32],
            pc: 0,
            privilege: Privilege::Machine,
            virtualised: false,
            csrs: Csrs::new(id, profile),
            clock: Clock::new(timing.hz, timing.timebase_hz),
            counters: Counters::default(),
            reservation: None,
            hosted: HostedModes::default(),
            has_begun: false,
            float_status: FloatStatus::default(),
            profile,
            missing: Missing::NONE,
            second_stage: SecondStage::Full,
            lines: InterruptLines::default(),
            timer_cycles: TimerCycles::default(),
            mmu: Mmu::new(&timing),
            data_cache: timing.data_cache.map(DataCache::new),
            local_memory: None,
            timing,
        };
        hart.refresh_contexts();
        hart
    }

    /// The hart with another second stage of translation, in its reset state.
    #[must_use]
    pub fn with_second_stage(self, second_stage: SecondStage) -> Self {
        Self { second_stage, ..self }
    }

    /// The hart without some extensions, in its reset state.
    #[must_use]
    pub fn with_missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self.csrs.misa &= !missing.letters();
        self
    }

    /// The hart as part of a node whose memory has these addresses: what is elsewhere costs more.
    #[must_use]
    pub fn with_local_memory(self, local_memory: Range<u64>) -> Self {
        Self { local_memory: Some(local_memory), ..self }
    }

    /// A vCPU is taken off, with the lines that it would have in a data cache for itself.
    pub fn leave_data_cache(&mut self) -> OwnLines {
        self.data_cache.as_mut().map(DataCache::leave).unwrap_or_default()
    }

    /// A vCPU that brings these lines executes from now on.
    pub fn enter_data_cache(&mut self, own: OwnLines) {
        if let Some(cache) = &mut self.data_cache {
            cache.enter(own);
        }
    }

    /// Puts the hart in its reset state with `pc` as the first address. The clock and the counters
    /// go on: they are the simulator's, not the program's.
    pub fn reset(&mut self, pc: u64) {
        let fresh = Self::new(self.id, self.profile, self.timing.clone());
        let fresh = fresh.with_missing(self.missing);
        let (clock, counters, hosted) = (self.clock, self.counters, self.hosted);
        let second_stage = self.second_stage;
        let local_memory = self.local_memory.take();
        *self = Self { pc, clock, counters, hosted, second_stage, local_memory, ..fresh };
    }

    /// What things cost on this hart.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The instruction set of this hart.
    pub fn profile(&self) -> IsaProfile {
        self.profile
    }

    /// The extensions of its instruction set that this hart lacks.
    pub fn missing(&self) -> Missing {
        self.missing
    }

    /// Lets `act` use the hart as one that lacks nothing and whose floating-point unit is on: for an
    /// emulator of what it lacks, which has an interpreter of its own.
    pub fn as_whole<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let missing = std::mem::replace(&mut self.missing, Missing::NONE);
        let unit = self.csrs.mstatus & status::FS;
        self.csrs.mstatus |= status::FS;
        let result = act(self);
        self.csrs.mstatus = self.csrs.mstatus & !status::FS | unit;
        self.missing = missing;
        result
    }

    /// What the second stage of translation can do.
    pub fn second_stage(&self) -> SecondStage {
        self.second_stage
    }

    /// Brings everything cached up to date with what may have changed outside: interrupt lines,
    /// pages of memory, privilege and registers. An engine calls it when a run begins.
    pub fn begin_run(&mut self, ports: &Ports<'_>) {
        self.refresh_lines(ports);
        self.sync_generation(ports);
        self.refresh_contexts();
    }

    /// Enters another privilege level, in the guest if the hart is in one; but machine mode is
    /// outside.
    pub fn set_privilege(&mut self, privilege: Privilege) {
        self.set_mode(privilege, self.virtualised);
    }

    /// Enters another mode: of a guest if `virtualised`, which machine mode never is.
    pub fn set_mode(&mut self, privilege: Privilege, virtualised: bool) {
        let mode = Mode::new(privilege, virtualised);
        self.privilege = mode.privilege;
        self.virtualised = mode.virtualised;
        self.select_contexts();
    }

    /// The current mode.
    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode { privilege: self.privilege, virtualised: self.virtualised }
    }

    /// Ends every software-TLB entry: for a caller that runs the hart over other frames than
    /// before.
    pub fn forget_pages(&mut self) {
        self.end_soft_entries();
    }

    /// The offset in the page store of the `width` bytes at `va`, if a load from there can go
    /// ahead without a look at anything else.
    #[inline]
    pub(crate) fn fast_load(&self, va: u64, width: Width) -> Option<usize> {
        self.mmu.read.lookup(self.mmu.data_context, va, width)
    }

    /// The same for a store.
    #[inline]
    pub(crate) fn fast_store(&self, va: u64, width: Width) -> Option<usize> {
        self.mmu.write.lookup(self.mmu.data_context, va, width)
    }

    /// The same for an instruction fetch of two bytes.
    #[inline]
    pub(crate) fn fast_fetch(&self, va: u64) -> Option<usize> {
        self.mmu.execute.lookup(self.mmu.fetch_context, va, Width::Half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_keeps_the_clock_and_enters_machine_mode() {
        let mut hart = Hart::new(3, IsaProfile::Rv64gc, Timing::uniform());
        hart.clock.cycles = 9;
        hart.counters.instructions = 7;
        hart.x[5] = 1;
        hart.set_privilege(Privilege::User);

        hart.reset(0x8000_0000);

        assert_eq!((hart.id, hart.pc, hart.x[5]), (3, 0x8000_0000, 0));
        assert_eq!(hart.privilege, Privilege::Machine);
        assert_eq!((hart.clock.cycles, hart.counters.instructions), (9, 7));
    }

    #[test]
    fn the_reserved_privilege_code_is_no_level() {
        assert_eq!(Privilege::from_code(2), None);
        for level in [Privilege::User, Privilege::Supervisor, Privilege::Machine] {
            assert_eq!(Privilege::from_code(level.code()), Some(level));
        }
    }
}
