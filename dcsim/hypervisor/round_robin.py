"""Round robin: each in its turn, for one slice.

The plainest scheduler, without weights and caps: what a slice costs and gains shows here without
anything else. One that has used its slice up goes to the back of the queue. One that wakes goes to
the back too (``wakes_to: back``, the textbook's rule), where it waits for a slice of each of the
others; or to the front (``wakes_to: front``), where it waits for the end of a running slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dcsim.hypervisor.shared_queue import SharedQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcsim.hypervisor.scheduler import Schedulable

__all__ = ["RoundRobinScheduler"]

SLICE_NS = 50_000_000


class RoundRobinScheduler(SharedQueue):
    """Turns of equal length.

    Parameters
    ----------
    processors
        How many there are.
    slice_ns
        How long a turn is.
    wakes_to
        Where in the queue one that wakes goes.
    """

    def __init__(
        self,
        processors: int,
        *,
        slice_ns: int = SLICE_NS,
        wakes_to: Literal["back", "front"] = "back",
    ) -> None:
        super().__init__(processors)
        self.slice_ns = slice_ns
        self.wakes_to = wakes_to
        self._ends_ns = [0] * processors
        self._places: dict[Schedulable, tuple[bool, int]] = {}
        self._arrivals = 0

    def add(self, vcpu: Schedulable) -> None:
        """Get to know a vCPU."""
        self._places[vcpu] = (True, 0)

    def remove(self, vcpu: Schedulable) -> None:
        """Forget a vCPU."""
        super().remove(vcpu)
        del self._places[vcpu]

    def charge(self, vcpu: Schedulable, ran_ns: int) -> None:
        """Do nothing: turns are measured by the clock."""

    def _arrive(self, vcpu: Schedulable, now_ns: int) -> None:
        del now_ns
        self._arrivals += 1
        self._places[vcpu] = (self.wakes_to == "back", self._arrivals)

    def _put_back(self, vcpu: Schedulable) -> None:
        self._arrivals += 1
        self._places[vcpu] = (True, self._arrivals)

    def _ready_ns(self, vcpu: Schedulable, now_ns: int) -> int:
        del vcpu
        return now_ns

    def _first(self, ready: Sequence[Schedulable], processor: int) -> Schedulable:
        del processor
        return min(ready, key=lambda each: self._places[each])

    def _keeps_ns(self, processor: int, current: Schedulable, now_ns: int) -> int | None:
        del current, now_ns
        return self._ends_ns[processor]

    def _begin(self, processor: int, chosen: Schedulable, now_ns: int) -> None:
        del chosen
        self._ends_ns[processor] = now_ns + self.slice_ns

    def _again_ns(self, processor: int, chosen: Schedulable, now_ns: int) -> int | None:
        del chosen, now_ns
        return self._ends_ns[processor]

    def _displaces(self, vcpu: Schedulable, current: Schedulable) -> bool:
        del vcpu, current
        return False
