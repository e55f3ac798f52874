"""What an expectation measures: one metric, or arithmetic with several.

``vm.translated.total_cycles / vm.assisted.total_cycles`` compares two VMs. Operators stand between
spaces, because names hold hyphens and colons; parentheses group. ``slope`` and ``r_squared`` are of
the straight line through several points. Values are exact fractions up to the last step, so that a
comparison is the same on every machine. Units are held to: cycles and nanoseconds are not added,
and the unit of a quotient is known.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dcsim.scenario.fit import Point, r_squared, slope
from dcsim.scenario.metrics import Metric, find_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Measure", "MeasureError", "read_measure"]

Value = int | float | str | None

_MOST_PARTS = 100
"""More than anyone reads; keeps the nesting far from what Python can bear."""
_PART = re.compile(r"[(),]|[^\s(),]+")
_NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")
_PLAIN_UNITS = ("count", "share")
"""Units that say what is counted; in arithmetic they are plain numbers."""
_PLAIN_NUMBER = Metric("", "number", "", "")


class MeasureError(ValueError):
    """A text that names nothing that can be measured.

    Parameters
    ----------
    message
        What is wrong.
    remedy
        What would be right.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Name:
    metric: Metric
    name: str


@dataclass(frozen=True, slots=True)
class _Number:
    value: Fraction


@dataclass(frozen=True, slots=True)
class _Operation:
    sign: str
    left: _Term
    right: _Term


@dataclass(frozen=True, slots=True)
class _Line:
    """A property of the straight line through points."""

    of: str
    points: tuple[tuple[_Term, _Term], ...]


_Term = _Name | _Number | _Operation | _Line

_LEAST_POINTS = {"slope": 2, "r_squared": 3}
"""A line goes through any two points: how well it fits shows from three on."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What an expectation measures."""

    metric: Metric
    """The metric; that of an expression has its text for a name, and the unit of its value."""
    _term: _Term

    def value(self, of: Callable[[str], Value]) -> Value:
        """Return the value.

        Parameters
        ----------
        of
            Gives the value of a metric by its full name.

        Returns
        -------
        int, float, str or None
            None when a metric has no value, or something is divided by nothing.
        """
        if isinstance(self._term, _Name):
            return of(self._term.name)
        exact = _evaluate(self._term, of)
        if exact is None:
            return None
        return int(exact) if exact.denominator == 1 else float(exact)


def read_measure(text: str, vms: Sequence[str], hosts: Sequence[str]) -> Measure:
    """Read the metric or the expression that an expectation names.

    Parameters
    ----------
    text
        What stands in the scenario.
    vms, hosts
        The full names that exist.

    Raises
    ------
    MeasureError
        When it is neither.

    Examples
    --------
    >>> measure = read_measure("vm.a.total_cycles / vm.b.total_cycles", ["a", "b"], [])
    >>> measure.value({"vm.a.total_cycles": 3, "vm.b.total_cycles": 2}.get)
    1.5
    """
    reader = _Reader(text, vms, hosts)
    term, metric = reader.whole()
    if isinstance(term, _Name):
        return Measure(metric, term)
    return Measure(Metric(text, "number", metric.unit, "worked out from metrics"), term)


_Read = tuple[_Term, Metric]


