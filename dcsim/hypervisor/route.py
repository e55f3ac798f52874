"""How the requests of a VM reach the devices, and their ends the VM.

A route is a way through the host's software: a type 1 hypervisor's own drivers, a driver domain, or
the I/O thread of a type 2 hypervisor's process. It is told of every request as the guest leaves,
and of every request that the devices have done; what lies between is its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hypervisor.disk_io import DirectIo, GuestRequest
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.host_thread import HostThread
    from dcsim.hypervisor.journeys import JourneyBook, Trail
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.steps import Path
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Environment, Scope

__all__ = ["Route", "RouteHost"]


class Route(Protocol):
    """A way of requests through a host."""

    def adopt(self, vm: VirtualMachine) -> None:
        """Begin to serve a VM."""

    def release(self, vm: VirtualMachine) -> None:
        """End to serve a VM that is over, or leaves with nothing under way."""

    def disk(self, slot: Slot, request: GuestRequest) -> None:
        """Bring a disk request to the device; the guest has just left on a processor."""

    def disk_done(self, request: GuestRequest, *, by_disk: bool, status: int) -> None:
        """Bring its end to the guest; ``by_disk``: a device interrupts."""

    def send(self, slot: Slot, vm: VirtualMachine, frame: bytes) -> None:
        """Bring a frame to the network."""

    def announce(self, vm: VirtualMachine, size_bytes: int) -> None:
        """Bring a frame that has come for a VM to its port."""

    def deliver(self, vm: VirtualMachine, size_bytes: int, trail: Trail | None) -> None:
        """Interrupt a VM whose device has just taken a frame."""


class RouteHost(Protocol):
    """What routes need of a hypervisor."""

    environment: Environment
    journeys: JourneyBook
    direct: DirectIo

    @property
    def ipi_ns(self) -> int:
        """How long an interrupt takes from one processor to another; 0 when there is one."""

    @property
    def scope(self) -> Scope:
        """What reaches the host."""

    def paths_of(self, vm: VirtualMachine) -> HostPaths:
        """Return what host software lies between a VM and the machine."""

    def charge(self, slot: Slot, name: str, path: Path) -> int:
        """Execute a path on a processor; return its time afterwards."""

    def host_interrupt(self, index: int, name: str, path: Path) -> int:
        """Execute what an interrupt takes on a processor, whatever is on it."""

    def charge_vm(self, vm: VirtualMachine, name: str, path: Path) -> int:
        """Execute a path where a VM runs, or ran last; return the processor's time afterwards."""

    def interrupt(
        self, vm: VirtualMachine, name: str, path: Path, trail: Trail | None = None
    ) -> None:
        """Charge a path that an interrupt takes to a vCPU: now, or when it next runs."""

    def admit(self, request: GuestRequest, start: Callable[[], None]) -> None:
        """Let a request begin when its disk takes any, unless its VM has ended meanwhile."""

    def finish(self, request: GuestRequest, status: int) -> bool:
        """End a guest's disk request in its device; False when the VM is no more."""

    def settle(self, vm: VirtualMachine) -> None:
        """Let an interrupted VM go on, or stop if it is to stop and nothing is under way."""

    def add_thread(self, thread: HostThread) -> None:
        """Have the scheduler know a thread."""

    def wake_thread(self, thread: HostThread) -> None:
        """Let a thread want to run that has something to do."""

    def retire(self, thread: HostThread) -> None:
        """Let a thread go."""

    def next_thread_index(self) -> int:
        """Return a number that no other entity of the run has."""
