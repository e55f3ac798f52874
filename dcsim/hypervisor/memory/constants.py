"""The figures behind memory overcommitment, with their sources, for the ledger.

Those that a scenario can set are listed by the run: as the scenario's where it sets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hardware import LedgerEntry
from dcsim.hypervisor.memory import settings, swap, working_set
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
    "tax": _PAPER,
    "interval": f"{_PAPER}: a balloon was polled once a second",
    "sample_pages": _PAPER,
    "sample_period": _PAPER,
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
    yield from _of_reclaiming()
    yield from _of_claims()
    if host.sharing is not None and host.sharing.scanner == "random":
        yield LedgerEntry(
            "memory.scan_interval",
            settings.SCAN_INTERVAL_NS,
            "ns",
            "assumption",
            "how often the scanner looks which pages are due",
        )


def _of_reclaiming() -> Iterator[LedgerEntry]:
    yield LedgerEntry(
        "memory.most_balloon", int(settings.MOST_BALLOON * 100), "%", "published", _MANUAL
    )
    yield LedgerEntry(
        "memory.balloon_patience",
        settings.BALLOON_PATIENCE,
        "",
        "assumption",
        "looks without inflation after which a balloon counts as stuck",
    )
    yield LedgerEntry(
        "memory.swap_window",
        settings.SWAP_WINDOW,
        "pages",
        "assumption",
        "pages on their way to the disk at once, at most",
    )
    yield LedgerEntry(
        "memory.reserve_share",
        settings.RESERVE_SHARE,
        "",
        "assumption",
        "one part in this many of the lowest threshold is kept for bringing pages back",
    )
    yield LedgerEntry(
        "memory.victim_tries",
        swap.VICTIM_TRIES,
        "",
        "assumption",
        "random pages that are tried for one that can go",
    )


def _of_claims() -> Iterator[LedgerEntry]:
    yield LedgerEntry(
        "memory.shares",
        settings.SHARES_PER_MEBIBYTE,
        "/MiB",
        "assumption",
        "vSphere's normal, 10 shares for each MB, as recalled",
    )
    for name, gain in (("slow", working_set.SLOW_GAIN), ("fast", working_set.FAST_GAIN)):
        yield LedgerEntry(
            f"memory.{name}_gain",
            int(gain * 1000),
            "1/1000",
            "assumption",
            "weight of a new period in the moving average; the paper does not give it",
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
