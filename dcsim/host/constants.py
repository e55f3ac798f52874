"""The figures that are built into hosts and the machine world, for the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim import _core
from dcsim.hardware import LedgerEntry
from dcsim.host.host import POWER_WINDOW_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["constants"]


def constants() -> Iterator[LedgerEntry]:
    """Yield what every run assumes, whatever its hosts are."""
    for name, value, unit, reason in _core.assumptions():
        yield LedgerEntry(name, value, unit, "assumption", reason)
    yield LedgerEntry(
        "power.window",
        POWER_WINDOW_NS,
        "ns",
        "assumption",
        "over how long utilisation is averaged before the power curve is asked",
    )
