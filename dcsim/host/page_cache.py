"""The host operating system's page cache: which pages of which files are in memory.

A hosted hypervisor keeps a virtual disk in a file, and the file's pages go through this cache: a
read of a page that is here costs no disk access, a write is done when it is here and reaches the
disk later. The cache decides *when* things happen; the data itself is the virtual disk's.

Replacement is least recently used. A dirty page that is replaced is written first, by whoever
needs its place.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from dcsim.sim import Counter

__all__ = ["CACHE_PAGE_BYTES", "PageCache", "Touched"]

CACHE_PAGE_BYTES = 4096
_SECTOR_BYTES = 512


class Touched(NamedTuple):
    """What an access found."""

    pages: int
    """Pages that it covers."""
    missing: int
    """Of these, pages that must be read from the disk."""
    written_back: int
    """Dirty pages that had to leave to make place."""


class PageCache:
    """Pages of files in host memory.

    Parameters
    ----------
    capacity_bytes
        How much memory it may use; at least one page.

    Attributes
    ----------
    counts
        Pages hit and missed.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = max(1, capacity_bytes // CACHE_PAGE_BYTES)
        self._pages: OrderedDict[tuple[str, int], bool] = OrderedDict()
        self.counts = Counter()

    def read(self, file: str, sector: int, size_bytes: int) -> Touched:
        """Look pages up for reading; those that are missing are then here."""
        return self._touch(file, sector, size_bytes, write=False)

    def write(self, file: str, sector: int, size_bytes: int) -> Touched:
        """Put pages here as dirty; a page that is only partly written must be read first."""
        return self._touch(file, sector, size_bytes, write=True)

    def clean(self, file: str) -> int:
        """Take the dirty pages of a file as written; return how many there were."""
        dirty = [key for key, is_dirty in self._pages.items() if is_dirty and key[0] == file]
        for key in dirty:
            self._pages[key] = False
        return len(dirty)

    def drop(self, file: str) -> None:
        """Forget a file that is closed; its dirty pages must have been written."""
        for key in [key for key in self._pages if key[0] == file]:
            del self._pages[key]

    def _touch(self, file: str, sector: int, size_bytes: int, *, write: bool) -> Touched:
        start = sector * _SECTOR_BYTES
        end = start + size_bytes
        first, last = start // CACHE_PAGE_BYTES, -(-end // CACHE_PAGE_BYTES)
        missing = written_back = 0
        for page in range(first, last):
            whole = start <= page * CACHE_PAGE_BYTES and (page + 1) * CACHE_PAGE_BYTES <= end
            known = (file, page) in self._pages
            self.counts.add("hit" if known else "miss")
            missing += not known and not (write and whole)
            written_back += self._insert((file, page), dirty=write)
        return Touched(last - first, missing, written_back)

    def _insert(self, key: tuple[str, int], *, dirty: bool) -> int:
        """Put a page in front; return how many dirty pages left."""
        self._pages[key] = self._pages.get(key, False) or dirty
        self._pages.move_to_end(key)
        left = 0
        while len(self._pages) > self._capacity:
            _, was_dirty = self._pages.popitem(last=False)
            left += was_dirty
        return left
