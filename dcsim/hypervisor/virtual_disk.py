"""Where the bytes of a virtual disk are on what holds it.

A virtual disk is an array on shared storage, a partition, or files on a host's disk. As files it is
a pile of *layers*: what is in none of them is zero, what is in several counts where it is highest,
and only the highest is written. A plain disk has one layer. One over a base has the base's below
its own, read-only and shared with whoever else stands on it; a snapshot freezes the highest layer
and puts an empty one on it.

Formats of the first layer: *raw* has all of its blocks from the start, *sparse* those that were
ever written, an *overlay* those that differ from its base. In all layers above another, a block
that is written in part is first copied from below.

The content itself is the machine world's; this module knows places, and what is written when.

Invariant: a write for which there is no room changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from dcsim.host import BLOCK_BYTES, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcsim.host import DiskFile, FileStore

__all__ = [
    "SECTOR_BYTES",
    "CacheMode",
    "DiskFormat",
    "FileDisk",
    "Layer",
    "PageKey",
    "Piece",
    "PlainDisk",
    "VirtualDisk",
    "WritePlan",
    "joined",
    "parts",
]

DiskFormat = Literal["raw", "sparse", "overlay"]
CacheMode = Literal["writeback", "writethrough", "none"]

SECTOR_BYTES = 512


class PageKey(NamedTuple):
    """A page of a file, as the host's page cache knows it."""

    file: str
    page: int


class Piece(NamedTuple):
    """Bytes side by side on the device that holds a virtual disk."""

    offset_bytes: int
    size_bytes: int


class WritePlan(NamedTuple):
    """What a write takes."""

    copied: list[Piece]
    """Blocks that must be read from below first."""
    pieces: list[Piece]
    """What is then written."""


class VirtualDisk(Protocol):
    """Where the bytes of a virtual disk are."""

    def read(self, sector: int, size_bytes: int) -> list[Piece]:
        """Return where bytes are; those that are nowhere are zero."""

    def write(self, sector: int, size_bytes: int) -> WritePlan | None:
        """Make room for bytes; None when there is not enough."""

    def discard(self, sector: int, size_bytes: int) -> None:
        """Give back what holds bytes that nobody needs any more."""

    def unwritten(self) -> list[Piece]:
        """Return the parts of its record that are to be written, which are then taken for so."""

    def file_names(self) -> list[str]:
        """Return the files whose pages are this disk's alone."""

    def page(self, block: int) -> PageKey | None:
        """Return as what the host's page cache knows a block for reading; None when it is zero."""

    def piece(self, key: PageKey) -> Piece:
        """Return where a page is."""


class PlainDisk:
    """A virtual disk whose bytes lie in order: on an array, or in a partition.

    Parameters
    ----------
    name
        As what the host's page cache knows it.
    start_bytes
        Where on its device it begins.
    """

    def __init__(self, name: str, start_bytes: int = 0) -> None:
        self.name = name
        self._start_bytes = start_bytes

    def read(self, sector: int, size_bytes: int) -> list[Piece]:
        """Return where bytes are."""
        return [Piece(self._start_bytes + sector * SECTOR_BYTES, size_bytes)]

    def write(self, sector: int, size_bytes: int) -> WritePlan:
        """Return where bytes are to be; there is always room."""
        return WritePlan([], self.read(sector, size_bytes))

    def discard(self, sector: int, size_bytes: int) -> None:
        """Keep what holds the bytes: it is nobody else's."""

    def unwritten(self) -> list[Piece]:
        """Return nothing: there is no record."""
        return []

    def file_names(self) -> list[str]:
        """Return the one name."""
        return [self.name]

    def page(self, block: int) -> PageKey:
        """Return as what the page cache knows a block."""
        return PageKey(self.name, block)

    def piece(self, key: PageKey) -> Piece:
        """Return where a page is."""
        return Piece(self._start_bytes + key.page * BLOCK_BYTES, BLOCK_BYTES)


class Layer:
    """A file with blocks of a virtual disk, each at its own number.

    Parameters
    ----------
    file
        The file.
    owner
        The VM for whose disk it was made.
    keeps
        Whether it keeps all of its blocks, whatever the guest discards: it is raw.

    Attributes
    ----------
    zeroed
        Blocks that are zero here whatever is below.
    changed
        Blocks that were written since somebody began to copy it; None while nobody does.
    users
        How many virtual disks stand on it; one that stands under several is not written.
    """

    def __init__(self, file: DiskFile, owner: str, *, keeps: bool = False) -> None:
        self.file = file
        self.owner = owner
        self.keeps = keeps
        self.zeroed: set[int] = set()
        self.changed: set[int] | None = None
        self.users = 1

    def has(self, block: int) -> bool:
        """Tell whether a block counts here."""
        return block in self.zeroed or self.file.place(block) is not None


