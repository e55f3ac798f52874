"""Keeps what the paths of host software cost on a host, and of which steps that cost is made.

Invariant: the cycles that the machine world measured on a path are the sum of its steps' primitives
at what each costs on this hardware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dcsim.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcsim.hypervisor.steps import Path

__all__ = ["PathBook", "PathRow", "PathTotal"]


@dataclass(slots=True)
class PathTotal:
    """What was done on one path."""

    count: int = 0
    """How often it was gone."""
    cycles: int = 0
    """What that cost, as measured."""
    primitives: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often each primitive of each step was done."""


class PathRow(NamedTuple):
    """A primitive of a step of a path."""

    path: str
    times_gone: int
    """How often the path was gone."""
    step: str
    primitive: str
    times: int
    """How often the primitive was done in it, all added."""
    cycles: int
    """What that cost."""


class PathBook:
    """The accounts of a host's paths.

    Parameters
    ----------
    costs
        The cycles of each primitive on this hardware.
    """

    def __init__(self, costs: Mapping[str, int]) -> None:
        self._costs = costs
        self.totals: dict[str, PathTotal] = {}

    def note(self, name: str, path: Path, cycles: int, *, count: int = 1) -> None:
        """Note that a path was gone some times, for so many cycles in all."""
        total = self.totals.setdefault(name, PathTotal())
        total.count += count
        total.cycles += cycles
        for step in path:
            for primitive, times in step.primitives:
                key = (step.name, primitive)
                total.primitives[key] = total.primitives.get(key, 0) + times * count

    def rows(self) -> Iterator[PathRow]:
        """Yield what was done, in order of the paths' names and of their steps.

        Raises
        ------
        InvariantError
            When the steps of a path do not explain what it cost.
        """
        for name, total in sorted(self.totals.items()):
            explained = 0
            for (step, primitive), times in total.primitives.items():
                cycles = times * self._costs[primitive]
                explained += cycles
                yield PathRow(name, total.count, step, primitive, times, cycles)
            if explained != total.cycles:
                raise InvariantError(
                    f"the steps of `{name}` take {explained:,} cycles, and {total.cycles:,} were "
                    "measured"
                )
