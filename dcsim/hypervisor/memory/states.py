"""How scarce a host's memory is, and what that permits: free-memory states with hysteresis.

Each state but the first begins when free memory falls below its own threshold. A state is left
upwards only when free memory is beyond the threshold of the next higher one by a margin, so that a
host that has begun to reclaim drives its free memory above the highest threshold before it stops.

Sources: Waldspurger, *Memory Resource Management in VMware ESX Server* (OSDI 2002), section 6.3,
for the four states; the sliding scale of later versions, whose thresholds are parts of a minimum
that grows less than memory does; and, to compare with, the two thresholds of BSD's page daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BSD_SHARES",
    "CLASSIC_SHARES",
    "SLIDING_SHARES",
    "SLIDING_STEPS",
    "FreeMemoryStates",
    "MemoryState",
    "StatesName",
    "free_memory_states",
    "minimum_free_bytes",
]

StatesName = Literal["classic", "sliding", "bsd"]
"""Which thresholds a host has."""


@dataclass(frozen=True, slots=True)
class MemoryState:
    """What a host does about its memory while so much is free."""

    name: str
    balloons: bool
    """Whether guests are asked to give pages up."""
    pages: Literal["never", "where-impossible", "forced"]
    """Whether the hypervisor swaps: not at all, from VMs whose balloon cannot, from all."""
    blocks: bool
    """Whether VMs above their target stand still."""

    @property
    def reclaims(self) -> bool:
        """Whether anything is taken from VMs."""
        return self.balloons or self.pages != "never"


_HIGH = MemoryState("high", balloons=False, pages="never", blocks=False)
_CLEAR = MemoryState("clear", balloons=False, pages="never", blocks=False)
_SOFT = MemoryState("soft", balloons=True, pages="where-impossible", blocks=False)
_HARD = MemoryState("hard", balloons=False, pages="forced", blocks=False)
_LOW = MemoryState("low", balloons=False, pages="forced", blocks=True)

_Shares = tuple[tuple[MemoryState, Fraction], ...]

CLASSIC_SHARES: _Shares = (
    (_HIGH, Fraction(6, 100)),
    (_SOFT, Fraction(4, 100)),
    (_HARD, Fraction(2, 100)),
    (_LOW, Fraction(1, 100)),
)
"""Thresholds as shares of the host's memory."""

BSD_SHARES: _Shares = ((_HIGH, Fraction(7, 100)), (_HARD, Fraction(5, 100)))
"""Paging begins below 5 % and stops at 7 %; nothing is asked of a guest."""

SLIDING_SHARES: _Shares = (
    (_HIGH, Fraction(400, 100)),
    (_CLEAR, Fraction(100, 100)),
    (_SOFT, Fraction(64, 100)),
    (_HARD, Fraction(32, 100)),
    (_LOW, Fraction(16, 100)),
)
"""Thresholds as shares of the minimum that is to be free."""

_GIBIBYTE = 2**30

SLIDING_STEPS = (
    (4 * _GIBIBYTE, Fraction(6, 100)),
    (12 * _GIBIBYTE, Fraction(4, 100)),
    (28 * _GIBIBYTE, Fraction(2, 100)),
    (None, Fraction(1, 100)),
)
"""The minimum that is to be free: a share of the memory up to each size, then of the rest."""


def minimum_free_bytes(memory_bytes: int) -> Fraction:
    """Return how much is to be free on the sliding scale.

    Examples
    --------
    >>> float(minimum_free_bytes(100 * 2**30) / 2**20)
    1636.48
    """
    total = Fraction(0)
    begin = 0
    for end, share in SLIDING_STEPS:
        here = memory_bytes if end is None else min(memory_bytes, end)
        total += max(0, here - begin) * share
        begin = here
    return total


class FreeMemoryStates:
    """A host's free-memory state over time.

    Parameters
    ----------
    thresholds
        The states from the highest down, each with its threshold in frames.
    margin
        By how many frames a threshold has to be exceeded on the way up.

    Attributes
    ----------
    state
        The state now; the highest at first.
    """

    def __init__(self, thresholds: Iterable[tuple[MemoryState, int]], margin: int) -> None:
        self._thresholds = tuple(thresholds)
        self._margin = margin
        self._place = 0

    @property
    def state(self) -> MemoryState:
        """The state now."""
        return self._thresholds[self._place][0]

    @property
    def states(self) -> tuple[MemoryState, ...]:
        """All states, from the highest down."""
        return tuple(state for state, _ in self._thresholds)

    @property
    def next_lower(self) -> int:
        """Below how many free frames the next lower state begins; 0 in the lowest."""
        lower = self._thresholds[self._place + 1 :]
        return lower[0][1] if lower else 0

    @property
    def lowest(self) -> int:
        """The threshold of the lowest state, in frames."""
        return self._thresholds[-1][1]

    @property
    def goal(self) -> int:
        """How many frames must be free for a host that reclaims to stop."""
        return self._thresholds[0][1] + self._margin

    def observe(self, free: int) -> MemoryState:
        """Note how many frames are free; return the state, which may be another now."""
        last = len(self._thresholds) - 1
        while self._place < last and free < self._thresholds[self._place + 1][1]:
            self._place += 1
        while self._place > 0 and free >= self._thresholds[self._place - 1][1] + self._margin:
            self._place -= 1
        return self.state


def free_memory_states(
    name: StatesName, frames: int, frame_bytes: int, margin: Fraction
) -> FreeMemoryStates:
    """Return the states of a host, in the highest.

    Parameters
    ----------
    name
        Which thresholds.
    frames
        Frames of the host.
    frame_bytes
        Bytes of a frame.
    margin
        By which part of a threshold it has to be exceeded on the way up: that of the highest.
        BSD's two thresholds are hysteresis enough.

    Notes
    -----
    Thresholds are rounded up to whole frames.
    """
    if name == "sliding":
        whole = minimum_free_bytes(frames * frame_bytes) / frame_bytes
        shares = SLIDING_SHARES
    else:
        whole = Fraction(frames)
        shares = CLASSIC_SHARES if name == "classic" else BSD_SHARES
    thresholds = [(state, _ceiling(whole * share)) for state, share in shares]
    beyond = 0 if name == "bsd" else _ceiling(thresholds[0][1] * margin)
    return FreeMemoryStates(thresholds, beyond)


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
