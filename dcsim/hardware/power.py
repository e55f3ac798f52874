"""Power as a function of utilisation.

SPECpower_ssj2008 publishes a server's average power while idle and at ten load levels. Between two
levels the curve is a straight line; at a level it is the published figure exactly. A level is an
average over minutes of a machine that is busy that share of the time, so the utilisation to put in
is an average over an interval too, not the number of processors that are busy at a moment.

Arithmetic is exact: powers are fractions of a milliwatt, energies are milliwatts x nanoseconds
(10^-12 J) and are divided once, at the end.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from dcsim.hardware.figure import Closed, Figure, LedgerEntry, Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

__all__ = ["LEVELS", "PowerCurve"]

LEVELS = 10
"""Steps of load between idle and full."""

Milliwatts = Annotated[int, Field(ge=0, le=10_000_000)]
Points = Annotated[list[Milliwatts], Field(min_length=LEVELS + 1, max_length=LEVELS + 1)]


class PowerCurve(Closed):
    """A server's power at idle, 10 %, ... 100 % load, while off and while starting."""

    name: Text
    title: Text
    milliwatts: Figure[Points]
    """Active idle first, then 10 % to 100 %."""
    off_milliwatts: Figure[Milliwatts]
    start_milliwatts: Figure[Milliwatts]
    """While it starts or stops."""
    start_ns: Figure[Annotated[int, Field(ge=1)]]
    """From power-on until it can run VMs."""
    stop_ns: Figure[Annotated[int, Field(ge=1)]]
    """From the decision to power off until it is off."""

    @model_validator(mode="after")
    def _does_not_fall(self) -> PowerCurve:
        points = self.milliwatts.value
        if any(later < earlier for earlier, later in itertools.pairwise(points)):
            raise ValueError("power falls with load")
        return self

    def milliwatts_at(self, utilisation: Fraction) -> Fraction:
        """Return the power at a utilisation from 0 to 1.

        Raises
        ------
        ValueError
            When the utilisation is not in that range.
        """
        if not 0 <= utilisation <= 1:
            raise ValueError(f"a utilisation of {utilisation} is not between 0 and 1")
        points = self.milliwatts.value
        level = min(int(utilisation * LEVELS), LEVELS - 1)
        below, above = points[level], points[level + 1]
        return below + (above - below) * (utilisation * LEVELS - level)

    def ledger(self) -> Iterator[LedgerEntry]:
        """Yield every figure with its source."""
        name = f"power.{self.name}"
        kind, origin = self.milliwatts.kind, self.milliwatts.origin()
        for level, value in enumerate(self.milliwatts.value):
            yield LedgerEntry(f"{name}.at_{level * 10}_percent", value, "mW", kind, origin)
        for key, unit in _OTHERS.items():
            figure = getattr(self, key)
            yield LedgerEntry(f"{name}.{key}", figure.value, unit, figure.kind, figure.origin())


_OTHERS = {"off_milliwatts": "mW", "start_milliwatts": "mW", "start_ns": "ns", "stop_ns": "ns"}