class FileDisk:
    """A virtual disk as files on a host's disk.

    Parameters
    ----------
    store
        The host's files.
    size_bytes
        The capacity of the virtual disk.
    layers
        From the lowest to the highest, which is written.
    """

    def __init__(self, store: FileStore, size_bytes: int, layers: list[Layer]) -> None:
        self.store = store
        self.blocks = -(-size_bytes // BLOCK_BYTES)
        self.layers = layers
        self.size_bytes = size_bytes

    @property
    def top(self) -> Layer:
        """The layer that is written."""
        return self.layers[-1]

    @property
    def own_blocks(self) -> int:
        """Blocks of its own layers: those that were made for it."""
        return sum(layer.file.blocks for layer in self.layers if layer.owner == self.top.owner)

    def present(self) -> list[Run]:
        """Return the blocks that hold anything, in whichever layer."""
        blocks = sorted({block for layer in self.layers for block in layer.file.present()})
        runs: list[Run] = []
        for block in (each for each in blocks if self.page(each) is not None):
            if runs and runs[-1].end == block:
                runs[-1] = Run(runs[-1].start, runs[-1].count + 1)
            else:
                runs.append(Run(block, 1))
        return runs

    def layer_of(self, block: int) -> Layer | None:
        """Return the layer where a block counts; None when it is zero everywhere."""
        return next((layer for layer in reversed(self.layers) if layer.has(block)), None)

    def read(self, sector: int, size_bytes: int) -> list[Piece]:
        """Return where bytes are; those that are nowhere are zero."""
        pieces = []
        for block, start, count in parts(sector, size_bytes):
            key = self.page(block)
            if key is not None:
                pieces.append(Piece(self.piece(key).offset_bytes + start, count))
        return joined(pieces)

    def write(self, sector: int, size_bytes: int) -> WritePlan | None:
        """Make room in the highest layer; None when there is not enough on the host's disk."""
        places = list(parts(sector, size_bytes))
        top = self.top
        partial = [block for block, _, count in places if count < BLOCK_BYTES]
        below = [key for key in map(self._page_below, partial) if key is not None]
        if not self.make_room(range(places[0][0], places[-1][0] + 1) if places else range(0)):
            return None
        copied = [self.piece(key) for key in below]
        copies = {key.page for key in below}
        pieces = []
        for block, start, count in places:
            place = top.file.place(block)
            assert place is not None
            whole = block in copies
            offset = place * BLOCK_BYTES + (0 if whole else start)
            pieces.append(Piece(offset, BLOCK_BYTES if whole else count))
        return WritePlan(joined(copied), joined(pieces))

    def make_room(self, blocks: range) -> bool:
        """Have blocks in the highest layer: all of them, or nothing changes."""
        if not self.store.fill(self.top.file, self.top.file.holes(blocks)):
            return False
        self.top.zeroed.difference_update(blocks)
        if self.top.changed is not None:
            self.top.changed.update(blocks)
        return True

    def discard(self, sector: int, size_bytes: int) -> None:
        """Give back the blocks that lie whole in a range; a raw disk keeps its own."""
        first = -(-sector * SECTOR_BYTES // BLOCK_BYTES)
        last = (sector * SECTOR_BYTES + size_bytes) // BLOCK_BYTES
        if self.top.keeps:
            return
        for block in range(first, last):
            self.store.release(self.top.file, block)
            if any(layer.has(block) for layer in self.layers[:-1]):
                self.top.zeroed.add(block)

    def unwritten(self) -> list[Piece]:
        """Return the blocks of its files' records that changed, now taken for written."""
        blocks = sorted(block for layer in self.layers for block in layer.file.unwritten)
        for layer in self.layers:
            layer.file.unwritten.clear()
        return joined([Piece(block * BLOCK_BYTES, BLOCK_BYTES) for block in blocks])

    def file_names(self) -> list[str]:
        """Return the files of the layers on which nobody else stands."""
        return [layer.file.name for layer in self.layers if layer.users == 1]

    def page(self, block: int) -> PageKey | None:
        """Return as what the page cache knows a block for reading; None when it is zero."""
        layer = self.layer_of(block)
        if layer is None or layer.file.place(block) is None:
            return None
        return PageKey(layer.file.name, block)

    def piece(self, key: PageKey) -> Piece:
        """Return where a page is."""
        place = self.store.files[key.file].place(key.page)
        assert place is not None
        return Piece(place * BLOCK_BYTES, BLOCK_BYTES)

    def _page_below(self, block: int) -> PageKey | None:
        """Return from where a block is copied before the highest layer has it."""
        return None if self.top.has(block) else self.page(block)


def parts(sector: int, size_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Cut an access at blocks: yield the block, the first byte in it, and how many."""
    at, end = sector * SECTOR_BYTES, sector * SECTOR_BYTES + size_bytes
    while at < end:
        block, start = divmod(at, BLOCK_BYTES)
        count = min(BLOCK_BYTES - start, end - at)
        yield block, start, count
        at += count


def joined(pieces: list[Piece]) -> list[Piece]:
    """Join pieces that lie side by side."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].offset_bytes + joined[-1].size_bytes == piece.offset_bytes:
            joined[-1] = Piece(joined[-1].offset_bytes, joined[-1].size_bytes + piece.size_bytes)
        else:
            joined.append(piece)
    return joined
