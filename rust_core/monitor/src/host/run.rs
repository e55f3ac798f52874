//! Advancing a host's pCPUs up to the next event.
//!
//! The pCPU whose clock is behind all others makes the next step (at equal clocks, the one with the
//! lowest number), so handlers, which alone touch what pCPUs share, happen in the order of their
//! times. Executing guest instructions a pCPU may run ahead of the others, but by no more than the
//! latency of an interrupt from one to another: nothing that the others do can reach it earlier.
//! Events are reported in the order of their times. All this depends on clocks only, so where a
//! run is cut changes nothing.

use super::Host;
use crate::error::HostError;
use crate::exit::{Exit, ExitKind};
use crate::ids::{VcpuId, VmId};
use crate::shadow::tree::TableFrames;
use crate::technique::Step;
use crate::vm::Vm;
use dcsim_hart::Clock;
use dcsim_machine::Meter;
use dcsim_memory::{Memory, PageStore};

/// How far a pCPU may go before others get their turn, in cycles of its clock.
struct Horizon {
    /// No guest instruction starts at or after this.
    guest: u64,
    /// No further step begins at or after this: another pCPU is behind then.
    steps: u64,
}

impl Host {
    /// Advances every pCPU that holds a vCPU until its clock has reached `until_ns`, or returns
    /// the first event before that.
    pub fn run(&mut self, store: &mut PageStore, until_ns: u64) -> Result<Exit, HostError> {
        if let Some((vm, kind)) = self.retry_devices(store)? {
            self.note_told(vm, &kind);
            return Ok(self.device_exit(vm, kind));
        }
        self.check_guard()?;
        let until_cycles = self.pcpus[0].hart.clock.cycles_at_ns(until_ns);
        loop {
            let Some((pcpu, vcpu)) = self
                .furthest_behind()
                .filter(|(pcpu, _)| self.pcpus[*pcpu].hart.clock.cycles < until_cycles)
            else {
                let (pcpu, vm, vcpu) = (None, None, None);
                return Ok(Exit { pcpu, vm, vcpu, time_ns: until_ns, kind: ExitKind::Until });
            };
            if let Some(kind) = self.vcpu_mut(vcpu)?.events.pop_front() {
                return Ok(self.exit(pcpu, vcpu, kind));
            }
            let horizon = self.horizon(pcpu, until_cycles);
            let kind = self.advance(store, pcpu, vcpu, &horizon)?;
            self.check_guard()?;
            if self.audited {
                self.audit(store)?;
            }
            if let Some(kind) = kind {
                return Ok(self.exit(pcpu, vcpu, kind));
            }
            if self.vm(vcpu.vm)?.board.needs_memory()
                && let Some(kind) = self.retry_board(store, vcpu.vm)?
            {
                self.note_told(vcpu.vm, &kind);
                return Ok(self.device_exit(vcpu.vm, kind));
            }
        }
    }

    /// The pCPU with a vCPU whose clock is least.
    fn furthest_behind(&self) -> Option<(usize, VcpuId)> {
        let loaded = self.pcpus.iter().enumerate();
        loaded
            .filter_map(|(index, pcpu)| Some((pcpu.hart.clock.cycles, index, pcpu.loaded?)))
            .min()
            .map(|(_, index, vcpu)| (index, vcpu))
    }

    /// How far a pCPU may go now.
    fn horizon(&self, pcpu: usize, until_cycles: u64) -> Horizon {
        let quantum = self.profile.timing.ipi_cycles;
        let others = self
            .pcpus
            .iter()
            .enumerate()
            .filter(|(index, other)| *index != pcpu && other.loaded.is_some());
        let least = others.map(|(_, other)| other.hart.clock.cycles).min().unwrap_or(u64::MAX);
        // One cycle at the least: clocks that are equal must not stand still.
        let guest = until_cycles.min(least.saturating_add(quantum.max(1)));
        Horizon { guest, steps: until_cycles.min(least) }
    }

    /// Makes steps for as long as it is this pCPU's turn and nothing has to be reported, or lets
    /// time pass for a VM that has stopped.
    fn advance(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        vcpu: VcpuId,
        horizon: &Horizon,
    ) -> Result<Option<ExitKind>, HostError> {
        let _acting = self.act_for(vcpu.vm);
        let stopped = self.vm(vcpu.vm)?.stopped;
        let audited = self.audited;
        let (mut site, technique) = self.site(store, pcpu, vcpu)?;
        if stopped {
            site.wait_until(horizon.guest);
            return Ok(None);
        }
        let mut step = site.step(technique, horizon.guest)?;
        while step == Step::Done
            && !audited
            && site.now_cycles() < horizon.steps
            && !site.board.wants_attention()
        {
            step = site.step(technique, horizon.guest)?;
        }
        if let Step::Memory(wanted) = step
            && self.reclaim_from_others(store, pcpu, wanted)
        {
            // The same step is made again.
            return Ok(None);
        }
        self.after_step(pcpu, vcpu, step)
    }

