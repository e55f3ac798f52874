"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcsim.errors import UnitError
from dcsim.units import BYTES, DURATION

if TYPE_CHECKING:
    from dcsim.units import Dimension

__all__ = [
    "duration",
    "format_option",
    "memory_size",
    "overrides_of",
    "scenario_argument",
    "seed_option",
    "set_option",
    "size",
]

_PAGE_BYTES = 4096
_MOST_BYTES = 16 * 2**30

scenario_argument = click.argument("scenario", type=click.Path(path_type=Path))

set_option = click.option(
    "--set",
    "overrides",
    metavar="PATH=VALUE",
    multiple=True,
    help="Change one value of the scenario, such as `vms.web.count=4`; repeatable.",
)

seed_option = click.option(
    "--seed", type=click.IntRange(min=0), help="Use this seed instead of the scenario's."
)

format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to write data to stdout.",
)


def overrides_of(overrides: tuple[str, ...], seed: int | None) -> list[str]:
    """Return the assignments that the options ask for, the seed last."""
    return [*overrides, *([] if seed is None else [f"seed={seed}"])]


def size(text: str) -> int:
    """Return a size in bytes."""
    return _parsed(BYTES, text)


def memory_size(text: str) -> int:
    """Return the size of a guest's memory, which is a number of pages."""
    size_bytes = size(text)
    if not 0 < size_bytes <= _MOST_BYTES or size_bytes % _PAGE_BYTES:
        most = BYTES.format(_MOST_BYTES)
        raise click.BadParameter(f"`{text}` is not a number of pages of 4 KiB, at most {most}")
    return size_bytes


def duration(text: str) -> int:
    """Return a duration in nanoseconds."""
    return _parsed(DURATION, text)


def _parsed(dimension: Dimension, text: str) -> int:
    """Return an option's whole number of base units."""
    try:
        return dimension.parse(text)
    except UnitError as error:
        raise click.BadParameter(str(error)) from None
