"""A straight line through points by least squares, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Point", "r_squared", "slope"]

Point = tuple[Fraction, Fraction]


class _Sums(NamedTuple):
    """Sums of products of the distances from the means."""

    xx: Fraction
    xy: Fraction
    yy: Fraction


def _sums(points: Sequence[Point]) -> _Sums:
    count = len(points)
    middle_x = sum((x for x, _ in points), Fraction(0)) / count
    middle_y = sum((y for _, y in points), Fraction(0)) / count
    away = [(x - middle_x, y - middle_y) for x, y in points]
    zero = Fraction(0)
    return _Sums(
        xx=sum((x * x for x, _ in away), zero),
        xy=sum((x * y for x, y in away), zero),
        yy=sum((y * y for _, y in away), zero),
    )


def slope(points: Sequence[Point]) -> Fraction | None:
    """Return the slope of the line that fits best; None when all points have the same x.

    Examples
    --------
    >>> slope([(Fraction(x), Fraction(2 * x + 1)) for x in range(3)])
    Fraction(2, 1)
    """
    sums = _sums(points)
    return sums.xy / sums.xx if sums.xx else None


def r_squared(points: Sequence[Point]) -> Fraction | None:
    """Return the share of the variation of y that the line explains, from 0 to 1.

    It is None when x or y does not vary: then there is nothing to explain.

    Examples
    --------
    >>> r_squared([(Fraction(x), Fraction(x)) for x in range(3)])
    Fraction(1, 1)
    """
    sums = _sums(points)
    return sums.xy**2 / (sums.xx * sums.yy) if sums.xx and sums.yy else None
