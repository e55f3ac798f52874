"""A virtual CPU: what a scheduler schedules, and where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dcsim.host import PathStep
    from dcsim.hypervisor.scheduler import Reservation
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["VcpuState", "VirtualCpu"]

VcpuState = Literal["running", "runnable", "blocked", "paused"]
"""``running``: loaded on a processor; ``runnable``: wants one; ``blocked``: waits for an
interrupt; ``paused``: not started, moving, or over."""


class VirtualCpu:
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
    index
        A number that differs between all vCPUs of a run; ties in a scheduler are broken by it.
    weight
        Share under contention, in proportion to the others'.
    cap_percent
        At most this much of one processor; 0 for no cap.

    Attributes
    ----------
    gang
        The same for all of its VM's.
    processor
        Where it runs, or ran last.
    affinity
        The only processors on which it may run; None for any.
    home
        The processors that are near its memory; None when all are.
    reservation
        What a real-time scheduler guarantees it.
    spent_ns
        Time in each state that is over.
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
        self.vm = vm
        self.number = number
        self.index = index
        self.gang = index - number
        self.weight = weight
        self.cap_percent = cap_percent
        self.processor = 0
        self.affinity: frozenset[int] | None = None
        self.home: frozenset[int] | None = None
        self.reservation: Reservation | None = None
        self.state: VcpuState = "paused"
        self.spent_ns: dict[VcpuState, int] = {
            "running": 0,
            "runnable": 0,
            "blocked": 0,
            "paused": 0,
        }
        self.waiting = number > 0
        self.wake_timer: Timer | None = None
        self.owed_paths: list[tuple[str, tuple[PathStep, ...]]] = []
        self.wakeups = 0
        self.wake_wait_ns = 0
        self._woke_ns: int | None = None
        self._since_ns = 0

    def cancel_wake(self) -> None:
        """Forget the guest's timer: the vCPU is awake, or its VM moves."""
        if self.wake_timer is not None:
            self.wake_timer.cancel()
            self.wake_timer = None

    def enter(self, state: VcpuState, at_ns: int) -> None:
        """Change the state at a time.

        A processor may stand a little beyond the clock, so a change noted at the clock's time can
        follow one that took effect later; it then takes effect at that time too.
        """
        at_ns = max(at_ns, self._since_ns)
        self.spent_ns[self.state] += at_ns - self._since_ns
        self._note_wake(state, at_ns)
        self._since_ns = at_ns
        self.state = state

    def _note_wake(self, state: VcpuState, at_ns: int) -> None:
        if self.state == "blocked" and state == "runnable":
            self.wakeups += 1
            self._woke_ns = at_ns
        elif self._woke_ns is not None and state == "running":
            self.wake_wait_ns += at_ns - self._woke_ns
            self._woke_ns = None

    @property
    def since_ns(self) -> int:
        """Since when it is in its state."""
        return self._since_ns

    def time_ns(self, state: VcpuState, at_ns: int) -> int:
        """Return the time spent in a state up to now."""
        running = max(0, at_ns - self._since_ns) if self.state == state else 0
        return self.spent_ns[state] + running

    def __repr__(self) -> str:
        """Return the VM's name, the place in it, and the state."""
        return f"VirtualCpu({self.vm.name!r}, {self.number}, {self.state})"
