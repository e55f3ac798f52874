"""How much of its memory a VM uses: an estimate from a few random pages.

In each sampling period the hypervisor picks n of a VM's pages at random and makes the next access
to each noticeable. If t of them were accessed, the active fraction is estimated as f = t / n. The
pages are distinct, so t is hypergeometric: its error is that of a binomial with n draws, a little
less when n is not small beside the VM.

Three figures are kept: a slow and a fast exponentially weighted moving average over the periods
that are over, and the fast one with the counts of the current period taken in as they come. The
estimate is the greatest of them: a VM that becomes active is believed soon, one that becomes idle
is believed late.

Source: Waldspurger, *Memory Resource Management in VMware ESX Server* (OSDI 2002), section 5.3. Its
gains are not published.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.sim import Stream

__all__ = ["FAST_GAIN", "SAMPLED_PAGES", "SLOW_GAIN", "WorkingSet", "choose_distinct"]

SAMPLED_PAGES = 100
"""Pages in a sample."""

SLOW_GAIN = Fraction(1, 8)
"""Weight of a new period in the slow average."""

FAST_GAIN = Fraction(1, 2)
"""Weight of a new period in the fast average."""

_STEPS = 1 << 32
"""Averages are rounded to this many parts, or their fractions would grow with every period."""


def choose_distinct(stream: Stream, count: int, population: int) -> list[int]:
    """Return distinct numbers below `population`, every choice equally likely, in ascending order.

    Robert Floyd's method: one draw for each number. All of them when there are not more.
    """
    if count >= population:
        return list(range(population))
    chosen: set[int] = set()
    for last in range(population - count, population):
        drawn = stream.below(last + 1)
        chosen.add(last if drawn in chosen else drawn)
    return sorted(chosen)


class WorkingSet:
    """The estimate of one VM.

    Before its first period is over a VM counts as wholly active.

    Attributes
    ----------
    periods
        Sampling periods that are over.
    """

    def __init__(self) -> None:
        self.periods = 0
        self._slow = self._fast = Fraction(1)
        self._current: Fraction | None = None

    def note(self, touched: int, sampled: int) -> None:
        """Note how many of the current period's pages have been accessed so far."""
        self._current = Fraction(touched, sampled) if sampled else None

    def end_period(self, touched: int, sampled: int) -> None:
        """Note how many pages of a period that is over were accessed."""
        self._current = None
        if not sampled:
            return
        found = Fraction(touched, sampled)
        if self.periods == 0:
            self._slow = self._fast = found
        else:
            self._slow = _rounded(_towards(self._slow, found, SLOW_GAIN))
            self._fast = _rounded(_towards(self._fast, found, FAST_GAIN))
        self.periods += 1

    @property
    def active(self) -> Fraction:
        """The active fraction of the VM's memory."""
        if self._current is None or self.periods == 0:
            return max(self._slow, self._fast)
        return max(self._slow, self._fast, _towards(self._fast, self._current, FAST_GAIN))


def _towards(average: Fraction, value: Fraction, gain: Fraction) -> Fraction:
    """Return a moving average after one more value."""
    return average + gain * (value - average)


def _rounded(value: Fraction) -> Fraction:
    return Fraction(round(value * _STEPS), _STEPS)
