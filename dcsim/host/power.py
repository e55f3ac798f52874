"""A host's power states, its busy time and the energy that follows.

Utilisation is measured over windows: a power curve's points are averages over time, so what goes
into the curve is the share of a window that the processors were busy. A window ends early when the
power state changes. Energy is added exactly, in milliwatts x nanoseconds (10^-12 J).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.hardware import PowerCurve

__all__ = ["PowerMeter", "PowerSegment", "PowerState"]

PowerState = Literal["on", "off", "starting", "stopping"]


class PowerSegment(NamedTuple):
    """A stretch of time with one power state and one mean utilisation."""

    start_ns: int
    end_ns: int
    state: PowerState
    utilisation: Fraction
    milliwatts: Fraction


class PowerMeter:
    """Records power states and busy time, and adds up energy.

    Parameters
    ----------
    curve
        Watts by utilisation.
    pcpus
        Processors whose busy time is recorded.
    window_ns
        Over how long utilisation is averaged.
    """

    def __init__(self, curve: PowerCurve, pcpus: int, window_ns: int) -> None:
        self._curve = curve
        self._pcpus = pcpus
        self._window_ns = window_ns
        self._changes: list[tuple[int, PowerState]] = [(0, "on")]
        self._busy: dict[tuple[int, int], int] = {}
        self._busy_ns = 0

    @property
    def state(self) -> PowerState:
        """The state now."""
        return self._changes[-1][1]

    def change(self, state: PowerState, at_ns: int) -> None:
        """Enter a state."""
        if self._changes[-1][0] == at_ns:
            self._changes[-1] = (at_ns, state)
        else:
            self._changes.append((at_ns, state))

    def add_busy(self, start_ns: int, end_ns: int) -> None:
        """Record that one processor was busy from one time to another, in the state of now."""
        self._busy_ns += max(0, end_ns - start_ns)
        period = len(self._changes) - 1
        while start_ns < end_ns:
            window = start_ns // self._window_ns
            stop_ns = min(end_ns, (window + 1) * self._window_ns)
            key = (period, window)
            self._busy[key] = self._busy.get(key, 0) + stop_ns - start_ns
            start_ns = stop_ns

    def busy_ns(self) -> int:
        """Return all busy time recorded so far, added over the processors."""
        return self._busy_ns

    def segments(self, until_ns: int) -> Iterator[PowerSegment]:
        """Yield the segments from 0 to a time, without gaps."""
        for period, (start_ns, state) in enumerate(self._changes):
            following = self._changes[period + 1 : period + 2]
            end_ns = min(until_ns, following[0][0]) if following else until_ns
            yield from self._period(period, start_ns, end_ns, state)

    def _period(
        self, period: int, start_ns: int, end_ns: int, state: PowerState
    ) -> Iterator[PowerSegment]:
        while start_ns < end_ns:
            window = start_ns // self._window_ns
            stop_ns = min(end_ns, (window + 1) * self._window_ns)
            busy = self._busy.get((period, window), 0)
            share = Fraction(busy, self._pcpus * (stop_ns - start_ns))
            # A processor may end its last instruction or handler just beyond the end of the run.
            utilisation = min(share, Fraction(1))
            power = self._milliwatts(state, utilisation)
            yield PowerSegment(start_ns, stop_ns, state, utilisation, power)
            start_ns = stop_ns

    def _milliwatts(self, state: PowerState, utilisation: Fraction) -> Fraction:
        if state == "on":
            return self._curve.milliwatts_at(utilisation)
        if state == "off":
            return Fraction(self._curve.off_milliwatts.value)
        return Fraction(self._curve.start_milliwatts.value)

    def energy_picojoules(self, until_ns: int) -> Fraction:
        """Return the energy from 0 to a time, exactly."""
        return sum(
            (part.milliwatts * (part.end_ns - part.start_ns) for part in self.segments(until_ns)),
            start=Fraction(0),
        )

    def powered_ns(self, until_ns: int) -> int:
        """Return how long it was not off."""
        return sum(
            part.end_ns - part.start_ns for part in self.segments(until_ns) if part.state != "off"
        )
