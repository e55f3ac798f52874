"""A virtual CPU: what a scheduler schedules, and where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dcsim.hypervisor.entity import Entity, EntityState

if TYPE_CHECKING:
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.steps import Path
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["OwedPath", "VcpuState", "VirtualCpu"]

VcpuState = EntityState
"""As of any :class:`~dcsim.hypervisor.entity.Entity`; ``blocked``: waits for an interrupt."""


class OwedPath(NamedTuple):
    """What an interrupt takes on the processor of its vCPU."""

    name: str
    path: Path
    trail: Trail | None
    """The journey that ends with it, if one does."""


class VirtualCpu(Entity):
    """One of a VM's processors, as its hypervisor sees it.

    It is *paused* until the VM starts and while it moves, *blocked* from a wait-for-interrupt until
    an interrupt, *runnable* while others hold the processors (that time is *stolen* from the
    guest), and *running* while it holds one.

    Parameters
    ----------
    vm
        Whose it is.
    number
        Its place in its VM: the number of the hart that the guest sees.
    index, weight, cap_percent
        See :class:`~dcsim.hypervisor.entity.Entity`.

    Attributes
    ----------
    gang
        The same for all of its VM's.
    stalls
        How many reasons keep it from executing, whatever it wants.
    waiting
        Whether it is in wait-for-interrupt, or its guest has not started it.
    wake_timer
        When its guest's own timer ends that.
    owed_paths
        What interrupts cost that came while it was on no processor.
    wakeups
        How often it stopped being blocked.
    wake_wait_ns
        For how long it then waited for a processor, all times added.
    """

    def __init__(
        self, vm: VirtualMachine, number: int, index: int, *, weight: int, cap_percent: int
    ) -> None:
        super().__init__(index, weight=weight, cap_percent=cap_percent)
        self.vm = vm
        self.number = number
        self.gang = index - number
        self.stalls = 0
        self.waiting = number > 0
        self.wake_timer: Timer | None = None
        self.owed_paths: list[OwedPath] = []
        self.wakeups = 0
        self.wake_wait_ns = 0
        self._woke_ns: int | None = None
        self._told_ns = 0

    def cancel_wake(self) -> None:
        """Forget the guest's timer: the vCPU is awake, or its VM moves."""
        if self.wake_timer is not None:
            self.wake_timer.cancel()
            self.wake_timer = None

    def take_stolen_ns(self) -> int:
        """Return the time stolen from the guest since the last call."""
        stolen_ns = self.spent_ns["runnable"] - self._told_ns
        self._told_ns += stolen_ns
        return stolen_ns

    def enter(self, state: VcpuState, at_ns: int) -> None:
        """Change the state at a time, and note how long a wake-up waits for a processor."""
        before = self.state
        super().enter(state, at_ns)
        if before == "blocked" and state == "runnable":
            self.wakeups += 1
            self._woke_ns = self.since_ns
        elif self._woke_ns is not None and state == "running":
            self.wake_wait_ns += self.since_ns - self._woke_ns
            self._woke_ns = None

    def __repr__(self) -> str:
        """Return the VM's name, the place in it, and the state."""
        return f"VirtualCpu({self.vm.name!r}, {self.number}, {self.state})"
