"""The figures behind memory overcommitment, with their sources, for the ledger.

Those that a scenario can set are listed by the run: as the scenario's where it sets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hardware import LedgerEntry
from dcsim.hypervisor.memory import settings
from dcsim.hypervisor.memory.states import BSD_SHARES, CLASSIC_SHARES, SLIDING_SHARES, SLIDING_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.hypervisor.memory.settings import MemorySettings

__all__ = ["DEFAULT_SOURCES", "memory_constants"]

_PAPER = "Waldspurger, Memory Resource Management in VMware ESX Server (OSDI 2002)"
_MANUAL = "ESX Server 2 manual, advanced settings"
_KSM = "Linux, Documentation/admin-guide/mm/ksm.rst"

DEFAULT_SOURCES = {
    "states": _PAPER,
    "interval": f"{_PAPER}: a balloon was polled once a second",
    "sharing.pages_per_vm": _MANUAL,
    "sharing.pages_per_host": _MANUAL,
    "sharing.pages": _KSM,
    "sharing.sleep": _KSM,
}
"""Where the values come from that a scenario does not set, by its keys."""


def memory_constants(host: MemorySettings) -> Iterator[LedgerEntry]:
    """Yield the constants of a host that overcommits."""
    yield from _thresholds(host)
    yield LedgerEntry(
        "memory.margin",
        int(settings.MARGIN * 100),
        "%",
        "assumption",
        "by which part of the highest a threshold is exceeded on the way up; the paper says"
        " significantly",
    )
    if host.sharing is not None and host.sharing.scanner == "random":
        yield LedgerEntry(
            "memory.scan_interval",
            settings.SCAN_INTERVAL_NS,
            "ns",
            "assumption",
            "how often the scanner looks which pages are due",
        )


def _thresholds(host: MemorySettings) -> Iterator[LedgerEntry]:
    shares = {"classic": CLASSIC_SHARES, "sliding": SLIDING_SHARES, "bsd": BSD_SHARES}[host.states]
    source = "vSphere's sliding minimum" if host.states == "sliding" else _PAPER
    for state, share in shares:
        name = f"memory.threshold.{host.states}.{state.name}"
        yield LedgerEntry(name, int(share * 100), "%", "published", source)
    if host.states == "sliding":
        for place, (_, share) in enumerate(SLIDING_STEPS):
            name = f"memory.minimum_free.{place}"
            yield LedgerEntry(name, int(share * 100), "%", "published", source)
