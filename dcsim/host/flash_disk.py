"""A disk without moving parts: units that work side by side behind one interface.

A read keeps one unit for a time drawn from the profile's distribution, then its bytes go over the
interface; a write goes the other way. The controller spreads requests evenly, so any unit that is
free takes the next one; the disk takes no more at once than its queue is deep. By Little's law n
requests kept under way are served at n / (mean latency and transfer), until units or the interface
are busy all the time.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dcsim.host.disk import DiskModel, transfer_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.hardware import FlashDiskProfile
    from dcsim.host.disk import DiskRequest
    from dcsim.sim import Environment, Stream

__all__ = ["FlashDisk"]


class FlashDisk(DiskModel):
    """Units behind an interface.

    Parameters
    ----------
    environment
        The simulation.
    profile
        What it is.
    stream
        From which its latencies are drawn, in the order in which requests come to a unit.
    """

    def __init__(self, environment: Environment, profile: FlashDiskProfile, stream: Stream) -> None:
        super().__init__(environment)
        self.profile = profile
        self._stream = stream
        self._outside: deque[DiskRequest] = deque()
        self._inside = 0
        self._for_unit: deque[DiskRequest] = deque()
        self._free_units = profile.units.value
        self._interface_free_ns = 0

    def _accept(self, request: DiskRequest) -> None:
        if self._inside < self.profile.queue_depth.value:
            self._enter(request)
        else:
            self._outside.append(request)

    def _enter(self, request: DiskRequest) -> None:
        self._inside += 1
        if request.write:
            self._transfer(request, lambda: self._to_unit(request))
        else:
            self._to_unit(request)

    def _to_unit(self, request: DiskRequest) -> None:
        if self._free_units:
            self._work(request)
        else:
            self._for_unit.append(request)

    def _work(self, request: DiskRequest) -> None:
        self._free_units -= 1
        now_ns = self._environment.now
        profile = self.profile
        latency = (profile.write_ns if request.write else profile.read_ns).value
        sent_ns = transfer_ns(request.size_bytes, profile.write_bits_per_second.value)
        self._begin(request, max(request.arrived_ns, now_ns - (sent_ns if request.write else 0)))
        busy_ns = latency.draw_ns(self._stream.bits()) if request.size_bytes else latency.least_ns
        self._environment.after(busy_ns, lambda: self._worked(request), reach=request.reach)

    def _worked(self, request: DiskRequest) -> None:
        self._free_units += 1
        if self._for_unit:
            self._work(self._for_unit.popleft())
        if request.write:
            self._leave(request)
        else:
            self._transfer(request, lambda: self._leave(request))

    def _transfer(self, request: DiskRequest, then: Callable[[], None]) -> None:
        """Send a request's bytes over the interface, behind those that are on it."""
        profile = self.profile
        rate = profile.write_bits_per_second if request.write else profile.read_bits_per_second
        start_ns = max(self._environment.now, self._interface_free_ns)
        self._interface_free_ns = start_ns + transfer_ns(request.size_bytes, rate.value)
        self._environment.at(self._interface_free_ns, then, reach=request.reach)

    def _leave(self, request: DiskRequest) -> None:
        self._inside -= 1
        if self._outside:
            self._enter(self._outside.popleft())
        self._finish(request)
