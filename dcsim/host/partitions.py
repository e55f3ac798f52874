"""How a disk is divided: a master boot record has room for four primary partitions.

A partition is the disk of one VM, or holds files. Without a table all of the disk holds files.
The first MiB, where the table is, belongs to no partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dcsim.host.file_store import BLOCK_BYTES
from dcsim.host.free_runs import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ALIGNMENT_BYTES", "MOST_PARTITIONS", "Partition", "PartitionUse", "divide"]

MOST_PARTITIONS = 4
"""A master boot record ends with four entries of 16 bytes."""
ALIGNMENT_BYTES = 1 << 20
"""Partitions begin at whole MiB, as partitioning tools have them do."""

PartitionUse = Literal["files", "raw"]


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a disk."""

    name: str
    size_bytes: int
    use: PartitionUse


def divide(capacity_bytes: int, partitions: Sequence[Partition]) -> dict[str, Run]:
    """Return the blocks of each partition, laid one behind the other.

    Raises
    ------
    ValueError
        When there are too many, or they do not fit.
    """
    if len(partitions) > MOST_PARTITIONS:
        raise ValueError(f"a master boot record has room for {MOST_PARTITIONS} partitions")
    at_bytes = ALIGNMENT_BYTES
    runs = {}
    for each in partitions:
        end_bytes = at_bytes + each.size_bytes
        if end_bytes > capacity_bytes:
            raise ValueError(f"the partition `{each.name}` passes the end of the disk")
        runs[each.name] = Run(at_bytes // BLOCK_BYTES, each.size_bytes // BLOCK_BYTES)
        at_bytes = -(-end_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    return runs
