"""Exact statistics of a simulation: integers in, integers and fractions out."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from operator import itemgetter

__all__ = ["Counter", "Level", "Tally"]


class Counter:
    """Counts by name, reported in the order of the names."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str, amount: int = 1) -> None:
        """Add to a count."""
        self._counts[name] = self._counts.get(name, 0) + amount

    def __getitem__(self, name: str) -> int:
        """Return a count; 0 when nothing was counted."""
        return self._counts.get(name, 0)

    @property
    def total(self) -> int:
        """The sum of all counts."""
        return sum(self._counts.values())

    def as_dict(self) -> dict[str, int]:
        """Return the counts in the order of their names."""
        return dict(sorted(self._counts.items()))


class Level:
    """A whole number that changes at times: its time at each value, mean and extremes.

    Parameters
    ----------
    value
        At the start.
    at_ns
        When the observation starts.
    remember
        Keep every change, for :meth:`at`.
    """

    def __init__(self, value: int = 0, at_ns: int = 0, *, remember: bool = False) -> None:
        self.value = value
        self.maximum = value
        self.minimum = value
        self._started_ns = at_ns
        self._since_ns = at_ns
        self._time_at: dict[int, int] = {}
        self._changes = [(at_ns, value)] if remember else None

    def set(self, value: int, at_ns: int) -> None:
        """Take a new value at a time that is not before the last change.

        Raises
        ------
        ValueError
            When the time goes back.
        """
        if at_ns < self._since_ns:
            raise ValueError(f"a level cannot change at {at_ns} ns, before {self._since_ns} ns")
        spent = at_ns - self._since_ns
        if spent:
            self._time_at[self.value] = self._time_at.get(self.value, 0) + spent
        self._since_ns = at_ns
        self.value = value
        if self._changes is not None:
            self._changes.append((at_ns, value))
        self.maximum = max(self.maximum, value)
        self.minimum = min(self.minimum, value)

    def add(self, amount: int, at_ns: int) -> None:
        """Change the value by an amount."""
        self.set(self.value + amount, at_ns)

    def time_at_ns(self, until_ns: int) -> dict[int, int]:
        """Return how long each value was held up to a time, in the order of the values."""
        times = dict(self._time_at)
        spent = until_ns - self._since_ns
        if spent:
            times[self.value] = times.get(self.value, 0) + spent
        return dict(sorted(times.items()))

    def at(self, at_ns: int) -> int:
        """Return the value that was held from a time on.

        Raises
        ------
        ValueError
            When the changes are not remembered.
        """
        if self._changes is None:
            raise ValueError("this level does not remember its changes")
        place = bisect_right(self._changes, at_ns, key=itemgetter(0))
        return self._changes[max(0, place - 1)][1]

    def integral(self, until_ns: int) -> int:
        """Return the sum of value x nanoseconds up to a time."""
        return sum(value * time for value, time in self.time_at_ns(until_ns).items())

    def mean(self, until_ns: int) -> Fraction:
        """Return the mean over time; the present value when no time has passed."""
        elapsed = until_ns - self._started_ns
        return Fraction(self.integral(until_ns), elapsed) if elapsed else Fraction(self.value)


class Tally:
    """A sample of whole numbers: exact count, sum, mean, variance, order statistics."""

    def __init__(self) -> None:
        self._values: list[int] = []
        self._sorted = True

    def add(self, value: int) -> None:
        """Add one observation."""
        self._values.append(value)
        self._sorted = False

    def values(self) -> tuple[int, ...]:
        """Return the observations, in no order that means anything."""
        return tuple(self._values)

    @property
    def count(self) -> int:
        """How many observations there are."""
        return len(self._values)

    @property
    def total(self) -> int:
        """Their sum."""
        return sum(self._values)

    def mean(self) -> Fraction:
        """Return the mean.

        Raises
        ------
        ValueError
            When nothing was observed.
        """
        self._need(1)
        return Fraction(self.total, self.count)

    def variance(self) -> Fraction:
        """Return the sample variance; needs two observations.

        Raises
        ------
        ValueError
            When fewer than two were observed.
        """
        self._need(2)
        squares = sum(value * value for value in self._values)
        return (squares - Fraction(self.total**2, self.count)) / (self.count - 1)

    def quantile(self, numerator: int, denominator: int) -> int:
        """Return the smallest observation that ``numerator/denominator`` of all do not exceed.

        The *nearest-rank* definition: the result is one of the observations, and exact.

        Raises
        ------
        ValueError
            When nothing was observed, or the fraction is not in (0, 1].
        """
        self._need(1)
        if not 0 < numerator <= denominator:
            raise ValueError(f"{numerator}/{denominator} is not a fraction in (0, 1]")
        if not self._sorted:
            self._values.sort()
            self._sorted = True
        rank = -(-numerator * self.count // denominator)
        return self._values[rank - 1]

    def _need(self, count: int) -> None:
        if self.count < count:
            raise ValueError(f"{count} observations are needed, {self.count} were made")
