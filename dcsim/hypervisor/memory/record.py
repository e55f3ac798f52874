"""What became of the memory of a host, over time; in pages of 4 KiB."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PAGE_BYTES", "HostSample"]

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
