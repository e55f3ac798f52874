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
from dcsim.hypervisor.memory.shares import IDLE_TAX
from dcsim.hypervisor.memory.working_set import SAMPLED_PAGES

if TYPE_CHECKING:
    from dcsim.hypervisor.memory.states import StatesName

__all__ = [
    "BALLOON_PATIENCE",
    "INTERVAL_NS",
    "MARGIN",
    "MOST_BALLOON",
    "RESERVE_SHARE",
    "SAMPLE_PERIOD_NS",
    "SCAN_INTERVAL_NS",
    "SHARES_PER_MEBIBYTE",
    "SWAP_WINDOW",
    "MemoryClaim",
    "MemorySettings",
    "SharingSettings",
]

INTERVAL_NS = 10**9
"""How often a host looks at its memory: as often as a balloon was polled, once a second."""

SAMPLE_PERIOD_NS = 30 * 10**9
"""A sampling period, in the VM's own time."""

MARGIN = Fraction(1, 10)
"""By which part of the highest threshold a threshold has to be exceeded on the way up: the text
says "significantly"."""

MOST_BALLOON = Fraction(65, 100)
"""The largest balloon, of a VM's memory."""

BALLOON_PATIENCE = 3
"""After how many looks without any inflation a balloon that should inflate counts as stuck."""

SWAP_WINDOW = 32
"""How many pages are on their way to the disk at most."""

RESERVE_SHARE = 2
"""One part in this many of the lowest threshold is kept for bringing pages back."""

SHARES_PER_MEBIBYTE = 10
"""Memory shares of a VM for each MiB of its memory, unless it is told."""

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
    tax: Fraction = IDLE_TAX
    interval_ns: int = INTERVAL_NS
    sample_pages: int = SAMPLED_PAGES
    sample_period_ns: int = SAMPLE_PERIOD_NS
    swap_bytes: int = 0
    """Space for swapped pages on the host's disk; 0 for none."""
    compressed_bytes: int = 0
    """Memory that may hold compressed pages in place of the disk; 0 for none."""
    sharing: SharingSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryClaim:
    """What a VM may ask of its host's memory."""

    shares: int | None = None
    """In proportion to the others'; None for what is usual for its size."""
    reservation_bytes: int = 0
    """Never taken from it."""
    limit_bytes: int | None = None
    """It never has more; None for its size."""

    def shares_of(self, memory_bytes: int) -> int:
        """Return the shares of a VM with so much memory."""
        usual = max(1, SHARES_PER_MEBIBYTE * memory_bytes // 2**20)
        return usual if self.shares is None else self.shares
