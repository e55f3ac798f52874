"""The credit scheduler of a type-1 hypervisor.

Every 30 ms the processors' time is handed out as *credit* to the active vCPUs in proportion to
their weights; running spends it. A vCPU with credit left is *under*, one without is *over*, and
under runs before over. A vCPU that wakes while under is *boosted* before both until the next tick,
so that I/O is answered quickly by VMs that use little CPU. A *cap* limits what a vCPU can use even
when processors are idle: beyond it, it is parked until it has credit again. Each processor has a
queue; one that would run an over vCPU, or nothing, takes a better one from another queue.

Who uses less than it is given leaves the rest to those that are over. What these then are short of
together is handed out in addition the next time, by weight again: so weights hold for what sleepers
leave, too, and not only for what was promised.

Parameters and rules are those of Xen's credit scheduler (its ``credit.c``): slice 30 ms, a tick
every third of it, accounting every third tick, 10 credits per millisecond, rate limit 1 ms. Credit
is held in nanoseconds of processor time (one of Xen's credits is 100 us), so that nothing is
rounded.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.hypervisor.scheduler import Choice, may_run, places
from dcsim.hypervisor.shared_queue import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["CreditScheduler"]

SLICE_NS = 30_000_000
TICKS_PER_SLICE = 3
TICKS_PER_ACCOUNTING = 3
RATE_LIMIT_NS = 1_000_000

BOOST, UNDER, OVER = 0, -1, -2


class _Account:
    """A vCPU's standing.

    Attributes
    ----------
    credit_ns
        Time on a processor that it has earned and not used; below zero, used and not earned.
    priority
        One of :data:`BOOST`, :data:`UNDER` and :data:`OVER`.
    active
        Whether it earns: it was seen running, and has not saved up a period's time since.
    parked
        Whether it has used up its cap.
    started_ns
        When its turn began.
    """

    __slots__ = ("active", "credit_ns", "parked", "priority", "started_ns")

    def __init__(self) -> None:
        self.credit_ns = 0
        self.priority = UNDER
        self.active = False
        self.parked = False
        self.started_ns = 0


class CreditScheduler:
    """Weights, caps and boost.

    Parameters
    ----------
    processors
        How many there are.
    slice_ns
        How long one runs before the next of the same priority does.
    tick_ns
        How often boosts end; credit is handed out every third time.
        A third of the slice by default.
    rate_limit_ns
        For how long nobody takes the place of one that has just begun.
    boost
        Whether one that wakes with credit left goes first.
    """

    def __init__(
        self,
        processors: int,
        *,
        slice_ns: int = SLICE_NS,
        tick_ns: int | None = None,
        rate_limit_ns: int = RATE_LIMIT_NS,
        boost: bool = True,
    ) -> None:
        self.slice_ns = slice_ns
        self.tick_ns = tick_ns or max(1, slice_ns // TICKS_PER_SLICE)
        self.period_ns = TICKS_PER_ACCOUNTING * self.tick_ns
        self.rate_limit_ns = rate_limit_ns
        self.boost = boost
        self._queues: list[list[Schedulable]] = [[] for _ in range(processors)]
        self._current: list[Schedulable | None] = [None] * processors
        self._accounts: dict[Schedulable, _Account] = {}
        self._heirs: dict[int, tuple[Schedulable, ...]] = {}
        self._shortage_ns = 0
        """By how much the credit of all was below zero when it was last handed out."""

    # Who there is.

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU."""
        self._accounts[vcpu] = _Account()

    def admits(self, vcpus: Iterable[Schedulable]) -> bool:
        """Return True: nothing is guaranteed."""
        del vcpus
        return True

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU."""
        self.leave(vcpu)
        del self._accounts[vcpu]

    def credit_ns(self, vcpu: Schedulable) -> int:
        """Return a vCPU's credit."""
        return self._accounts[vcpu].credit_ns

    # Who wants to run.

    def wake(self, vcpu: Schedulable, now_ns: int) -> Iterable[int]:
        """Queue a vCPU, boosted when it has credit; return who should choose again."""
        del now_ns
        account = self._accounts[vcpu]
        if self.boost and account.priority == UNDER and not account.parked:
            account.priority = BOOST
        processor = self._place(vcpu)
        self._enqueue(vcpu, processor)
        return self._tickle(processor, account.priority)

    def _place(self, vcpu: Schedulable) -> int:
        """Return where one is queued: on an idle processor, the nearest, or where it ran."""
        allowed = places(vcpu, len(self._queues))
        idle = (each for each in allowed if self._current[each] is None and not self._queues[each])
        return next(idle, allowed[0])

    def leave(self, vcpu: Schedulable) -> None:
        """Note that a vCPU, current or queued, does not want to run any more."""
        self._dequeue(vcpu)
        self._forget_current(vcpu)

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Spend credit."""
        self._accounts[vcpu].credit_ns -= ran_ns

    def choose(self, processor: int, current: Schedulable | None, now_ns: int) -> Choice:
        """Choose the best of this processor's queue, or a better one of another queue."""
        heirs = self._heirs.pop(processor, ())
        if current is not None:
            account = self._accounts[current]
            limit_ns = account.started_ns + self.rate_limit_ns
            if now_ns < limit_ns and not account.parked:
                # Switching more often than this costs more than it gives.
                waits = bool(self._queues[processor])
                return Choice(current, limit_ns if waits else account.started_ns + self.slice_ns)
            self._current[processor] = None
            self._enqueue(current, processor)
        chosen = self._take(processor, heirs)
        self._current[processor] = chosen
        if chosen is None:
            return Choice(None, None)
        self._accounts[chosen].started_ns = now_ns
        return Choice(chosen, now_ns + self.slice_ns)

    def hand_over(self, processor: int, to: Iterable[Schedulable]) -> None:
        """Have the first of these that can run on a processor be the next there."""
        self._heirs[processor] = tuple(to)

    def _is_free(self, vcpu: Schedulable, processor: int) -> bool:
        queued = any(vcpu in queue for queue in self._queues)
        return queued and may_run(vcpu, processor) and not self._accounts[vcpu].parked

    # Periodic work.

    def next_tick_ns(self, now_ns: int) -> int | None:
        """Return the next multiple of the tick while anyone runs, waits or holds credit."""
        busy = any(current is not None for current in self._current) or any(self._queues)
        if busy or any(account.active for account in self._accounts.values()):
            return (now_ns // self.tick_ns + 1) * self.tick_ns
        return None

    def tick(self, now_ns: int) -> Iterable[int]:
        """End boosts, note who is active and, every third time, hand out credit."""
        for current in self._current:
            if current is not None:
                account = self._accounts[current]
                account.active = True
                if account.priority == BOOST:
                    account.priority = UNDER
        if now_ns % self.period_ns == 0:
            self._account()
        return self._preemptible()

    def _account(self) -> None:
        """Hand out the credit of one accounting period."""
        active = [vcpu for vcpu, account in self._accounts.items() if account.active]
        weights = sum(vcpu.weight for vcpu in active)
        left_ns = len(self._queues) * self.period_ns + self._shortage_ns
        most_ns = {vcpu: self._most_ns(vcpu, weights) for vcpu in active}

        def need(vcpu: Schedulable) -> tuple[Fraction, int]:
            """Return what a vCPU can use for each unit of weight; the index breaks ties."""
            return Fraction(most_ns[vcpu], vcpu.weight), vcpu.index

        # Who can use less than its share comes first and leaves the rest to the others.
        for vcpu in sorted(active, key=need):
            share_ns = left_ns * vcpu.weight // weights
            given_ns = min(share_ns, most_ns[vcpu])
            left_ns -= given_ns
            weights -= vcpu.weight
            self._give(vcpu, given_ns)
        self._shortage_ns = max(0, -sum(self._accounts[vcpu].credit_ns for vcpu in active))

    def _most_ns(self, vcpu: Schedulable, weights: int) -> int:
        """Return what a vCPU is given of one period at most, beside others of these weights.

        That is all of a processor and its part of what is short; or its cap.
        """
        most_ns = self.period_ns + self._shortage_ns * vcpu.weight // weights
        return min(most_ns, self._cap_ns(vcpu)) if vcpu.cap_percent else most_ns

    def _cap_ns(self, vcpu: Schedulable) -> int:
        """Return what a cap leaves a vCPU of one period."""
        return self.period_ns * vcpu.cap_percent // 100

    def _give(self, vcpu: Schedulable, given_ns: int) -> None:
        account = self._accounts[vcpu]
        account.credit_ns += given_ns
        if account.credit_ns < 0:
            self._set_priority(vcpu, OVER)
            if vcpu.cap_percent and account.credit_ns < -self._cap_ns(vcpu):
                account.parked = True
            account.credit_ns = max(account.credit_ns, -self.period_ns)
            return
        self._set_priority(vcpu, UNDER)
        account.parked = False
        if account.credit_ns > self.period_ns:
            # It does not use what it gets: it stops earning, and keeps some for when it wakes.
            account.credit_ns = self.period_ns // 2
            account.active = False

    def _set_priority(self, vcpu: Schedulable, priority: int) -> None:
        account = self._accounts[vcpu]
        if account.priority == priority:
            return
        account.priority = priority
        for processor, queue in enumerate(self._queues):
            if vcpu in queue:
                queue.remove(vcpu)
                self._enqueue(vcpu, processor)

    # Queues: best priority first, first come first served within one.

    def _enqueue(self, vcpu: Schedulable, processor: int) -> None:
        queue, priority = self._queues[processor], self._accounts[vcpu].priority
        place = len(queue)
        while place and self._accounts[queue[place - 1]].priority < priority:
            place -= 1
        queue.insert(place, vcpu)

    def _dequeue(self, vcpu: Schedulable) -> None:
        for queue in self._queues:
            if vcpu in queue:
                queue.remove(vcpu)

    def _forget_current(self, vcpu: Schedulable) -> None:
        self._current = [None if current is vcpu else current for current in self._current]

    def _best(self, processor: int, runs_on: int | None = None) -> Schedulable | None:
        """Return the first of a queue that is not parked and may run there, or elsewhere."""
        place = processor if runs_on is None else runs_on
        return next(
            (
                each
                for each in self._queues[processor]
                if not self._accounts[each].parked and may_run(each, place)
            ),
            None,
        )

    def _take(self, processor: int, heirs: Iterable[Schedulable]) -> Schedulable | None:
        """Take the best vCPU for a processor out of its queue, or out of another.

        The first heir goes before others of its priority, and before none of a better one: else
        who hands over its turns would have more than its share.
        """
        best = self._best(processor)
        if best is None or self._accounts[best].priority == OVER:
            best = self._better_elsewhere(processor, best)
        heir = next((each for each in heirs if self._is_free(each, processor)), None)
        if heir is not None and best is not None:
            behind = self._accounts[heir].priority < self._accounts[best].priority
            best = best if behind else heir
        if best is not None:
            self._dequeue(best)
        return best

    def _better_elsewhere(self, processor: int, best: Schedulable | None) -> Schedulable | None:
        """Return the best that other queues have for a processor, if it is better than its own.

        Of several with one priority, one that ran here last or is at home here goes first.
        """
        count = len(self._queues)
        others = [self._best((processor + step) % count, processor) for step in range(1, count)]
        found = [each for each in others if each is not None]
        highest = max((self._accounts[each].priority for each in found), default=None)
        if highest is None or (best is not None and self._accounts[best].priority >= highest):
            return best
        return nearest(
            [each for each in found if self._accounts[each].priority == highest], processor
        )

    def _tickle(self, processor: int, priority: int) -> Iterable[int]:
        """Return who should look at a vCPU that was queued.

        Its own processor when it comes first there, and every idle one when someone is left over.
        """
        current = self._current[processor]
        found = []
        if current is None or self._accounts[current].priority < priority:
            found.append(processor)
        if not found or len(self._queues[processor]) > 1:
            found += [index for index, each in enumerate(self._current) if each is None]
        return found

    def _preemptible(self) -> Iterable[int]:
        """Return the processors on which something better waits, or that are idle beside work."""
        found = []
        for processor, current in enumerate(self._current):
            best = self._best(processor)
            if current is None:
                if any(self._best(index, processor) for index in range(len(self._queues))):
                    found.append(processor)
            elif self._accounts[current].parked or (
                best is not None
                and self._accounts[best].priority > self._accounts[current].priority
            ):
                found.append(processor)
        return found
