"""When requests arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.sim import Stream

__all__ = ["Arrivals", "arrival_times"]

_NS_PER_MILLIHERTZ = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """An open stream of arrivals: it does not wait for answers."""

    rate_millihertz: int
    """Mean number per second, in thousandths."""
    process: Literal["uniform", "poisson"]
    """Evenly spaced, or with exponential gaps."""
    first_ns: int
    """The earliest time of the first."""
    count: int
    """How many at most."""


def arrival_times(arrivals: Arrivals, stream: Stream) -> Iterator[int]:
    """Yield the times of the arrivals, ascending, in nanoseconds.

    Evenly spaced arrivals are placed at the exact multiples of the gap, rounded down, so that their
    rate is exact over any length; Poisson gaps come from the stream.

    Raises
    ------
    ValueError
        When the rate is zero.
    """
    rate = arrivals.rate_millihertz
    if rate <= 0:
        raise ValueError("a rate of arrivals is more than zero")
    at_ns = arrivals.first_ns
    for number in range(arrivals.count):
        if arrivals.process == "uniform":
            yield arrivals.first_ns + number * _NS_PER_MILLIHERTZ // rate
        else:
            at_ns += stream.exponential(_NS_PER_MILLIHERTZ // rate)
            yield at_ns
