"""The route of a hypervisor that drives the devices itself: all on the vCPU's processor.

It is also that of a VM to which the devices are passed through, and of a guest on bare metal: their
paths are shorter, or none.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcsim.hypervisor.disk_io import GuestRequest
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.route import RouteHost
    from dcsim.hypervisor.virtual_machine import VirtualMachine

__all__ = ["OwnDrivers"]


class OwnDrivers:
    """Requests go from the exit to the device, and completions from its interrupt to the vCPU.

    Parameters
    ----------
    host
        The hypervisor.
    """

    def __init__(self, host: RouteHost) -> None:
        self._host = host

    def adopt(self, vm: VirtualMachine) -> None:
        """Let in the frames that came while the VM was on no host."""
        vm.nic.announce_all()

    def release(self, vm: VirtualMachine) -> None:
        """Keep nothing of a VM."""

    def disk(self, slot: Slot, request: GuestRequest) -> None:
        """Bring a request to the device, on account of the vCPU."""
        host, vm = self._host, request.vm
        trail = host.journeys.begin("disk_out", host.environment.now)
        path = host.paths_of(vm).disk_submit(request.size_bytes, 0, cached=False)
        at_ns = host.charge(slot, "disk_submit", path)
        trail.mark("disk_submit", at_ns)
        trail.end()
        start = partial(host.admit, request, partial(host.direct.start, request))
        host.environment.at(at_ns, start, reach=vm.scope)

    def disk_done(self, request: GuestRequest, *, by_disk: bool, status: int) -> None:
        """Let the device interrupt the vCPU."""
        host, vm = self._host, request.vm
        trail = host.journeys.begin("disk_in", host.environment.now)
        if host.finish(request, status):
            paths = host.paths_of(vm)
            name, path = (
                ("disk_interrupt", paths.interrupt) if by_disk else ("disk_inject", paths.inject)
            )
            host.interrupt(vm, name, path, trail)
            host.settle(vm)

    def send(self, slot: Slot, vm: VirtualMachine, frame: bytes) -> None:
        """Bring a frame to the network, on account of the vCPU."""
        host = self._host
        trail = host.journeys.begin("packet_out", host.environment.now)
        at_ns = host.charge(slot, "packet_send", host.paths_of(vm).packet_send(len(frame)))
        trail.mark("packet_send", at_ns)
        trail.end()
        vm.nic.transmit(frame, at_ns)

    def announce(self, vm: VirtualMachine, size_bytes: int) -> None:
        """Let a frame straight in: what that takes is charged when the device has a buffer."""
        del size_bytes
        vm.nic.let_in(self._host.journeys.begin("packet_in", self._host.environment.now))

    def deliver(self, vm: VirtualMachine, size_bytes: int, trail: Trail | None) -> None:
        """Let the network card interrupt the vCPU."""
        path = self._host.paths_of(vm).packet_receive(size_bytes)
        self._host.interrupt(vm, "packet_receive", path, trail)
