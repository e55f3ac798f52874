"""What a dispatcher puts on processors: its place among others, and where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dcsim.hypervisor.scheduler import Reservation

__all__ = ["Entity", "EntityState"]

EntityState = Literal["running", "runnable", "blocked", "stalled", "paused"]
"""``running``: on a processor; ``runnable``: wants one; ``blocked``: waits for an interrupt or for
work; ``stalled``: waits for memory of its host; ``paused``: not started, moving, or over."""


class Entity:
    """A vCPU or a thread of the host's own software.

    It is *runnable* while others hold the processors, and *running* while it holds one.

    Parameters
    ----------
    index
        A number that differs between all of a run; ties in a scheduler are broken by it.
    weight
        Share under contention, in proportion to the others'.
    cap_percent
        At most this much of one processor; 0 for no cap.

    Attributes
    ----------
    gang
        The same for all that are scheduled together; a number of its own for one that is alone.
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
    since_ns
        When it entered the state that it is in.
    """

    def __init__(self, index: int, *, weight: int, cap_percent: int = 0) -> None:
        self.index = index
        self.gang = index
        self.weight = weight
        self.cap_percent = cap_percent
        self.processor = 0
        self.affinity: frozenset[int] | None = None
        self.home: frozenset[int] | None = None
        self.reservation: Reservation | None = None
        self.state: EntityState = "paused"
        self.spent_ns: dict[EntityState, int] = {
            "running": 0,
            "runnable": 0,
            "blocked": 0,
            "stalled": 0,
            "paused": 0,
        }
        self.since_ns = 0

    def enter(self, state: EntityState, at_ns: int) -> None:
        """Change the state at a time.

        A processor may stand a little beyond the clock, so a change noted at the clock's time can
        follow one that took effect later; it then takes effect at that time too.
        """
        at_ns = max(at_ns, self.since_ns)
        self.spent_ns[self.state] += at_ns - self.since_ns
        self.since_ns = at_ns
        self.state = state

    def time_ns(self, state: EntityState, at_ns: int) -> int:
        """Return the time spent in a state up to now."""
        running = max(0, at_ns - self.since_ns) if self.state == state else 0
        return self.spent_ns[state] + running
