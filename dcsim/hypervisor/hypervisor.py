"""What both types of hypervisor do for VMs that run: handle exits, and serve devices."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from dcsim.errors import MachineError
from dcsim.hypervisor.disk_io import DirectIo, guest_request
from dcsim.hypervisor.host_thread import HostProcess
from dcsim.hypervisor.journeys import JourneyBook
from dcsim.hypervisor.memory.manager import MemoryManager
from dcsim.hypervisor.own_drivers import OwnDrivers
from dcsim.hypervisor.snapshots import Snapshots
from dcsim.hypervisor.tenancy import Tenancy

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.host import Exit, Host, Processor
    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.host_thread import HostThread
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.memory.settings import MemorySettings
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.route import Route
    from dcsim.hypervisor.scheduler import Scheduler
    from dcsim.hypervisor.vcpu import VirtualCpu
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Scope, Streams

__all__ = ["Hypervisor", "field"]

MEMORY_TRIES = 16
"""How often a VM asks for a frame at one and the same time before it is given up."""

FIRST_THREAD_INDEX = 1 << 32
"""Threads of the host come behind all vCPUs where a scheduler breaks ties."""


class Hypervisor(Tenancy):
    """Runs VMs on a host.

    Parameters
    ----------
    host
        What it runs on.
    scheduler
        What chooses.
    paths
        What its software does on the way.

    Attributes
    ----------
    snapshots
        What is kept of virtual disks.
    journeys
        How long requests took through the host.
    threads
        Threads of the host's own that ever were.
    """

    kind: ClassVar[str]

    def __init__(self, host: Host, scheduler: Scheduler, paths: HostPaths) -> None:
        super().__init__(host, scheduler, paths)
        self.snapshots = Snapshots(self, host.disk, host.scope)
        self.direct = DirectIo(self)
        self.journeys = JourneyBook()
        self._own = OwnDrivers(self)
        self._thread_indices = count(FIRST_THREAD_INDEX)
        self.threads: list[HostThread] = []
        self._handlers: dict[str, Callable[[Slot, VirtualMachine, Exit], None]] = {
            "io": self._on_io,
            "packet": self._on_packet,
            "balloon": self._on_balloon,
            "wait": self._on_wait,
            "shutdown": self._on_shutdown,
            "fault": self._on_fault,
            "wake": self._on_wake,
            "spin": self._on_spin,
            "scarce": self._on_scarce,
        }
        host.conductor.attach(self)

    @classmethod
    def system_bytes(cls, memory_bytes: int) -> int:
        """Return how much of a host's memory its software keeps, out of the frames of VMs."""
        del memory_bytes
        return 0

    def overcommit(self, settings: MemorySettings, streams: Streams) -> None:
        """Promise more memory than there is from now on, before any VM comes."""
        self.memory = MemoryManager(self, settings, streams)

    @property
    def ipi_ns(self) -> int:
        """How long an interrupt takes from one processor to another; 0 when there is one."""
        config = self.host.config
        return config.profile.ipi_ns() if config.pcpus > 1 else 0

    @property
    def scope(self) -> Scope:
        """What reaches the host."""
        return self.host.scope

    # Threads of the host's own.

    def next_thread_index(self) -> int:
        """Return a number that no other entity of the host has."""
        return next(self._thread_indices)

    def add_thread(self, thread: HostThread) -> None:
        """Have the scheduler know a thread."""
        self.threads.append(thread)
        thread.enter("blocked", self.environment.now)
        self._scheduler.add(thread)

    def add_process(self, name: str, *, weight: int, burst_ns: int, sleep_ns: int) -> None:
        """Have a process of the host's own compute and sleep, from now on."""
        process = HostProcess(
            self.environment,
            self.host.scope,
            name,
            self.next_thread_index(),
            weight=weight,
            burst_ns=burst_ns,
            sleep_ns=sleep_ns,
            wake=self.wake_thread,
        )
        self.add_thread(process)
        self.wake_thread(process)

    # Exits.

    def on_exit(self, processor: Processor | None, exit_: Exit) -> None:
        """Handle an exit at its own time; that of a device may have no processor."""
        vm = self.vms.get(field(exit_.vm))
        if vm is None:  # another vCPU ended it meanwhile
            if processor is not None:
                self._slots[processor.index].look = True
            return
        if processor is None or exit_.kind in _LACKS:
            self._on_lack(vm, exit_)
            return
        self._note_memory()
        handler = self._handlers.get(exit_.kind)
        if handler is None:
            raise MachineError(f"{self.host.name}: unknown exit `{exit_.kind}` of {vm.name}")
        handler(self._slots[processor.index], vm, exit_)
        if vm.hypervisor is self:
            vm.nic.offer()

    def _on_wait(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        self._block(slot, vm.vcpus[field(exit_.vcpu)], exit_.wake_ns)

    def _block(self, slot: Slot, vcpu: VirtualCpu, wake_ns: int | None) -> None:
        """Take a vCPU that waits off its processor, unless what it waits for has come."""
        if self._is_runnable(vcpu):
            return
        vcpu.waiting = True
        slot.look = True
        if vcpu.vm.pausing is not None:
            return
        self._lay_down(slot, "blocked")
        self._arm_wake(vcpu, wake_ns)

    def _on_wake(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Wake a vCPU that another one of its VM interrupted or started."""
        del slot
        self._wake(vm.vcpus[field(exit_.vcpu)])

    def _on_spin(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Take a vCPU off its processor that waits to be kicked, in favour of the lock's holder.

        What is left of its turn is for those of its VM that others have displaced: the holder, if
        the guest knows it, then the longest first.
        """
        vcpu = vm.vcpus[field(exit_.vcpu)]
        displaced = [each for each in vm.vcpus if each.state == "runnable"]
        displaced.sort(key=lambda each: (each.number != exit_.holder, each.since_ns))
        self._block(slot, vcpu, None)
        if vcpu.state == "blocked":
            self._scheduler.hand_over(slot.processor.index, displaced)

    def _on_packet(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        vm.nic.counts.add("handed_over")
        self.route_of(vm).send(slot, vm, exit_.payload or b"")

    def _on_balloon(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Note that a guest gave pages or took some; the machine has done all there is to do."""
        del slot, exit_
        if vm.balloon is not None:
            vm.balloon.exits += 1

    def _on_scarce(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Note that the host has fewer free frames than it wanted to know of."""
        del slot, vm, exit_
        if self.memory is not None:
            self.memory.on_scarce()

    def _on_shutdown(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        del slot
        vm.exit_status = exit_.code
        self._end(vm, "off", "")

    def _on_fault(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        del slot
        self._end(vm, "failed", exit_.message or "")

    def _on_lack(self, vm: VirtualMachine, exit_: Exit) -> None:
        """Have a vCPU, or a device, get the frame or the page that it lacks; it leaves no trace."""
        vcpu = None if exit_.vcpu is None else vm.vcpus[exit_.vcpu]
        if self.memory is None:
            self._try_again(vm, exit_)
        elif exit_.kind == "memory":
            self.memory.on_memory(vm, vcpu)
        else:
            self.memory.on_swap_in(vm, vcpu, field(exit_.page))

    def _try_again(self, vm: VirtualMachine, exit_: Exit) -> None:
        """Let the next run try again; nothing has changed, and no time has passed."""
        vm.short_of_memory = vm.short_of_memory + 1 if exit_.time_ns == vm.short_ns else 1
        vm.short_ns = exit_.time_ns
        if vm.short_of_memory > MEMORY_TRIES:
            self._end(vm, "failed", f"{self.host.name} has no free frame left")

    # Devices.

    def _on_io(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        self.route_of(vm).disk(slot, self._note_request(vm, exit_))

    def route_of(self, vm: VirtualMachine) -> Route:
        """Return the way of a VM's requests."""
        del vm
        return self._own

    def _adopt(self, vm: VirtualMachine) -> None:
        vm.hypervisor = self
        self.route_of(vm).adopt(vm)
        if vm.balloon is not None:
            vm.balloon.arrive(self)
        if self.memory is not None:
            self.memory.take_in(vm)

    def _release(self, vm: VirtualMachine) -> None:
        if self.memory is not None:
            self.memory.leave(vm)
        self.route_of(vm).release(vm)
        if vm.balloon is not None:
            vm.balloon.leave(self)

    def admit(self, request: GuestRequest, start: Callable[[], None]) -> None:
        """Let a request begin, unless its VM has ended meanwhile."""
        if self._asks(request):
            request.vm.gate.enter(start)

    def _asks(self, request: GuestRequest) -> bool:
        """Tell whether the guest that made a request is still there to be told."""
        return request.vm.hypervisor is self and request.life == request.vm.life

    def _note_request(self, vm: VirtualMachine, exit_: Exit) -> GuestRequest:
        """Note a disk request that is under way from now on."""
        request = guest_request(vm, exit_)
        vm.outstanding += 1
        vm.disk_counts.add("bytes", request.size_bytes)
        vm.disk_counts.add(_COUNTED[request.operation])
        return request

    def _flush(self, vm: VirtualMachine) -> bool:
        """Bring what the host holds back of a VM's disk to the storage; True when there is none."""
        del vm
        return True

    def drain(self, vm: VirtualMachine, then: Callable[[], None]) -> None:
        """Call a function when all that a VM wrote is on the device: at once, without a cache."""
        del vm
        then()

    def forget_file(self, name: str) -> None:
        """Note that a file of the host is no more."""
        del name

    def storage_of(self, vm: VirtualMachine) -> Any:  # noqa: ANN401 - a Storage
        """Return where a VM's disk is: shared storage, or this host's own disk."""
        return vm.storage if vm.storage is not None else self.host.disk

    def set_balloon_target(self, vm: VirtualMachine, pages: int) -> None:
        """Have a VM's balloon grow or shrink."""
        self.note_lateness(vm)
        self._machine.set_balloon_target(vm.number, pages)
        self._balloon_interrupt(vm)

    def ask_balloon(self, vm: VirtualMachine) -> None:
        """Ask a guest for the statistics of its memory."""
        self.note_lateness(vm)
        if self._machine.ask_balloon_statistics(vm.number):
            self._balloon_interrupt(vm)

    def _balloon_interrupt(self, vm: VirtualMachine) -> None:
        self.interrupt(vm, "balloon_inject", self.paths_of(vm).inject)
        self.wake_if_runnable(vm)

    def announce(self, vm: VirtualMachine, size_bytes: int) -> None:
        """Bring a frame that has come for a VM to its device."""
        self.route_of(vm).announce(vm, size_bytes)

    def deliver(self, vm: VirtualMachine, frame: bytes, trail: Trail | None) -> bool:
        """Hand a frame to a VM's device; False when it has no buffer."""
        self.note_lateness(vm)
        if not self._machine.deliver_packet(vm.number, frame, self.environment.now):
            return False
        self._have_lacks_told(vm)
        self.route_of(vm).deliver(vm, len(frame), trail)
        self.settle(vm)
        return True

    def complete(self, request: GuestRequest, *, by_disk: bool, status: int) -> None:
        """Take back a disk request that is carried out, and bring its end to the guest."""
        if self._asks(request):
            self.route_of(request.vm).disk_done(request, by_disk=by_disk, status=status)
        else:  # it ended meanwhile
            self._abandon(request)
        request.vm.gate.leave()
        self._settle(request.vm)

    def _abandon(self, request: GuestRequest) -> None:
        """Take back a request whose VM is over."""

    def finish(self, request: GuestRequest, status: int) -> bool:
        """End a guest's disk request in its device; False when the VM is no more."""
        vm = request.vm
        if not self._asks(request):
            return False
        self.note_lateness(vm)
        self._machine.complete_io(vm.number, request.tag, self.environment.now, status)
        self._have_lacks_told(vm)
        vm.outstanding -= 1
        vm.disk_counts.add("ended")
        if status:
            vm.disk_counts.add("errors")
        return True

    def _have_lacks_told(self, vm: VirtualMachine) -> None:
        """Have the machine say at once what memory a VM's devices wait for, if they do."""
        if self._devices_wait(vm):
            self._conductor.kick()

    def _devices_wait(self, vm: VirtualMachine) -> bool:
        return self.memory is not None and self._machine.devices_wait(vm.number)

    def resume_devices(self) -> None:
        """Let devices go on that lacked memory, and the VMs that wait for them."""
        waiting = [vm for vm in self.vms.values() if self._devices_wait(vm)]
        self._machine.resume_devices()
        for vm in waiting:
            self.settle(vm)
            self._have_lacks_told(vm)

    def settle(self, vm: VirtualMachine) -> None:
        """Let an interrupted VM go on, or stop if it is to stop and nothing is under way."""
        if vm.hypervisor is self:
            self.wake_if_runnable(vm)
            self._settle(vm)

    def _settle(self, vm: VirtualMachine) -> None:
        """Tell whoever paused a VM when its vCPUs are off and its devices are quiet."""
        pausing = vm.pausing
        if pausing is None or pausing.triggered or not vm.is_off or vm.outstanding:
            return
        if not self._devices_wait(vm) and self._flush(vm):
            pausing.succeed()


_LACKS = frozenset({"memory", "swap_in"})
"""Exits of which a vCPU or a device lacks memory: it tries again."""

_COUNTED = {"read": "reads", "write": "writes", "flush": "flushes", "discard": "discards"}


def field(value: int | None) -> int:
    """Return a field that an exit of this kind always has."""
    if value is None:
        raise MachineError("an exit lacks a field")
    return value
