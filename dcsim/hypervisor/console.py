"""What a guest has written to its console, within bounds."""

from __future__ import annotations

__all__ = ["MOST_CONSOLE_BYTES", "ConsoleLog"]

MOST_CONSOLE_BYTES = 4 << 20
"""The most kept of a guest's output: one that prints for ever must not fill memory."""


class ConsoleLog:
    """The newest output of a guest.

    Attributes
    ----------
    written_bytes
        How much the guest has written in all.
    """

    def __init__(self, limit_bytes: int = MOST_CONSOLE_BYTES) -> None:
        self._limit = limit_bytes
        self._kept = bytearray()
        self.written_bytes = 0

    def append(self, output: bytes) -> None:
        """Take over output; the oldest goes when there is more than the limit."""
        self.written_bytes += len(output)
        self._kept += output
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def __bytes__(self) -> bytes:
        """Return what is kept, with a first line that says what is missing."""
        kept = bytes(self._kept[-self._limit :])
        missing = self.written_bytes - len(kept)
        return b"[%d bytes before this are not kept]\n" % missing + kept if missing else kept
