"""What both types of hypervisor do with VMs: start them, handle their exits, hold and hand over."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from dcsim.errors import MachineError, PlacementError
from dcsim.hypervisor.disk_io import DirectIo, guest_request
from dcsim.hypervisor.disk_shelf import DiskShelf
from dcsim.hypervisor.dispatcher import Dispatcher, Slot
from dcsim.hypervisor.endings import Endings
from dcsim.hypervisor.fragmentation import Fragmentation
from dcsim.hypervisor.host_thread import HostProcess
from dcsim.hypervisor.journeys import JourneyBook
from dcsim.hypervisor.memory.manager import MemoryManager
from dcsim.hypervisor.nodes import Nodes
from dcsim.hypervisor.own_drivers import OwnDrivers
from dcsim.hypervisor.paths import exit_paths
from dcsim.hypervisor.skew import worst_skew_ns
from dcsim.hypervisor.snapshots import Snapshots
from dcsim.hypervisor.steps import primitives_of
from dcsim.hypervisor.virtual_disk import FileDisk
from dcsim.hypervisor.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simpy.events import Event

    from dcsim.host import Exit, Host, Processor
    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.host_thread import HostThread
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.memory.settings import MemorySettings
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.route import Route
    from dcsim.hypervisor.scheduler import Scheduler
    from dcsim.hypervisor.vcpu import VirtualCpu
    from dcsim.hypervisor.virtual_disk import CacheMode
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Scope, Streams

__all__ = ["Hypervisor", "field"]

OVERHEAD_FIXED_BYTES = 256 * 1024
OVERHEAD_SHARE = 16
"""Memory promised beside a VM's own, for shadow tables and the monitor: a sixteenth and 256 KiB."""

MEMORY_TRIES = 16
"""How often a VM asks for a frame at one and the same time before it is given up."""


FIRST_THREAD_INDEX = 1 << 32
"""Threads of the host come behind all vCPUs where a scheduler breaks ties."""


