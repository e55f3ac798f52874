"""Quantities with units: text at the border, whole numbers of one base unit inside.

=========== ============================== ====================== =================
dimension   inside                          suffix of a name       example
=========== ============================== ====================== =================
Duration    nanoseconds                     ``_ns``                ``500 ms``
Bytes       bytes                           ``_bytes``             ``256 MiB``
Frequency   hertz                           ``_hz``                ``2.4 GHz``
Bandwidth   bits per second                 ``_bits_per_second``   ``10 Gbit/s``
Power       milliwatts                      ``_milliwatts``        ``180 W``
Rate        thousandths of one per second   ``_millihertz``        ``200 /s``
=========== ============================== ====================== =================

Invariants: parsing is exact (decimal text never passes through binary floating point), a quantity
that is not a whole number of its base unit is refused rather than rounded, and
``parse(format(n)) == n`` for every n from 0 to 2^63 - 1.

The SI and binary (``Ki``, ``Mi``, ...) prefixes are those of quantiphy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from quantiphy import InvalidNumber, Quantity

from dcsim.errors import UnitError

__all__ = [
    "BANDWIDTH",
    "BYTES",
    "DIMENSIONS",
    "DURATION",
    "FREQUENCY",
    "POWER",
    "RATE",
    "Bandwidth",
    "Bytes",
    "Dimension",
    "Duration",
    "Frequency",
    "Power",
    "Rate",
]

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*(\S*)\s*")
_LONGEST_TEXT = 64
_LIMIT = 2**63  # results hold 64-bit columns


class _Unit(Quantity):
    """A quantiphy quantity that knows the units which only look like a prefix and a unit."""


_Unit.set_prefs(known_units=["min", "day", "h"])


@cache
def _scale(suffix: str) -> tuple[Fraction, str] | None:
    """Split a suffix such as ``Mbit/s`` into its factor and its unit (a million, ``bit/s``)."""
    unit = f"event{suffix}" if suffix.startswith("/") else suffix
    try:
        quantity = _Unit(f"1 {unit}", binary=True)
    except InvalidNumber:
        return None
    # The shortest text of a power of ten is exact where its binary value is not.
    return Fraction(repr(quantity.real)), quantity.units.removeprefix("event")


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity: how its text is read and written.

    Parameters
    ----------
    noun
        The dimension with its article, for messages: ``a duration``.
    base
        The unit that is counted inside, in the plural.
    factors
        How many base units each unit without a prefix is worth.
    forms
        Units in which a value is written, largest first, with their worth in base units; the last
        is worth a power of ten, so that every value has an exact decimal text.
    example
        A text that would be right.
    """

    noun: str
    base: str
    factors: dict[str, int]
    forms: tuple[tuple[str, int], ...]
    example: str

    def parse(self, text: object) -> int:
        """Return the whole number of base units that a text such as ``2 s`` stands for.

        Raises
        ------
        UnitError
            When the value is no text, or the text is no quantity of this dimension.
        """
        if not isinstance(text, str):
            shown = f"`{text}` has no unit" if isinstance(text, int | float) else "this is no text"
            raise UnitError(shown, self._remedy())
        number, suffix = self._split(text)
        worth = self._worth(text, suffix)
        value = number * worth
        if value.denominator != 1:
            message = f"`{text}` is not a whole number of {self.base}"
            raise UnitError(message, self._remedy())
        if value < 0:
            raise UnitError(f"`{text}` is negative", self._remedy())
        if value >= _LIMIT:
            raise UnitError(f"`{text}` is more than 2^63 {self.base}", self._remedy())
        return value.numerator

    def format(self, value: int) -> str:
        """Return the shortest exact text of a number of base units."""
        for unit, worth in self.forms:
            if value and value % worth == 0:
                return f"{value // worth} {unit}"
        unit, worth = self.forms[-1]
        whole, rest = divmod(value, worth)
        decimals = str(worth + rest)[1:].rstrip("0")
        return f"{whole}.{decimals} {unit}" if decimals else f"{whole} {unit}"

    def accepts(self, text: str) -> bool:
        """Tell whether a text is a quantity of this dimension."""
        try:
            self.parse(text)
        except UnitError:
            return False
        return True

    def _split(self, text: str) -> tuple[Fraction, str]:
        """Split a text into its number and what follows it."""
        match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
        if match is None:
            shown = text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
            raise UnitError(f"`{shown}` is not {self.noun}", self._remedy())
        number, suffix = match.groups()
        if not suffix:
            raise UnitError(f"`{text.strip()}` has no unit", self._remedy())
        return Fraction(number), suffix

    def _worth(self, text: str, suffix: str) -> Fraction:
        """Return how many base units one of a suffix is worth."""
        split = _scale(suffix)
        if split is not None:
            scale, unit = split
            if unit in self.factors:
                return scale * self.factors[unit]
            other = _dimension_of(unit)
            if other is not None:
                message = f"`{text}` is {other.noun}, not {self.noun}"
                raise UnitError(message, self._remedy())
        message = f"`{text}` has the unknown unit `{suffix}`"
        raise UnitError(message, self._remedy())

    def _remedy(self) -> str:
        units = ", ".join(unit for unit, _ in reversed(self.forms))
        return f"write {self.noun} such as `{self.example}` (units: {units})"


