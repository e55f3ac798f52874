//! What tests inside this crate reach of a host.

use super::Host;
use crate::ids::VmId;
use crate::technique::{Site, Technique};
use dcsim_hart::Hart;
use dcsim_memory::PageStore;

impl Host {
    /// The hart of a pCPU.
    pub(crate) fn hart(&self, pcpu: usize) -> &Hart {
        &self.pcpus[pcpu].hart
    }

    /// How a VM executes.
    pub(crate) fn technique(&self, vm: VmId) -> &dyn Technique {
        self.vms[&vm].technique.as_ref()
    }

    /// The same to make steps with, and what they need.
    pub(crate) fn parts<'a>(
        &'a mut self,
        store: &'a mut PageStore,
        vm: VmId,
    ) -> (Site<'a>, &'a mut dyn Technique) {
        let (vcpu, pcpu) = self.vms[&vm].on_pcpu().expect("the VM is on a pCPU");
        self.site(store, pcpu, (vm, vcpu).into()).expect("both are there")
    }
}
