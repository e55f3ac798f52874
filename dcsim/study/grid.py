"""The points of a sweep: every combination of values, each with every seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from dcsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Axis", "Point", "grid", "parse_axis", "parse_seeds"]

_RANGE = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})")
_MOST_POINTS = 100_000
_UNSAFE = re.compile(r"[^A-Za-z0-9.=-]+")


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that is varied."""

    path: str
    """Where in the scenario: ``vms.web.count``."""
    values: tuple[str, ...]
    """The values as YAML."""


@dataclass(frozen=True, slots=True)
class Point:
    """One combination: what to set, in the order of the axes, the seed last."""

    overrides: tuple[str, ...]

    @property
    def label(self) -> str:
        """A name that fits a directory: ``vms.web.count=2,seed=1``."""
        texts = (_UNSAFE.sub("_", text).strip("_") for text in self.overrides)
        return ",".join(texts)[:120] or "as-written"


def parse_axis(text: str) -> Axis:
    """Read ``path=value,value,...``; a comma inside brackets or quotes does not separate.

    Raises
    ------
    UsageError
        When there is no value.
    """
    path, equals, values = text.partition("=")
    parts = tuple(part.strip() for part in _split(values))
    if not equals or not path.strip() or not all(parts):
        raise UsageError(f"`{text}` is no axis; write `path=value,value`, such as `seed=1,2`")
    return Axis(path.strip(), parts)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read seeds: ``1,2,5`` or ``1..10``, both ends included.

    Raises
    ------
    UsageError
        When the text is neither, or a range is empty.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is not None:
            first, last = int(match[1]), int(match[2])
            if last - first >= _MOST_POINTS:
                raise UsageError(f"`{part}` has more than {_MOST_POINTS:,} seeds")
            seeds.extend(range(first, last + 1))
        elif part.strip().isdecimal():
            seeds.append(int(part))
        else:
            raise UsageError(f"`{text}` are no seeds; write `1,2,3` or `1..10`")
    if not seeds:
        raise UsageError(f"`{text}` is an empty range of seeds")
    return tuple(dict.fromkeys(seeds))


def grid(axes: Sequence[Axis], seeds: Sequence[int]) -> tuple[Point, ...]:
    """Return every combination of the axes' values with every seed; the seed varies fastest.

    Raises
    ------
    UsageError
        When two axes vary the same thing, or there are too many points.
    """
    choices = [[f"{axis.path}={value}" for value in axis.values] for axis in axes]
    if seeds:
        choices.append([f"seed={seed}" for seed in seeds])
    paths = [axis.path for axis in axes] + (["seed"] if seeds else [])
    if len(set(paths)) < len(paths):
        raise UsageError("two axes vary the same value; put all its values into one")
    points = 1
    for choice in choices:
        points *= len(choice)
    if points > _MOST_POINTS:
        raise UsageError(f"{points:,} points are more than {_MOST_POINTS:,}; vary fewer values")
    return tuple(Point(combination) for combination in product(*choices))


def _split(text: str) -> Iterator[str]:
    """Split at the commas that are outside brackets and quotes."""
    depth, quote, start = 0, "", 0
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]
