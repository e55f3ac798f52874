"""What schedulers with one queue for all processors of a host have in common.

The queue holds who wants to run and does not, in the order of arrival. A processor that is idle or
asks again takes from it by the scheduler's own rule, so no processor idles while one that may run
there waits, and an order that holds in the queue holds across processors. Where several come into
question, one that ran there last, or whose memory is near, goes before one that would have to fill
the cache anew.

Invariants: a vCPU is current on at most one processor and then not in the queue; a turn is handed
over for one choice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dcsim.hypervisor.scheduler import Choice, may_run, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["SharedQueue"]


class SharedQueue(ABC):
    """One queue, from which all processors take.

    Parameters
    ----------
    processors
        How many there are.
    """

    def __init__(self, processors: int) -> None:
        self._count = processors
        self._waiting: list[Schedulable] = []
        self._current: list[Schedulable | None] = [None] * processors
        self._endless = [False] * processors
        self._heirs: dict[int, tuple[Schedulable, ...]] = {}

    # The rule of each scheduler.

    @abstractmethod
    def _arrive(self, vcpu: Schedulable, now_ns: int) -> None:
        """Prepare for a vCPU that wakes."""

    @abstractmethod
    def _ready_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        """Return from when on one that waits may run; not after now when it may already."""

    @abstractmethod
    def _first(self, ready: Sequence[Schedulable], processor: int) -> Schedulable:
        """Return which of those that may run on a processor does, by right; there is one."""

    @abstractmethod
    def _keeps_ns(self, processor: int, current: Schedulable, now_ns: int) -> int | None:
        """Return until when the current vCPU cannot be displaced; None when it can be now."""

    @abstractmethod
    def _again_ns(self, processor: int, chosen: Schedulable, now_ns: int) -> int | None:
        """Return when the chosen one's turn ends, if anything ends it."""

    @abstractmethod
    def _displaces(self, vcpu: Schedulable, current: Schedulable) -> bool:
        """Tell whether one that wakes takes the place of a current one at once."""

    def _victim(self, processors: Sequence[int]) -> int:
        """Return where one that wakes displaces the current one, of where it could, best first."""
        return processors[0]

    # Who there is.

    @abstractmethod
    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU."""

    def admits(self, vcpus: Iterable[Schedulable]) -> bool:
        """Return True: nothing is guaranteed."""
        del vcpus
        return True

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU."""
        self.leave(vcpu)

    # Who wants to run.

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a vCPU; return the processors that should choose again."""
        self._arrive(vcpu, now_ns)
        self._waiting.append(vcpu)
        allowed = places(vcpu, self._count)
        idle = [each for each in allowed if self._current[each] is None]
        if idle or self._ready_ns(vcpu, now_ns) > now_ns:
            # Whoever takes it may have preferred another one: then there is work for the next.
            return idle[: len(self._waiting)]
        running = [(each, self._current[each]) for each in allowed]
        victims = [each for each, who in running if who is not None and self._displaces(vcpu, who)]
        return (self._victim(victims),) if victims else ()

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a vCPU, current or queued, does not want to run any more."""
        if vcpu in self._waiting:
            self._waiting.remove(vcpu)
        self._current = [None if current is vcpu else current for current in self._current]

    def hand_over(self, processor: int, to: Iterable[Schedulable]) -> None:
        """Have the first of these that can run on a processor be the next there."""
        self._heirs[processor] = tuple(to)

    def choose(self, processor: int, current: Schedulable | None, now_ns: int) -> Choice:
        """Choose by right, unless the current one has a turn that is not over."""
        heirs = self._heirs.pop(processor, ())
        if current is not None:
            keeps_ns = self._keeps_ns(processor, current, now_ns)
            if keeps_ns is not None and keeps_ns > now_ns:
                return Choice(current, keeps_ns)
            self._current[processor] = None
            self._waiting.append(current)
            self._put_back(current)
        ready, waking_ns = self._waits(processor, now_ns)
        heir = next((each for each in heirs if each in ready), None)
        chosen = heir or (self._first(ready, processor) if ready else None)
        self._current[processor] = chosen
        again_ns = None
        if chosen is not None:
            self._waiting.remove(chosen)
            self._begin(processor, chosen, now_ns)
            again_ns = self._again_ns(processor, chosen, now_ns)
        self._endless[processor] = chosen is not None and again_ns is None
        ends = [end for end in (again_ns, waking_ns) if end is not None]
        return Choice(chosen, min(ends, default=None))

    def _put_back(self, vcpu: Schedulable) -> None:
        """Note that a current one is queued again: its turn is over."""
        del vcpu

    def _begin(self, processor: int, chosen: Schedulable, now_ns: int) -> None:
        """Note that a turn begins, or goes on."""
        del processor, chosen, now_ns

    def _waits(self, processor: int, now_ns: int) -> tuple[list[Schedulable], int | None]:
        """Return who may run on a processor now, and when the next of the others may."""
        ready = []
        waking_ns = None
        for each in self._waiting:
            if may_run(each, processor):
                at_ns = self._ready_ns(each, now_ns)
                if at_ns <= now_ns:
                    ready.append(each)
                elif waking_ns is None or at_ns < waking_ns:
                    waking_ns = at_ns
        return ready, waking_ns

    # Nothing here is periodic: every choice says when to ask again.

    def next_tick_ns(self, now_ns: int) -> int | None:
        """Return None: there is no periodic work."""
        del now_ns
        return None

    def tick(self, now_ns: int) -> Iterable[int]:
        """Do nothing."""
        del now_ns
        return ()


def nearest(vcpus: Sequence[Schedulable], processor: int) -> Schedulable:
    """Return the first that ran on a processor last, or else is at home there, or the first."""

    def distance(vcpu: Schedulable) -> tuple[bool, bool]:
        away = vcpu.home is not None and processor not in vcpu.home
        return away, vcpu.processor != processor

    return min(vcpus, key=distance)
