"""Follows requests on their way through a host, leg by leg.

A journey begins when a guest has left for its hypervisor with a request, or when a device
interrupts with its end, and is over when the request has reached the device, or its end the guest.
Each leg is named by what took the time.

Invariant: the legs of a journey add up to its length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from dcsim.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JourneyBook", "JourneyName", "LegRow", "Trail"]

JourneyName = Literal["disk_out", "disk_in", "packet_out", "packet_in"]


@dataclass(slots=True)
class _Total:
    count: int = 0
    length_ns: int = 0
    legs: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Count and time of each, in the order in which they were first met."""


class LegRow(NamedTuple):
    """A leg of a kind of journey, all journeys added."""

    journey: str
    journeys: int
    length_ns: int
    leg: str
    times: int
    time_ns: int


class Trail:
    """One journey.

    Parameters
    ----------
    book
        Where it is kept when it is over.
    name
        Of its kind.
    start_ns
        When it began.
    """

    __slots__ = ("_book", "_last_ns", "_legs", "_name", "_start_ns")

    def __init__(self, book: JourneyBook, name: JourneyName, start_ns: int) -> None:
        self._book = book
        self._name = name
        self._start_ns = self._last_ns = start_ns
        self._legs: list[tuple[str, int]] = []

    @property
    def last_ns(self) -> int:
        """When the last leg ended."""
        return self._last_ns

    def mark(self, leg: str, at_ns: int) -> None:
        """Note that a leg has ended."""
        at_ns = max(at_ns, self._last_ns)
        self._legs.append((leg, at_ns - self._last_ns))
        self._last_ns = at_ns

    def end(self) -> None:
        """Note that the journey is over where its last leg ended."""
        self._book.note(self._name, self._last_ns - self._start_ns, self._legs)


class JourneyBook:
    """All journeys on a host."""

    def __init__(self) -> None:
        self._totals: dict[str, _Total] = {}

    def begin(self, name: JourneyName, start_ns: int) -> Trail:
        """Return a journey that begins."""
        return Trail(self, name, start_ns)

    def note(self, name: str, length_ns: int, legs: list[tuple[str, int]]) -> None:
        """Keep a journey that is over."""
        total = self._totals.setdefault(name, _Total())
        total.count += 1
        total.length_ns += length_ns
        for leg, time_ns in legs:
            count, sum_ns = total.legs.get(leg, (0, 0))
            total.legs[leg] = (count + 1, sum_ns + time_ns)

    def rows(self) -> Iterator[LegRow]:
        """Yield the legs of every kind of journey.

        Raises
        ------
        InvariantError
            When they do not add up.
        """
        for name, total in sorted(self._totals.items()):
            legs_ns = sum(time_ns for _, time_ns in total.legs.values())
            if legs_ns != total.length_ns:
                raise InvariantError(
                    f"the legs of `{name}` take {legs_ns} ns, and it took {total.length_ns} ns"
                )
            for leg, (count, time_ns) in total.legs.items():
                yield LegRow(name, total.count, total.length_ns, leg, count, time_ns)
