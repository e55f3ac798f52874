"""Where a host's own work runs: on an idle processor, else on each in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.host import Conductor, Processor

__all__ = ["Places"]


class Places:
    """Chooses processors for work that no VM asked for.

    Work on an idle processor costs no VM anything. Work on another is charged to whichever vCPU is
    there: that is why the next one has its turn.

    Parameters
    ----------
    conductor
        Whose processors.
    """

    def __init__(self, conductor: Conductor) -> None:
        self._processors = conductor.processors
        self._turn = 0

    def choose(self) -> Processor:
        """Return the processor for the next piece of work."""
        for processor in self._processors:
            if processor.vm is None and not processor.occupied:
                return processor
        self._turn = (self._turn + 1) % len(self._processors)
        return self._processors[self._turn]
