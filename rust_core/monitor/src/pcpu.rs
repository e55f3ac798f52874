//! A physical processor of a host.

use crate::ids::VcpuId;
use dcsim_hart::csr::fields::{counter, environment, interrupt, status};
use dcsim_hart::{Bus, Exception, Hart, HostedModes, InterruptLines, Privilege};

/// A pCPU.
#[derive(Debug)]
pub struct Pcpu {
    /// The hart.
    pub hart: Hart,
    /// The vCPU that is on it.
    pub loaded: Option<VcpuId>,
    /// The generation of identifiers that its TLB was last emptied for.
    pub asid_generation: u64,
    /// The same for the identifiers of guests of the hypervisor extension.
    pub vmid_generation: u64,
    /// No guest instruction has started at or after this cycle.
    pub executed_cycles: u64,
    /// The mode that the monitor plays on it.
    level: MonitorLevel,
    /// The pCPU's own view of the machine around it.
    pub bus: HostBus,
}

/// The mode that a monitor plays.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum MonitorLevel {
    /// Supervisor mode: the guest has user mode alone. Machine mode delegates everything.
    #[default]
    Supervisor,
    /// Machine mode: the guest has supervisor and user mode, and handles what belongs to it by
    /// itself; its use of what the monitor plays for it traps.
    Machine,
}

/// Numbers of machine-level registers that the host's firmware sets at boot.
mod csr {
    pub const MSTATUS: u16 = 0x300;
    pub const MISA: u16 = 0x301;
    pub const MEDELEG: u16 = 0x302;
    pub const MIDELEG: u16 = 0x303;
    pub const MIE: u16 = 0x304;
    pub const MCOUNTEREN: u16 = 0x306;
    pub const MENVCFG: u16 = 0x30a;
    pub const MIP: u16 = 0x344;
    pub const PMPCFG0: u16 = 0x3a0;
    pub const PMPADDR0: u16 = 0x3b0;
}

/// The letter of the hypervisor extension in `misa`.
const HYPERVISOR: u64 = 1 << 7;

/// Read, write, execute, naturally aligned: all of memory in one protection entry.
const PMP_ALL: u64 = 0x1f;

/// What a guest with a supervisor mode of its own handles without its monitor. Page faults are not
/// among it, as a shadow entry may be missing; nor are illegal instructions, which may be the
/// guest's use of what is played for it.
const GUEST_EXCEPTIONS: [Exception; 5] = [
    Exception::InstructionMisaligned,
    Exception::Breakpoint,
    Exception::LoadMisaligned,
    Exception::StoreMisaligned,
    Exception::EcallFromUser,
];

impl Pcpu {
    /// A pCPU that no vCPU is on.
    pub fn new(hart: Hart) -> Self {
        let mut pcpu = Self {
            hart,
            loaded: None,
            asid_generation: 0,
            vmid_generation: 0,
            executed_cycles: 0,
            level: MonitorLevel::default(),
            bus: HostBus::default(),
        };
        pcpu.host_monitor();
        pcpu
    }

    /// Puts the hart in the state that the host's firmware leaves to a monitor in supervisor mode.
    pub fn host_monitor(&mut self) {
        self.hart.reset(0);
        self.level = MonitorLevel::Supervisor;
        self.set_up();
    }

    /// Lets a monitor play this mode from now on.
    pub fn play(&mut self, level: MonitorLevel) {
        if self.level != level {
            self.level = level;
            self.set_up();
        }
    }

    fn set_up(&mut self) {
        // Supervisor mode with the hypervisor extension reaches memory around its own translation:
        // a guest that has that mode must not find the extension.
        let extensions = if self.level == MonitorLevel::Machine { !HYPERVISOR } else { u64::MAX };
        self.hart.write_csr(csr::MISA, extensions);
        let settings = match self.level {
            MonitorLevel::Supervisor => [
                (csr::MSTATUS, 0),
                (csr::MEDELEG, u64::MAX),
                (csr::MCOUNTEREN, counter::CYCLE | counter::TIME | counter::INSTRET),
                (csr::MIE, interrupt::STIP | interrupt::SEIP),
            ],
            MonitorLevel::Machine => [
                (csr::MSTATUS, TRAPPED),
                (csr::MEDELEG, GUEST_EXCEPTIONS.iter().fold(0, |set, each| set | 1 << each.code())),
                // The other counters count for all guests and for the monitor.
                (csr::MCOUNTEREN, counter::TIME),
                (csr::MIE, interrupt::MEIP),
            ],
        };
        let common = [
            (csr::MIDELEG, u64::MAX),
            (csr::MENVCFG, environment::STCE | environment::ADUE),
            (csr::MIP, 0),
            (csr::PMPADDR0, u64::MAX),
            (csr::PMPCFG0, PMP_ALL),
        ];
        for (number, value) in settings.into_iter().chain(common) {
            self.hart.write_csr(number, value);
        }
        let supervisor = self.level == MonitorLevel::Supervisor;
        self.hart.hosted = HostedModes { machine: true, supervisor };
        let mode = if supervisor { Privilege::Supervisor } else { Privilege::Machine };
        self.hart.set_privilege(mode);
        self.bus = HostBus { interrupted: false, level: self.level };
    }
}

/// Fields of `mstatus` by which a monitor in machine mode keeps the control of what it plays for a
/// guest's supervisor mode: translation, waiting, returns from traps.
pub const TRAPPED: u64 = status::TVM | status::TW | status::TSR;

/// What a pCPU under a monitor reaches beside memory: nothing, but for the interrupt by which
/// another part of the host makes the monitor look at a VM's devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HostBus {
    /// The level of the external interrupt.
    pub interrupted: bool,
    /// The mode that it interrupts.
    pub level: MonitorLevel,
}

impl Bus for HostBus {
    fn interrupt_lines(&self, _: usize) -> InterruptLines {
        let supervisor = self.level == MonitorLevel::Supervisor;
        InterruptLines {
            supervisor_external: self.interrupted && supervisor,
            machine_external: self.interrupted && !supervisor,
            ..InterruptLines::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dcsim_hart::{IsaProfile, Timing};

    /// HLV and HSV of supervisor mode go around `satp`, and so does a return into VS mode.
    #[test]
    fn a_guest_in_supervisor_mode_does_not_find_the_hypervisor_extension() {
        let mut pcpu = Pcpu::new(Hart::new(0, IsaProfile::Rv64gch, Timing::uniform()));
        assert!(pcpu.hart.has_hypervisor());
        pcpu.play(MonitorLevel::Machine);
        assert!(!pcpu.hart.has_hypervisor());
        pcpu.play(MonitorLevel::Supervisor);
        assert!(pcpu.hart.has_hypervisor());
    }
}
