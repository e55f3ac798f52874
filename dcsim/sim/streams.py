"""Named random streams, in integers.

A stream is a function of the run's seed and of its own name, and of nothing else: a new stream
elsewhere in the model, or another order of first use, changes no number of this one. So two
scenarios that differ in one respect see the same arrivals (common random numbers).

Draws are exact on every machine: they use random bits and integer arithmetic only, because
``log`` may differ in its last bit between two C libraries.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Stream", "Streams"]

_BITS = 64
_BLOCK = 256


class Stream:
    """One named sequence of random numbers.

    Parameters
    ----------
    seed
        The run's seed.
    name
        The name; any text, the same in every run.
    """

    __slots__ = ("_block", "_generator", "name")

    def __init__(self, seed: int, name: str) -> None:
        self.name = name
        digest = hashlib.sha256(name.encode()).digest()
        key = tuple(int.from_bytes(digest[at : at + 4], "little") for at in range(0, 16, 4))
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=key)
        self._generator = np.random.PCG64(sequence)
        self._block: list[int] = []

    def bits(self) -> int:
        """Return 64 random bits."""
        if not self._block:
            self._block = [int(word) for word in self._generator.random_raw(_BLOCK)][::-1]
        return self._block.pop()

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit - 1``, all equally likely (``limit`` <= 2^64)."""
        if not 0 < limit <= 1 << _BITS:
            raise ValueError(f"a limit between 1 and 2^64 is needed, not {limit}")
        # The largest multiple of the limit: numbers beyond it would favour the small remainders.
        fair = ((1 << _BITS) // limit) * limit
        while (word := self.bits()) >= fair:
            pass
        return word % limit

    def exponential(self, mean: int) -> int:
        """Return an exponentially distributed whole number, rounded down.

        Von Neumann's method of 1951: it compares uniform numbers and never takes a logarithm.
        A run of decreasing uniforms that starts at u has odd length with probability exp(-u);
        each rejected run adds one to the whole part.
        """
        return _exponential_fixed_point(self.bits) * mean >> _BITS


def _exponential_fixed_point(bits: Callable[[], int]) -> int:
    """Return an exponential variate of mean 1, with 64 fractional bits."""
    whole = 0
    while True:
        first = previous = bits()
        length = 1
        while (following := bits()) < previous:
            previous = following
            length += 1
        if length % 2 == 1:
            return (whole << _BITS) | first
        whole += 1


class Streams:
    """The streams of a run, made at first use.

    Parameters
    ----------
    seed
        The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """Return the stream of a name, the same object each time."""
        if name not in self._streams:
            self._streams[name] = Stream(self.seed, name)
        return self._streams[name]
