"""Something that is wrong with a scenario, and the checks that many parts of one need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import did_you_mean
from dcsim.units import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Finding", "known", "positive", "whole"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, by its location in the document."""

    location: tuple[int | str, ...]
    message: str
    remedy: str = ""


def known(
    kind: str, name: str, names: Sequence[str], location: Sequence[int | str]
) -> Iterator[Finding]:
    """Hold a name to those that exist."""
    if name not in names:
        yield Finding(tuple(location), f"there is no {kind} `{name}`", did_you_mean(name, names))


def positive(value: int, location: Sequence[int | str]) -> Iterator[Finding]:
    """Hold a quantity to being more than nothing."""
    if value == 0:
        yield Finding(tuple(location), f"`{location[-1]}` must be more than 0")


def whole(value: int, unit: int, location: Sequence[int | str]) -> Iterator[Finding]:
    """Hold a size to being made of whole units, at least one."""
    if value == 0 or value % unit:
        message = f"`{location[-1]}` must be a multiple of {unit:,} bytes, and not 0"
        nearest = max(unit, value // unit * unit)
        yield Finding(tuple(location), message, f"write `{BYTES.format(nearest)}`")
