"""Memory overcommitment in results: records, metrics, tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "COUNTED",
    "STATES",
    "HostMemory",
    "HostMemorySample",
    "VmMemorySample",
    "host_memory_metrics",
    "vm_memory_metrics",
]

Value = int | float | str | None

STATES = ("high", "clear", "soft", "hard", "low")
"""Free-memory states, from the highest down."""

COUNTED = (
    "shortages",
    "swapped_out",
    "swapped_in",
    "swap_shared",
    "swap_compressed",
    "double_paged",
    "held",
    "pages_scanned",
    "pages_merged",
    "scanner_ns",
)
"""What a host counts about its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMemorySample:
    """A host's memory from one moment to the next sample."""

    time_ns: int
    state: str
    free_bytes: int
    resident_bytes: int
    """Guest memory that has content in frames."""
    shared_bytes: int
    """Of this, what lies in a frame with other guest memory."""
    reclaimed_bytes: int
    """What sharing saves."""
    zero_bytes: int
    """Of the shared memory, what is all zero."""
    swapped_bytes: int
    ballooned_bytes: int
    compressed_bytes: int
    """What holds compressed pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmMemorySample:
    """A VM's memory from one moment to the next sample."""

    time_ns: int
    resident_bytes: int
    target_bytes: int
    active_share: float
    sampled_share: float | None
    accessed_share: float | None
    swapped_bytes: int
    ballooned_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMemory:
    """The memory of a host that overcommits, over the whole run."""

    samples: tuple[HostMemorySample, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """By the names of `COUNTED`."""
    identical_bytes: int = 0
    """Guest memory with a content that other guest memory has, too, at the end."""
    duplicate_bytes: int = 0
    """Of this, what would be saved if each content was there once."""


_LEVELS = ("resident", "shared", "reclaimed", "zero", "swapped", "ballooned", "compressed")


def host_memory_metrics(memory: HostMemory | None, ended_ns: int) -> dict[str, Value]:
    """Compute the metrics of a host's memory; nothing of one that does not overcommit."""
    samples = () if memory is None else memory.samples
    last = samples[-1] if samples else None
    metrics: dict[str, Value] = {"memory_state": last.state if last else ""}
    for state in STATES:
        metrics[f"memory_{state}_share"] = _share_of(samples, state, ended_ns)
    for level in _LEVELS:
        values = [getattr(sample, f"{level}_bytes") for sample in samples] or [0]
        metrics[f"memory_{level}_bytes"] = values[-1]
        metrics[f"memory_{level}_peak_bytes"] = max(values)
    metrics["memory_identical_bytes"] = 0 if memory is None else memory.identical_bytes
    metrics["memory_duplicate_bytes"] = 0 if memory is None else memory.duplicate_bytes
    counts = {} if memory is None else memory.counts
    return {**metrics, **{f"memory_{name}": counts.get(name, 0) for name in COUNTED}}


def _share_of(samples: Sequence[HostMemorySample], state: str, ended_ns: int) -> float:
    """Return the part of the observed time that was spent in a state."""
    if not samples or ended_ns == samples[0].time_ns:
        return 0.0
    spent = sum(two.time_ns - one.time_ns for one, two in pairwise(samples) if one.state == state)
    spent += ended_ns - samples[-1].time_ns if samples[-1].state == state else 0
    return spent / (ended_ns - samples[0].time_ns)


def vm_memory_metrics(samples: Sequence[VmMemorySample]) -> dict[str, Value]:
    """Compute the metrics of a VM's memory; no values for one whose host does not overcommit."""
    if not samples:
        return {
            "memory_resident_bytes": None,
            "memory_target_bytes": None,
            "memory_active_share": None,
            "memory_sampled_share": None,
            "memory_accessed_share": None,
            "memory_swapped_bytes": 0,
        }
    last = samples[-1]
    return {
        "memory_resident_bytes": last.resident_bytes,
        "memory_target_bytes": last.target_bytes,
        "memory_active_share": last.active_share,
        "memory_sampled_share": last.sampled_share,
        "memory_accessed_share": last.accessed_share,
        "memory_swapped_bytes": last.swapped_bytes,
    }


def host_sample_row(sample: HostMemorySample) -> Iterator[Value]:
    """Yield a host's sample as a row of its table, without the host."""
    yield sample.time_ns
    yield sample.state
    yield sample.free_bytes
    for level in _LEVELS:
        yield getattr(sample, f"{level}_bytes")


def vm_sample_row(sample: VmMemorySample) -> Iterator[Value]:
    """Yield a VM's sample as a row of its table, without the VM."""
    yield sample.time_ns
    yield sample.resident_bytes
    yield sample.target_bytes
    yield sample.active_share
    yield sample.sampled_share
    yield sample.accessed_share
    yield sample.swapped_bytes
    yield sample.ballooned_bytes
