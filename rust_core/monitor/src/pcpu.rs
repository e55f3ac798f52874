//! A physical processor of a host.

use crate::ids::VmId;
use dcsim_hart::csr::fields::{counter, environment, interrupt};
use dcsim_hart::{Bus, BusError, Hart, HostedModes, InterruptLines, Privilege, Signal, Width};
use dcsim_memory::Memory;

/// A pCPU.
#[derive(Debug)]
pub struct Pcpu {
    /// The hart.
    pub hart: Hart,
    /// The VM whose vCPU is on it.
    pub loaded: Option<VmId>,
    /// The generation of identifiers that its TLB was last emptied for.
    pub asid_generation: u64,
    /// No guest instruction has started at or after this cycle.
    pub executed_cycles: u64,
    /// The pCPU's own view of the machine around it.
    pub bus: HostBus,
}

/// Numbers of machine-level registers that the host's firmware sets at boot.
mod csr {
    pub const MEDELEG: u16 = 0x302;
    pub const MIDELEG: u16 = 0x303;
    pub const MIE: u16 = 0x304;
    pub const MCOUNTEREN: u16 = 0x306;
    pub const MENVCFG: u16 = 0x30a;
    pub const PMPCFG0: u16 = 0x3a0;
    pub const PMPADDR0: u16 = 0x3b0;
}

/// Read, write, execute, naturally aligned: all of memory in one protection entry.
const PMP_ALL: u64 = 0x1f;

impl Pcpu {
    /// A pCPU that no vCPU is on.
    pub fn new(hart: Hart) -> Self {
        let mut pcpu = Self {
            hart,
            loaded: None,
            asid_generation: 0,
            executed_cycles: 0,
            bus: HostBus::default(),
        };
        pcpu.host_monitor();
        pcpu
    }

    /// Puts the hart in the state that the host's firmware leaves to a monitor in supervisor mode:
    /// everything is delegated, the supervisor timer and all counters are available.
    pub fn host_monitor(&mut self) {
        let hart = &mut self.hart;
        hart.reset(0);
        hart.hosted = HostedModes { machine: true, supervisor: true };
        let settings = [
            (csr::MEDELEG, u64::MAX),
            (csr::MIDELEG, u64::MAX),
            (csr::MCOUNTEREN, counter::CYCLE | counter::TIME | counter::INSTRET),
            (csr::MENVCFG, environment::STCE),
            (csr::PMPADDR0, u64::MAX),
            (csr::PMPCFG0, PMP_ALL),
            (csr::MIE, interrupt::STIP | interrupt::SEIP),
        ];
        for (number, value) in settings {
            hart.write_csr(number, value);
        }
        hart.set_privilege(Privilege::Supervisor);
        self.bus = HostBus::default();
    }
}

/// What a pCPU under a monitor reaches beside memory: nothing, but for the interrupt by which
/// another part of the host makes the monitor look at a VM's devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HostBus {
    /// The level of the external interrupt.
    pub interrupted: bool,
}

impl Bus for HostBus {
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
        InterruptLines { supervisor_external: self.interrupted, ..InterruptLines::default() }
    }
}
