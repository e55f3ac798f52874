"""Steps of host software: what each is called, and the metered primitives that it takes.

A path is a list of steps. The machine world executes the primitives on a processor and charges what
they cost there; the accounts keep them apart by path and step, so that what a path cost is
explained by what was done on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcsim.host import PathStep

__all__ = ["Path", "Primitives", "Step", "primitives_of"]

Primitives = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path."""

    name: str
    primitives: Primitives

    def times(self, count: int) -> Path:
        """Return the path of doing this several times: empty for none."""
        if not count:
            return ()
        repeated = tuple((primitive, count * each) for primitive, each in self.primitives)
        return (Step(self.name, repeated),)


Path = tuple[Step, ...]


def primitives_of(path: Iterable[Step]) -> list[PathStep]:
    """Return the primitives of a path in order, as the machine world takes them."""
    return [primitive for step in path for primitive in step.primitives]
