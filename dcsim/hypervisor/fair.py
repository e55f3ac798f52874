"""The fair scheduler of a host operating system: CFS.

Every thread has a *virtual run time* that advances in inverse proportion to its weight; the thread
with the least runs. Each runs for its share of a latency period, but not less than a minimum. A
thread that wakes is placed a little behind the others, so that sleepers are served soon without
being paid for their sleep, and pre-empts the running thread when it is behind by more than the
wake-up granularity. A cap is a bandwidth limit.

Rules and parameters are those of Linux's completely fair scheduler (its ``fair.c``): latency 6 ms,
minimum granularity 0.75 ms, wake-up granularity 1 ms, each times 1 + log2(processors) for up to 8.
Linux has a queue for each processor, which it balances now and then; here all processors take from
one, which is what the balancing aims at (:mod:`dcsim.hypervisor.shared_queue`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.scheduler import may_run, places
from dcsim.hypervisor.shared_queue import nearest
from dcsim.hypervisor.virtual_time import Standing, VirtualTimeScheduler, virtual

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["FairScheduler", "scaled"]

LATENCY_NS = 6_000_000
MINIMUM_GRANULARITY_NS = 750_000
WAKEUP_GRANULARITY_NS = 1_000_000


def scaled(time_ns: int, processors: int) -> int:
    """Return what a time for one processor is on a host with several, as Linux scales it."""
    return time_ns * (1 + (min(processors, 8).bit_length() - 1))


class FairScheduler(VirtualTimeScheduler):
    """The least virtual run time first.

    Parameters
    ----------
    processors
        How many there are.
    latency_ns, minimum_ns, wakeup_ns
        The latency period, and the granularities of a turn and of pre-emption by one that wakes.
    """

    def __init__(
        self,
        processors: int,
        *,
        latency_ns: int | None = None,
        minimum_ns: int | None = None,
        wakeup_ns: int | None = None,
    ) -> None:
        super().__init__(processors)
        self.latency_ns = latency_ns or scaled(LATENCY_NS, processors)
        self.minimum_ns = minimum_ns or scaled(MINIMUM_GRANULARITY_NS, processors)
        self.wakeup_ns = wakeup_ns or scaled(WAKEUP_GRANULARITY_NS, processors)

    def _place(self, vcpu: Schedulable, standing: Standing) -> None:
        """Place a sleeper half a period behind those with which it will compete."""
        floors = [self._floor(place) for place in places(vcpu, self._count)]
        known = [floor for floor in floors if floor is not None]
        if known:
            standing.virtual = max(
                standing.virtual, max(known) - virtual(self.latency_ns // 2, standing)
            )

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a thread; return the processors that should choose again.

        One that was alone on its processor has no end of its turn: from now on it has.
        """
        looking = tuple(super().wake(vcpu, now_ns))
        return looking or [each for each in places(vcpu, self._count) if self._endless[each]]

    def _floor(self, processor: int) -> int | None:
        """Return the least virtual time of who waits for a processor, or of who runs there."""
        waiting = [
            self._standings[each].virtual for each in self._waiting if may_run(each, processor)
        ]
        current = self._current[processor]
        if not waiting and current is not None:
            return self._standings[current].virtual
        return min(waiting, default=None)

    def _first(self, ready: Sequence[Schedulable], processor: int) -> Schedulable:
        """Choose the least virtual run time; within a granularity, one that is near."""
        order = sorted(ready, key=lambda each: (self._standings[each].virtual, each.index))
        if self._count == 1:
            return order[0]
        least = self._standings[order[0]]
        limit = least.virtual + virtual(self.wakeup_ns, least)
        return nearest(
            [each for each in order if self._standings[each].virtual <= limit], processor
        )

    def _keeps_ns(self, processor: int, current: Schedulable, now_ns: int) -> int | None:
        del processor, current, now_ns
        return None

    def _again_ns(self, processor: int, chosen: Schedulable, now_ns: int) -> int | None:
        """Return when the chosen thread's slice, or its bandwidth, ends."""
        ends = [self._bandwidth.ends_ns(chosen, now_ns)]
        if any(may_run(each, processor) for each in self._waiting):
            ends.append(now_ns + self._slice_ns(chosen))
        return min((end for end in ends if end is not None), default=None)

    def _slice_ns(self, chosen: Schedulable) -> int:
        runnable = self._runnable()
        weights = sum(self._standings[each].weight for each in runnable)
        period_ns = max(self.latency_ns, self.minimum_ns * -(-len(runnable) // self._count))
        share_ns = period_ns * self._count * self._standings[chosen].weight // weights
        return max(share_ns, self.minimum_ns)

    def _displaces(self, vcpu: Schedulable, current: Schedulable) -> bool:
        standing = self._standings[vcpu]
        granularity = virtual(self.wakeup_ns, standing)
        return self._standings[current].virtual - standing.virtual > granularity
