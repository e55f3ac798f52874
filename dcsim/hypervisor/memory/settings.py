"""How a host overcommits its memory, and what a VM may claim of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from dcsim.hypervisor.memory.scanning import (
    KSM_PAGES,
    KSM_SLEEP_NS,
    PAGES_PER_SECOND_HOST,
    PAGES_PER_SECOND_VM,
)

if TYPE_CHECKING:
    from dcsim.hypervisor.memory.states import StatesName

__all__ = [
    "INTERVAL_NS",
    "MARGIN",
    "SCAN_INTERVAL_NS",
    "MemoryClaim",
    "MemorySettings",
    "SharingSettings",
]

INTERVAL_NS = 10**9
"""How often a host looks at its memory: as often as a balloon was polled, once a second."""

MARGIN = Fraction(1, 10)
"""By which part of the highest threshold a threshold has to be exceeded on the way up: the text
says "significantly"."""

SCAN_INTERVAL_NS = 20 * 10**6
"""How often a random scanner looks which pages are due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSettings:
    """How pages are scanned for content that others have, too."""

    scanner: Literal["random", "ksm"] = "random"
    pages_per_vm: int = PAGES_PER_SECOND_VM
    """Random: pages of a VM a second."""
    pages_per_host: int = PAGES_PER_SECOND_HOST
    """Random: pages of all VMs a second."""
    pages: int = KSM_PAGES
    """KSM: pages of a batch."""
    sleep_ns: int = KSM_SLEEP_NS
    """KSM: time between batches."""

    @property
    def interval_ns(self) -> int:
        """How often the scanner wakes."""
        return self.sleep_ns if self.scanner == "ksm" else SCAN_INTERVAL_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """How a host overcommits."""

    states: StatesName = "classic"
    interval_ns: int = INTERVAL_NS
    sharing: SharingSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryClaim:
    """What a VM may ask of its host's memory."""

    reservation_bytes: int = 0
    """Never taken from it."""
