"""VMs that end from outside: their process crashes, their host does, or a watchdog gives them up.

Whoever wants a VM gone marks it; it ends when the events of that time are done, once the machine
has returned every exit of its vCPUs. Nothing of it is left but its disk: memory, processors and the
frames that waited for it are free, and a request to its disk that is under way tells nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["Endings"]


class EndingHost(Protocol):
    """What ending a VM needs of a hypervisor."""

    def can_end(self, vm: VirtualMachine) -> bool:
        """Tell whether nothing of a VM is still to be returned by the machine."""

    def end(self, vm: VirtualMachine, message: str) -> None:
        """End a VM as failed."""


class Endings:
    """The VMs of a host that are to end.

    Parameters
    ----------
    host
        The hypervisor.
    """

    def __init__(self, host: EndingHost) -> None:
        self._host = host
        self._marked: dict[VirtualMachine, str] = {}
        self._then: Callable[[], None] | None = None

    def mark(self, vm: VirtualMachine, message: str) -> None:
        """Have a VM end, for a reason; the first one counts."""
        self._marked.setdefault(vm, message)

    def after(self, then: Callable[[], None]) -> None:
        """Call a function when all that are marked have ended."""
        self._then = then

    def carry_out(self) -> None:
        """End those that can."""
        for vm in [vm for vm in self._marked if vm.hypervisor is not self._host]:
            del self._marked[vm]
        for vm in [vm for vm in self._marked if self._host.can_end(vm)]:
            self._host.end(vm, self._marked.pop(vm))
        if not self._marked and self._then is not None:
            then, self._then = self._then, None
            then()
