//! Interrupts: which one is taken next, and when a timer will raise one.
//!
//! Privileged architecture, "Machine Interrupt Registers"; supervisor architecture, "Sstc";
//! hypervisor extension, "Hypervisor Interrupt Registers" and "Virtual Supervisor Timer Register".
//!
//! Timers are compared in cycles: `time >= compare` holds exactly from the first cycle whose `time`
//! has reached the compare value, and that cycle is computed when the compare value changes.

use crate::bus::Ports;
use crate::clock::Clock;
use crate::csr::fields::{environment, interrupt, status};
use crate::hart::{Hart, Privilege};

/// Interrupts; the numbers are the codes of `mcause` and the bit positions in `mip`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Interrupt {
    /// Supervisor software interrupt.
    SupervisorSoftware = 1,
    /// Virtual supervisor software interrupt.
    VirtualSoftware = 2,
    /// Machine software interrupt.
    MachineSoftware = 3,
    /// Supervisor timer interrupt.
    SupervisorTimer = 5,
    /// Virtual supervisor timer interrupt.
    VirtualTimer = 6,
    /// Machine timer interrupt.
    MachineTimer = 7,
    /// Supervisor external interrupt.
    SupervisorExternal = 9,
    /// Virtual supervisor external interrupt.
    VirtualExternal = 10,
    /// Machine external interrupt.
    MachineExternal = 11,
}

impl Interrupt {
    /// All interrupts, the one to take first at the front.
    pub const BY_PRIORITY: [Self; 9] = [
        Self::MachineExternal,
        Self::MachineSoftware,
        Self::MachineTimer,
        Self::SupervisorExternal,
        Self::SupervisorSoftware,
        Self::SupervisorTimer,
        Self::VirtualExternal,
        Self::VirtualSoftware,
        Self::VirtualTimer,
    ];

    /// The bit in `mip`.
    pub const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// The value of the cause register.
    pub const fn cause(self) -> u64 {
        interrupt::CAUSE | self as u64
    }

    /// The value of the cause register in VS mode: an interrupt of VS level has the code there
    /// that the supervisor's own has in HS mode.
    pub(crate) const fn cause_in_guest(self) -> u64 {
        self.cause() - 1
    }
}

/// The first cycles at which the timers are pending; `u64::MAX` for never.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TimerCycles {
    pub(crate) machine: u64,
    pub(crate) supervisor: u64,
    pub(crate) guest: GuestTimer,
}

/// When the timer of VS level is pending.
///
/// A guest's `time` is a sum that wraps around, from its highest value to 0: so the timer can be
/// pending before that cycle, and again some time after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GuestTimer {
    /// The first cycle at which it is pending before the sum wraps around.
    first: u64,
    /// The cycle at which the sum wraps around.
    wrap: u64,
    /// The first cycle at which it is pending after that.
    second: u64,
}

impl GuestTimer {
    const NEVER: Self = Self { first: u64::MAX, wrap: u64::MAX, second: u64::MAX };

    /// The timer that compares `time + delta` with `compare`.
    fn new(clock: &Clock, delta: u64, compare: u64) -> Self {
        let first = clock.cycles_at_time(compare.saturating_sub(delta));
        if delta == 0 {
            return Self { first, ..Self::NEVER };
        }
        let wrap = delta.wrapping_neg();
        let second = wrap.checked_add(compare).map(|time| clock.cycles_at_time(time));
        Self { first, wrap: clock.cycles_at_time(wrap), second: second.unwrap_or(u64::MAX) }
    }

    fn is_pending(self, now: u64) -> bool {
        (now >= self.first && now < self.wrap) || now >= self.second
    }

    /// The first cycle after `now` at which it can become pending; `u64::MAX` for none.
    fn next(self, now: u64) -> u64 {
        if self.first > now && self.first < self.wrap { self.first } else { self.second }
    }
}

impl Default for TimerCycles {
    fn default() -> Self {
        Self { machine: u64::MAX, supervisor: u64::MAX, guest: GuestTimer::NEVER }
    }
}

impl Hart {
    /// Reads the interrupt inputs anew.
    pub(crate) fn refresh_lines(&mut self, ports: &Ports<'_>) {
        self.lines = ports.bus.interrupt_lines(self.id);
        self.refresh_timers();
    }

    /// Computes anew when the timers will be pending. To be called after every change of
    /// `stimecmp`, `vstimecmp`, `htimedelta`, `menvcfg` and `henvcfg`.
    pub(crate) fn refresh_timers(&mut self) {
        self.timer_cycles = TimerCycles {
            machine: self.clock.cycles_at_time(self.lines.machine_timer_compare),
            supervisor: if self.has_supervisor_timer() {
                self.clock.cycles_at_time(self.csrs.stimecmp)
            } else {
                u64::MAX
            },
            guest: if self.has_guest_timer() {
                GuestTimer::new(&self.clock, self.csrs.htimedelta, self.csrs.vstimecmp)
            } else {
                GuestTimer::NEVER
            },
        };
    }

