"""What of a virtual disk's content is on the device, while newer content is in a page cache.

Needed where a host fails: its memory is gone, and the disk has what was written back.

Invariant: a page is as it was when a write of it was begun that has ended; of several that of the
last one begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.host import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dcsim.host import DiskContent

__all__ = ["DurableContent"]


class DurableContent:
    """The content of a disk without what is only in memory.

    Parameters
    ----------
    content
        What is there now: all of it is on the device.
    """

    def __init__(self, content: DiskContent) -> None:
        self._content = content.clone()
        self._begun = 0
        self._newest: dict[int, int] = {}
        self._ended = False

    def written_later(self, content: DiskContent, pages: Sequence[int]) -> Callable[[], None]:
        """Begin to write pages as they are now; return what to call when they are written."""
        self._begun += 1
        serial, now = self._begun, content.clone()

        def written() -> None:
            for page in pages:
                if not self._ended and self._newest.get(page, 0) < serial:
                    self._newest[page] = serial
                    self._copy(now, page)

        return written

    def _copy(self, source: DiskContent, page: int) -> None:
        start = page * BLOCK_BYTES
        size = min(BLOCK_BYTES, source.size_bytes - start)
        self._content.write(start, source.read(start, size))

    def content(self) -> DiskContent:
        """Return what is on the device; nothing is written to it any more."""
        self._ended = True
        return self._content
