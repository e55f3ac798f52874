"""The figures that are built into the hypervisors, with their sources, for the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.hardware import LedgerEntry
from dcsim.hypervisor import (
    balloon,
    cached_io,
    hypervisor,
    snapshots,
    tenancy,
    type2,
    virtual_nic,
    watchdog,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["constants"]


def constants(kind: str) -> Iterator[LedgerEntry]:
    """Yield the constants of one type of hypervisor: ``type1`` or ``type2``."""
    yield from _of_both(kind)
    if kind == "type1":
        return
    yield LedgerEntry(
        "host.system_share",
        type2.SYSTEM_SHARE,
        "",
        "assumption",
        "the operating system keeps one part in this many of the host's memory",
    )
    yield LedgerEntry(
        "host.page_cache_share",
        type2.CACHE_SHARE,
        "",
        "assumption",
        "of which one part in this many is the page cache",
    )
    yield LedgerEntry(
        "host.write_back",
        cached_io.WRITEBACK_NS,
        "ns",
        "assumption",
        "Linux's 5 s, shortened to fit runs of seconds",
    )


_OF_BOTH = (
    LedgerEntry(
        "overhead_share",
        tenancy.OVERHEAD_SHARE,
        "",
        "assumption",
        "one part in this many of a VM's memory is promised for shadow tables",
    ),
    LedgerEntry(
        "overhead_fixed",
        tenancy.OVERHEAD_FIXED_BYTES,
        "bytes",
        "assumption",
        "promised beside it for the monitor",
    ),
    LedgerEntry(
        "port_queue",
        virtual_nic.QUEUE_FRAMES,
        "",
        "published",
        "default queue length of a Linux tap device, in frames",
    ),
    LedgerEntry(
        "balloon_poll",
        balloon.POLL_NS,
        "ns",
        "published",
        "how often the driver of VMware ESX polled (Waldspurger, OSDI 2002, section 3)",
    ),
    LedgerEntry(
        "balloon_patience",
        balloon.PATIENCE,
        "",
        "assumption",
        "polls without growth after which a balloon that should grow counts as refused",
    ),
    LedgerEntry(
        "port_retry",
        virtual_nic.RETRY_NS,
        "ns",
        "assumption",
        "how often frames that wait for a guest's buffers are offered again",
    ),
    LedgerEntry(
        "watchdog_looks",
        watchdog.LOOKS,
        "",
        "assumption",
        "how often a watchdog looks in the time after which it bites",
    ),
    LedgerEntry(
        "merge_blocks",
        snapshots.MERGE_BLOCKS,
        "",
        "assumption",
        "blocks that a merge of a snapshot reads before it writes them: 1 MiB",
    ),
    LedgerEntry(
        "memory_tries",
        hypervisor.MEMORY_TRIES,
        "",
        "assumption",
        "how often a VM asks for a frame at one and the same time before it is given up",
    ),
)
"""Of either type of hypervisor, whose names come before theirs."""


def _of_both(kind: str) -> Iterator[LedgerEntry]:
    for entry in _OF_BOTH:
        yield entry._replace(name=f"{kind}.{entry.name}")
