"""Relaxed co-scheduling: no vCPU of a VM gets further ahead of the others than a limit.

Each vCPU of a VM with several makes *progress* while it runs. One that waits for a processor falls
behind those that run: its VM is *skewed*. When one is ahead of the last by more than the limit, it
is stopped, and goes on when the last has caught up to half of that; the others are left alone. What
is blocked does not fall behind: it wakes where the foremost is. So a lock's holder is not off its
processor for long while others spin, and no processor has to idle for it as under strict
co-scheduling.

The rule is that of ESX Server's relaxed co-scheduling (from version 3 on), around any scheduler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hypervisor.scheduler import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.hypervisor.scheduler import Schedulable, Scheduler

__all__ = ["SkewLimit", "worst_skew_ns"]


class SkewLimit:
    """A scheduler that stops those that are too far ahead, and leaves the rest to another one.

    Parameters
    ----------
    inner
        The other one.
    limit_ns
        How far ahead one may be; None to watch only.

    Attributes
    ----------
    worst_ns
        The furthest that any vCPU was ahead of its VM's last, by the VM's number.
    """

    def __init__(self, inner: Scheduler, limit_ns: int | None) -> None:
        self.inner = inner
        self.limit_ns = limit_ns
        self.worst_ns: dict[int, int] = {}
        self._progress: dict[Schedulable, int] = {}
        self._wanting: dict[int, list[Schedulable]] = {}
        self._stopped: dict[Schedulable, None] = {}
        self._current: dict[int, Schedulable | None] = {}

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU."""
        self._progress[vcpu] = 0
        self._wanting.setdefault(vcpu.gang, [])
        self.inner.add(vcpu)

    def admits(self, vcpus: Iterable[Schedulable]) -> bool:
        """Ask the other scheduler."""
        return self.inner.admits(vcpus)

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU."""
        self.leave(vcpu)
        self.inner.remove(vcpu)
        del self._progress[vcpu]

    # Progress.

    def ahead_ns(self, vcpu: Schedulable) -> int:
        """Return how far a vCPU that wants to run is ahead of the last of its VM."""
        return self._progress[vcpu] - min(self._progress[each] for each in self._wanting[vcpu.gang])

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Note progress."""
        self._progress[vcpu] += ran_ns
        self.inner.charge(vcpu, ran_ns)

    def _look(self) -> None:
        """Note how far ahead any is, when all are charged up to one time."""
        for gang, vcpus in self._wanting.items():
            if len(vcpus) > 1:
                progress = [self._progress[each] for each in vcpus]
                skew_ns = max(progress) - min(progress)
                self.worst_ns[gang] = max(self.worst_ns.get(gang, 0), skew_ns)

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a vCPU, level with the foremost of its VM."""
        self._look()
        others = self._wanting[vcpu.gang]
        foremost = max((self._progress[each] for each in others), default=0)
        self._progress[vcpu] = max(self._progress[vcpu], foremost)
        looking = tuple(self.inner.wake(vcpu, now_ns))
        if len(others) == 1:  # which had nobody to be ahead of, and so no end of its turn
            looking += tuple(place for place, each in self._current.items() if each in others)
        others.append(vcpu)
        return looking

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a vCPU does not want to run any more."""
        if vcpu in self._wanting[vcpu.gang]:
            self._wanting[vcpu.gang].remove(vcpu)
        if vcpu in self._stopped:
            del self._stopped[vcpu]
        else:
            self.inner.leave(vcpu)

    def hand_over(self, processor: int, to: Iterable[Schedulable]) -> None:
        """Note to whom a turn is handed over; who is stopped waits in no queue of the other's."""
        self.inner.hand_over(processor, to)

    # Choosing.

    def choose(self, processor: int, current: Schedulable | None, now_ns: int) -> Choice:
        """Choose as the other scheduler does, of those that are not too far ahead."""
        self._look()
        if current is not None and self._leads(current):
            self._stop(current)
            current = None
        while True:
            choice = self.inner.choose(processor, current, now_ns)
            if choice.vcpu is None or not self._leads(choice.vcpu):
                break
            self._stop(choice.vcpu)
            current = None
        self._current[processor] = choice.vcpu
        return Choice(choice.vcpu, self._again_ns(choice, now_ns))

    def _again_ns(self, choice: Choice, now_ns: int) -> int | None:
        """Return when the chosen one may have come too far ahead, if not asked before."""
        chosen = choice.vcpu
        if chosen is None or self.limit_ns is None or len(self._wanting[chosen.gang]) == 1:
            return choice.again_ns
        left_ns = now_ns + self.limit_ns - self.ahead_ns(chosen) + 1
        return left_ns if choice.again_ns is None else min(left_ns, choice.again_ns)

    def _leads(self, vcpu: Schedulable) -> bool:
        return self.limit_ns is not None and self.ahead_ns(vcpu) > self.limit_ns

    def _stop(self, vcpu: Schedulable) -> None:
        self.inner.leave(vcpu)
        self._stopped[vcpu] = None

    # Periodic work: letting go on who was stopped.

    def next_tick_ns(self, now_ns: int) -> int | None:
        """Return the other scheduler's next tick, or a look at who is stopped if that is sooner."""
        times = [self.inner.next_tick_ns(now_ns)]
        if self._stopped and self.limit_ns is not None:
            times.append(now_ns + max(1, self.limit_ns // 2))
        return min((each for each in times if each is not None), default=None)

    def tick(self, now_ns: int) -> Iterable[int]:
        """Let go on whom the last of its VM has come near; do the other scheduler's work."""
        self._look()
        looking: list[int] = []
        if self.inner.next_tick_ns(now_ns - 1) == now_ns:
            looking += self.inner.tick(now_ns)
        near_ns = (self.limit_ns or 0) // 2
        for vcpu in [each for each in self._stopped if self.ahead_ns(each) <= near_ns]:
            del self._stopped[vcpu]
            looking += self.inner.wake(vcpu, now_ns)
        return looking


def worst_skew_ns(scheduler: Scheduler, vcpu: Schedulable) -> int:
    """Return how far any vCPU of a VM was ahead of its last; 0 if nobody watches."""
    return scheduler.worst_ns.get(vcpu.gang, 0) if isinstance(scheduler, SkewLimit) else 0
