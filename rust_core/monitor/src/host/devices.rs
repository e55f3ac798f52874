//! What the model does to a VM's devices: completions, packets, typing, questions.

use super::Host;
use super::deferred::{Deferred, Work};
use super::run::first_ns_after;
use crate::error::HostError;
use crate::exit::ExitKind;
use crate::ids::{VcpuId, VmId};
use crate::process::ProcessMachine;
use crate::reason::ExitReason;
use crate::vcpu::Vcpu;
use dcsim_machine::{Board, GuestMemory, IoStatus, RequestTag, Unavailable};
use dcsim_memory::{Memory, PageStore};

/// How often an operation is tried again that a test made fail.
const MOST_RETRIES: usize = 8;

impl Host {
    /// A disk request is done: data moves and the guest is told. If the host has no frame for the
    /// data, this waits, and the next run reports it.
    pub fn complete_io(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        tag: RequestTag,
        at_ns: u64,
        status: IoStatus,
    ) -> Result<(), HostError> {
        self.note_lateness(vm, at_ns)?;
        self.deferred.push_back(Deferred { vm, work: Work::Completion { tag, status } });
        self.complete_deferred(store).map(|_| ())
    }

    /// What a device of a VM asked of the host itself is done.
    pub(super) fn finish_request(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        tag: RequestTag,
    ) -> Result<(), HostError> {
        let work = Work::Completion { tag, status: IoStatus::Done };
        self.deferred.push_back(Deferred { vm, work });
        self.complete_deferred(store).map(|_| ())
    }

    /// Hands a packet to the guest, later if its buffer is swapped out. `false` if it has no buffer
    /// for it: the packet is lost.
    pub fn deliver_packet(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        payload: &[u8],
        at_ns: u64,
    ) -> Result<bool, HostError> {
        self.note_lateness(vm, at_ns)?;
        if self.has_deferred(vm) {
            return Ok(self.defer_packet(vm, payload));
        }
        let received =
            self.with_board(store, vm, |board, memory| board.receive_packet(memory, payload))?;
        match received {
            Ok(received) => Ok(received),
            Err(unavailable) => match self.lack(store, vm, unavailable)? {
                ExitKind::SwapIn { .. } => Ok(self.defer_packet(vm, payload)),
                // Without a frame for the buffer the packet is lost, as it is without a buffer.
                _ => Ok(false),
            },
        }
    }

    /// Types on a guest's console. Returns how many bytes it took.
    pub fn console_input(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        bytes: &[u8],
    ) -> Result<usize, HostError> {
        let taken =
            self.with_board(store, vm, |board, memory| board.console_input(memory, bytes))?;
        Ok(taken.unwrap_or(bytes.len()))
    }

    /// Takes what the guest wrote to its consoles.
    pub fn console_output(&mut self, vm: VmId) -> Result<Vec<u8>, HostError> {
        let vm = self.vm_mut(vm)?;
        let mut told = vm.board.console_output();
        if let Some(process) = vm.technique.process() {
            told.extend(process.take_output().into_iter().flat_map(|(_, bytes)| bytes));
        }
        Ok(told)
    }

    /// The process-level machine that a VM is.
    pub fn process(&mut self, vm: VmId) -> Result<&mut ProcessMachine, HostError> {
        let process = self.vm_mut(vm)?.technique.process();
        process.ok_or_else(|| HostError::Refused(format!("{vm} is no process-level machine")))
    }

    /// Disk requests that are not completed.
    pub fn in_flight(&self, vm: VmId) -> Result<usize, HostError> {
        Ok(self.vm(vm)?.board.in_flight())
    }

    /// Whether every exit of a vCPU has been reported. One that comes at or after the end of a run is
    /// reported by the next run in which the vCPU is on a pCPU, before it executes anything.
    pub fn settled(&self, vcpu: impl Into<VcpuId>) -> Result<bool, HostError> {
        Ok(self.vcpu(vcpu.into())?.events.is_empty())
    }

    /// When the guest's timer next raises an enabled interrupt: after the present of its pCPU, or
    /// at any time if it is on none.
    pub fn next_timer_ns(&mut self, vcpu: impl Into<VcpuId>) -> Result<Option<u64>, HostError> {
        let id = vcpu.into();
        let pcpu = self.vcpu(id)?.pcpu;
        let clock = self.pcpus[pcpu.unwrap_or(0)].hart.clock;
        let time = if pcpu.is_some() { clock.time() } else { 0 };
        let technique = &mut self.vm_mut(id.vm)?.technique;
        technique.seat(id.vcpu);
        let deadline = technique.timer_deadline(time);
        Ok(deadline.map(|time| first_ns_after(clock, clock.cycles_at_time(time))))
    }

