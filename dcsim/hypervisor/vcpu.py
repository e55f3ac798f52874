"""A virtual CPU: what a scheduler schedules, and where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["VcpuState", "VirtualCpu"]

VcpuState = Literal["running", "runnable", "blocked", "paused"]
"""``running``: loaded on a processor; ``runnable``: wants one; ``blocked``: waits for an
interrupt; ``paused``: not started, moving, or over."""


class VirtualCpu:
    """A VM's processor, as its hypervisor sees it.

    It is *paused* until the VM starts and while it moves, *blocked* from a wait-for-interrupt until
    an interrupt, *runnable* while others hold the processors (that time is *stolen* from the
    guest), and *running* while it holds one.

    Parameters
    ----------
    vm
        Whose it is.
    index
        A number that differs between all vCPUs of a run; ties in a scheduler are broken by it.
    weight
        Share under contention, in proportion to the others'.
    cap_percent
        At most this much of one processor; 0 for no cap.

    Attributes
    ----------
    processor
        Where it runs, or ran last.
    affinity
        The only processors on which it may run; None for any.
    spent_ns
        Time in each state that is over.
    """

    def __init__(self, vm: VirtualMachine, index: int, *, weight: int, cap_percent: int) -> None:
        self.vm = vm
        self.index = index
        self.weight = weight
        self.cap_percent = cap_percent
        self.processor = 0
        self.affinity: frozenset[int] | None = None
        self.state: VcpuState = "paused"
        self.spent_ns: dict[VcpuState, int] = {
            "running": 0,
            "runnable": 0,
            "blocked": 0,
            "paused": 0,
        }
        self._since_ns = 0

    def enter(self, state: VcpuState, at_ns: int) -> None:
        """Change the state at a time.

        A processor may stand a little beyond the clock, so a change noted at the clock's time can
        follow one that took effect later; it then takes effect at that time too.
        """
        at_ns = max(at_ns, self._since_ns)
        self.spent_ns[self.state] += at_ns - self._since_ns
        self._since_ns = at_ns
        self.state = state

    def time_ns(self, state: VcpuState, at_ns: int) -> int:
        """Return the time spent in a state up to now."""
        running = max(0, at_ns - self._since_ns) if self.state == state else 0
        return self.spent_ns[state] + running

    def __repr__(self) -> str:
        """Return the VM's name and the state."""
        return f"VirtualCpu({self.vm.name!r}, {self.state})"
