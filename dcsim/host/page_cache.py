"""The host operating system's page cache: which pages of which files are in memory.

A hosted hypervisor keeps a virtual disk in a file, and the file's pages go through this cache: a
read of a page that is here costs no disk access, a write is done when it is here and reaches the
disk later. The cache decides *when* things happen; the data itself is the virtual disk's.

Replacement is least recently used. A dirty page that is replaced is written first, by whoever
needs its place.
"""

from __future__ import annotations

from collections import OrderedDict

from dcsim.sim import Counter

__all__ = ["CACHE_PAGE_BYTES", "PageCache"]

CACHE_PAGE_BYTES = 4096


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
        self._evicted: list[tuple[str, int]] = []
        self.counts = Counter()

    def use(self, file: str, page: int, *, dirty: bool = False) -> bool:
        """Look a page up, which is then here; tell whether it was before.

        Parameters
        ----------
        file, page
            Which page of which file.
        dirty
            Whether it changes here, and has to be written some time.
        """
        key = (file, page)
        known = key in self._pages
        self.counts.add("hit" if known else "miss")
        self._pages[key] = self._pages.get(key, False) or dirty
        self._pages.move_to_end(key)
        while len(self._pages) > self._capacity:
            old, was_dirty = self._pages.popitem(last=False)
            if was_dirty:
                self._evicted.append(old)
        return known

    def take_evicted(self) -> list[tuple[str, int]]:
        """Return the dirty pages that had to leave since the last call: they must be written."""
        evicted, self._evicted = self._evicted, []
        return evicted

    def clean(self, file: str) -> list[int]:
        """Take the dirty pages of a file as written; return which they were, ascending."""
        dirty = [key for key, is_dirty in self._pages.items() if is_dirty and key[0] == file]
        for key in dirty:
            self._pages[key] = False
        return sorted(page for _, page in dirty)

    def drop(self, file: str) -> None:
        """Forget a file that is closed; its dirty pages must have been written."""
        for key in [key for key in self._pages if key[0] == file]:
            del self._pages[key]

    def clear(self) -> None:
        """Forget everything, dirty pages too: the host has failed."""
        self._pages.clear()
        self._evicted.clear()

    def forget(self, file: str, page: int) -> None:
        """Forget a page whose content nobody needs any more."""
        self._pages.pop((file, page), None)
