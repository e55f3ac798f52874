//! Advancing a host's pCPUs up to the next event.
//!
//! The pCPU whose clock is behind all others makes the next step (at equal clocks, the one with the
//! lowest number), so handlers, which alone touch what pCPUs share, happen in the order of their
//! times. Executing guest instructions a pCPU may run ahead of the others, but by no more than the
//! latency of an interrupt from one to another: nothing that the others do can reach it earlier.
//! Events are reported in the order of their times. All this depends on clocks only, so where a
//! run is cut changes nothing.
//!
//! vCPUs of one VM share memory, so what each finds there depends on who executed first. While
//! several of them are on pCPUs, time is divided into windows, as long as an interrupt between
//! pCPUs takes and at fixed places: executing guest instructions each goes to the end of the window
//! that its clock is in, one after the other. On a host with such a VM a run ends with a whole
//! window; what reaches a vCPU meanwhile finds it at the window's end.

use super::Host;
use crate::error::HostError;
use crate::exit::{Exit, ExitKind};
use crate::ids::{VcpuId, VmId};
use crate::pcpu::Pcpu;
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
            let Some((pcpu, vcpu)) = self.furthest_behind(until_cycles) else {
                let (pcpu, vm, vcpu) = (None, None, None);
                return Ok(Exit { pcpu, vm, vcpu, time_ns: until_ns, kind: ExitKind::Until });
            };
            if let Some(kind) = self.vcpu_mut(vcpu)?.events.pop_front() {
                self.vcpu_mut(vcpu)?.is_parked = true;
                return Ok(self.exit(pcpu, vcpu, kind));
            }
            let horizon = self.horizon(pcpu, vcpu, self.end_of_run(until_cycles))?;
            let kind = self.advance(store, pcpu, vcpu, &horizon)?;
            self.check_guard()?;
            if self.audited {
                self.audit(store)?;
            }
            if let Some(kind) = kind {
                self.vcpu_mut(vcpu)?.is_parked = true;
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

    /// Where a run to a cycle ends: with a whole window, if there are windows.
    pub(super) fn end_of_run(&self, until_cycles: u64) -> u64 {
        if self.has_several { until_cycles.next_multiple_of(self.window()) } else { until_cycles }
    }

    /// The length of a window. One cycle at the least: clocks that are equal must not stand still.
    fn window(&self) -> u64 {
        self.profile.timing.ipi_cycles.max(1)
    }

    /// The pCPU whose clock is least, of those with a vCPU that has to go on, or to report
    /// something, in a run to a cycle.
    fn furthest_behind(&self, until_cycles: u64) -> Option<(usize, VcpuId)> {
        let end = self.end_of_run(until_cycles);
        let turn = |(index, pcpu): (usize, &Pcpu)| {
            let (cycles, id) = (pcpu.hart.clock.cycles, pcpu.loaded?);
            let vcpu = self.vcpu(id).ok()?;
            let reports = !vcpu.events.is_empty();
            let limit = if reports || vcpu.is_parked { until_cycles } else { end };
            // What is reported is dealt with when all others have ended the window.
            let due = if reports { self.end_of_run(cycles) } else { cycles };
            (cycles < limit).then_some((due, cycles, index, id))
        };
        let turns = self.pcpus.iter().enumerate().filter_map(turn);
        turns.min().map(|(_, _, index, id)| (index, id))
    }

    /// How far a pCPU may go now.
    fn horizon(&self, pcpu: usize, vcpu: VcpuId, until: u64) -> Result<Horizon, HostError> {
        let others = self
            .pcpus
            .iter()
            .enumerate()
            .filter(|(index, other)| *index != pcpu && other.loaded.is_some());
        let least = others.map(|(_, other)| other.hart.clock.cycles).min().unwrap_or(u64::MAX);
        let guest = until.min(least.saturating_add(self.window()));
        let horizon = Horizon { guest, steps: until.min(least) };
        let vm = self.vm(vcpu.vm)?;
        if !vm.has_several() {
            return Ok(horizon);
        }
        // It leaves the guest, or goes on waiting, no later than its mail arrives.
        let now = self.pcpus[pcpu].hart.clock.cycles;
        let mail = vm.mail.next_due(vcpu.vcpu).filter(|due| *due > now);
        let shared = vm.vcpus.iter().filter(|vcpu| vcpu.pcpu.is_some()).count() > 1;
        let window = shared.then(|| (now + 1).next_multiple_of(self.window()));
        let guest = mail.into_iter().chain(window).fold(horizon.guest, u64::min);
        Ok(Horizon { guest, steps: horizon.steps.min(guest) })
    }

    /// Ends the reservations of all vCPUs of a VM with several, but for one's own: others may have
    /// stored to what they reserved.
    pub(super) fn break_reservations(&mut self, vm: VmId, but: Option<usize>) {
        let Some(vm) = self.vms.get(&vm).filter(|vm| vm.has_several()) else { return };
        for (number, vcpu) in vm.vcpus.iter().enumerate() {
            if let Some(pcpu) = vcpu.pcpu.filter(|_| Some(number) != but) {
                self.pcpus[pcpu].hart.reservation = None;
            }
        }
    }

    /// Lets the other vCPUs of a VM with several know what one has done to their interrupt lines and
    /// their mail.
    fn tell_others(&mut self, store: &mut PageStore, by: VcpuId) -> Result<(), HostError> {
        let vm = self.vm_mut(by.vm)?;
        if !vm.has_several() {
            return Ok(());
        }
        vm.announce_woken(by.vcpu);
        for vcpu in (0..vm.vcpus.len()).filter(|vcpu| *vcpu != by.vcpu) {
            let vm = self.vm_mut(by.vm)?;
            let external = vm.board.lines(vcpu).supervisor_external;
            let changed = std::mem::replace(&mut vm.vcpus[vcpu].external, external) != external;
            if let Some(pcpu) = vm.vcpus[vcpu].pcpu.filter(|_| changed) {
                let (mut site, technique) = self.site(store, pcpu, (by.vm, vcpu).into())?;
                technique.lines_changed(&mut site);
            }
        }
        Ok(())
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
        self.vcpu_mut(vcpu)?.is_parked = false;
        self.break_reservations(vcpu.vm, Some(vcpu.vcpu));
        let stopped = self.vm(vcpu.vm)?.stopped;
        let audited = self.audited;
        let (mut site, technique) = self.site(store, pcpu, vcpu)?;
        if stopped {
            site.wait_until(horizon.guest);
            return Ok(None);
        }
        if site.mail.is_due(site.vcpu, site.now_cycles()) {
            technique.call(&mut site);
        }
        let mut step = site.step(technique, horizon.guest)?;
        while step == Step::Done
            && !audited
            && site.mail.count() == 1
            && site.now_cycles() < horizon.steps
            && !site.board.wants_attention()
            && !site.allocator.is_scarce()
        {
            step = site.step(technique, horizon.guest)?;
        }
        if let Step::Memory(wanted) = step
            && self.reclaim_from_others(store, pcpu, wanted)
        {
            // The same step is made again.
            return Ok(None);
        }
        let kind = self.after_step(store, pcpu, vcpu, step)?;
        if self.has_several && self.allocator.has_departures() {
            self.settle_departures(store, pcpu)?;
            self.book_path(pcpu, "tlb_shootdown")?;
        }
        self.tell_others(store, vcpu)?;
        Ok(kind)
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
            for vcpu in 0..vm.vcpus.len() {
                vm.technique.seat(vcpu);
                vm.technique.reclaim(&mut meter, &mut frames, wanted);
            }
        }
        self.allocator.available() > before
    }

    /// Notes what a step brought about.
    fn after_step(
        &mut self,
        store: &mut PageStore,
        pcpu: usize,
        vcpu: VcpuId,
        step: Step,
    ) -> Result<Option<ExitKind>, HostError> {
        let clock = self.pcpus[pcpu].hart.clock;
        self.collect_events(store, vcpu.vm, Some(vcpu.vcpu))?;
        let is_scarce = self.allocator.is_scarce();
        if is_scarce {
            self.allocator.set_watermark(0);
        }
        let machine = self.vm_mut(vcpu.vm)?;
        if is_scarce {
            machine.vcpus[vcpu.vcpu].events.push_back(ExitKind::Scarce);
        }
        match step {
            Step::Done => {}
            Step::Memory(_) => return Ok(Some(ExitKind::Memory)),
            Step::Swapped(page) => return Ok(Some(ExitKind::SwapIn { page })),
            Step::Wait(wake) => {
                let wake_ns = wake.map(|cycles| first_ns_after(clock, cycles));
                machine.vcpus[vcpu.vcpu].events.push_back(ExitKind::Wait { wake_ns });
            }
            Step::Spin(holder) => {
                machine.vcpus[vcpu.vcpu].events.push_back(ExitKind::Spin { holder });
            }
            Step::Fault(message) => machine.fail(vcpu.vcpu, message),
            Step::Ended(code) => machine.end(vcpu.vcpu, code),
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
