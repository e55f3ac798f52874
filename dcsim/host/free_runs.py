"""Which blocks of a disk are free: runs of them, in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

__all__ = ["FreeRuns", "Run"]


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """Blocks side by side."""

    start: int
    count: int

    @property
    def end(self) -> int:
        """The block behind the last."""
        return self.start + self.count


class FreeRuns:
    """The free blocks of a range, which is all free at first.

    Parameters
    ----------
    whole
        The range.

    Attributes
    ----------
    free
        How many blocks are free.
    """

    def __init__(self, whole: Run) -> None:
        self._starts = [whole.start] if whole.count else []
        self._counts = {whole.start: whole.count} if whole.count else {}
        self.free = whole.count

    def take(self, count: int, near: int) -> list[Run]:
        """Take blocks, from a place upwards, then from the lowest; there must be as many free."""
        if count > self.free:
            raise ValueError(f"{count} blocks are asked for and {self.free} are free")
        self.free -= count
        taken = []
        while count:
            run = self._take_run(count, near)
            taken.append(run)
            count -= run.count
        return taken

    def give(self, run: Run) -> None:
        """Take blocks back that are not free."""
        at = bisect_left(self._starts, run.start)
        before = self._run(at - 1) if at else Run(run.start, 0)
        after = self._run(at) if at < len(self._starts) else Run(run.end, 0)
        if before.end > run.start or after.start < run.end:
            raise ValueError(f"blocks {run.start} to {run.end - 1} are free already")
        self.free += run.count
        start, count = run.start, run.count
        if before.count and before.end == run.start:
            start, count = before.start, before.count + count
            del self._counts[before.start]
            del self._starts[at - 1]
            at -= 1
        if after.count and after.start == run.end:
            count += after.count
            del self._counts[after.start]
            del self._starts[at]
        self._starts.insert(at, start)
        self._counts[start] = count

    def runs(self) -> list[Run]:
        """Return the runs of free blocks, ascending."""
        return [self._run(index) for index in range(len(self._starts))]

    def _run(self, index: int) -> Run:
        start = self._starts[index]
        return Run(start, self._counts[start])

    def _take_run(self, count: int, near: int) -> Run:
        """Take one run of at most so many blocks."""
        at = max(0, bisect_right(self._starts, near) - 1)
        if self._run(at).end <= near:
            at = at + 1 if at + 1 < len(self._starts) else 0
        run = self._run(at)
        start = max(run.start, near) if near < run.end else run.start
        taken = Run(start, min(count, run.end - start))
        self._cut(at, run, taken)
        return taken

    def _cut(self, at: int, run: Run, taken: Run) -> None:
        """Leave of a run what lies before and behind the part that is taken."""
        del self._starts[at]
        del self._counts[run.start]
        rest = (Run(run.start, taken.start - run.start), Run(taken.end, run.end - taken.end))
        for left in (each for each in rest if each.count):
            self._starts.insert(at, left.start)
            self._counts[left.start] = left.count
            at += 1
