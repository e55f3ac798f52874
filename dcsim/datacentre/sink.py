"""A machine outside that takes what a VM sends and acknowledges it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from dcsim.datacentre.topology import OUTSIDE

if TYPE_CHECKING:
    from dcsim.datacentre.fabric import Fabric
    from dcsim.hypervisor import VirtualMachine
    from dcsim.sim import Environment

__all__ = ["Sink"]

_ADDRESSES = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x03"
_TYPE = b"\x88\xb5"
_ACKNOWLEDGEMENT = struct.Struct("<IIQ")
_MAGIC = 0x6174_6364
_LEAST_BYTES = 60


class Sink:
    """Acknowledges every so many packets that arrive.

    A frame's payload is magic "dcta", four bytes of nothing, and how many packets have arrived
    (64 bit), little-endian; the guest's ``transmit`` program reads it.

    Parameters
    ----------
    environment
        The simulation.
    fabric
        What the packets cross.
    vm
        Who sends them.
    every
        How many packets an acknowledgement is for.
    """

    def __init__(
        self, environment: Environment, fabric: Fabric, vm: VirtualMachine, every: int
    ) -> None:
        self._environment = environment
        self._fabric = fabric
        self._vm = vm
        self._every = every
        self.arrived = 0
        vm.on_packet = self._on_packet

    def _on_packet(self, frame: bytes, at_ns: int) -> None:
        vm = self._vm
        arrives_ns = self._fabric.send(vm.port, OUTSIDE, len(frame), at_ns, vm.note_link_wait)
        self._environment.at(arrives_ns, self._take, reach=self._vm.scope)

    def _take(self) -> None:
        self.arrived += 1
        if self.arrived % self._every:
            return
        fields = _ACKNOWLEDGEMENT.pack(_MAGIC, 0, self.arrived)
        frame = (_ADDRESSES + _TYPE + fields).ljust(_LEAST_BYTES, b"\0")
        vm, now_ns = self._vm, self._environment.now
        arrives_ns = self._fabric.send(OUTSIDE, vm.port, len(frame), now_ns, vm.note_link_wait)
        self._environment.at(arrives_ns, lambda: self._vm.nic.arrive(frame), reach=self._vm.scope)
