"""The route of a type 2 hypervisor: each VM's process has an I/O thread, which must be scheduled.

A doorbell wakes the thread in the host's kernel, and the vCPU goes on. The thread finds the
request, makes its system calls and waits for more. A device's interrupt wakes it again; it tells
the guest's device model, and the kernel interrupts the vCPU. So its work is done beside the guest
when there is a free processor, and instead of it when there is none.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcsim.hypervisor.host_thread import Begun, Job, ServiceThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hypervisor.cached_io import CachedIo
    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.journeys import JourneyName, Trail
    from dcsim.hypervisor.route import RouteHost
    from dcsim.hypervisor.steps import Path
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["IoThreads"]

_SWITCH = "until the I/O thread runs"


class IoThreads:
    """A service thread for each VM.

    Parameters
    ----------
    host
        The hypervisor.
    cached
        Carries requests out through the host's page cache.

    Attributes
    ----------
    threads
        All that ever were, by the name of the VM; of one that came again, the newest.
    """

    def __init__(self, host: RouteHost, cached: CachedIo) -> None:
        self._host = host
        self._cached = cached
        self.threads: dict[str, ServiceThread] = {}

    def adopt(self, vm: VirtualMachine) -> None:
        """Start a VM's I/O thread."""
        index = self._host.next_thread_index()
        thread = ServiceThread(f"{vm.name}-io", index, weight=vm.config.weight)
        _pin(thread, vm)
        self.threads[vm.name] = thread
        self._host.add_thread(thread)
        vm.nic.announce_all()

    def release(self, vm: VirtualMachine) -> None:
        """End a VM's I/O thread, and what it had to do."""
        thread = self.threads[vm.name]
        thread.drop()
        self._host.retire(thread)

    # The disk.

    def disk(self, slot: Slot, request: GuestRequest) -> None:
        """Hand a request to the thread."""
        vm = request.vm
        trail = self._notify(slot, vm, "disk_out")
        give = partial(self._host.admit, request, partial(self._submit, request, trail))
        self._host.environment.at(trail.last_ns, give, reach=self._host.scope)

    def disk_done(self, request: GuestRequest, *, by_disk: bool, status: int) -> None:
        """Wake the thread, which tells the guest; or let it, when it has what it asked for."""
        vm, paths = request.vm, self._host.paths_of(request.vm)
        if not by_disk:
            end = partial(self._end_in_cache, request, status)
            self._give(vm, "disk_inject", paths.inject, None, end)
            return
        trail = self._interrupted(vm, "disk_in")
        tell = partial(self._tell, request, status, trail)
        give = partial(self._give, vm, "disk_complete", paths.complete, trail, tell)
        self._host.environment.at(trail.last_ns, give, reach=self._host.scope)

    def _end_in_cache(self, request: GuestRequest, status: int) -> None:
        at_ns = self._host.environment.now + self._host.ipi_ns

        def end() -> None:
            if self._host.finish(request, status):
                self._enter(request.vm, None)

        self._host.environment.at(at_ns, end, reach=self._host.scope)

    def _submit(self, request: GuestRequest, trail: Trail) -> None:
        vm, paths = request.vm, self._host.paths_of(request.vm)

        def begin(at_ns: int) -> Begun:
            trail.mark(_SWITCH, at_ns)
            if vm.cache_mode == "none":
                path = paths.disk_submit(request.size_bytes, 0, cached=False)
                return Begun(
                    path, partial(self._start, trail, partial(self._host.direct.start, request))
                )
            prepared = self._cached.prepare(request)
            path = paths.disk_submit(request.size_bytes, len(prepared.missing))
            return Begun(path, partial(self._start, trail, partial(self._cached.start, prepared)))

        self._thread_does(vm, Job("disk_submit", begin, vm.gate.leave))

    def _start(self, trail: Trail, start: Callable[[], None]) -> None:
        trail.mark("disk_submit", self._host.environment.now)
        trail.end()
        start()

    def _tell(self, request: GuestRequest, status: int, trail: Trail) -> None:
        trail.mark("disk_complete", self._host.environment.now)
        self._after_crossing(trail, partial(self._end, request, status, trail))

    def _end(self, request: GuestRequest, status: int, trail: Trail) -> None:
        if self._host.finish(request, status):
            self._enter(request.vm, trail)

    # The network.

    def send(self, slot: Slot, vm: VirtualMachine, frame: bytes) -> None:
        """Hand a frame to the thread."""
        trail = self._notify(slot, vm, "packet_out")
        vm.outstanding += 1

        def sent() -> None:
            trail.mark("packet_send", self._host.environment.now)
            trail.end()
            vm.outstanding -= 1
            vm.nic.transmit(frame, self._host.environment.now)
            self._host.settle(vm)

        path = self._host.paths_of(vm).packet_send(len(frame))
        give = partial(self._give, vm, "packet_send", path, trail, sent)
        self._host.environment.at(trail.last_ns, give, reach=self._host.scope)

    def announce(self, vm: VirtualMachine, size_bytes: int) -> None:
        """Wake the thread, which brings the frame to the guest's device."""
        trail = self._interrupted(vm, "packet_in")

        def received() -> None:
            trail.mark("packet_receive", self._host.environment.now)
            self._after_crossing(trail, partial(vm.nic.let_in, trail))

        path = self._host.paths_of(vm).packet_receive(size_bytes)
        give = partial(self._give, vm, "packet_receive", path, trail, received)
        self._host.environment.at(trail.last_ns, give, reach=self._host.scope)

    def deliver(self, vm: VirtualMachine, size_bytes: int, trail: Trail | None) -> None:
        """Let the kernel interrupt the vCPU."""
        del size_bytes
        self._enter(vm, trail)

    # What both have.

    def _notify(self, slot: Slot, vm: VirtualMachine, name: JourneyName) -> Trail:
        """Begin a journey out: the kernel wakes the thread."""
        trail = self._host.journeys.begin(name, self._host.environment.now)
        trail.mark("notify", self._host.charge(slot, "notify", self._host.paths_of(vm).notify))
        self._cross(trail)
        return trail

    def _cross(self, trail: Trail) -> None:
        """Let the other processor be interrupted on which whoever is told wakes up."""
        if self._host.ipi_ns:
            trail.mark("interrupt the other processor", trail.last_ns + self._host.ipi_ns)

    def _after_crossing(self, trail: Trail, then: Callable[[], None]) -> None:
        self._cross(trail)
        self._host.environment.at(trail.last_ns, then, reach=self._host.scope)

    def _interrupted(self, vm: VirtualMachine, name: JourneyName) -> Trail:
        """Begin a journey in: a device interrupts where the thread ran last."""
        trail = self._host.journeys.begin(name, self._host.environment.now)
        processor = self.threads[vm.name].processor
        path = self._host.paths_of(vm).interrupt
        trail.mark("interrupt", self._host.host_interrupt(processor, "interrupt", path))
        return trail

    def _give(
        self,
        vm: VirtualMachine,
        name: str,
        path: Path,
        trail: Trail | None,
        done: Callable[[], None],
    ) -> None:
        def begin(at_ns: int) -> Begun:
            if trail is not None:
                trail.mark(_SWITCH, at_ns)
            return Begun(path, done)

        self._thread_does(vm, Job(name, begin))

    def _thread_does(self, vm: VirtualMachine, job: Job) -> None:
        thread = self.threads[vm.name]
        if not thread.retired:
            thread.give(job)
            self._host.wake_thread(thread)

    def _enter(self, vm: VirtualMachine, trail: Trail | None) -> None:
        """Have the guest see its interrupt: one that runs has to be told, and leaves for that."""
        runs = any(vcpu.state == "running" for vcpu in vm.vcpus)
        path = self._host.paths_of(vm).entry if runs else ()
        self._host.interrupt(vm, "interrupt_entry", path, trail)
        self._host.settle(vm)


def _pin(thread: ServiceThread, vm: VirtualMachine) -> None:
    """Have a thread run where its VM's vCPUs may: pinning is the process's."""
    pins = [vcpu.affinity for vcpu in vm.vcpus if vcpu.affinity is not None]
    if len(pins) == len(vm.vcpus):
        thread.affinity = frozenset().union(*pins)
        thread.processor = min(thread.affinity)
