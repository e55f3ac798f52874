"""Reservations of processor time: earliest deadline first, each held to its budget.

A vCPU with a reservation has a budget in every period. Of those that have budget left, the one
whose period ends first runs; one that has used its budget up is throttled until its next period, so
nobody can take what is another's. One whose period ends before its budget is used up goes on, ever
more urgent. One that wakes begins a new period unless what is left of the old one's budget, used at
once, would be no more than its rate: the rule of the constant bandwidth server (Abeni and Buttazzo,
1998), as Linux's ``SCHED_DEADLINE`` has it. The test of admission is that all budgets over their
periods add up to no more than the processors. On one processor no admitted reservation is late; on
several, one may be by a bounded time, as nobody can use two processors at once.

Whoever has no reservation takes what is left, round robin.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.hypervisor.shared_queue import SharedQueue, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dcsim.hypervisor.scheduler import Reservation, Schedulable

__all__ = ["RealTimeScheduler", "demand"]

BACKGROUND_SLICE_NS = 10_000_000


def demand(reservations: Iterable[Reservation]) -> Fraction:
    """Return how many processors reservations take together."""
    return sum((Fraction(each.budget_ns, each.period_ns) for each in reservations), Fraction(0))


class _Server:
    """What a reservation has left.

    Attributes
    ----------
    budget_ns
        Left in this period.
    deadline_ns
        The end of this period.
    late_ns
        By how much a budget was used up after the end of its period, at worst.
    """

    __slots__ = ("budget_ns", "deadline_ns", "late_ns", "reservation")

    def __init__(self, reservation: Reservation) -> None:
        self.reservation = reservation
        self.budget_ns = 0
        self.deadline_ns = 0
        self.late_ns = 0

    def begin(self, now_ns: int) -> None:
        """Begin a period."""
        self.budget_ns = self.reservation.budget_ns
        self.deadline_ns = now_ns + self.reservation.period_ns

    def spend(self, ran_ns: int) -> None:
        """Take time off the budget."""
        self.budget_ns -= ran_ns

    def refill(self, now_ns: int) -> None:
        """Begin the next period if this one's budget is used up and its end has come.

        A budget that is not used up when its period ends keeps its deadline, and so goes first.
        What was used beyond a budget, as a turn ends a little late, is taken off the next.
        """
        while self.budget_ns <= 0 and self.deadline_ns <= now_ns:
            self.budget_ns += self.reservation.budget_ns
            self.deadline_ns += self.reservation.period_ns

    def note_end(self, now_ns: int) -> None:
        """Note how late a budget is used up."""
        if self.budget_ns <= 0:
            self.late_ns = max(self.late_ns, now_ns - self.deadline_ns)

    def keeps_rate(self, now_ns: int) -> bool:
        """Tell whether what is left, used from now on, is within the reservation's rate."""
        left = self.budget_ns * self.reservation.period_ns
        return left <= (self.deadline_ns - now_ns) * self.reservation.budget_ns


class RealTimeScheduler(SharedQueue):
    """Reservations, earliest deadline first.

    Parameters
    ----------
    processors
        How many there are.
    background_slice_ns
        A turn of those that have no reservation.
    """

    def __init__(self, processors: int, *, background_slice_ns: int = BACKGROUND_SLICE_NS) -> None:
        super().__init__(processors)
        self.background_slice_ns = background_slice_ns
        self._servers: dict[Schedulable, _Server] = {}
        self._ends_ns = [0] * processors

    def admits(self, vcpus: Iterable[Schedulable]) -> bool:
        """Tell whether the budgets of these, over their periods, fit beside those that are held."""
        held = [server.reservation for server in self._servers.values()]
        wanted = [each.reservation for each in vcpus if each.reservation is not None]
        return not wanted or demand([*held, *wanted]) <= self._count

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU."""
        if vcpu.reservation is not None:
            self._servers[vcpu] = _Server(vcpu.reservation)

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU."""
        super().remove(vcpu)
        self._servers.pop(vcpu, None)

    def late_ns(self, vcpu: Schedulable) -> int:
        """Return by how much a vCPU had its budget after the end of a period, at worst."""
        server = self._servers.get(vcpu)
        return 0 if server is None else server.late_ns

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Spend budget."""
        server = self._servers.get(vcpu)
        if server is not None:
            server.spend(ran_ns)

    def _arrive(self, vcpu: Schedulable, now_ns: int) -> None:
        server = self._servers.get(vcpu)
        if server is None:
            return
        if now_ns >= server.deadline_ns or (server.budget_ns > 0 and not server.keeps_rate(now_ns)):
            server.begin(now_ns)

    def _ready_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        server = self._servers.get(vcpu)
        if server is None:
            return now_ns
        server.refill(now_ns)
        return now_ns if server.budget_ns > 0 else server.deadline_ns

    def _first(self, ready: Sequence[Schedulable], processor: int) -> Schedulable:
        reserved = [each for each in ready if each in self._servers]
        if not reserved:
            return ready[0]
        earliest_ns = min(self._servers[each].deadline_ns for each in reserved)
        equals = [each for each in reserved if self._servers[each].deadline_ns == earliest_ns]
        return nearest(equals, processor)

    def _keeps_ns(self, processor: int, current: Schedulable, now_ns: int) -> int | None:
        """Let a turn in the background end, unless a reservation waits."""
        server = self._servers.get(current)
        if server is not None:
            server.note_end(now_ns)
            return None
        ready, _ = self._waits(processor, now_ns)
        return None if any(each in self._servers for each in ready) else self._ends_ns[processor]

    def _begin(self, processor: int, chosen: Schedulable, now_ns: int) -> None:
        del chosen
        self._ends_ns[processor] = now_ns + self.background_slice_ns

    def _again_ns(self, processor: int, chosen: Schedulable, now_ns: int) -> int | None:
        server = self._servers.get(chosen)
        if server is None:
            return self._ends_ns[processor]
        return now_ns + server.budget_ns

    def _displaces(self, vcpu: Schedulable, current: Schedulable) -> bool:
        server, other = self._servers.get(vcpu), self._servers.get(current)
        if server is None:
            return False
        return other is None or server.deadline_ns < other.deadline_ns

    def _victim(self, processors: Sequence[int]) -> int:
        """Return where nobody has a reservation, or else where the deadline is last."""

        def urgency(processor: int) -> int:
            current = self._current[processor]
            server = None if current is None else self._servers.get(current)
            return -1 if server is None else -server.deadline_ns

        return next(
            (each for each in processors if urgency(each) == -1), min(processors, key=urgency)
        )
