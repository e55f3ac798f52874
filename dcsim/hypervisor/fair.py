"""The fair scheduler of the host operating system on which a type-2 hypervisor runs.

Every thread has a *virtual run time* that advances in inverse proportion to its weight; the thread
with the least runs. Each runs for its share of a latency period, but not less than a minimum. A
thread that wakes is placed a little behind the others, so that sleepers are served soon without
being paid for their sleep, and pre-empts the running thread when it is behind by more than the
wake-up granularity. A cap is a bandwidth limit: so much run time in every 100 ms, then throttled.

Rules and parameters are those of Linux's completely fair scheduler (its ``fair.c``): latency 6 ms,
minimum granularity 0.75 ms, wake-up granularity 1 ms, each times 1 + log2(processors) for up to 8;
nice-0 weight 1024, bandwidth period 100 ms; busy processors balance every 16 ms times their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.scheduler import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["FairScheduler"]

LATENCY_NS = 6_000_000
MINIMUM_GRANULARITY_NS = 750_000
WAKEUP_GRANULARITY_NS = 1_000_000
BANDWIDTH_PERIOD_NS = 100_000_000
NICE_0_WEIGHT = 1024
BALANCE_NS_PER_PROCESSOR = 16_000_000
WEIGHT_OF_DEFAULT = 256
"""The VM weight that stands for nice 0."""


class _Entity:
    """A thread's standing."""

    __slots__ = ("home", "period", "used_ns", "virtual_ns", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.virtual_ns = 0
        self.home = 0
        self.used_ns = 0
        self.period = 0


class FairScheduler:
    """Virtual run time, weights and bandwidth limits.

    Parameters
    ----------
    processors
        How many there are.
    """

    def __init__(self, processors: int) -> None:
        scale = 1 + (min(processors, 8).bit_length() - 1)
        self.latency_ns = LATENCY_NS * scale
        self.minimum_ns = MINIMUM_GRANULARITY_NS * scale
        self.wakeup_ns = WAKEUP_GRANULARITY_NS * scale
        self.balance_ns = BALANCE_NS_PER_PROCESSOR * processors
        self._queues: list[list[Schedulable]] = [[] for _ in range(processors)]
        self._current: list[Schedulable | None] = [None] * processors
        self._floor_ns = [0] * processors
        self._entities: dict[Schedulable, _Entity] = {}

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a thread."""
        self._entities[vcpu] = _Entity(vcpu.weight * NICE_0_WEIGHT // WEIGHT_OF_DEFAULT or 1)

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a thread."""
        self.leave(vcpu)
        del self._entities[vcpu]

    def virtual_ns(self, vcpu: Schedulable) -> int:
        """Return a thread's virtual run time."""
        return self._entities[vcpu].virtual_ns

    # Who wants to run.

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a thread; return the processor that should choose again, if one should."""
        processor = self._place(vcpu)
        entity = self._entities[vcpu]
        self._move(entity, processor)
        entity.virtual_ns = max(entity.virtual_ns, self._floor_ns[processor] - self.latency_ns // 2)
        self._queues[processor].append(vcpu)
        current = self._current[processor]
        if current is None or (
            not self._throttled(vcpu, now_ns) and self._behind_ns(current, entity) > 0
        ):
            return (processor,)
        return ()

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a thread, current or queued, does not want to run any more."""
        for processor, queue in enumerate(self._queues):
            if vcpu in queue:
                queue.remove(vcpu)
            if self._current[processor] is vcpu:
                self._current[processor] = None

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Advance a thread's virtual run time."""
        entity = self._entities[vcpu]
        entity.virtual_ns += ran_ns * NICE_0_WEIGHT // entity.weight
        entity.used_ns += ran_ns
        self._raise_floor(entity.home)

    def choose(self, processor: int, current: Schedulable | None, now_ns: int) -> Choice:
        """Choose the thread with the least virtual run time."""
        queue = self._queues[processor]
        if current is not None:
            self._current[processor] = None
            queue.append(current)
        chosen = self._least(processor, now_ns) or self._pull(processor, now_ns)
        self._current[processor] = chosen
        if chosen is None:
            return Choice(None, self._unthrottle_ns(now_ns))
        queue.remove(chosen)
        return Choice(chosen, self._again_ns(processor, chosen, now_ns))

    # Periodic work: balancing. Slices need no tick, every choice says when to ask again.

    def next_tick_ns(self, now_ns: int) -> int | None:
        """Return the next balancing while threads wait and there is more than one queue."""
        if len(self._queues) > 1 and any(self._queues):
            return (now_ns // self.balance_ns + 1) * self.balance_ns
        return None

    def tick(self, now_ns: int) -> Iterable[int]:
        """Move one waiting thread from the longest queue to the shortest.

        Also when they differ by one: then threads take turns in having to share a processor.
        """
        order = sorted(range(len(self._queues)), key=lambda index: (self._load(index), index))
        shortest, longest = order[0], order[-1]
        thread = self._least(longest, now_ns)
        if thread is None or self._load(longest) == self._load(shortest):
            return ()
        self._queues[longest].remove(thread)
        self._queues[shortest].append(thread)
        self._move(self._entities[thread], shortest)
        return (shortest,)

    # Rules.

    def _place(self, vcpu: Schedulable) -> int:
        """Return where a thread that wakes is queued: where it ran, or on an idle processor."""
        last = vcpu.processor % len(self._queues)
        order = [last, *(index for index in range(len(self._queues)) if index != last)]
        idle = (index for index in order if not self._load(index))
        return next(idle, min(order, key=lambda index: (self._load(index), order.index(index))))

    def _load(self, processor: int) -> int:
        return len(self._queues[processor]) + (self._current[processor] is not None)

    def _behind_ns(self, current: Schedulable, entity: _Entity) -> int:
        """Return by how much a thread is further behind the current one than the granularity."""
        granularity = self.wakeup_ns * NICE_0_WEIGHT // entity.weight
        return self._entities[current].virtual_ns - entity.virtual_ns - granularity

    def _least(self, processor: int, now_ns: int) -> Schedulable | None:
        ready = [each for each in self._queues[processor] if not self._throttled(each, now_ns)]
        return min(
            ready, key=lambda each: (self._entities[each].virtual_ns, each.index), default=None
        )

    def _pull(self, processor: int, now_ns: int) -> Schedulable | None:
        """Move a waiting thread here from the longest queue."""
        others = [index for index in range(len(self._queues)) if index != processor]
        for other in sorted(others, key=lambda index: (-len(self._queues[index]), index)):
            thread = self._least(other, now_ns)
            if thread is not None:
                self._queues[other].remove(thread)
                self._queues[processor].append(thread)
                self._move(self._entities[thread], processor)
                return thread
        return None

    def _raise_floor(self, processor: int) -> None:
        """Let a queue's floor follow the least virtual run time on it; it never falls."""
        current = self._current[processor]
        threads = [*self._queues[processor], *([current] if current is not None else [])]
        if threads:
            least_ns = min(self._entities[each].virtual_ns for each in threads)
            self._floor_ns[processor] = max(self._floor_ns[processor], least_ns)

    def _move(self, entity: _Entity, processor: int) -> None:
        """Carry a virtual run time over to another queue, relative to where the others are."""
        entity.virtual_ns += self._floor_ns[processor] - self._floor_ns[entity.home]
        entity.home = processor

    def _again_ns(self, processor: int, chosen: Schedulable, now_ns: int) -> int | None:
        """Return when the chosen thread's slice, or its bandwidth, ends."""
        ends = []
        queue = self._queues[processor]
        if queue:
            weights = sum(self._entities[each].weight for each in [chosen, *queue])
            period_ns = max(self.latency_ns, self.minimum_ns * (len(queue) + 1))
            share_ns = period_ns * self._entities[chosen].weight // weights
            ends.append(now_ns + max(share_ns, self.minimum_ns))
        if chosen.cap_percent:
            ends.append(now_ns + self._bandwidth_left_ns(chosen, now_ns))
            ends.append(_period_end_ns(now_ns))
        return min(ends, default=None)

    # Bandwidth limits.

    def _bandwidth_left_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        entity = self._entities[vcpu]
        period = now_ns // BANDWIDTH_PERIOD_NS
        if entity.period != period:
            entity.period, entity.used_ns = period, 0
        return BANDWIDTH_PERIOD_NS * vcpu.cap_percent // 100 - entity.used_ns

    def _throttled(self, vcpu: Schedulable, now_ns: int) -> bool:
        return bool(vcpu.cap_percent) and self._bandwidth_left_ns(vcpu, now_ns) <= 0

    def _unthrottle_ns(self, now_ns: int) -> int | None:
        """Return when a throttled thread may run again, if one waits."""
        if any(self._queues):
            return _period_end_ns(now_ns)
        return None


def _period_end_ns(now_ns: int) -> int:
    """Return when the bandwidth period of a time ends."""
    return (now_ns // BANDWIDTH_PERIOD_NS + 1) * BANDWIDTH_PERIOD_NS
