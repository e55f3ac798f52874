"""Puts vCPUs on processors and takes them off: the mechanism under every scheduler.

The scheduler chooses, this module acts. All loading and unloading happens in
:meth:`Dispatcher.dispatch`, which the conductor calls when the events of a time are done; events
only note that a processor should *look* again.

A vCPU's time is accounted at its processor's own time, which can stand beyond the clock by the
length of an instruction's handler or of a host path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dcsim.hypervisor.paths import NO_HOST
from dcsim.hypervisor.vcpu import VirtualCpu

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.host import Host, Processor
    from dcsim.hypervisor.paths import HostPaths, Steps
    from dcsim.hypervisor.scheduler import Scheduler
    from dcsim.hypervisor.vcpu import VcpuState
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["Dispatcher", "Slot"]


class Slot:
    """A processor and what the hypervisor has on it."""

    __slots__ = ("look", "processor", "since_ns", "timer", "vcpu")

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.vcpu: VirtualCpu | None = None
        self.look = False
        self.since_ns = 0
        self.timer: Timer | None = None


class Dispatcher(ABC):
    """Runs on the processors of a host what a scheduler chooses.

    Parameters
    ----------
    host
        Whose processors.
    scheduler
        What chooses.
    paths
        What the host's software does on the way.
    """

    def __init__(self, host: Host, scheduler: Scheduler, paths: HostPaths) -> None:
        self.host = host
        self.environment = host.environment
        self._machine = host.machine
        self._conductor = host.conductor
        self._scheduler = scheduler
        self._paths = paths
        self._slots = [Slot(processor) for processor in host.conductor.processors]
        self._tick: Timer | None = None

    def _paths_of(self, vm: VirtualMachine) -> HostPaths:
        """Return what host software lies between a VM and the machine."""
        return NO_HOST if vm.config.technique == "bare-metal" else self._paths

    @abstractmethod
    def _settle(self, vm: VirtualMachine) -> None:
        """Note that a VM that is to stop is off its processor."""

    # Dispatching.

    def dispatch(self) -> None:
        """Let every processor that should look choose again."""
        for slot in self._slots:
            if slot.look and not slot.processor.exiting:
                self._choose(slot)
        # One that was displaced may go to a processor that was looked at before, and is idle.
        for slot in self._slots:
            if slot.look and slot.vcpu is None and not slot.processor.exiting:
                self._choose(slot)
        if self._tick is None:
            self._arm_tick()

    def _is_settled(self, vcpu: VirtualCpu) -> bool:
        """Tell whether the machine has returned every exit of a vCPU."""
        return self._machine.settled(vcpu.vm.number, vcpu.number)

    def _is_runnable(self, vcpu: VirtualCpu) -> bool:
        """Tell whether a vCPU that waits has something to do now."""
        return self._machine.runnable(vcpu.vm.number, vcpu.number, self.environment.now)

    def _choose(self, slot: Slot) -> None:
        if slot.vcpu is not None and not self._is_settled(slot.vcpu):
            return  # an exit of its last instruction is yet to come; then it is looked at
        slot.look = False
        if slot.vcpu is not None and slot.vcpu.vm.pausing is not None:
            self._lay_down(slot, "paused")
        now_ns = self._conductor.local_ns(slot.processor)
        self._account(slot, now_ns)
        self._account_all(self.environment.now)
        current = slot.vcpu
        choice = self._scheduler.choose(slot.processor.index, current, now_ns)
        if choice.vcpu is not current:
            if current is not None:
                self._lay_down(slot, "runnable")
                self._have_idle_look()
            if isinstance(choice.vcpu, VirtualCpu):
                self._take_up(slot, choice.vcpu)
        self._arm(slot, choice.again_ns)

    def _have_idle_look(self) -> None:
        for slot in self._slots:
            slot.look = slot.look or slot.vcpu is None

    def _take_up(self, slot: Slot, vcpu: VirtualCpu) -> None:
        """Load a vCPU and do what its arrival owes."""
        processor, vm = slot.processor, vcpu.vm
        self._conductor.load(processor, vm.number, vcpu.number, self.environment.now)
        slot.vcpu = vcpu
        slot.since_ns = processor.loaded_ns
        vcpu.processor = processor.index
        vcpu.enter("running", processor.loaded_ns)
        self._conductor.charge(processor, "vcpu_load", self._paths_of(vm).load)
        for name, steps in vcpu.owed_paths:
            self._conductor.charge(processor, name, steps)
        vcpu.owed_paths.clear()

    def _lay_down(self, slot: Slot, state: VcpuState) -> None:
        """Unload the current vCPU, which is then in another state."""
        vcpu = slot.vcpu
        if vcpu is None:
            return
        self._conductor.charge(slot.processor, "vcpu_put", self._paths_of(vcpu.vm).put)
        at_ns = self._conductor.unload(slot.processor)
        self._account(slot, at_ns)
        slot.vcpu = None
        vcpu.enter(state, at_ns)
        if state != "runnable":
            self._scheduler.leave(vcpu)
        if state == "paused":
            self._settle(vcpu.vm)

    def _account(self, slot: Slot, at_ns: int) -> None:
        """Tell the scheduler how long the current vCPU has run."""
        if slot.vcpu is not None and at_ns > slot.since_ns:
            self._scheduler.charge(slot.vcpu, at_ns - slot.since_ns)
            slot.since_ns = at_ns

    def _account_all(self, at_ns: int) -> None:
        """Bring the scheduler's accounts up to date before it compares."""
        for slot in self._slots:
            self._account(slot, at_ns)

    def _arm(self, slot: Slot, again_ns: int | None) -> None:
        """Have a processor look again at a time."""
        if slot.timer is not None:
            slot.timer.cancel()
            slot.timer = None
        if again_ns is not None:

            def look() -> None:
                slot.look = True
                self._conductor.kick()

            at_ns = max(again_ns, self.environment.now)
            slot.timer = self.environment.at(at_ns, look, reach=self.host.scope)

    def _arm_tick(self) -> None:
        at_ns = self._scheduler.next_tick_ns(self.environment.now)
        if at_ns is not None:
            self._tick = self.environment.at(at_ns, self._on_tick, reach=self.host.scope)

    def _on_tick(self) -> None:
        now_ns = self.environment.now
        self._account_all(now_ns)
        self._look(self._scheduler.tick(now_ns))
        self._tick = None
        self._arm_tick()

    def _look(self, processors: Iterable[int]) -> None:
        for index in processors:
            self._slots[index].look = True
        self._conductor.kick()

    def _slot_of(self, vcpu: VirtualCpu) -> Slot:
        return next(slot for slot in self._slots if slot.vcpu is vcpu)

    # Waking and blocking.

    def _queue(self, vcpu: VirtualCpu) -> None:
        """Let a vCPU want to run."""
        vcpu.waiting = False
        now_ns = self.environment.now
        vcpu.enter("runnable", now_ns)
        self._account_all(now_ns)
        self._look(self._scheduler.wake(vcpu, now_ns))

    def _wake(self, vcpu: VirtualCpu) -> None:
        if vcpu.state == "blocked":
            vcpu.cancel_wake()
            self._queue(vcpu)

    def _wake_if_runnable(self, vm: VirtualMachine) -> None:
        for vcpu in vm.vcpus:
            if vcpu.state == "blocked" and self._is_runnable(vcpu):
                self._wake(vcpu)

    def _arm_wake(self, vcpu: VirtualCpu, wake_ns: int | None) -> None:
        """Let the guest's own timer end the wait of a vCPU that is off its processor."""
        vcpu.cancel_wake()
        if wake_ns is not None:
            # A timer that is due already has been looked at; time must move on.
            at_ns = max(wake_ns, self.environment.now + 1)
            vcpu.wake_timer = self.environment.at(
                at_ns, lambda: self._wake(vcpu), reach=vcpu.vm.scope
            )

    # What is charged to a vCPU, wherever it is.

    def _interrupt(self, vm: VirtualMachine, name: str, steps: Steps) -> None:
        """Charge a path that an interrupt takes: now when a vCPU runs, or when it next does.

        Of several it is the first that runs; without one it is the first, which a guest makes the
        target of its devices' interrupts unless it spreads them.
        """
        running = next((vcpu for vcpu in vm.vcpus if vcpu.state == "running"), None)
        if running is not None:
            self._conductor.charge(self._slot_of(running).processor, name, steps)
        else:
            vm.vcpus[0].owed_paths.append((name, tuple(steps)))

    def _note_lateness(self, vm: VirtualMachine) -> None:
        for vcpu in vm.vcpus:
            if vcpu.state == "running":
                late_ns = self._conductor.lateness_ns(self._slot_of(vcpu).processor)
                vm.lateness_ns = max(vm.lateness_ns, late_ns)
