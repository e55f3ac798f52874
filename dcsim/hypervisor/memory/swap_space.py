"""Where on a host's disk swapped pages lie: blocks of a file, all taken when the host starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import PlacementError
from dcsim.host import BLOCK_BYTES, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.host import Host

__all__ = ["SwapSpace"]

_FILE = "swap"


class SwapSpace:
    """The swap file of a host: a block for each page, the lowest free one first.

    Parameters
    ----------
    host
        On whose disk.
    size_bytes
        Of the file; 0 for none.

    Raises
    ------
    PlacementError
        When the disk holds no files, or has no room for it.
    """

    def __init__(self, host: Host, size_bytes: int) -> None:
        self._offsets = self._blocks(host, size_bytes)
        self._free = list(range(len(self._offsets)))[::-1]
        self._slots: dict[tuple[int, int], int] = {}

    @staticmethod
    def _blocks(host: Host, size_bytes: int) -> list[int]:
        """Return where each page of the file lies on the disk, in bytes."""
        pages = size_bytes // BLOCK_BYTES
        if not pages:
            return []
        store = host.store
        file = None if store is None else store.create(_FILE)
        if store is None or file is None or not store.fill(file, [Run(0, pages)]):
            message = f"the disk of {host.name} has no room for {size_bytes} bytes of swap space"
            raise PlacementError(message)
        places = (file.place(page) for page in range(pages))
        return [place * BLOCK_BYTES for place in places if place is not None]

    def has_room(self, is_swapped: Callable[[int, int], bool]) -> bool:
        """Tell whether there is a free slot, after those whose pages are gone have been freed."""
        if not self._free:
            for vm, page in [key for key in self._slots if not is_swapped(*key)]:
                self.leave(vm, page)
        return bool(self._free)

    def take(self, vm: int, page: int) -> int:
        """Give a page a slot; return where on the disk it is."""
        if (vm, page) not in self._slots:
            self._slots[vm, page] = self._free.pop()
        return self.place(vm, page)

    def place(self, vm: int, page: int) -> int:
        """Return where on the disk a page is."""
        return self._offsets[self._slots[vm, page]]

    def leave(self, vm: int, page: int) -> None:
        """Free a page's slot, if it has one."""
        slot = self._slots.pop((vm, page), None)
        if slot is not None:
            self._free.append(slot)

    def forget(self, vm: int) -> None:
        """Free all slots of a VM."""
        for key in [key for key in self._slots if key[0] == vm]:
            self.leave(*key)
