//! Translations that have to go, as pages are no longer where these lead to.
//!
//! No guest executes before they are gone from its tables and from every TLB.

use super::Host;
use crate::error::HostError;
use crate::ids::VmId;
use crate::ledger::Reading;
use crate::shadow::tree::TableFrames;
use crate::technique::charge_copies;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PageStore};

impl Host {
    /// Unmaps what departed, of all VMs. The pCPU does the work, except for the TLBs of others, which
    /// it interrupts.
    pub(super) fn settle_departures(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
    ) -> Result<(), HostError> {
        while let Some(vm) = self.allocator.next_departed() {
            self.settle_departures_of(store, pcpu, vm)?;
        }
        Ok(())
    }

    fn settle_departures_of(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        vm: VmId,
    ) -> Result<(), HostError> {
        let departures = self.allocator.take_departures(vm);
        let copies = self.allocator.take_device_breaks(vm);
        let Some(machine) = self.vms.get_mut(&vm) else { return Ok(()) };
        let mut memory = Memory { store, frames: &mut self.frames };
        machine.technique.note_departed(&mut memory, &departures);
        let processor = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let mut meter = Meter::new(&mut processor.hart, memory);
        let mut frames = TableFrames { allocator: &mut self.allocator, vm };
        charge_copies(&mut meter, copies);
        for (number, vcpu) in machine.vcpus.iter().enumerate() {
            machine.technique.seat(number);
            machine.technique.unmap_departed(&mut meter, &mut frames, &departures)?;
            if vcpu.pcpu.is_none() {
                machine.technique.forget_translations();
            }
        }
        let pcpus: Vec<_> = machine.vcpus.iter().filter_map(|vcpu| vcpu.pcpu).collect();
        if pcpus.contains(&pcpu) {
            meter.flush_tlb_all();
        }
        let others = pcpus.into_iter().filter(|other| *other != pcpu);
        for other in others {
            self.shoot_down(store, pcpu, other)?;
        }
        Ok(())
    }

    /// Has another pCPU end all translations in its TLB: an interrupt there, for which this one waits.
    fn shoot_down(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        other: usize,
    ) -> Result<(), HostError> {
        let sender = self.pcpus.get_mut(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        sender.hart.clock.cycles += self.profile.timing.ipi_cycles;
        let target = self.pcpus.get_mut(other).ok_or(HostError::NoSuchPcpu(other))?;
        let memory = Memory { store, frames: &mut self.frames };
        Meter::new(&mut target.hart, memory).serve_shootdown();
        self.book_path(other, "tlb_shootdown")
    }

    /// Books what a pCPU has spent since the last booking, under the name of a path of host software,
    /// for the vCPU that it holds.
    pub(super) fn book_path(&mut self, pcpu: usize, name: &str) -> Result<(), HostError> {
        let processor = self.pcpus.get(pcpu).ok_or(HostError::NoSuchPcpu(pcpu))?;
        let now = Reading::of(&processor.hart);
        if let Some(vcpu) = processor.loaded {
            self.vcpu_mut(vcpu)?.ledger.book_host_path(name, now);
        }
        Ok(())
    }
}
