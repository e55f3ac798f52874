"""Shared storage: a disk array that every host reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.host import transfer_ns
from dcsim.sim import Counter, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.sim import Environment, Scope

__all__ = ["SharedStorage"]


class SharedStorage:
    """An array: its latency is that of each request on its own, its bandwidth is shared.

    Many disks work at once, so latencies overlap; the bytes of all requests, of all hosts, go one
    after the other through the array's port, in order of arrival.

    Parameters
    ----------
    environment
        The simulation.
    name
        Its name in the scenario.
    latency_ns
        From a request to its first byte, the storage network included.
    bits_per_second
        Of the port.
    """

    def __init__(
        self, environment: Environment, name: str, *, latency_ns: int, bits_per_second: int
    ) -> None:
        self._environment = environment
        self.name = name
        self.latency_ns = latency_ns
        self.bits_per_second = bits_per_second
        self.moved = Counter()
        self.waits_ns = Tally()
        self._free_ns = 0

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
        """Queue a request; ``done`` is called when it is done. Where on the array is no matter."""
        del offset_bytes
        ready_ns = self._environment.now + self.latency_ns
        start_ns = max(ready_ns, self._free_ns)
        self._free_ns = start_ns + transfer_ns(size_bytes, self.bits_per_second)
        direction = "write" if write else "read"
        self.moved.add(direction)
        self.moved.add(f"{direction}_bytes", size_bytes)
        self.waits_ns.add(start_ns - ready_ns)
        if waited is not None:
            waited(start_ns - ready_ns)
        self._environment.at(self._free_ns, done, reach=reach)
