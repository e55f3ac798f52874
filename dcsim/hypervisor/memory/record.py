"""What became of the memory of a host and its VMs, over time; in pages of 4 KiB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = ["PAGE_BYTES", "HostSample", "VmSample"]

PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """A host's memory at a moment."""

    time_ns: int
    state: str
    """The free-memory state from here on."""
    free: int
    """Frames that are free."""
    resident: int
    """Guest pages that have content in frames."""
    shared: int
    """Of these, pages that lie in a frame with others."""
    reclaimed: int
    """Frames that sharing saves."""
    zero: int
    """Of the shared pages, those that are all zero."""
    swapped: int
    ballooned: int
    compressed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSample:
    """A VM's memory at a moment."""

    time_ns: int
    resident: int
    target: int
    """What it would have if all memory were shared out anew."""
    active: Fraction
    """The estimated part of its memory that it uses."""
    sampled: Fraction | None
    """The part of its sampled pages that were accessed in the last sampling period."""
    accessed: Fraction | None
    """The part of all its pages that the MMU saw accessed in that period."""
    swapped: int
    ballooned: int
