"""The clock and the event queue, and who an event can reach.

SimPy's environment with three things changed:

- The clock is a whole number of nanoseconds. A delay that is no ``int`` is refused where it is
  made: a float clock ends ten steps of 0.1 before one step of 1.0.
- Every event has a *reach*: the :class:`Scope` of the part of the model that it can change (a VM,
  a host), or everywhere when it names none. A host may run its machine ahead of the clock up to
  :meth:`Environment.next_reach_ns` of its scope, and nothing arrives in its past. An event that
  says nothing reaches everywhere, so forgetting to say costs speed and never correctness.
- There is a third priority, :data:`LAST`: what is scheduled with it at some time runs after all
  that the model does at that time.
- Events of the same time and priority have a *rank*: machines, which find their events whenever
  they happen to be run, give theirs one each, so that ties never depend on where runs are cut.

Invariant: events run in the order (time, priority, rank, serial number).
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, cast

import simpy
from simpy.events import NORMAL, URGENT, Event, EventPriority

from dcsim.sim.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LAST", "NORMAL", "NOWHERE", "URGENT", "Environment", "Scope"]

LAST = EventPriority(2)
"""After all events of the model of the same time: the machines run on from here."""


class Scope:
    """A part of the model that an event can reach, and the times at which one will.

    A scope can contain others (a host contains its VMs): an event that reaches a part reaches the
    whole.

    Parameters
    ----------
    name
        For messages.
    """

    __slots__ = ("_heap", "_parts", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._heap: list[tuple[int, int, Event]] = []
        self._parts: list[Scope] = []

    def adopt(self, part: Scope) -> None:
        """Let the events that reach ``part`` reach this scope too."""
        self._parts.append(part)

    def release(self, part: Scope) -> None:
        """Undo :meth:`adopt`: the part goes elsewhere."""
        self._parts.remove(part)

    def push(self, at_ns: int, serial: int, event: Event) -> None:
        """Note an event; the environment does this when it schedules one."""
        heapq.heappush(self._heap, (at_ns, serial, event))

    def next_ns(self, now_ns: int) -> int | None:
        """Return the time of the first event after now that reaches this scope, or None."""
        heap = self._heap
        while heap and (heap[0][0] <= now_ns or getattr(heap[0][2], "cancelled", False)):
            heapq.heappop(heap)
        first = heap[0][0] if heap else None
        for part in self._parts:
            time = part.next_ns(now_ns)
            if time is not None and (first is None or time < first):
                first = time
        return first

    def __repr__(self) -> str:
        """Return the name; no address, which would differ between runs."""
        return f"Scope({self.name!r})"


class _Nowhere(Scope):
    """The reach of events that only observe; nobody has to wait for them."""

    __slots__ = ()

    def push(self, at_ns: int, serial: int, event: Event) -> None:
        """Forget the event."""


NOWHERE: Scope = _Nowhere("nowhere")
"""The reach of an event that changes nothing (progress, the end of a machine's own slice)."""


class Environment(simpy.Environment):
    """A simulation whose clock counts whole nanoseconds.

    Attributes
    ----------
    scheduled
        How many events were ever scheduled; tests assert it, since the count is a fingerprint.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self.scheduled = 0
        self._ranks = 0
        self._everywhere = Scope("everywhere")

    @property
    def now(self) -> int:
        """The time in nanoseconds."""
        return self._now  # type: ignore[return-value]

    def schedule(
        self,
        event: Event,
        priority: EventPriority = NORMAL,
        delay: int | float = 0,
        rank: int = 0,
    ) -> None:
        """Put an event in the queue, ``delay`` nanoseconds from now.

        Raises
        ------
        TypeError
            When the delay is not a whole number.
        ValueError
            When it is negative.
        """
        if type(delay) is not int:
            raise TypeError(f"a delay is a whole number of nanoseconds, not {delay!r}")
        if delay < 0:
            raise ValueError(f"a delay of {delay} ns would go back in time")
        serial = self.scheduled = self.scheduled + 1
        at_ns = self._now + delay
        # SimPy only compares what stands in the place of the priority.
        order = cast("EventPriority", (priority, rank))
        heapq.heappush(self._queue, (at_ns, order, serial, event))
        if delay:
            reach = getattr(event, "reach", None)
            (self._everywhere if reach is None else reach).push(at_ns, serial, event)  # type: ignore[arg-type]

    def new_rank(self) -> int:
        """Return a rank that nobody has: 1, 2, ... in the order of the calls."""
        self._ranks += 1
        return self._ranks

    def next_reach_ns(self, scope: Scope) -> int | None:
        """Return the time of the first event after now that can reach a scope; None for never."""
        own, everywhere = scope.next_ns(self.now), self._everywhere.next_ns(self.now)
        if own is None or everywhere is None:
            return everywhere if own is None else own
        return min(own, everywhere)

    def at(
        self,
        at_ns: int,
        function: Callable[[], object],
        *,
        reach: Scope | None = None,
        priority: EventPriority = NORMAL,
        rank: int = 0,
    ) -> Timer:
        """Call a function at a time.

        Parameters
        ----------
        at_ns
            When; not before now.
        function
            What to call.
        reach
            The part of the model that the call can change; everything when None.
        priority
            Order among the events of the same time.
        rank
            Order among those of the same priority too.
        """
        delay_ns: int = at_ns - self._now  # type: ignore[assignment]
        return self.after(delay_ns, function, reach=reach, priority=priority, rank=rank)

    def after(
        self,
        delay_ns: int,
        function: Callable[[], object],
        *,
        reach: Scope | None = None,
        priority: EventPriority = NORMAL,
        rank: int = 0,
    ) -> Timer:
        """Call a function after a delay; see :meth:`at`."""
        return Timer(self, delay_ns, function, reach=reach, priority=priority, rank=rank)

    def sleep_until(
        self,
        at_ns: int,
        *,
        reach: Scope | None = None,
        priority: EventPriority = NORMAL,
        rank: int = 0,
    ) -> Event:
        """Return an event for a process to wait for: the time ``at_ns``."""
        return self.at(at_ns, _nothing, reach=reach, priority=priority, rank=rank)

    def run(self, until: float | Event | None = None) -> object:
        """Run until a time in nanoseconds, until an event, or until nothing is left.

        Raises
        ------
        TypeError
            When ``until`` is a float.
        """
        if isinstance(until, float):
            raise TypeError(f"the clock counts whole nanoseconds, not {until!r}")
        return super().run(until)


def _nothing() -> None:
    """Do nothing."""
