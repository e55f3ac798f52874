"""Who gets how much memory: shares, bounds, and a tax on idle memory.

A VM *pays* for a page in shares. Its price, with S shares, P pages and an active fraction f, is

    rho = S / (P * (f + k * (1 - f))),    k = 1 / (1 - tau)

An idle page costs k times as much as an active one, where the tax rate tau is from 0 (shares alone
decide) up to nearly 1 (all idle memory can be taken). Memory is revoked from the VM that pays the
least for a page (*min-funding revocation*), down to its minimum.

Where revocation ends is known without doing it page by page. Taking a page from the lowest price
until the pages fit is a divisor method of apportionment (Jefferson's) on the weights
S / (f + k * (1 - f)): the prices of all VMs within their bounds are equal but for one page.

Source: Waldspurger, *Memory Resource Management in VMware ESX Server* (OSDI 2002), section 5. All
arithmetic is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["IDLE_TAX", "Claim", "allocate", "page_cost", "price"]

IDLE_TAX = Fraction(75, 100)
"""The published rate: up to three quarters of a VM's idle memory can be taken."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a VM may ask for."""

    shares: int
    """At least 1."""
    minimum: int
    """Pages that are never taken."""
    maximum: int
    """Pages that it can use at most; not below the minimum."""
    active: Fraction = Fraction(1)
    """Which part of its pages it uses."""


def page_cost(active: Fraction, tax: Fraction) -> Fraction:
    """Return what a page costs a VM beside an active one, averaged over its pages.

    Examples
    --------
    >>> page_cost(Fraction(1, 2), Fraction(3, 4))
    Fraction(5, 2)
    """
    return active + (1 - active) / (1 - tax)


def price(shares: int, pages: int, active: Fraction, tax: Fraction) -> Fraction:
    """Return what a VM pays for a page, rho: shares per page, idle ones taxed."""
    return Fraction(shares) / (pages * page_cost(active, tax))


def allocate(claims: Sequence[Claim], available: int, tax: Fraction = IDLE_TAX) -> list[int]:
    """Share pages out.

    Parameters
    ----------
    claims
        One of each VM; the earlier one wins a tie.
    available
        Pages to share out.
    tax
        The tax rate on idle memory, tau: at least 0 and below 1.

    Returns
    -------
    list of int
        Pages of each VM: the maximum of each if all fit, the minimum of each if even those do not,
        and otherwise as many as there are.
    """
    if available >= sum(claim.maximum for claim in claims):
        return [claim.maximum for claim in claims]
    if available <= sum(claim.minimum for claim in claims):
        return [claim.minimum for claim in claims]
    weights = [claim.shares / page_cost(claim.active, tax) for claim in claims]
    level = _level(claims, weights, available)
    pages = [
        _bounded(claim, int(weight * level)) for claim, weight in zip(claims, weights, strict=True)
    ]
    _hand_out(claims, weights, pages, available - sum(pages))
    return pages


def _bounded(claim: Claim, pages: int) -> int:
    return min(claim.maximum, max(claim.minimum, pages))


def _level(claims: Sequence[Claim], weights: Sequence[Fraction], available: int) -> Fraction:
    """Return pages per weight at which divisible pages within bounds would be used up.

    What all take together grows with the level, straight between the levels at which a VM leaves
    its minimum or reaches its maximum.
    """
    bounds = {
        bound / weight
        for claim, weight in zip(claims, weights, strict=True)
        for bound in (claim.minimum, claim.maximum)
    }
    high = next(bound for bound in sorted(bounds) if _taken(claims, weights, bound) >= available)
    low = max((bound for bound in bounds if bound < high), default=Fraction(0))
    slope = sum(
        weight
        for claim, weight in zip(claims, weights, strict=True)
        if claim.minimum <= weight * low and weight * high <= claim.maximum
    )
    return high - (_taken(claims, weights, high) - available) / slope


def _taken(claims: Sequence[Claim], weights: Sequence[Fraction], level: Fraction) -> Fraction:
    each = (
        min(Fraction(claim.maximum), max(Fraction(claim.minimum), weight * level))
        for claim, weight in zip(claims, weights, strict=True)
    )
    return sum(each, Fraction(0))


def _hand_out(
    claims: Sequence[Claim], weights: Sequence[Fraction], pages: list[int], left: int
) -> None:
    """Give single pages to those that would pay the most for one more."""
    for _ in range(left):
        growing = [place for place, claim in enumerate(claims) if pages[place] < claim.maximum]
        best = max(growing, key=lambda place: weights[place] / (pages[place] + 1))
        pages[best] += 1