    /// Takes frames from VMs that are on no pCPU: what their next run will have to build again.
    /// The pCPU that needs them does the work. Tells whether there are more now.
    fn reclaim_from_others(&mut self, store: &mut PageStore, pcpu: usize, wanted: u64) -> bool {
        if self.allocator.last_failure_was_injected() {
            return false;
        }
        let guard = self.allocator.guard().cloned();
        let memory = Memory { store, frames: &mut self.frames };
        let mut meter = Meter::new(&mut self.pcpus[pcpu].hart, memory);
        let before = self.allocator.available();
        for vm in self.vms.values_mut().filter(|vm| vm.on_pcpu().is_none()) {
            let _acting = guard.as_ref().map(|guard| guard.act_for(vm.id));
            let mut frames = TableFrames { allocator: &mut self.allocator, vm: vm.id };
            vm.technique.reclaim(&mut meter, &mut frames, wanted);
        }
        self.allocator.available() > before
    }

    /// Notes what a step brought about.
    fn after_step(
        &mut self,
        pcpu: usize,
        vcpu: VcpuId,
        step: Step,
    ) -> Result<Option<ExitKind>, HostError> {
        let clock = self.pcpus[pcpu].hart.clock;
        let machine = self.vm_mut(vcpu.vm)?;
        machine.collect_events(Some(vcpu.vcpu));
        match step {
            Step::Done => {}
            Step::Memory(_) => return Ok(Some(ExitKind::Memory)),
            Step::Swapped(page) => return Ok(Some(ExitKind::SwapIn { page })),
            Step::Wait(wake) => {
                let wake_ns = wake.map(|cycles| first_ns_after(clock, cycles));
                machine.vcpus[vcpu.vcpu].events.push_back(ExitKind::Wait { wake_ns });
            }
            Step::Fault(message) => machine.fail(vcpu.vcpu, message),
        }
        Ok(None)
    }

    fn exit(&self, pcpu: usize, VcpuId { vm, vcpu }: VcpuId, kind: ExitKind) -> Exit {
        let concerned = match kind {
            ExitKind::Wake { vcpu } => vcpu,
            _ => vcpu,
        };
        let time_ns = self.pcpus[pcpu].hart.clock.ns();
        Exit { pcpu: Some(pcpu), vm: Some(vm), vcpu: Some(concerned), time_ns, kind }
    }

    /// The devices of a VM wait. If none of its vCPUs is on a pCPU, that is now.
    fn device_exit(&self, vm: VmId, kind: ExitKind) -> Exit {
        if let Some((vcpu, pcpu)) = self.vms.get(&vm).and_then(Vm::on_pcpu) {
            let exit = self.exit(pcpu, VcpuId { vm, vcpu }, kind);
            // No vCPU has to wait for a page that a device needs.
            let waits = !matches!(exit.kind, ExitKind::SwapIn { .. });
            return Exit { vcpu: exit.vcpu.filter(|_| waits), ..exit };
        }
        let now = self.pcpus.iter().map(|pcpu| pcpu.hart.clock.ns()).max();
        Exit { pcpu: None, vm: Some(vm), vcpu: None, time_ns: now.unwrap_or(0), kind }
    }
}

/// The first nanosecond at which a clock has reached `cycles`: a model that comes back then finds
/// that the moment has come.
pub(super) fn first_ns_after(mut clock: Clock, cycles: u64) -> u64 {
    clock.cycles = cycles;
    let ns = clock.ns();
    if clock.cycles_at_ns(ns) < cycles { ns + 1 } else { ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_nanoseconds_is_never_too_early() {
        for hz in [1_000_000_000, 2_899_999_999, 3_300_000_000, 1_000] {
            let mut clock = Clock::new(hz, 10_000_000);
            for cycles in [0, 1, 2, 1_000, 1_001, 9_999_999_999] {
                let ns = first_ns_after(clock, cycles);
                assert!(clock.cycles_at_ns(ns) >= cycles);
                clock.cycles = cycles;
                assert!(ns == clock.ns() || ns == clock.ns() + 1);
            }
        }
    }
}
