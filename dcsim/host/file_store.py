"""A host's files: which blocks of its disk belong to which file, and what the record of it takes.

Blocks are of 4 KiB. The store itself keeps one block that describes it and one bit for each block;
a file keeps one block that describes it and one for every 512 of its own blocks that are there, in
which their places are written. A file may have holes, which take no blocks.

Invariant: every block is free, the store's, or exactly one file's.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from dcsim.errors import InvariantError
from dcsim.host.free_runs import FreeRuns, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BLOCK_BYTES", "DiskFile", "FileStore"]

BLOCK_BYTES = 4096
BLOCKS_PER_MAP = BLOCK_BYTES // 8
"""A place on the disk takes 8 bytes."""
_BLOCKS_PER_BITMAP = BLOCK_BYTES * 8


class DiskFile:
    """A file: from its blocks to those of the disk.

    Parameters
    ----------
    name
        Its name.
    inode
        The block that describes it.

    Attributes
    ----------
    maps
        The blocks with the places of its blocks, by the number of the stretch.
    unwritten
        Blocks of its record that changed and are not on the disk yet.
    """

    def __init__(self, name: str, inode: int) -> None:
        self.name = name
        self.inode = inode
        self.maps: dict[int, int] = {}
        self.unwritten: set[int] = {inode}
        self.data_blocks = 0
        self._starts: list[int] = []
        self._extents: dict[int, Run] = {}

    @property
    def blocks(self) -> int:
        """How many blocks it takes, those of its record included."""
        return self.data_blocks + len(self.maps) + 1

    def place(self, block: int) -> int | None:
        """Return where on the disk a block is; None for a hole."""
        at = bisect_right(self._starts, block) - 1
        if at < 0:
            return None
        start = self._starts[at]
        run = self._extents[start]
        return run.start + block - start if block < start + run.count else None

    def holes(self, blocks: range) -> list[Run]:
        """Return which of some blocks are not there."""
        found: list[Run] = []
        for block in blocks:
            if self.place(block) is not None:
                continue
            if found and found[-1].end == block:
                found[-1] = Run(found[-1].start, found[-1].count + 1)
            else:
                found.append(Run(block, 1))
        return found

    def present(self) -> Iterator[int]:
        """Yield the blocks that are there, ascending."""
        for start in self._starts:
            yield from range(start, start + self._extents[start].count)

    def extents(self) -> Iterator[tuple[int, Run]]:
        """Yield stretches of the file with where they lie, ascending."""
        yield from ((start, self._extents[start]) for start in self._starts)

    def put(self, first: int, run: Run) -> None:
        """Fill a hole with blocks of the disk."""
        at = bisect_right(self._starts, first)
        self.data_blocks += run.count
        if at:
            before = self._starts[at - 1]
            extent = self._extents[before]
            if before + extent.count == first and extent.end == run.start:
                self._extents[before] = Run(extent.start, extent.count + run.count)
                return
        self._starts.insert(at, first)
        self._extents[first] = run

    def take_out(self, block: int) -> int | None:
        """Make a hole of a block; return where it was."""
        at = bisect_right(self._starts, block) - 1
        place = self.place(block)
        if place is None:
            return None
        start = self._starts.pop(at)
        run = self._extents.pop(start)
        self.data_blocks -= 1
        parts = (
            (start, Run(run.start, block - start)),
            (block + 1, Run(place + 1, run.end - place - 1)),
        )
        for first, part in (each for each in parts if each[1].count):
            self._starts.insert(at, first)
            self._extents[first] = part
            at += 1
        return place


class FileStore:
    """The files of a range of a disk.

    Parameters
    ----------
    whole
        Its blocks.
    """

    def __init__(self, whole: Run) -> None:
        self.whole = whole
        self._free = FreeRuns(whole)
        self.own_blocks = min(whole.count, 1 + -(-whole.count // _BLOCKS_PER_BITMAP))
        self._free.take(self.own_blocks, whole.start)
        self.files: dict[str, DiskFile] = {}

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody has."""
        return self._free.free

    @property
    def record_blocks(self) -> int:
        """Blocks that describe the store and its files."""
        return self.own_blocks + sum(len(file.maps) + 1 for file in self.files.values())

    @property
    def data_blocks(self) -> int:
        """Blocks with the files' content."""
        return sum(file.data_blocks for file in self.files.values())

    def create(self, name: str) -> DiskFile | None:
        """Make an empty file; None when there is no block left for it."""
        if name in self.files:
            raise ValueError(f"there is a file `{name}`")
        if not self._free.free:
            return None
        (inode,) = self._free.take(1, self.whole.start)
        file = self.files[name] = DiskFile(name, inode.start)
        return file

    def delete(self, file: DiskFile) -> None:
        """Give back all that a file has."""
        del self.files[file.name]
        for _, run in file.extents():
            self._free.give(run)
        for block in (*file.maps.values(), file.inode):
            self._free.give(Run(block, 1))

    def needed(self, file: DiskFile, holes: Sequence[Run]) -> int:
        """Return how many blocks filling holes takes, those of the record included."""
        stretches = {each for hole in holes for each in _stretches(hole)}
        return sum(hole.count for hole in holes) + len(stretches - file.maps.keys())

    def fill(self, file: DiskFile, holes: Sequence[Run]) -> bool:
        """Give a file blocks where it has holes: all of them, or none when there are too few."""
        if self.needed(file, holes) > self._free.free:
            return False
        for hole in holes:
            self._map(file, hole)
            first = hole.start
            before = file.place(first - 1)
            for run in self._free.take(hole.count, (file.inode if before is None else before) + 1):
                file.put(first, run)
                first += run.count
        return True

    def release(self, file: DiskFile, block: int) -> None:
        """Make a hole of a block of a file, if it is there."""
        place = file.take_out(block)
        if place is not None:
            self._free.give(Run(place, 1))
            file.unwritten.add(file.maps[block // BLOCKS_PER_MAP])

    def _map(self, file: DiskFile, blocks: Run) -> None:
        """Note in a file's record that blocks change."""
        for stretch in _stretches(blocks):
            if stretch not in file.maps:
                (run,) = self._free.take(1, file.inode)
                file.maps[stretch] = run.start
                file.unwritten.add(file.inode)
            file.unwritten.add(file.maps[stretch])

    def check_sums(self, name: str) -> None:
        """Hold the numbers of blocks to their sum.

        Raises
        ------
        InvariantError
            When they do not add up.
        """
        used = self.data_blocks + self.record_blocks
        if used + self.free_blocks != self.whole.count:
            raise InvariantError(
                f"blocks of the disk of `{name}`: {used} are used and {self.free_blocks} free, "
                f"of {self.whole.count}"
            )

    def check(self, name: str) -> None:
        """Count every block again and hold the store to its invariant.

        Raises
        ------
        InvariantError
            When a block is lost, or belongs to two.
        """
        runs = [*self._free.runs(), Run(self.whole.start, self.own_blocks)]
        for file in self.files.values():
            runs += [run for _, run in file.extents()]
            runs += [Run(block, 1) for block in (*file.maps.values(), file.inode)]
        at = self.whole.start
        for run in sorted(run for run in runs if run.count):
            if run.start != at:
                owner = "nobody" if run.start > at else "two"
                block = min(at, run.start)
                raise InvariantError(f"block {block} of the disk of `{name}` belongs to {owner}")
            at = run.end
        if at != self.whole.end:
            raise InvariantError(f"block {at} of the disk of `{name}` belongs to nobody")


def _stretches(blocks: Run) -> range:
    """Return the numbers of the stretches in which blocks lie."""
    return range(blocks.start // BLOCKS_PER_MAP, (blocks.end - 1) // BLOCKS_PER_MAP + 1)
