"""Stop-and-copy migration.

The VM stops at once. When its devices are quiet (every disk request done, what the host holds back
of its disk written), its registers, devices and all pages with content cross the link, zero pages
as numbers only. The destination makes a VM of them, every byte of which is compared with the
source; then it goes on. Its disk stays where it is, on shared storage; or it is the host's own and
is allowed to move: then its blocks that hold anything cross with the rest, are compared like the
rest, and the destination's own disk serves them from then on. Reading and writing them there is
taken to keep up with the network.

Until the transfer begins nobody knows when the VM will arrive, and it can take no less than the
path's latency; then it is known that it takes at least its bytes' time on the narrowest link. A
*plan* of moves keeps the hosts concerned within these bounds (:class:`Plan`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import InvariantError, MigrationError

if TYPE_CHECKING:
    from collections.abc import Generator

    from simpy.events import Event

    from dcsim.datacentre.fabric import Fabric
    from dcsim.host import Channel, DiskContent, SavedVm
    from dcsim.hypervisor import Hypervisor, VirtualMachine

__all__ = ["NUMBER_BYTES", "MigrationReport", "Plan"]

_BLOCK_BYTES = 4096
NUMBER_BYTES = 8
"""What a block of a disk takes on a link beside its content, as a page of memory does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a move was like."""

    vm: str
    source: str
    destination: str
    reason: str
    requested_ns: int
    stopped_ns: int
    resumed_ns: int
    memory_pages: int
    zero_pages: int
    device_bytes: int
    disk_bytes: int
    transferred_bytes: int
    source_digest: str
    destination_digest: str


class Plan:
    """Moves that are made one after the other; from the first, their hosts are kept in step.

    A move begins when the one before it is over, which no event announces to its hosts: so their
    channels are open from the start of the plan, and word of each end takes the path's latency.

    Parameters
    ----------
    fabric
        What the moves cross.
    ways
        Source and destination of each move, in order.
    """

    def __init__(self, fabric: Fabric, ways: list[tuple[Hypervisor, Hypervisor]]) -> None:
        self._fabric = fabric
        self._channels: list[tuple[Hypervisor, Channel]] = []
        for source, destination in ways:
            latency_ns = self.latency_ns(source, destination)
            for end in (source, destination):
                self._channels.append((end, end.host.conductor.open_channel(latency_ns)))

    def latency_ns(self, source: Hypervisor, destination: Hypervisor) -> int:
        """Return how long word takes from one host to another."""
        return self._fabric.topology.latency_ns(source.host.name, destination.host.name)

    def close(self) -> None:
        """Let the hosts run as far as they may."""
        for end, channel in self._channels:
            end.host.conductor.close_channel(channel)
        self._channels.clear()

    def migrate(
        self, vm: VirtualMachine, destination: Hypervisor, reason: str
    ) -> Generator[Event, object, MigrationReport | None]:
        """Move a VM; a process.

        Returns
        -------
        MigrationReport or None
            None when the VM ended before it could be saved, or the destination failed meanwhile.

        Raises
        ------
        MigrationError
            When the VM cannot move: it is not running, its disk is its host's own and does not
            move, or the destination is off or lacks the memory.
        InvariantError
            When what arrived is not what left.
        """
        source = vm.hypervisor
        if source is None or vm.state != "running":
            raise MigrationError(f"{vm.name} cannot move: it is {vm.state}")
        _check(vm, source, destination)
        requested_ns = vm.environment.now
        destination.expect(vm)
        yield source.pause(vm)
        if _is_over(vm):
            destination.forget(vm)
            return None
        state: SavedVm = source.save(vm)
        source_digest = state.digest()
        disk = vm.crossing_disk
        disk_digest = disk.digest() if disk is not None else ""
        disk_bytes = disk.allocated_bytes if disk is not None else 0
        numbers_bytes = disk_bytes // _BLOCK_BYTES * NUMBER_BYTES
        size_bytes = state.transfer_bytes + disk_bytes + numbers_bytes
        yield self._transfer(vm, size_bytes, source, destination)
        if not destination.host.is_on:
            destination.lose(vm)
            return None
        destination.restore(vm, state)
        digest = _compare(vm, state, destination)
        if disk is not None:
            _compare_disk(vm, disk, disk_digest)
        destination.resume(vm)
        return MigrationReport(
            vm=vm.name,
            source=source.host.name,
            destination=destination.host.name,
            reason=reason,
            requested_ns=requested_ns,
            stopped_ns=requested_ns,
            resumed_ns=vm.environment.now,
            memory_pages=state.pages,
            zero_pages=state.zero_pages,
            device_bytes=state.device_bytes,
            disk_bytes=disk_bytes,
            transferred_bytes=size_bytes,
            source_digest=source_digest,
            destination_digest=digest,
        )

    def _transfer(
        self, vm: VirtualMachine, size_bytes: int, source: Hypervisor, destination: Hypervisor
    ) -> Event:
        """Send all that is to cross on its way; return the event of its arrival."""
        arrived = vm.environment.event()
        earliest_ns = self._fabric.transfer(
            source.host.name, destination.host.name, size_bytes, arrived.succeed
        )
        for _, channel in self._channels:
            channel.quiet_until_ns = earliest_ns
        return arrived


def _check(vm: VirtualMachine, source: Hypervisor, destination: Hypervisor) -> None:
    where = f"{vm.name} cannot move from {source.host.name} to {destination.host.name}"
    if source is destination:
        raise MigrationError(f"{where}: it is there already")
    if not vm.is_movable:
        remedy = "put it on shared storage, or say `moves: true`"
        raise MigrationError(f"{where}: its disk is on the host; {remedy}")
    if not destination.host.is_on:
        raise MigrationError(f"{where}, which is {destination.host.power.state}")
    if destination.footprint_bytes(vm) > destination.host.free_bytes:
        raise MigrationError(f"{where}, which lacks the memory")


def _is_over(vm: VirtualMachine) -> bool:
    return vm.state in {"off", "failed"}


def _compare(vm: VirtualMachine, state: SavedVm, destination: Hypervisor) -> str:
    """Compare every byte that arrived with what left; return the digest of what arrived."""
    arrived = destination.snapshot(vm)
    differences = state.differences(arrived)
    if differences:
        raise InvariantError(f"{vm.name} arrived different: {', '.join(differences)}")
    return str(arrived.digest())


def _compare_disk(vm: VirtualMachine, disk: DiskContent, source_digest: str) -> None:
    """Compare what the destination's device serves with what left the source."""
    if disk.digest() != source_digest:
        raise InvariantError(f"the disk of {vm.name} arrived different")
