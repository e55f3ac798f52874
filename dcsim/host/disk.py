"""A host's own disk: one request at a time, in order of arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.sim import Counter, Level, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.sim import Environment, Scope

__all__ = ["Disk", "transfer_ns"]


def transfer_ns(size_bytes: int, bits_per_second: int) -> int:
    """Return how long bytes take at a rate, in nanoseconds, rounded up."""
    return -(-size_bytes * 8 * 10**9 // bits_per_second)


class Disk:
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

    Attributes
    ----------
    queue
        Requests waiting or in service, over time.
    waits_ns
        How long each request waited for the ones before it.
    moved
        Requests and bytes, by direction.
    """

    def __init__(self, environment: Environment, *, latency_ns: int, bits_per_second: int) -> None:
        self._environment = environment
        self.latency_ns = latency_ns
        self.bits_per_second = bits_per_second
        self.queue = Level()
        self.waits_ns = Tally()
        self.moved = Counter()
        self._free_ns = 0

    def submit(
        self, size_bytes: int, *, write: bool, done: Callable[[], None], reach: Scope | None
    ) -> int:
        """Queue a request; return when it will be done, which is when ``done`` is called."""
        now_ns = self._environment.now
        start_ns = max(now_ns, self._free_ns)
        self._free_ns = start_ns + self.latency_ns + transfer_ns(size_bytes, self.bits_per_second)
        self.waits_ns.add(start_ns - now_ns)
        direction = "write" if write else "read"
        self.moved.add(direction)
        self.moved.add(f"{direction}_bytes", size_bytes)
        self.queue.add(1, now_ns)

        def finish() -> None:
            self.queue.add(-1, self._environment.now)
            done()

        self._environment.at(self._free_ns, finish, reach=reach)
        return self._free_ns
