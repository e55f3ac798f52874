"""A VM's balloon: what its host wants of it, and what its guest says.

A guest may take its time, or give nothing: it is asked for statistics once a second, which also
makes it try again, and counts as one that refuses when its balloon has not grown for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcsim.hypervisor.hypervisor import Hypervisor
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["PAGE_BYTES", "PATIENCE", "POLL_NS", "Balloon"]

PAGE_BYTES = 4096

POLL_NS = 1_000_000_000
"""How often a guest is asked, as the balloon driver of VMware ESX polled its server: once a second
(Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI 2002, section 3)."""

PATIENCE = 3
"""After how many polls without growth a balloon that should grow counts as refused."""


class Balloon:
    """A VM's balloon, on whichever host it is.

    Parameters
    ----------
    vm
        Whose it is.

    Attributes
    ----------
    refuses
        Whether it should grow and has not for a while.
    exits
        How often the guest gave pages, took some back, or reported free ones.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._known: dict[str, Any] = {}
        self._freed_elsewhere = 0
        self._polls_without_growth = 0
        self._timer: Timer | None = None
        self.refuses = False
        self.exits = 0

    def arrive(self, hypervisor: Hypervisor) -> None:
        """Begin on a host: the wish that the VM was configured with, if it is new, and polls."""
        self.look(hypervisor)
        target = self._vm.config.balloon_target_bytes // PAGE_BYTES
        if target and not self.known("target"):
            hypervisor.set_balloon_target(self._vm, target)
        self._arm(hypervisor)

    def leave(self, hypervisor: Hypervisor) -> None:
        """End on a host, before the VM is gone from there."""
        self.look(hypervisor)
        self._freed_elsewhere += self._known["freed"]
        self._known["freed"] = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self, hypervisor: Hypervisor) -> None:
        """Note how things stand."""
        self._known = hypervisor.host.machine.balloon(self._vm.number) or self._known

    def known(self, name: str) -> int:
        """Return a figure of the balloon as it was when it was looked at last; see the core."""
        return int(self._known.get(name, 0))

    def told(self, name: str) -> int | None:
        """Return a statistic of the guest, None if it has told none."""
        value = self._known.get("stats", {}).get(name)
        return None if value is None else int(value)

    @property
    def freed(self) -> int:
        """Frames of hosts that became free by it."""
        return self._freed_elsewhere + self.known("freed")

    def _arm(self, hypervisor: Hypervisor) -> None:
        environment = self._vm.environment
        at_ns = environment.now + POLL_NS
        self._timer = environment.at(at_ns, lambda: self._poll(hypervisor), reach=self._vm.scope)

    def _poll(self, hypervisor: Hypervisor) -> None:
        before = self.known("actual")
        self.look(hypervisor)
        should_grow = self.known("actual") < self.known("target")
        stands = should_grow and self.known("actual") <= before
        self._polls_without_growth = self._polls_without_growth + 1 if stands else 0
        self.refuses = self._polls_without_growth >= PATIENCE
        hypervisor.ask_balloon(self._vm)
        self._arm(hypervisor)
