"""Earliest eligible virtual deadline first.

Every thread has a virtual time, and a *lag*: how much more service it should have had than it
has. A thread is *eligible* while its lag is not negative, that is while its virtual time is not
beyond the weighted mean of all. It asks for service in requests of one base slice; a request's
*virtual deadline* is the virtual time at which it would be served at the thread's own rate. Of the
eligible threads, the one with the earliest virtual deadline runs. One that leaves keeps its lag,
and takes it along when it comes back.

I. Stoica and H. Abdel-Wahab, "Earliest Eligible Virtual Deadline First", technical report 95-22,
Old Dominion University, 1995. On one processor the lag of a thread with requests of length ``r``
stays within ``-r`` and ``max(r, q)``, where ``q`` is the longest time for which the processor
cannot be taken from a thread (their theorem 1). Parameters and the rules around are those of Linux
from 6.6 on: base slice 0.75 ms times 1 + log2(processors) for up to 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.fair import scaled
from dcsim.hypervisor.shared_queue import nearest
from dcsim.hypervisor.virtual_time import SCALE, Standing, VirtualTimeScheduler, virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["EevdfScheduler"]

BASE_SLICE_NS = 750_000


class EevdfScheduler(VirtualTimeScheduler):
    """The earliest virtual deadline of those that are eligible.

    Parameters
    ----------
    processors
        How many there are.
    base_slice_ns
        The length of a request.
    """

    def __init__(self, processors: int, *, base_slice_ns: int | None = None) -> None:
        super().__init__(processors)
        self.base_slice_ns = base_slice_ns or scaled(BASE_SLICE_NS, processors)

    def lag_ns(self, vcpu: Schedulable) -> float:
        """Return how much more service a runnable thread should have had than it has."""
        mean, weights = self._mean()
        standing = self._standings[vcpu]
        return (mean - standing.virtual * weights) / weights * standing.weight / _UNIT

    def _mean(self) -> tuple[int, int]:
        """Return the weighted mean of the virtual times, as numerator and denominator."""
        standings = [self._standings[each] for each in self._runnable()]
        weights = sum(each.weight for each in standings)
        return sum(each.weight * each.virtual for each in standings), weights

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a thread does not want to run any more; it keeps its lag, within bounds."""
        if vcpu in self._runnable():
            mean, weights = self._mean()
            standing = self._standings[vcpu]
            most = 2 * virtual(self.base_slice_ns, standing)
            standing.lag = max(-most, min(most, mean // weights - standing.virtual))
        super().leave(vcpu)

    def _place(self, vcpu: Schedulable, standing: Standing) -> None:
        """Place a thread so that it has the lag with which it left.

        Its coming moves the mean towards it, so it is placed further out by just that much.
        """
        del vcpu
        mean, weights = self._mean()
        if weights:
            lag = standing.lag * (weights + standing.weight) // weights
            standing.virtual = mean // weights - lag
        standing.deadline = standing.virtual + virtual(self.base_slice_ns, standing)

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Advance a thread's virtual time; a request that is served is followed by the next."""
        super().charge(vcpu, ran_ns)
        standing = self._standings[vcpu]
        if standing.virtual >= standing.deadline:
            standing.deadline = standing.virtual + virtual(self.base_slice_ns, standing)

    def _first(self, ready: Sequence[Schedulable], processor: int) -> Schedulable:
        mean, weights = self._mean()
        eligible = [each for each in ready if self._standings[each].virtual * weights <= mean]
        # On several processors all that are eligible may run already; then the least is next.
        key = self._by_deadline if eligible else self._by_virtual_time
        order = sorted(eligible or ready, key=key)
        if self._count == 1:
            return order[0]
        latest = self._standings[order[0]].deadline + SCALE
        return nearest(
            [each for each in order if self._standings[each].deadline <= latest], processor
        )

    def _by_deadline(self, vcpu: Schedulable) -> tuple[int, int]:
        return self._standings[vcpu].deadline, vcpu.index

    def _by_virtual_time(self, vcpu: Schedulable) -> tuple[int, int]:
        return self._standings[vcpu].virtual, vcpu.index

    def _keeps_ns(self, processor: int, current: Schedulable, now_ns: int) -> int | None:
        del processor, current, now_ns
        return None

    def _again_ns(self, processor: int, chosen: Schedulable, now_ns: int) -> int | None:
        """Return when the request of the chosen thread, or its bandwidth, is used up."""
        ends = [self._bandwidth.ends_ns(chosen, now_ns)]
        if self._waits(processor, now_ns)[0]:
            standing = self._standings[chosen]
            left = max(0, standing.deadline - standing.virtual) * standing.weight
            ends.append(now_ns + max(1, -(-left // _UNIT)))
        return min((end for end in ends if end is not None), default=None)

    def _displaces(self, vcpu: Schedulable, current: Schedulable) -> bool:
        mean, weights = self._mean()
        standing = self._standings[vcpu]
        eligible = standing.virtual * weights <= mean
        return eligible and standing.deadline < self._standings[current].deadline


_UNIT = virtual(1, Standing(1)) * Standing(1).weight
"""A nanosecond of service, as virtual time times weight."""
