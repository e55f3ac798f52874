"""Disks of a host: what all of them have, and the plainest.

A disk is asked to move bytes at an offset and tells when it has. What lies between is the model's:
one server with a latency and a rate (:class:`Disk`), an arm over a spindle
(:mod:`dcsim.host.rotating_disk`), units that work side by side (:mod:`dcsim.host.flash_disk`).

Invariant: requests in are requests out and requests under way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import InvariantError
from dcsim.sim import Counter, Level, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.sim import Environment, Scope

__all__ = ["Disk", "DiskModel", "DiskRequest", "transfer_ns"]


def transfer_ns(size_bytes: int, bits_per_second: int) -> int:
    """Return how long bytes take at a rate, in nanoseconds, rounded up."""
    return -(-size_bytes * 8 * 10**9 // bits_per_second)


@dataclass(eq=False, slots=True)
class DiskRequest:
    """Bytes that are to move."""

    offset_bytes: int
    size_bytes: int
    """0 for a request to have everything on the medium."""
    write: bool
    done: Callable[[], object]
    reach: Scope | None
    arrived_ns: int
    waited: Callable[[int], object] | None = None


class DiskModel(ABC):
    """A disk.

    Parameters
    ----------
    environment
        The simulation.

    Attributes
    ----------
    queue
        Requests waiting or in service, over time.
    waits_ns
        How long each request waited for the ones before it.
    responses_ns
        How long each took, waiting included.
    moved
        Requests and bytes, by direction.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.queue = Level()
        self.waits_ns = Tally()
        self.responses_ns = Tally()
        self.moved = Counter()

    def submit(
        self,
        size_bytes: int,
        *,
        write: bool,
        done: Callable[[], object],
        reach: Scope | None,
        offset_bytes: int = 0,
        waited: Callable[[int], object] | None = None,
    ) -> None:
        """Queue a request.

        Parameters
        ----------
        size_bytes
            How much; 0 to have everything on the medium that was written before.
        write
            To the disk or from it.
        done
            Called when it is done.
        reach
            What ``done`` can change.
        offset_bytes
            Where on the disk.
        waited
            Told how long the request waited for others, when it no longer does.
        """
        now_ns = self._environment.now
        direction = "write" if write else "read"
        self.moved.add(direction)
        self.moved.add(f"{direction}_bytes", size_bytes)
        self.queue.add(1, now_ns)
        self._accept(DiskRequest(offset_bytes, size_bytes, write, done, reach, now_ns, waited))

    def check(self, name: str) -> None:
        """Hold the disk to its invariant.

        Raises
        ------
        InvariantError
            When a request was lost, or answered twice.
        """
        asked = self.moved["read"] + self.moved["write"]
        answered, under_way = self.responses_ns.count, self.queue.value
        if asked != answered + under_way:
            raise InvariantError(
                f"requests of the disk of `{name}`: {asked} were made, {answered} answered, "
                f"and {under_way} are under way"
            )

    @abstractmethod
    def _accept(self, request: DiskRequest) -> None:
        """Serve a request, sooner or later."""

    def _begin(self, request: DiskRequest, at_ns: int) -> None:
        """Note that a request no longer waits, from a time on."""
        wait_ns = at_ns - request.arrived_ns
        self.waits_ns.add(wait_ns)
        if request.waited is not None:
            request.waited(wait_ns)

    def _finish(self, request: DiskRequest) -> None:
        """Note that a request is done, and tell whoever made it."""
        now_ns = self._environment.now
        self.queue.add(-1, now_ns)
        self.responses_ns.add(now_ns - request.arrived_ns)
        request.done()


class Disk(DiskModel):
    """A first-in first-out server.

    A request is served for the disk's latency plus the time of its bytes; the next one waits.

    Parameters
    ----------
    environment
        The simulation.
    latency_ns
        From the start of a request to its first byte.
    bits_per_second
        At which its bytes then move.
    """

    def __init__(self, environment: Environment, *, latency_ns: int, bits_per_second: int) -> None:
        super().__init__(environment)
        self.latency_ns = latency_ns
        self.bits_per_second = bits_per_second
        self._free_ns = 0

    def _accept(self, request: DiskRequest) -> None:
        start_ns = max(request.arrived_ns, self._free_ns)
        service_ns = self.latency_ns + transfer_ns(request.size_bytes, self.bits_per_second)
        self._free_ns = start_ns + service_ns
        self._begin(request, start_ns)
        self._environment.at(self._free_ns, lambda: self._finish(request), reach=request.reach)
