//! Interrupts: which one is taken next, and when a timer will raise one.
//!
//! Privileged architecture, "Machine Interrupt Registers"; supervisor architecture, "Sstc".
//!
//! Timers are compared in cycles: `time >= compare` holds exactly from the first cycle whose `time`
//! has reached the compare value, and that cycle is computed when the compare value changes.

use crate::bus::Ports;
use crate::csr::fields::{environment, interrupt, status};
use crate::hart::{Hart, Privilege};

/// Interrupts; the numbers are the codes of `mcause` and the bit positions in `mip`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Interrupt {
    /// Supervisor software interrupt.
    SupervisorSoftware = 1,
    /// Machine software interrupt.
    MachineSoftware = 3,
    /// Supervisor timer interrupt.
    SupervisorTimer = 5,
    /// Machine timer interrupt.
    MachineTimer = 7,
    /// Supervisor external interrupt.
    SupervisorExternal = 9,
    /// Machine external interrupt.
    MachineExternal = 11,
}

impl Interrupt {
    /// All interrupts, the one to take first at the front.
    pub const BY_PRIORITY: [Self; 6] = [
        Self::MachineExternal,
        Self::MachineSoftware,
        Self::MachineTimer,
        Self::SupervisorExternal,
        Self::SupervisorSoftware,
        Self::SupervisorTimer,
    ];

    /// The bit in `mip`.
    pub const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// The value of the cause register.
    pub const fn cause(self) -> u64 {
        interrupt::CAUSE | self as u64
    }
}

/// The first cycles at which the timers are pending; `u64::MAX` for never.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TimerCycles {
    pub(crate) machine: u64,
    pub(crate) supervisor: u64,
}

impl Default for TimerCycles {
    fn default() -> Self {
        Self { machine: u64::MAX, supervisor: u64::MAX }
    }
}

impl Hart {
    /// Reads the interrupt inputs anew.
    pub(crate) fn refresh_lines(&mut self, ports: &Ports<'_>) {
        self.lines = ports.bus.interrupt_lines(self.id);
        self.refresh_timers();
    }

    /// Computes anew when the timers will be pending. To be called after every change of
    /// `stimecmp` and `menvcfg`.
    pub(crate) fn refresh_timers(&mut self) {
        self.timer_cycles = TimerCycles {
            machine: self.clock.cycles_at_time(self.lines.machine_timer_compare),
            supervisor: if self.has_supervisor_timer() {
                self.clock.cycles_at_time(self.csrs.stimecmp)
            } else {
                u64::MAX
            },
        };
    }

    /// Whether `stimecmp` drives the supervisor timer interrupt.
    pub(crate) fn has_supervisor_timer(&self) -> bool {
        self.csrs.menvcfg & environment::STCE != 0
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
        ];
        let raised = inputs.iter().filter(|(is_raised, _)| *is_raised);
        raised.fold(self.software_pending(), |pending, (_, bit)| pending | bit)
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
        let delegated = self.csrs.mideleg;
        let for_machine = if self.takes_machine_interrupts() { ready & !delegated } else { 0 };
        let for_supervisor = if self.takes_supervisor_interrupts() { ready & delegated } else { 0 };
        let taken = if for_machine != 0 { for_machine } else { for_supervisor };
        Interrupt::BY_PRIORITY.into_iter().find(|interrupt| taken & interrupt.bit() != 0)
    }

    fn takes_machine_interrupts(&self) -> bool {
        self.privilege < Privilege::Machine || self.csrs.mstatus & status::MIE != 0
    }

    fn takes_supervisor_interrupts(&self) -> bool {
        match self.privilege {
            Privilege::User => true,
            Privilege::Supervisor => self.csrs.mstatus & status::SIE != 0,
            Privilege::Machine => false,
        }
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

    /// The first cycle after now at which `mtimecmp` or `stimecmp` makes an interrupt pending that
    /// `mie` enables; none if they already have or never will.
    pub fn next_timer_cycle(&self) -> Option<u64> {
        let timers = [
            (self.timer_cycles.machine, interrupt::MTIP),
            (self.timer_cycles.supervisor, interrupt::STIP),
        ];
        let is_ahead = |(cycle, bit): &(u64, u64)| {
            self.csrs.mie & bit != 0 && *cycle > self.clock.cycles && *cycle != u64::MAX
        };
        timers.into_iter().filter(is_ahead).map(|(cycle, _)| cycle).min()
    }
}