class Hypervisor(Dispatcher):
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
    vms
        The VMs on this host by their machine's numbers.
    expected
        Names of VMs that are coming.
    fragmentation
        What of the processors' time vCPUs that waited could not use.
    shelf, snapshots
        The virtual disks that lie on this host, and what is kept of them.
    journeys
        How long requests took through the host.
    threads
        Threads of the host's own that ever were.
    exit_paths
        What host software does at each exit, by its reason.
    peak_frames
        The most frames that were seen in use at once.
    memory
        What decides about its memory when it promises more than there is; None when it does not.
    on_ended
        Told of each VM that powered off or failed.
    """

    kind: ClassVar[str]
    cache_mode: ClassVar[CacheMode] = "none"
    """How virtual disks use the host's page cache that do not say."""

    def __init__(self, host: Host, scheduler: Scheduler, paths: HostPaths) -> None:
        super().__init__(host, scheduler, paths)
        self.vms: dict[int, VirtualMachine] = {}
        self.expected: set[str] = set()
        self.shelf = DiskShelf(host)
        self.snapshots = Snapshots(self, host.disk, host.scope)
        self._nodes = Nodes(host.config.nodes, host.config.pcpus, host.config.memory_policy)
        self._endings = Endings(self)
        self._watchdogs: dict[VirtualMachine, Watchdog] = {}
        self.fragmentation = Fragmentation()
        self.direct = DirectIo(self)
        self.journeys = JourneyBook()
        self._own = OwnDrivers(self)
        self._thread_indices = count(FIRST_THREAD_INDEX)
        self.threads: list[HostThread] = []
        self.peak_frames = 0
        self.memory: MemoryManager | None = None
        self.on_ended: Callable[[VirtualMachine], None] | None = None
        self._handlers: dict[str, Callable[[Slot, VirtualMachine, Exit], None]] = {
            "io": self._on_io,
            "packet": self._on_packet,
            "balloon": self._on_balloon,
            "wait": self._on_wait,
            "shutdown": self._on_shutdown,
            "fault": self._on_fault,
            "memory": self._on_memory,
            "wake": self._on_wake,
            "spin": self._on_spin,
        }
        self.exit_paths = exit_paths(paths, host.machine.exit_reasons())
        for reason, path in self.exit_paths.items():
            host.machine.set_exit_path(reason, primitives_of(path))
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

    # Life of a VM here.

    def footprint_bytes(self, vm: VirtualMachine) -> int:
        """Return how much of the host's memory to promise to a VM."""
        size_bytes = vm.config.memory_bytes
        own_bytes = size_bytes if self.memory is None else vm.config.reserved_bytes
        return own_bytes + size_bytes // OVERHEAD_SHARE + OVERHEAD_FIXED_BYTES

    def expect(self, vm: VirtualMachine) -> None:
        """Promise memory to a VM that is coming.

        Raises
        ------
        PlacementError
            When there is not enough left, or no processor time that its reservation asks for.
        """
        if not self._scheduler.admits(vm.vcpus):
            message = f"{self.host.name} has not the processor time that {vm.name} reserves"
            raise PlacementError(message)
        self.host.reserve(vm.name, self.footprint_bytes(vm))
        self.expected.add(vm.name)

    def forget(self, vm: VirtualMachine) -> None:
        """Take back the promise to a VM that does not come after all."""
        self.expected.discard(vm.name)
        self.host.release(vm.name)

    def lose(self, vm: VirtualMachine) -> None:
        """Note that a VM that was on its way here finds no host: it is gone."""
        self.forget(vm)
        vm.state, vm.message = "failed", f"its host `{self.host.name}` crashed"
        vm.ended_ns, vm.pausing = self.environment.now, None
        if self.on_ended is not None:
            self.on_ended(vm)

    def create(self, vm: VirtualMachine) -> None:
        """Make a VM that was expected, and let it run."""
        config = vm.config
        vm.begin_life()
        vm.virtual_disk = self.shelf.open(vm)
        settings = config.machine_json(self._settle_down(vm))
        number = self._machine.create_vm(settings, config.kernel, vm.disk)
        vm.state = "running"
        self._take_in(vm, number)
        if vm.started_ns is None:
            vm.started_ns = self.environment.now
        for vcpu in vm.vcpus:
            self._start(vcpu)

    def _start(self, vcpu: VirtualCpu) -> None:
        """Let a vCPU run, or wait for what it waits for."""
        if vcpu.waiting and not self._is_runnable(vcpu):
            vcpu.enter("blocked", self.environment.now)
            self._arm_wake(vcpu, self._machine.next_timer_ns(vcpu.vm.number, vcpu.number))
        else:
            self._queue(vcpu)

    def pause(self, vm: VirtualMachine) -> Event:
        """Stop a VM; return the event of its vCPUs being off and all its devices being quiet."""
        vm.pausing = self.environment.event()
        vm.state = "moving"
        for vcpu in vm.vcpus:
            vcpu.cancel_wake()
            if vcpu.state == "running":
                self._slot_of(vcpu).look = True
                self._conductor.kick()
            else:
                self._stop(vcpu)
        self._settle(vm)
        return vm.pausing

    def _stop(self, vcpu: VirtualCpu) -> None:
        """Take a vCPU that is on no processor out of the running."""
        self._scheduler.leave(vcpu)
        vcpu.enter("paused", self.environment.now)

    # What ends VMs from outside.

    def kill(self, vm: VirtualMachine, message: str) -> None:
        """Have a VM end as failed, when the events of this time are done."""
        self._endings.mark(vm, message)
        self._conductor.kick()

    def crash(self, message: str, crashed: Callable[[], None]) -> None:
        """Have the host fail: its VMs end, and what was in its memory is gone."""

        def fail() -> None:
            self._lose_memory()
            self.host.fail()
            crashed()

        for vm in self.vms.values():
            self._endings.mark(vm, message)
        self._endings.after(fail)
        self._conductor.kick()

    def expect_crash(self) -> None:
        """Keep in mind what is on the disk, and what only in memory: the host is to fail."""

    def dispatch(self) -> None:
        """End what is to end, and let every processor that should look choose again."""
        self._endings.carry_out()
        super().dispatch()
        self.fragmentation.look(self._slots, self.vms.values(), self.environment.now)

    def can_end(self, vm: VirtualMachine) -> bool:
        """Tell whether nothing of a VM is still to be returned by the machine."""
        on = [slot for slot in self._slots if slot.vcpu is not None and slot.vcpu.vm is vm]
        return all(self._is_settled(vcpu) for vcpu in vm.vcpus) and not any(
            slot.processor.exiting for slot in on
        )

    def end(self, vm: VirtualMachine, message: str) -> None:
        """End a VM as failed."""
        self._end(vm, "failed", message)

    def timer_of(self, vcpu: VirtualCpu) -> int | None:
        """Return when the guest's timer on a vCPU is due."""
        return self._machine.next_timer_ns(vcpu.vm.number, vcpu.number)

    def _lose_memory(self) -> None:
        """Forget what only the host's memory held."""

    def save(self, vm: VirtualMachine) -> Any:  # noqa: ANN401 - the machine world's own
        """Return the state of a quiet VM, and let it go."""
        # What is still in the console's buffer would be part of the state, and come out again.
        self.collect_console(vm)
        state = self._machine.save_vm(vm.number)
        self._let_go(vm)
        if isinstance(vm.virtual_disk, FileDisk):
            vm.carried_blocks = vm.virtual_disk.present()
            self.shelf.remove(vm.name)
        return state

    def restore(self, vm: VirtualMachine, state: Any) -> None:  # noqa: ANN401
        """Take in a VM that was expected, stopped as it is."""
        vm.virtual_disk = self.shelf.open(vm)
        settings = vm.config.machine_json(self._settle_down(vm))
        self._take_in(vm, self._machine.restore_vm(settings, state, vm.disk))

    def _settle_down(self, vm: VirtualMachine) -> int | None:
        """Give a VM a home here; return the node of its memory."""
        home = self._nodes.settle(vm)
        for vcpu in vm.vcpus:
            vcpu.home = home.processors
        return home.node

    def snapshot(self, vm: VirtualMachine) -> Any:  # noqa: ANN401
        """Return the state of a stopped VM, which stays."""
        return self._machine.save_vm(vm.number)

    def resume(self, vm: VirtualMachine) -> None:
        """Let a VM go on that was taken in."""
        vm.pausing = None
        vm.state = "running"
        for vcpu in vm.vcpus:
            self._start(vcpu)
        vm.nic.offer()

    def counters(self, vm: VirtualMachine) -> dict[str, Any]:
        """Return what was counted for a VM, here and before."""
        return vm.totals.with_current(self._machine.counters(vm.number))

    def cache_counts(self) -> dict[str, int]:
        """Return how often the host's page cache had a page, and had not; nothing without one."""
        return {}

    def collect_console(self, vm: VirtualMachine) -> None:
        """Take over what the guest wrote to its console."""
        vm.console.append(self._machine.console_output(vm.number))

    def take_dirty_pages(self, vm: VirtualMachine) -> int:
        """Return how many pages a VM wrote since the last call, on whichever host."""
        self._note_memory()
        carried, vm.dirty_carried = vm.dirty_carried, 0
        return carried + self._machine.take_dirty_pages(vm.number)

    def _note_memory(self) -> None:
        used_frames = self._machine.frames - self._machine.free_frames
        self.peak_frames = max(self.peak_frames, used_frames)

    def _take_in(self, vm: VirtualMachine, number: int) -> None:
        vm.number = number
        vm.hypervisor = self
        vm.last_host = self.host.name
        vm.cache_mode = vm.config.disk_cache or self.cache_mode
        self.expected.discard(vm.name)
        self.vms[number] = vm
        self.host.scope.adopt(vm.scope)
        if not vm.is_service:
            self.host.vms.add(1, self.environment.now)
        for vcpu in vm.vcpus:
            self._scheduler.add(vcpu)
        if vm.config.watchdog_ns:
            self._watchdogs[vm] = Watchdog(self, vm, vm.config.watchdog_ns)
        self.route_of(vm).adopt(vm)
        if vm.balloon is not None:
            vm.balloon.arrive(self)
        self._note_memory()

    def _let_go(self, vm: VirtualMachine) -> None:
        self._note_memory()
        self.route_of(vm).release(vm)
        if vm.balloon is not None:
            vm.balloon.leave(self)
        vm.dirty_carried += self._machine.take_dirty_pages(vm.number)
        self.collect_console(vm)
        watchdog = self._watchdogs.pop(vm, None)
        if watchdog is not None:
            watchdog.stop()
        counters = self._machine.counters(vm.number)
        vm.totals.absorb(counters)
        self._note_exits(counters)
        self._machine.destroy_vm(vm.number)
        del self.vms[vm.number]
        vm.hypervisor = None
        self.host.scope.release(vm.scope)
        self.note_skew(vm)
        if not vm.is_service:
            self.host.vms.add(-1, self.environment.now)
        for vcpu in vm.vcpus:
            self._scheduler.remove(vcpu)
        self._nodes.leave(vm)
        self.host.release(vm.name)

    def note_skew(self, vm: VirtualMachine) -> None:
        """Keep how far a VM's vCPUs got ahead of each other here, if that is watched."""
        vm.skew_max_ns = max(vm.skew_max_ns, worst_skew_ns(self._scheduler, vm.vcpus[0]))

    def _note_exits(self, counters: Mapping[str, Any]) -> None:
        """Note what host software did at the exits of a VM, which the machine world executed."""
        for reason, path in self.exit_paths.items():
            cycles = counters["cycles_by_cause"].get(f"host:exit_{reason}", 0)
            if cycles:
                self.book.note(f"exit_{reason}", path, cycles, count=counters["exits"][reason])

    def close(self) -> None:
        """Note at the end of a run what the VMs did that are still here."""
        self._conductor.finish()
        for vm in self.vms.values():
            self._note_exits(self._machine.counters(vm.number))

    # Exits.

    def on_exit(self, processor: Processor, exit_: Exit) -> None:
        """Handle an exit at its own time."""
        vm = self.vms.get(field(exit_.vm))
        if vm is None:  # another vCPU ended it meanwhile
            self._slots[processor.index].look = True
            return
        if exit_.kind != "memory":  # one that is refused must leave no trace
            self._note_memory()
        handler = self._handlers.get(exit_.kind)
        if handler is None:
            raise MachineError(f"{self.host.name}: unknown exit `{exit_.kind}` of {vm.name}")
        handler(self._slots[processor.index], vm, exit_)
        if vm.hypervisor is self and exit_.kind != "memory":
            vm.nic.offer()

    def _on_wait(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        vcpu = vm.vcpus[field(exit_.vcpu)]
        if self._is_runnable(vcpu):
            return
        vcpu.waiting = True
        slot.look = True
        if vm.pausing is not None:
            return
        self._lay_down(slot, "blocked")
        self._arm_wake(vcpu, exit_.wake_ns)

    def _on_wake(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Wake a vCPU that another one of its VM interrupted or started."""
        del slot
        self._wake(vm.vcpus[field(exit_.vcpu)])

    def _on_spin(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Have a vCPU that waits for a lock let those of its VM go first that may hold it.

        These are the ones that others have displaced, the longest first.
        """
        del slot
        displaced = [each for each in vm.vcpus if each.state == "runnable"]
        displaced.sort(key=lambda each: each.since_ns)
        self._look(self._scheduler.yield_(vm.vcpus[field(exit_.vcpu)], displaced))

    def _on_packet(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        vm.nic.counts.add("handed_over")
        self.route_of(vm).send(slot, vm, exit_.payload or b"")

    def _on_balloon(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Note that a guest gave pages or took some; the machine has done all there is to do."""
        del slot, exit_
        if vm.balloon is not None:
            vm.balloon.exits += 1

    def _on_shutdown(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        del slot
        vm.exit_status = exit_.code
        self._end(vm, "off", "")

    def _on_fault(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        del slot
        self._end(vm, "failed", exit_.message or "")

    def _on_memory(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        """Let the next run try again; nothing has changed, and no time has passed."""
        del slot
        vm.short_of_memory = vm.short_of_memory + 1 if exit_.time_ns == vm.short_ns else 1
        vm.short_ns = exit_.time_ns
        if vm.short_of_memory > MEMORY_TRIES:
            self._end(vm, "failed", f"{self.host.name} has no free frame left")

    def _end(self, vm: VirtualMachine, state: Any, message: str) -> None:  # noqa: ANN401
        vm.state = state
        vm.message = message
        vm.ended_ns = self.environment.now
        pausing, vm.pausing = vm.pausing, None
        for vcpu in vm.vcpus:
            self._end_vcpu(vcpu)
        self._let_go(vm)
        if pausing is not None:
            pausing.succeed()
        if self.on_ended is not None:
            self.on_ended(vm)

    def _end_vcpu(self, vcpu: VirtualCpu) -> None:
        """Take a vCPU whose VM is over off its processor, if it is on one."""
        vcpu.cancel_wake()
        if vcpu.state == "running":
            slot = self._slot_of(vcpu)
            self._lay_down(slot, "paused")
            slot.look = True
        else:
            self._stop(vcpu)

    # Devices.

    def _on_io(self, slot: Slot, vm: VirtualMachine, exit_: Exit) -> None:
        self.route_of(vm).disk(slot, self._note_request(vm, exit_))

    def route_of(self, vm: VirtualMachine) -> Route:
        """Return the way of a VM's requests."""
        del vm
        return self._own

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
        vm.outstanding -= 1
        vm.disk_counts.add("ended")
        if status:
            vm.disk_counts.add("errors")
        return True

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
        if self._flush(vm):
            pausing.succeed()


_COUNTED = {"read": "reads", "write": "writes", "flush": "flushes", "discard": "discards"}


def field(value: int | None) -> int:
    """Return a field that an exit of this kind always has."""
    if value is None:
        raise MachineError("an exit lacks a field")
    return value