def _dimension_of(unit: str) -> Dimension | None:
    """Return the dimension to which a unit without a prefix belongs."""
    return next((each for each in DIMENSIONS if unit in each.factors), None)


DURATION = Dimension(
    "a duration",
    "nanoseconds",
    {"s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "day": 86400 * 10**9},
    (
        ("day", 86400 * 10**9),
        ("h", 3600 * 10**9),
        ("min", 60 * 10**9),
        ("s", 10**9),
        ("ms", 10**6),
        ("us", 10**3),
        ("ns", 1),
    ),
    "500 ms",
)
BYTES = Dimension(
    "a size",
    "bytes",
    {"B": 1},
    (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1)),
    "256 MiB",
)
FREQUENCY = Dimension(
    "a frequency",
    "hertz",
    {"Hz": 1},
    (("GHz", 10**9), ("MHz", 10**6), ("kHz", 10**3), ("Hz", 1)),
    "2.4 GHz",
)
BANDWIDTH = Dimension(
    "a bandwidth",
    "bits per second",
    {"bit/s": 1, "B/s": 8},
    (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 10**3), ("bit/s", 1)),
    "10 Gbit/s",
)
POWER = Dimension(
    "a power",
    "milliwatts",
    {"W": 1000},
    (("kW", 10**6), ("W", 10**3), ("mW", 1)),
    "180 W",
)
RATE = Dimension(
    "a rate",
    "thousandths of one per second",
    {"/s": 1000},
    (("/s", 1000),),
    "200 /s",
)
DIMENSIONS = (DURATION, BYTES, FREQUENCY, BANDWIDTH, POWER, RATE)


def _field(dimension: Dimension) -> tuple[BeforeValidator, PlainSerializer, WithJsonSchema]:
    """Return what makes an ``int`` field of a model read and write texts of a dimension."""
    words = f"{dimension.noun.capitalize()} with its unit, such as `{dimension.example}`."
    schema = {
        "type": "string",
        "pattern": r"^\s*[0-9.]+([eE][+-]?[0-9]+)?\s*[^\s0-9]\S*\s*$",
        "description": words,
        "x-unit": dimension.base,
        "examples": [dimension.example],
    }
    return (
        BeforeValidator(dimension.parse),
        PlainSerializer(dimension.format, return_type=str),
        WithJsonSchema(schema),
    )


Duration = Annotated[int, *_field(DURATION)]
"""Nanoseconds, written ``500 ms``."""
Bytes = Annotated[int, *_field(BYTES)]
"""Bytes, written ``256 MiB``."""
Frequency = Annotated[int, *_field(FREQUENCY)]
"""Hertz, written ``2.4 GHz``."""
Bandwidth = Annotated[int, *_field(BANDWIDTH)]
"""Bits per second, written ``10 Gbit/s`` or ``2 GB/s``."""
Power = Annotated[int, *_field(POWER)]
"""Milliwatts, written ``180 W``."""
Rate = Annotated[int, *_field(RATE)]
"""Thousandths of one per second, written ``200 /s``."""
