"""The network of a hosted monitor with a world of its own: the way of VMware Workstation 2.0.

The monitor is no part of the host's kernel. It has the processor to itself until it needs the host:
then all state is exchanged, a *world switch*, and the process of the VM sends packets and asks with
a system call whether any has come. Sugerman, Venkitachalam and Lim ("Virtualizing I/O Devices on
VMware Workstation's Hosted Virtual Machine Monitor", USENIX 2001) made that cheaper in three steps:

- *world-switch avoidance*: the monitor itself answers accesses to the card's registers that do not
  transmit;
- *send combining*: packets wait in the monitor until there are three, or there is a world switch
  for another reason (a host interrupt, an idle guest), or the host's timer ticks;
- *interrupt sharing*: whether a packet has come stands in memory that host and process share,
  instead of being asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from dcsim.hypervisor.io_threads import IoThreads
from dcsim.hypervisor.paths import TYPE2, HostedSteps

if TYPE_CHECKING:
    from dcsim.hypervisor.cached_io import CachedIo
    from dcsim.hypervisor.dispatcher import Slot
    from dcsim.hypervisor.journeys import Trail
    from dcsim.hypervisor.paths import HostPaths
    from dcsim.hypervisor.route import RouteHost
    from dcsim.hypervisor.steps import Path
    from dcsim.hypervisor.virtual_machine import VirtualMachine
    from dcsim.sim import Timer

__all__ = ["COMBINED", "TICK_NS", "HostedNetwork", "NetworkPath", "hosted_paths"]

COMBINED = 3
"""How many packets are sent in one world switch at most; as published."""
TICK_NS = 10_000_000
"""How often the host's timer ticks: Linux of that time had 100 Hz."""


@dataclass(frozen=True, slots=True)
class NetworkPath:
    """Which of the improvements a host has."""

    world_switch_avoidance: bool = False
    send_combining: bool = False
    interrupt_sharing: bool = False


def hosted_paths(network: NetworkPath) -> HostPaths:
    """Return the paths of a host with such a monitor."""
    crosses = frozenset({"mmio_console", "mmio_other"})
    if not network.world_switch_avoidance:
        crosses |= {"mmio_virtio", "mmio_notify"}
    return replace(TYPE2, every_exit=(), crossing=HostedSteps.crossing, crosses=crosses)


class HostedNetwork(IoThreads):
    """Packets go through world switches on the vCPU's processor; disks as ever.

    Parameters
    ----------
    host
        The hypervisor.
    cached
        Carries disk requests out through the host's page cache.
    network
        How it does that.
    """

    def __init__(self, host: RouteHost, cached: CachedIo, network: NetworkPath) -> None:
        super().__init__(host, cached)
        self._network = network
        self._queued: dict[str, list[tuple[bytes, Trail]]] = {}
        self._ticks: dict[str, Timer] = {}

    def send(self, slot: Slot, vm: VirtualMachine, frame: bytes) -> None:
        """Take a frame that the guest's card is to transmit."""
        del slot
        vm.outstanding += 1
        trail = self._host.journeys.begin("packet_out", self._host.environment.now)
        queue = self._queued.setdefault(vm.name, [])
        queue.append((frame, trail))
        if not self._network.send_combining:
            # Without avoidance the access itself has switched worlds already.
            self._flush(vm, switches=self._network.world_switch_avoidance)
        elif len(queue) >= COMBINED:
            self._flush(vm, switches=True)
        elif vm.name not in self._ticks or not self._ticks[vm.name].pending:
            now_ns = self._host.environment.now
            at_ns = (now_ns // TICK_NS + 1) * TICK_NS
            tick = partial(self._flush, vm, switches=True)
            self._ticks[vm.name] = self._host.environment.at(at_ns, tick, reach=self._host.scope)

    def idle(self, vm: VirtualMachine) -> None:
        """Send what waits: the guest has nothing to do, and the host gets the processor."""
        self._flush(vm, switches=False)

    def announce(self, vm: VirtualMachine, size_bytes: int) -> None:
        """Let the host take its interrupt: that is a world switch, with which packets leave."""
        self._flush(vm, switches=False)
        del size_bytes
        vm.nic.let_in(self._host.journeys.begin("packet_in", self._host.environment.now))

    def deliver(self, vm: VirtualMachine, size_bytes: int, trail: Trail | None) -> None:
        """Charge the host's interrupt, the process's look for packets, and the copy."""
        path = HostedSteps.receive(size_bytes, asks=not self._network.interrupt_sharing)
        self._host.interrupt(vm, "packet_receive", path, trail)

    def release(self, vm: VirtualMachine) -> None:
        """Forget what a VM has not sent."""
        super().release(vm)
        self._queued.pop(vm.name, None)

    def _flush(self, vm: VirtualMachine, *, switches: bool) -> None:
        queue = self._queued.pop(vm.name, [])
        if not queue or vm.hypervisor is None:
            return
        sizes = [len(frame) for frame, _ in queue]
        path = self._send_path(sizes, switches=switches)
        at_ns = self._host.charge_vm(vm, "packet_send", path)
        for frame, trail in queue:
            trail.mark("wait for a world switch", self._host.environment.now)
            trail.mark("packet_send", at_ns)
            trail.end()
            vm.outstanding -= 1
            vm.nic.transmit(frame, at_ns)

    def _send_path(self, sizes: list[int], *, switches: bool) -> Path:
        asks = not self._network.interrupt_sharing
        return HostedSteps.send(sizes, switches=switches, asks=asks)
