"""Bandwidth limits: so much run time in every period, then throttled until the next one.

The rule is that of Linux's CFS bandwidth control. Periods begin at multiples of their length. What
was used beyond the limit, as a turn ends a little late, is taken off the next period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["Bandwidth"]

PERIOD_NS = 100_000_000


class Bandwidth:
    """What each of a host's vCPUs has used of its cap.

    Parameters
    ----------
    period_ns
        How often a limit is granted anew.
    """

    def __init__(self, period_ns: int = PERIOD_NS) -> None:
        self.period_ns = period_ns
        self._used: dict[Schedulable, tuple[int, int]] = {}

    def forget(self, vcpu: Schedulable) -> None:
        """Forget a vCPU."""
        self._used.pop(vcpu, None)

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Note that a vCPU ran."""
        if vcpu.cap_percent:
            period, used_ns = self._used.get(vcpu, (0, 0))
            self._used[vcpu] = period, used_ns + ran_ns

    def left_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        """Return how long a vCPU with a cap may run in the period of a time."""
        limit_ns = self.period_ns * vcpu.cap_percent // 100
        period, used_ns = self._used.get(vcpu, (0, 0))
        now = now_ns // self.period_ns
        if period < now:
            used_ns = max(0, used_ns - limit_ns * (now - period))
            self._used[vcpu] = now, used_ns
        return limit_ns - used_ns

    def ready_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        """Return from when on a vCPU may run: now, or when its next period begins."""
        if not vcpu.cap_percent or self.left_ns(vcpu, now_ns) > 0:
            return now_ns
        return self.next_ns(now_ns)

    def ends_ns(self, vcpu: Schedulable, now_ns: int) -> int | None:
        """Return when a vCPU that runs from now on has used its limit up; None without a cap."""
        if not vcpu.cap_percent:
            return None
        return min(now_ns + self.left_ns(vcpu, now_ns), self.next_ns(now_ns))

    def next_ns(self, now_ns: int) -> int:
        """Return when the period of a time ends."""
        return (now_ns // self.period_ns + 1) * self.period_ns
