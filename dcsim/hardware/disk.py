"""Disks: what is known of a model, every figure with its source.

Two kinds. A *rotating* disk has one arm and one spindle: a request waits for the arm to reach its
cylinder and for its sector to come round. A *flash* disk has units that work side by side, each
busy for a time that is drawn from a distribution, and one interface on which all bytes go.

A distribution is given by its quantiles, between which it is uniform: a data sheet names quantiles,
the mean follows exactly, and a draw needs no logarithm.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from dcsim.hardware.figure import Closed, Figure, LedgerEntry, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DiskProfile", "FlashDiskProfile", "Latency", "RotatingDiskProfile"]

Count = Annotated[int, Field(ge=1)]
Nanoseconds = Annotated[int, Field(ge=1, le=10**10)]

_WHOLE = 1000
"""Quantiles are in thousandths."""
_DRAW_BITS = 64


class Latency(Closed):
    """A distribution of times, by quantiles.

    Parameters
    ----------
    points
        Thousandths and nanoseconds, both rising, from 0 to 1000 thousandths.
    """

    points: list[Annotated[list[int], Field(min_length=2, max_length=2)]]

    @field_validator("points")
    @classmethod
    def _rises_from_end_to_end(cls, points: list[list[int]]) -> list[list[int]]:
        shares = [share for share, _ in points]
        if shares[0] != 0 or shares[-1] != _WHOLE:
            raise ValueError("quantiles go from 0 to 1000")
        if any(b[0] <= a[0] or b[1] < a[1] for a, b in itertools.pairwise(points)):
            raise ValueError("quantiles rise, and their times do not fall")
        return points

    def draw_ns(self, bits: int) -> int:
        """Return the time at 64 random bits, read as a fraction of one."""
        place = bits * _WHOLE
        shares = [share << _DRAW_BITS for share, _ in self.points]
        index = min(bisect_right(shares, place), len(shares) - 1)
        (low_share, low_ns), (high_share, high_ns) = self.points[index - 1], self.points[index]
        beyond = place - (low_share << _DRAW_BITS)
        return low_ns + (high_ns - low_ns) * beyond // ((high_share - low_share) << _DRAW_BITS)

    def mean_ns(self) -> Fraction:
        """Return the mean: that of each stretch, weighted."""
        doubled = sum((b[0] - a[0]) * (a[1] + b[1]) for a, b in itertools.pairwise(self.points))
        return Fraction(doubled, 2 * _WHOLE)

    @property
    def least_ns(self) -> int:
        """The shortest time."""
        return self.points[0][1]


class SeekTimes(Closed):
    """How long the arm takes: to the next cylinder, over a third of all, over all of them."""

    one_ns: Nanoseconds
    third_ns: Nanoseconds
    full_ns: Nanoseconds

    @model_validator(mode="after")
    def _rises(self) -> SeekTimes:
        if not self.one_ns <= self.third_ns <= self.full_ns:
            raise ValueError("a longer way takes no less time")
        return self

    def over_ns(self, distance: int, cylinders: int) -> int:
        """Return how long the arm takes over a distance.

        Over short ways it accelerates all the time, and the time grows with the square root; over
        long ones it coasts, and it grows with the distance.
        """
        if distance == 0:
            return 0
        third = max(2, cylinders // 3)
        if distance <= third:
            scale = self.third_ns - self.one_ns
            return self.one_ns + isqrt(scale * scale * (distance - 1) // (third - 1))
        rest = max(1, cylinders - 1 - third)
        return self.third_ns + (self.full_ns - self.third_ns) * (distance - third) // rest


class _Profile(Closed):
    """What every disk has."""

    name: Text
    title: Text
    capacity_bytes: Figure[Count]
    queue_depth: Figure[Count]
    """Requests that it takes at once; others wait in the host."""

    def ledger(self) -> Iterator[LedgerEntry]:
        """Yield every figure with its source."""
        for key in type(self).model_fields:
            figure = getattr(self, key)
            if isinstance(figure, Figure):
                for name, value in _numbers(figure.value):
                    full = f"disk.{self.name}.{key}{name}"
                    yield LedgerEntry(full, value, _unit(key), figure.kind, figure.origin())


class RotatingDiskProfile(_Profile):
    """A disk with one arm."""

    kind: Literal["rotating"]
    revolution_ns: Figure[Nanoseconds]
    track_bytes: Figure[Count]
    """Of every track: the mean over the zones."""
    heads: Figure[Count]
    """Tracks of a cylinder."""
    command_ns: Figure[Nanoseconds]
    """From a command to the start of the arm."""
    read_seek: Figure[SeekTimes]
    write_seek: Figure[SeekTimes]

    @property
    def cylinders(self) -> int:
        """How many places the arm has."""
        cylinder_bytes = self.track_bytes.value * self.heads.value
        return -(-self.capacity_bytes.value // cylinder_bytes)


class FlashDiskProfile(_Profile):
    """A disk without moving parts."""

    kind: Literal["flash"]
    units: Figure[Count]
    """Channels that work side by side."""
    read_bits_per_second: Figure[Count]
    write_bits_per_second: Figure[Count]
    read_ns: Figure[Latency]
    """For how long a read keeps a unit."""
    write_ns: Figure[Latency]


DiskProfile = Annotated[RotatingDiskProfile | FlashDiskProfile, Field(discriminator="kind")]


def _numbers(value: object) -> Iterator[tuple[str, int]]:
    """Yield the numbers of a figure with what tells them apart."""
    if isinstance(value, Latency):
        yield from ((f".at_{share}_thousandths", time_ns) for share, time_ns in value.points)
    elif isinstance(value, SeekTimes):
        yield from ((f".{key.removesuffix('_ns')}", each) for key, each in value)
    elif isinstance(value, int):
        yield "", value


def _unit(key: str) -> str:
    if key.endswith("_bytes"):
        return "bytes"
    if key.endswith("_bits_per_second"):
        return "bit/s"
    return "ns" if key.endswith(("_ns", "_seek")) else ""
