"""Time that processors idle while vCPUs wait: what pins, limits and strict co-scheduling cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["Fragmentation"]


class Fragmentation:
    """Adds up, over a host's processors, the time for which they idle beside vCPUs that wait.

    Attributes
    ----------
    wasted_ns
        Up to the last note.
    """

    def __init__(self) -> None:
        self.wasted_ns = 0
        self._processors = 0
        self._since_ns = 0

    def look(self, slots: Iterable[Slot], vms: Iterable[VirtualMachine], now_ns: int) -> None:
        """Note what is idle and what waits, when all is decided for a time."""
        idle = sum(slot.user is None for slot in slots)
        vcpus = (vcpu for vm in vms for vcpu in vm.vcpus) if idle else ()
        self.note(now_ns, idle=idle, waiting=sum(vcpu.state == "runnable" for vcpu in vcpus))

    def note(self, now_ns: int, *, idle: int, waiting: int) -> None:
        """Note how many processors idle from now on, and how many vCPUs wait for one."""
        self.wasted_ns = self.until_ns(now_ns)
        self._since_ns = now_ns
        self._processors = min(idle, waiting)

    def until_ns(self, now_ns: int) -> int:
        """Return the time up to now."""
        return self.wasted_ns + self._processors * (now_ns - self._since_ns)