    /// Whether `stimecmp` drives the supervisor timer interrupt.
    pub(crate) fn has_supervisor_timer(&self) -> bool {
        self.csrs.menvcfg & environment::STCE != 0
    }

    /// Whether `vstimecmp` drives the timer interrupt of VS level.
    pub(crate) fn has_guest_timer(&self) -> bool {
        self.guest_environment() & environment::STCE != 0
    }

    /// The value of `mip` now.
    pub fn interrupts_pending(&self) -> u64 {
        let now = self.clock.cycles;
        let inputs = [
            (self.lines.machine_external, interrupt::MEIP),
            (self.lines.machine_software, interrupt::MSIP),
            (self.lines.supervisor_external, interrupt::SEIP),
            (now >= self.timer_cycles.machine, interrupt::MTIP),
            (now >= self.timer_cycles.supervisor, interrupt::STIP),
            (self.timer_cycles.guest.is_pending(now), interrupt::VSTIP),
        ];
        let raised = inputs.iter().filter(|(is_raised, _)| *is_raised);
        raised.fold(self.software_pending() | self.csrs.hvip, |pending, (_, bit)| pending | bit)
    }

    /// The bits of `mip` that software has set; with Sstc it cannot set `STIP`.
    pub(crate) fn software_pending(&self) -> u64 {
        if self.has_supervisor_timer() { self.csrs.mip & !interrupt::STIP } else { self.csrs.mip }
    }

    /// The interrupt to take before the next instruction, if there is one.
    pub fn pending_interrupt(&self) -> Option<Interrupt> {
        let ready = self.interrupts_pending() & self.csrs.mie;
        if ready == 0 {
            return None;
        }
        let delegated = ready & self.csrs.mideleg;
        let further = delegated & self.csrs.hideleg;
        let taken = if ready != delegated && self.takes_machine_interrupts() {
            ready & !delegated
        } else if delegated != further && self.takes_supervisor_interrupts() {
            delegated & !further
        } else if self.takes_guest_interrupts() {
            further
        } else {
            return None;
        };
        Interrupt::BY_PRIORITY.into_iter().find(|interrupt| taken & interrupt.bit() != 0)
    }

    fn takes_machine_interrupts(&self) -> bool {
        self.privilege < Privilege::Machine || self.csrs.mstatus & status::MIE != 0
    }

    fn takes_supervisor_interrupts(&self) -> bool {
        match self.privilege {
            Privilege::User => true,
            Privilege::Supervisor => self.virtualised || self.csrs.mstatus & status::SIE != 0,
            Privilege::Machine => false,
        }
    }

    fn takes_guest_interrupts(&self) -> bool {
        let is_enabled = self.privilege == Privilege::User || self.csrs.vsstatus & status::SIE != 0;
        self.virtualised && is_enabled
    }

    /// Whether WFI goes on: an interrupt is pending and enabled in `mie`, whatever `mstatus` says.
    pub fn is_wakeup_pending(&self) -> bool {
        self.interrupts_pending() & self.csrs.mie != 0
    }

    /// The cycle from which the engine must look for interrupts again, if nothing else happens:
    /// 0 if one is to be taken now, and otherwise the cycle at which the next enabled timer becomes
    /// pending; `u64::MAX` for never.
    ///
    /// It leaves the global enable bits out of account. So toggling those with nothing pending does
    /// not change it, and need not end a block.
    pub fn interrupt_deadline(&self) -> u64 {
        if self.pending_interrupt().is_some() {
            return 0;
        }
        self.next_timer_cycle().unwrap_or(u64::MAX)
    }

    /// The first cycle after now at which `mtimecmp`, `stimecmp` or `vstimecmp` makes an interrupt
    /// pending that `mie` enables; none if they already have or never will.
    pub fn next_timer_cycle(&self) -> Option<u64> {
        let timers = [
            (self.timer_cycles.machine, interrupt::MTIP),
            (self.timer_cycles.supervisor, interrupt::STIP),
            (self.timer_cycles.guest.next(self.clock.cycles), interrupt::VSTIP),
        ];
        let is_ahead = |(cycle, bit): &(u64, u64)| {
            self.csrs.mie & bit != 0 && *cycle > self.clock.cycles && *cycle != u64::MAX
        };
        timers.into_iter().filter(is_ahead).map(|(cycle, _)| cycle).min()
    }
}
