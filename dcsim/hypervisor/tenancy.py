"""The life of VMs on a host: they are expected, come, run, stop, are handed over, and end.

A VM that comes is promised its memory first. One that leaves, whichever way, leaves nothing behind
but what is told of it: frames, processors and promises are free again.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from dcsim.errors import PlacementError
from dcsim.hypervisor.disk_shelf import DiskShelf
from dcsim.hypervisor.dispatcher import Dispatcher
from dcsim.hypervisor.endings import Endings
from dcsim.hypervisor.fragmentation import Fragmentation
from dcsim.hypervisor.nodes import Nodes
from dcsim.hypervisor.paths import exit_paths
from dcsim.hypervisor.skew import worst_skew_ns
from dcsim.hypervisor.steps import primitives_of
from dcsim.hypervisor.virtual_disk import FileDisk
from dcsim.hypervisor.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simpy.events import Event

    from dcsim.host import Host
    from dcsim.hypervisor.memory.manager import MemoryManager
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.scheduler import Scheduler
    from dcsim.hypervisor.vcpu import VirtualCpu
    from dcsim.hypervisor.virtual_disk import CacheMode
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["OVERHEAD_FIXED_BYTES", "OVERHEAD_SHARE", "Tenancy"]

OVERHEAD_FIXED_BYTES = 256 * 1024
OVERHEAD_SHARE = 16
"""Memory promised beside a VM's own, for shadow tables and the monitor: a sixteenth and 256 KiB."""


class Tenancy(Dispatcher):
    """Takes VMs in on a host, and lets them go.

    Parameters
    ----------
    host
        What they run on.
    scheduler
        What chooses among them.
    paths
        What the host's software does on the way.

    Attributes
    ----------
    vms
        The VMs on this host by their machine's numbers.
    expected
        Names of VMs that are coming.
    fragmentation
        What of the processors' time vCPUs that waited could not use.
    shelf
        The virtual disks that lie on this host.
    exit_paths
        What host software does at each exit, by its reason.
    peak_frames
        The most frames that were seen in use at once.
    memory
        What decides about its memory when it promises more than there is; None when it does not.
    on_ended
        Told of each VM that powered off or failed.
    """

    cache_mode: ClassVar[CacheMode] = "none"
    """How virtual disks use the host's page cache that do not say."""

    def __init__(self, host: Host, scheduler: Scheduler, paths: HostPaths) -> None:
        super().__init__(host, scheduler, paths)
        self.vms: dict[int, VirtualMachine] = {}
        self.expected: set[str] = set()
        self.shelf = DiskShelf(host)
        self._nodes = Nodes(host.config.nodes, host.config.pcpus, host.config.memory_policy)
        self._endings = Endings(self)
        self._watchdogs: dict[VirtualMachine, Watchdog] = {}
        self.fragmentation = Fragmentation()
        self.peak_frames = 0
        self.memory: MemoryManager | None = None
        self.on_ended: Callable[[VirtualMachine], None] | None = None
        self.exit_paths = exit_paths(paths, host.machine.exit_reasons())
        for reason, path in self.exit_paths.items():
            host.machine.set_exit_path(reason, primitives_of(path))

    @abstractmethod
    def _adopt(self, vm: VirtualMachine) -> None:
        """Connect a VM that was taken in with what serves it here."""

    @abstractmethod
    def _release(self, vm: VirtualMachine) -> None:
        """Cut a VM that goes off from what serves it here."""

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
        self._make_room(vm, len(config.kernel))
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
        self._make_room(vm, state.transfer_bytes)
        self._take_in(vm, self._machine.restore_vm(settings, state, vm.disk))

    def _make_room(self, vm: VirtualMachine, content_bytes: int) -> None:
        """Have frames for what a VM brings along, and for the tables that lead to its memory."""
        if self.memory is not None:
            tables_bytes = vm.config.memory_bytes // OVERHEAD_SHARE + OVERHEAD_FIXED_BYTES
            self.memory.make_room(content_bytes + tables_bytes)

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
        self._adopt(vm)
        self._note_memory()
        self.host.check_frames()

    def _let_go(self, vm: VirtualMachine) -> None:
        self._note_memory()
        self.host.check_frames()  # while whoever lost one can be told
        self._release(vm)
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

    # How a VM ends.

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
