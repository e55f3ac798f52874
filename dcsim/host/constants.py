"""The figures that are built into hosts and the machine world, for the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim import _core
from dcsim.hardware import LedgerEntry
from dcsim.host.file_store import BLOCK_BYTES, BLOCKS_PER_MAP
from dcsim.host.host import POWER_WINDOW_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["constants"]


def constants() -> Iterator[LedgerEntry]:
    """Yield what every run assumes, whatever its hosts are."""
    for name, value, unit, reason in _core.assumptions():
        yield LedgerEntry(name, value, unit, "assumption", reason)
    yield LedgerEntry(
        "disk.block",
        BLOCK_BYTES,
        "bytes",
        "assumption",
        "unit in which a host's disk is given to files, the usual one of file systems",
    )
    yield LedgerEntry(
        "disk.blocks_per_map",
        BLOCKS_PER_MAP,
        "",
        "assumption",
        "places of a file's blocks that one block of its record holds, at 8 bytes each",
    )
    yield LedgerEntry(
        "power.window",
        POWER_WINDOW_NS,
        "ns",
        "assumption",
        "over how long utilisation is averaged before the power curve is asked",
    )
