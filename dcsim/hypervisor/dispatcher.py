"""Puts vCPUs and threads of the host on processors and takes them off, whatever the scheduler.

The scheduler chooses, this module acts. All loading and unloading happens in
:meth:`Dispatcher.dispatch`, which the conductor calls when the events of a time are done; events
only note that a processor should *look* again.

An entity's time is accounted at its processor's own time, which can stand beyond the clock by the
length of an instruction's handler or of a host path. A thread that is on such a path stays on its
processor until the clock is there too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

from dcsim.hypervisor.host_thread import HostThread, Processing
from dcsim.hypervisor.path_book import PathBook
from dcsim.hypervisor.paths import NO_HOST, PROCESS
from dcsim.hypervisor.steps import primitives_of
from dcsim.hypervisor.vcpu import OwedPath, VirtualCpu

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.host import Host, Processor
    from dcsim.hypervisor.entity import EntityState
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.scheduler import Schedulable, Scheduler
    from dcsim.hypervisor.steps import Path
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["Dispatcher", "Slot"]


class Slot:
    """A processor and what the hypervisor has on it."""

    __slots__ = ("look", "processor", "since_ns", "timer", "user", "work")

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.user: VirtualCpu | HostThread | None = None
        self.look = False
        self.since_ns = 0
        self.timer: Timer | None = None
        self.work: Timer | None = None
        """The end of what a thread is doing there."""

    @property
    def vcpu(self) -> VirtualCpu | None:
        """The vCPU that is on it, if it is one."""
        return self.user if isinstance(self.user, VirtualCpu) else None


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

    Attributes
    ----------
    book
        What that cost.
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
        self.book = PathBook(host.machine.primitive_cycles())

    def paths_of(self, vm: VirtualMachine) -> HostPaths:
        """Return what host software lies between a VM and the machine."""
        if vm.config.technique == "process":
            return PROCESS
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
            if slot.look and slot.user is None and not slot.processor.exiting:
                self._choose(slot)
        if self._tick is None:
            self._arm_tick()

    def _is_settled(self, vcpu: VirtualCpu) -> bool:
        """Tell whether the machine has returned every exit of a vCPU."""
        return self._machine.settled(vcpu.vm.number, vcpu.number)

    def _is_runnable(self, vcpu: VirtualCpu) -> bool:
        """Tell whether a vCPU that waits has something to do now."""
        return self._machine.runnable(vcpu.vm.number, vcpu.number, self.environment.now)

    def _may_change(self, slot: Slot) -> bool:
        """Tell whether what is on a processor can go; otherwise it is looked at again later."""
        user = slot.user
        if isinstance(user, HostThread):
            return user.until_ns <= self.environment.now
        # With an exit of its last instruction yet to come, a vCPU stays until that is handled.
        return user is None or self._is_settled(user)

    def _choose(self, slot: Slot) -> None:
        if not self._may_change(slot):
            return
        slot.look = False
        if slot.vcpu is not None and slot.vcpu.vm.pausing is not None:
            self._lay_down(slot, "paused")
        if slot.vcpu is not None and slot.vcpu.stalls:
            self._lay_down(slot, "stalled")
        now_ns = self._conductor.local_ns(slot.processor)
        self._account(slot, now_ns)
        self._account_all(self.environment.now)
        current = slot.user
        choice = self._scheduler.choose(slot.processor.index, current, now_ns)
        if choice.vcpu is not current:
            if current is not None:
                self._lay_down(slot, "runnable")
            if choice.vcpu is not None:
                self._take_up(slot, choice.vcpu)
            if current is not None:
                self._have_idle_look()
        elif isinstance(current, HostThread) and slot.work is None:
            self._proceed(slot, current)
        self._arm(slot, choice.again_ns)

    def _have_idle_look(self) -> None:
        for slot in self._slots:
            slot.look = slot.look or slot.user is None

    def _take_up(self, slot: Slot, entity: Schedulable) -> None:
        if isinstance(entity, VirtualCpu):
            self._take_up_vcpu(slot, entity)
        elif isinstance(entity, HostThread):
            self._take_up_thread(slot, entity)

    def _take_up_vcpu(self, slot: Slot, vcpu: VirtualCpu) -> None:
        """Load a vCPU and do what its arrival owes."""
        processor, vm = slot.processor, vcpu.vm
        self._conductor.load(processor, vm.number, vcpu.number, self.environment.now)
        self._occupy(slot, vcpu)
        stolen_ns = vcpu.take_stolen_ns()
        if stolen_ns:
            self._machine.tell_stolen_time(vm.number, vcpu.number, stolen_ns)
        self.charge(slot, "vcpu_load", self.paths_of(vm).load)
        at_ns = self._conductor.local_ns(processor)
        for owed in vcpu.owed_paths:
            if owed.trail is not None:
                owed.trail.mark("until the vCPU is scheduled", slot.since_ns)
                owed.trail.mark("vcpu_load", at_ns)
            self._take(slot, owed)
        vcpu.owed_paths.clear()

    def _take(self, slot: Slot, owed: OwedPath) -> None:
        """Do what an interrupt takes on the processor of its vCPU."""
        at_ns = self.charge(slot, owed.name, owed.path)
        if owed.trail is not None:
            owed.trail.mark(owed.name, at_ns)
            owed.trail.end()

    def _occupy(self, slot: Slot, user: VirtualCpu | HostThread) -> None:
        slot.user = user
        slot.since_ns = slot.processor.loaded_ns
        user.processor = slot.processor.index
        user.enter("running", slot.since_ns)

    def _lay_down(self, slot: Slot, state: EntityState) -> None:
        """Take what is on a processor off, which is then in another state."""
        user = slot.user
        if isinstance(user, VirtualCpu):
            self.charge(slot, "vcpu_put", self.paths_of(user.vm).put)
            self._leave(slot, user, state, self._conductor.unload(slot.processor))
            if state == "paused":
                self._settle(user.vm)
        elif user is not None:
            user.interrupt(self._conductor.local_ns(slot.processor))
            self.charge(slot, "thread_put", self._paths.thread_put)
            self._leave(slot, user, state, self._conductor.vacate(slot.processor))

    def _leave(
        self, slot: Slot, user: VirtualCpu | HostThread, state: EntityState, at_ns: int
    ) -> None:
        if slot.work is not None:
            slot.work.cancel()
            slot.work = None
        self._account(slot, at_ns)
        slot.user = None
        user.enter(state, at_ns)
        if state != "runnable":
            self._scheduler.leave(user)

    # Threads of the host.

    def _take_up_thread(self, slot: Slot, thread: HostThread) -> None:
        self._conductor.occupy(slot.processor, self.environment.now)
        self._occupy(slot, thread)
        self.charge(slot, "thread_load", self._paths.thread_load)
        self._proceed(slot, thread)

    def _proceed(self, slot: Slot, thread: HostThread) -> None:
        """Let a thread that is on a processor do its next piece of work."""
        at_ns = self._conductor.local_ns(slot.processor)
        until_ns = thread.proceed(Processing(at_ns, partial(self.charge, slot)))
        end = partial(self._end_work, slot, thread)
        slot.work = self.environment.at(until_ns, end, reach=self.host.scope)

    def _end_work(self, slot: Slot, thread: HostThread) -> None:
        slot.work = None
        thread.finish()
        if not thread.wants or thread.retired:
            self._lay_down(slot, "paused" if thread.retired else "blocked")
        if thread.retired:
            self._scheduler.remove(thread)
        slot.look = True
        self._conductor.kick()

    def wake_thread(self, thread: HostThread) -> None:
        """Let a thread want to run that has something to do."""
        if thread.state in {"blocked", "paused"} and not thread.retired:
            self._want(thread)

    def retire(self, thread: HostThread) -> None:
        """Let a thread go, when its piece of work has ended if it is doing one."""
        thread.retired = True
        if thread.state != "running":
            self._scheduler.remove(thread)

    def host_interrupt(self, index: int, name: str, path: Path) -> int:
        """Execute what an interrupt of the host's takes, whatever is on the processor."""
        slot = self._slots[index]
        if slot.user is not None:
            return self.charge(slot, name, path)
        self._conductor.occupy(slot.processor, self.environment.now)
        self.charge(slot, name, path)
        return self._conductor.vacate(slot.processor)

    def _running(self, vm: VirtualMachine) -> Slot | None:
        """Return the processor of the first vCPU of a VM that is on one."""
        running = next((vcpu for vcpu in vm.vcpus if vcpu.state == "running"), None)
        return None if running is None else self._slot_of(running)

    def processor_of(self, vm: VirtualMachine) -> Processor | None:
        """Return a processor that a VM is on; None when it is on none."""
        slot = self._running(vm)
        return None if slot is None else slot.processor

    def charge_vm(self, vm: VirtualMachine, name: str, path: Path) -> int:
        """Execute a path where a VM runs, or ran last; return the processor's time afterwards."""
        slot = self._running(vm)
        if slot is not None:
            return self.charge(slot, name, path)
        return self.host_interrupt(vm.vcpus[0].processor, name, path)

    def charge(self, slot: Slot, name: str, path: Path) -> int:
        """Execute a path on a processor; return its time afterwards."""
        cycles = self._conductor.execute(slot.processor, name, primitives_of(path))
        if path:
            self.book.note(name, path, cycles)
            if isinstance(slot.user, HostThread):
                slot.user.cycles.add(name, cycles)
        return self._conductor.local_ns(slot.processor)

    def _account(self, slot: Slot, at_ns: int) -> None:
        """Tell the scheduler how long what is on a processor has run."""
        if slot.user is not None and at_ns > slot.since_ns:
            self._scheduler.charge(slot.user, at_ns - slot.since_ns)
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
        return next(slot for slot in self._slots if slot.user is vcpu)

    # Waking and blocking.

    def _queue(self, vcpu: VirtualCpu) -> None:
        """Let a vCPU want to run."""
        vcpu.waiting = False
        self._want(vcpu)

    def _want(self, entity: VirtualCpu | HostThread) -> None:
        now_ns = self.environment.now
        if isinstance(entity, VirtualCpu) and entity.stalls:
            entity.enter("stalled", now_ns)
            return
        entity.enter("runnable", now_ns)
        self._account_all(now_ns)
        self._look(self._scheduler.wake(entity, now_ns))

    def _wake(self, vcpu: VirtualCpu) -> None:
        if vcpu.state == "blocked":
            vcpu.cancel_wake()
            self._queue(vcpu)

    def stall(self, vcpu: VirtualCpu) -> None:
        """Keep a vCPU from executing until :meth:`go_on` has been called as often."""
        vcpu.stalls += 1
        if vcpu.state == "running":
            self._slot_of(vcpu).look = True
            self._conductor.kick()
        elif vcpu.state == "runnable":
            self._scheduler.leave(vcpu)
            vcpu.enter("stalled", self.environment.now)

    def go_on(self, vcpu: VirtualCpu) -> None:
        """Undo :meth:`stall`."""
        vcpu.stalls -= 1
        if not vcpu.stalls and vcpu.state == "stalled":
            self._queue(vcpu)

    def wake_if_runnable(self, vm: VirtualMachine) -> None:
        """Let the vCPUs of a VM go on that waited for what has come."""
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

    def interrupt(
        self, vm: VirtualMachine, name: str, path: Path, trail: Trail | None = None
    ) -> None:
        """Charge a path that an interrupt takes: now when a vCPU runs, or when it next does.

        Of several it is the first that runs; without one it is the first, which a guest makes the
        target of its devices' interrupts unless it spreads them.
        """
        owed = OwedPath(name, path, trail)
        slot = self._running(vm)
        if slot is not None:
            self._take(slot, owed)
        elif path or trail is not None:
            vm.vcpus[0].owed_paths.append(owed)

    def note_lateness(self, vm: VirtualMachine) -> None:
        """Note how late something comes for a VM that runs; it never may."""
        for vcpu in vm.vcpus:
            if vcpu.state == "running":
                late_ns = self._conductor.lateness_ns(self._slot_of(vcpu).processor)
                vm.lateness_ns = max(vm.lateness_ns, late_ns)
