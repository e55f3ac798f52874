"""A disk with one arm: seek, rotation, transfer, and the order in which requests are served.

Where the spindle is follows from the time, so the wait for a sector is exact and needs no random
number. Tracks are skewed such that a transfer goes on across them without a pause. The disk has no
cache of its own: what it says is written is on the medium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dcsim.host.disk import DiskModel

if TYPE_CHECKING:
    from dcsim.hardware import RotatingDiskProfile
    from dcsim.host.disk import DiskRequest
    from dcsim.sim import Environment

__all__ = ["RotatingDisk", "ServiceOrder"]

ServiceOrder = Literal["fifo", "elevator"]
"""``fifo``: in order of arrival; ``elevator``: the nearest in the arm's direction, which turns
when there is none left."""


class RotatingDisk(DiskModel):
    """One arm over one spindle.

    Parameters
    ----------
    environment
        The simulation.
    profile
        What it is.
    order
        Which request is next.
    """

    def __init__(
        self, environment: Environment, profile: RotatingDiskProfile, order: ServiceOrder = "fifo"
    ) -> None:
        super().__init__(environment)
        self.profile = profile
        self._order = order
        self._waiting: list[DiskRequest] = []
        self._busy = False
        self._cylinder = 0
        self._upwards = True

    def _accept(self, request: DiskRequest) -> None:
        self._waiting.append(request)
        if not self._busy:
            self._serve()

    def _serve(self) -> None:
        """Take up the next request."""
        self._busy = True
        request = self._waiting.pop(self._next())
        now_ns = self._environment.now
        self._begin(request, now_ns)
        end_ns = now_ns + self.service_ns(request, now_ns)
        if request.size_bytes:
            self._cylinder = self._cylinder_of(request.offset_bytes + request.size_bytes - 1)
        self._environment.at(end_ns, lambda: self._end(request), reach=request.reach)

    def _end(self, request: DiskRequest) -> None:
        self._busy = False
        # First the next one: whoever is told may ask for more, which comes behind it.
        if self._waiting:
            self._serve()
        self._finish(request)

    def service_ns(self, request: DiskRequest, now_ns: int) -> int:
        """Return how long a request takes that is taken up at a time."""
        profile = self.profile
        command_ns = profile.command_ns.value
        if not request.size_bytes:
            return command_ns
        seek = (profile.write_seek if request.write else profile.read_seek).value
        way = abs(self._cylinder_of(request.offset_bytes) - self._cylinder)
        there_ns = command_ns + seek.over_ns(way, profile.cylinders)
        turn_ns, track_bytes = profile.revolution_ns.value, profile.track_bytes.value
        sector_ns = request.offset_bytes % track_bytes * turn_ns // track_bytes
        rotation_ns = (sector_ns - (now_ns + there_ns)) % turn_ns
        return there_ns + rotation_ns + -(-request.size_bytes * turn_ns // track_bytes)

    def _cylinder_of(self, offset_bytes: int) -> int:
        profile = self.profile
        return offset_bytes // (profile.track_bytes.value * profile.heads.value)

    def _next(self) -> int:
        """Return the place of the request to serve among those that wait."""
        if self._order == "fifo":
            return 0
        places = [self._cylinder_of(request.offset_bytes) for request in self._waiting]
        if not any(self._lies_ahead(place) for place in places):
            self._upwards = not self._upwards
        ahead = [index for index, place in enumerate(places) if self._lies_ahead(place)]
        return min(ahead, key=lambda index: abs(places[index] - self._cylinder))

    def _lies_ahead(self, place: int) -> bool:
        return place >= self._cylinder if self._upwards else place <= self._cylinder
