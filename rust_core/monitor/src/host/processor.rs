//! Putting vCPUs on pCPUs, and what host software does there.

use super::Host;
use crate::error::HostError;
use crate::exit_paths::{self, Steps};
use crate::ids::VcpuId;
use crate::ledger::Reading;
use crate::reason::ExitReason;
use dcsim_machine::{Meter, Primitive};
use dcsim_memory::{Memory, PageStore};

impl Host {
    /// Puts a vCPU on an idle pCPU, whose clock moves on to `at_ns` if that is later. The
    /// registers are moved by host software, whose cost is a path of its own.
    pub fn load(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        vcpu: impl Into<VcpuId>,
        at_ns: u64,
    ) -> Result<(), HostError> {
        let vcpu = vcpu.into();
        if let Some(pcpu) = self.vcpu(vcpu)?.pcpu {
            return Err(HostError::Refused(format!("{vcpu} is on pCPU {pcpu}")));
        }
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        if let Some(other) = processor.loaded {
            return Err(HostError::Refused(format!("pCPU {pcpu} already holds {other}")));
        }
        processor.loaded = Some(vcpu);
        let clock = &mut processor.hart.clock;
        clock.cycles = clock.cycles.max(clock.cycles_at_ns(at_ns));
        let own_lines = std::mem::take(&mut self.vcpu_mut(vcpu)?.own_lines);
        self.pcpus[pcpu].hart.enter_data_cache(own_lines);
        let loaded = self.vcpu_mut(vcpu)?;
        loaded.pcpu = Some(pcpu);
        loaded.is_parked = false;
        self.vm_mut(vcpu.vm)?.mail.set_on_pcpu(vcpu.vcpu, true);
        let _acting = self.act_for(vcpu.vm);
        let (mut site, technique) = self.site(store, pcpu, vcpu)?;
        site.ledger.begin(Reading::of(&site.pcpu.hart));
        technique.load(&mut site);
        Ok(())
    }

    /// Takes the vCPU off a pCPU.
    pub fn unload(&mut self, store: &mut PageStore, pcpu: usize) -> Result<VcpuId, HostError> {
        let vcpu = self
            .loaded(pcpu)?
            .ok_or_else(|| HostError::Refused(format!("pCPU {pcpu} holds no vCPU")))?;
        let _acting = self.act_for(vcpu.vm);
        let (mut site, technique) = self.site(store, pcpu, vcpu)?;
        technique.unload(&mut site);
        site.ledger.end();
        site.ledger.verify()?;
        site.pcpu.loaded = None;
        let own_lines = site.pcpu.hart.leave_data_cache();
        let machine = self.vcpu_mut(vcpu)?;
        machine.own_lines = own_lines;
        machine.pcpu = None;
        self.vm_mut(vcpu.vm)?.mail.set_on_pcpu(vcpu.vcpu, false);
        Ok(vcpu)
    }

    /// Tells the guest of a vCPU, if it keeps a record, that it could have run for so long and had no
    /// pCPU: before it next executes anything.
    pub fn tell_stolen_time(
        &mut self,
        vcpu: impl Into<VcpuId>,
        nanoseconds: u64,
    ) -> Result<(), HostError> {
        let vcpu = vcpu.into();
        self.vcpu(vcpu)?;
        self.vm_mut(vcpu.vm)?.mail.steal(vcpu.vcpu, nanoseconds);
        Ok(())
    }

    /// The vCPU that is on a pCPU.
    pub fn loaded(&self, pcpu: usize) -> Result<Option<VcpuId>, HostError> {
        self.pcpus.get(pcpu).map(|pcpu| pcpu.loaded).ok_or(HostError::NoSuchPcpu(pcpu))
    }

    /// The time of a pCPU's clock.
    pub fn local_time_ns(&self, pcpu: usize) -> Result<u64, HostError> {
        self.pcpus.get(pcpu).map(|pcpu| pcpu.hart.clock.ns()).ok_or(HostError::NoSuchPcpu(pcpu))
    }

    /// Lets time pass on a pCPU that holds no vCPU, up to `at_ns` if that is later: it is idle, or
    /// executes what no vCPU is charged for. Returns the cycles.
    pub fn let_pass(&mut self, pcpu: usize, at_ns: u64) -> Result<u64, HostError> {
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        if let Some(vm) = processor.loaded {
            return Err(HostError::Refused(format!("pCPU {pcpu} holds {vm}")));
        }
        let clock = &mut processor.hart.clock;
        let before = clock.cycles;
        clock.cycles = before.max(clock.cycles_at_ns(at_ns));
        Ok(clock.cycles - before)
    }

    /// From now on host software does this behind the handler of each exit for this reason, of
    /// every VM that has a monitor; booked as a path named `exit_<reason>`.
    pub fn set_exit_path(&mut self, reason: ExitReason, steps: Steps) {
        self.exit_paths.set(reason, steps);
    }

    /// What a primitive costs on this host.
    pub fn primitive_cycles(&self, primitive: Primitive) -> u64 {
        primitive.cycles(&self.profile.timing)
    }

    /// Executes a path of host software, given as primitives and how often each, on a pCPU. Its
    /// cycles are booked under `name` for the vCPU that the pCPU holds. Returns them.
    pub fn host_path(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        name: &str,
        steps: &[(Primitive, u64)],
    ) -> Result<u64, HostError> {
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let before = processor.hart.clock.cycles;
        let memory = Memory { store, frames: &mut self.frames };
        let mut meter = Meter::new(&mut processor.hart, memory);
        exit_paths::execute(&mut meter, steps);
        let now = Reading::of(&processor.hart);
        let cycles = processor.hart.clock.cycles - before;
        if let Some(vcpu) = processor.loaded {
            self.vcpu_mut(vcpu)?.ledger.book_host_path(name, now);
        }
        Ok(cycles)
    }
}
