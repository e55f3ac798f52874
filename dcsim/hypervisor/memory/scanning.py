"""How fast the page-sharing scanner goes, and in which order.

Two published ways:

- *random*: so many pages a second of each VM, and of all VMs together at most so many; the pages of
  a VM in random order, each once before any comes again (Waldspurger, OSDI 2002, section 4; rates
  of the ESX Server 2 manual).
- *sequential*: so many pages, then a sleep; all pages of all VMs in order, pass after pass (KSM:
  Arcangeli, Eidus and Wright, Linux Symposium 2009; defaults of Linux's ksm.rst).
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.sim import Stream

__all__ = [
    "KSM_PAGES",
    "KSM_SLEEP_NS",
    "PAGES_PER_SECOND_HOST",
    "PAGES_PER_SECOND_VM",
    "Pace",
    "RandomOrder",
]

PAGES_PER_SECOND_VM = 50
PAGES_PER_SECOND_HOST = 200

KSM_PAGES = 100
KSM_SLEEP_NS = 20_000_000

_SECOND_NS = 10**9


class Pace:
    """Says how many pages of each VM are due.

    Every VM is scanned at its own rate, or at an equal part of the host's when that is less. What
    is less than a page stays owed, so that no rate is rounded.

    Parameters
    ----------
    per_vm
        Pages of a VM a second, at most.
    per_host
        Pages of all VMs a second, at most.
    """

    def __init__(
        self, per_vm: int = PAGES_PER_SECOND_VM, per_host: int = PAGES_PER_SECOND_HOST
    ) -> None:
        self.per_vm = per_vm
        self.per_host = per_host
        self._owed: dict[int, Fraction] = {}

    def due(self, vms: list[int], elapsed_ns: int) -> dict[int, int]:
        """Return how many pages of each VM have come due in a time while these were there."""
        self._owed = {vm: self._owed.get(vm, Fraction(0)) for vm in vms}
        if not vms:
            return {}
        rate = min(Fraction(self.per_vm), Fraction(self.per_host, len(vms)))
        pages = {}
        for vm in vms:
            owed = self._owed[vm] + rate * elapsed_ns / _SECOND_NS
            pages[vm] = int(owed)
            self._owed[vm] = owed - pages[vm]
        return pages


class RandomOrder:
    """The pages of a VM in random order, each once before any comes again.

    A pass visits ``start + i * step`` modulo the number of pages, where start and step are drawn
    for the pass and the step has no common factor with that number: no list has to be kept.

    Parameters
    ----------
    stream
        Where the passes are drawn from.
    pages
        How many pages there are.
    """

    def __init__(self, stream: Stream, pages: int) -> None:
        self._stream = stream
        self._pages = pages
        self._left = 0
        self._page = 0
        self._step = 1

    def next(self) -> int:
        """Return the number of the next page."""
        if not self._left:
            self._begin_pass()
        self._left -= 1
        self._page = (self._page + self._step) % self._pages
        return self._page

    def _begin_pass(self) -> None:
        self._left = self._pages
        self._page = self._stream.below(self._pages)
        self._step = 0
        while gcd(self._step, self._pages) != 1:
            self._step = 1 + self._stream.below(self._pages)