class _Reader:
    """Reads an expression from left to right; ``*`` and ``/`` bind closer than ``+`` and ``-``."""

    def __init__(self, text: str, vms: Sequence[str], hosts: Sequence[str]) -> None:
        self._parts = _PART.findall(text)
        self._next = 0
        self._vms = vms
        self._hosts = hosts

    def whole(self) -> _Read:
        """Return the whole text's term."""
        if len(self._parts) > _MOST_PARTS:
            message = f"the expression has {len(self._parts)} parts"
            raise MeasureError(message, f"write at most {_MOST_PARTS}")
        read = self._sum()
        if self._next < len(self._parts):
            raise MeasureError(
                f"`{self._parts[self._next]}` follows what is complete already",
                "join two metrics with `+`, `-`, `*` or `/`",
            )
        return read

    def _sum(self) -> _Read:
        return self._chain(self._product, "+-")

    def _product(self) -> _Read:
        return self._chain(self._factor, "*/")

    def _chain(self, read: Callable[[], _Read], signs: str) -> _Read:
        """Read what stands between operators that bind alike, from left to right."""
        term, metric = read()
        while self._next < len(self._parts) and self._parts[self._next] in tuple(signs):
            sign = self._take()
            right, other = read()
            term, metric = _Operation(sign, term, right), _combined(sign, metric, other)
        return term, metric

    def _factor(self) -> _Read:
        part = self._take()
        if part == "(":
            read = self._sum()
            if self._take() != ")":
                raise MeasureError("a parenthesis is not closed", "add `)`")
            return read
        if _NUMBER.fullmatch(part):
            return _Number(Fraction(part)), _PLAIN_NUMBER
        if part in _LEAST_POINTS:
            return self._line(part)
        if part in (")", ",", "+", "-", "*", "/"):
            raise MeasureError(f"`{part}` stands where a metric should", "write a metric there")
        return self._metric(part)

    def _line(self, of: str) -> _Read:
        """Read the points of a line: x and y of each, and commas between points."""
        if self._take() != "(":
            raise MeasureError(f"`{of}` lacks its points", f"write `{of}(x y, x y, ...)`")
        (x, unit_x), (y, unit_y) = self._sum(), self._sum()
        points = [(x, y)]
        while (part := self._take()) == ",":
            (x, other_x), (y, other_y) = self._sum(), self._sum()
            # Refuses other units than those of the first point.
            unit_x, unit_y = _combined("+", unit_x, other_x), _combined("+", unit_y, other_y)
            points.append((x, y))
        if part != ")":
            raise MeasureError("a point has an x and a y", "put `,` behind each point but the last")
        if len(points) < _LEAST_POINTS[of]:
            message = f"`{of}` is of at least {_LEAST_POINTS[of]} points"
            raise MeasureError(message, "name more points")
        unit = _combined("/", unit_y, unit_x) if of == "slope" else _PLAIN_NUMBER
        return _Line(of, tuple(points)), unit

    def _metric(self, name: str) -> _Read:
        metric, message, remedy = find_metric(name, self._vms, self._hosts)
        if metric is not None:
            return _Name(metric, name), metric
        if re.search(r"[-+*/](?:vm|host|cluster)\.", name):
            remedy = "put a space on both sides of `+`, `-`, `*` and `/`"
        raise MeasureError(message, remedy)

    def _take(self) -> str:
        if self._next == len(self._parts):
            raise MeasureError("the expression ends too early", "write a metric at its end")
        self._next += 1
        return str(self._parts[self._next - 1])


def _combined(sign: str, left: Metric, right: Metric) -> Metric:
    """Return the unit of an operation, as a metric without a name."""
    for each in (left, right):
        if each.kind == "text":
            raise MeasureError(f"`{each.name}` is a text; there is no `{sign}` of it")
    one, other = (("" if each.unit in _PLAIN_UNITS else each.unit) for each in (left, right))
    if sign in "+-":
        if one != other:
            names = [unit or "plain numbers" for unit in (one, other)]
            raise MeasureError(f"there is no `{sign}` of {names[0]} and {names[1]}")
        unit = one
    elif sign == "/":
        unit = "" if one == other else f"{one or 1}/{other}" if other else one
    else:
        unit = f"{one} {other}".strip()
    return Metric("", "number", unit, "")


def _evaluate(term: _Term, of: Callable[[str], Value]) -> Fraction | None:
    if isinstance(term, _Number):
        return term.value
    if isinstance(term, _Name):
        value = of(term.name)
        return None if value is None or isinstance(value, str) else Fraction(value)
    if isinstance(term, _Line):
        return _evaluate_line(term, of)
    left, right = _evaluate(term.left, of), _evaluate(term.right, of)
    if left is None or right is None or (term.sign == "/" and not right):
        return None
    return _OPERATIONS[term.sign](left, right)


def _evaluate_line(line: _Line, of: Callable[[str], Value]) -> Fraction | None:
    points: list[Point] = []
    for terms in line.points:
        x, y = (_evaluate(term, of) for term in terms)
        if x is None or y is None:
            return None
        points.append((x, y))
    return slope(points) if line.of == "slope" else r_squared(points)


_OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