    /// Whether a vCPU has something to do: one that does not wait always has; one that waits, if
    /// a device interrupts it, or its timer has expired at `at_ns`.
    pub fn runnable(
        &mut self,
        vcpu: impl Into<VcpuId>,
        at_ns: Option<u64>,
    ) -> Result<bool, HostError> {
        let id = vcpu.into();
        self.vcpu(id)?;
        let mut clock = self.pcpus[0].hart.clock;
        clock.cycles = clock.cycles_at_ns(at_ns.unwrap_or(0));
        let vm = self.vm_mut(id.vm)?;
        Ok(!vm.stopped && vm.would_go_on(id.vcpu, clock.time()))
    }

    /// Does something with a VM's devices and memory, once more if only a test made it fail; then
    /// lets the vCPU know of its interrupt lines.
    pub(super) fn with_board<T>(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        mut act: impl FnMut(&mut Board, &mut dyn GuestMemory) -> Result<T, Unavailable>,
    ) -> Result<Result<T, Unavailable>, HostError> {
        let _acting = self.act_for(vm);
        self.break_reservations(vm, None);
        let mut result = self.try_with_board(store, vm, &mut act)?;
        for _ in 0..MOST_RETRIES {
            if result.is_ok() || !self.allocator.last_failure_was_injected() {
                break;
            }
            result = self.try_with_board(store, vm, &mut act)?;
        }
        if self.allocator.has_departures() {
            let pcpu = self.vm(vm)?.on_pcpu().map_or(0, |(_, pcpu)| pcpu);
            self.settle_departures(store, pcpu)?;
            self.book_path(pcpu, ExitReason::CowBreak.name())?;
        }
        self.notice_lines(store, vm)?;
        Ok(result)
    }

    /// Lets vCPUs that are on pCPUs know of their interrupt lines.
    pub(super) fn notice_lines(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
    ) -> Result<(), HostError> {
        for (pcpu, vcpu) in self.stays_of(vm)? {
            let (mut site, technique) = self.site(store, pcpu, vcpu)?;
            technique.lines_changed(&mut site);
        }
        Ok(())
    }

    fn try_with_board<T>(
        &mut self,
        store: &mut PageStore,
        vm: VmId,
        act: &mut impl FnMut(&mut Board, &mut dyn GuestMemory) -> Result<T, Unavailable>,
    ) -> Result<Result<T, Unavailable>, HostError> {
        let vm = self.vms.get_mut(&vm).ok_or(HostError::NoSuchVm(vm))?;
        let memory = Memory { store, frames: &mut self.frames };
        let mut guest = vm.technique.guest_memory(vm.id, memory, &mut self.allocator);
        Ok(act(&mut vm.board, guest.as_mut()))
    }

    /// The vCPUs of a VM that are on pCPUs, and on which.
    fn stays_of(&self, vm: VmId) -> Result<Vec<(usize, VcpuId)>, HostError> {
        let numbered = self.vm(vm)?.vcpus.iter().enumerate();
        let stay = |(vcpu, each): (usize, &Vcpu)| Some((each.pcpu?, VcpuId { vm, vcpu }));
        Ok(numbered.filter_map(stay).collect())
    }

    /// Something comes to a VM at `at_ns`. It is late for a vCPU if instructions may have started later
    /// than that; a single instruction or handler that spans the moment is no lateness. What comes in
    /// the middle of a cycle is there for the instruction that starts with the next one.
    fn note_lateness(&mut self, vm: VmId, at_ns: u64) -> Result<(), HostError> {
        // A VM with several vCPUs goes on to the end of a window: nothing reaches it in between.
        let due_cycles = self.end_of_run(self.pcpus[0].hart.clock.cycles_at_ns(at_ns));
        for (pcpu, vcpu) in self.stays_of(vm)? {
            let pcpu = &self.pcpus[pcpu];
            let mut clock = pcpu.hart.clock;
            clock.cycles = clock.cycles_at_ns(at_ns);
            let due_ns = clock.ns();
            clock.cycles = pcpu.executed_cycles;
            if self.has_several && clock.cycles <= due_cycles {
                continue;
            }
            let late_ns = clock.ns().saturating_sub(due_ns);
            let counters = &mut self.vcpu_mut(vcpu)?.counters;
            counters.lateness_ns = counters.lateness_ns.max(late_ns);
        }
        Ok(())
    }
}
