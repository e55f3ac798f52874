"""Stop-and-copy migration.

The VM stops at once. When its devices are quiet (every disk request done, what the host holds back
of its disk written), its registers, devices and all pages with content cross the link, zero pages
as numbers only. The destination makes a VM of them, every byte of which is compared with the
source; then it goes on. Its disk stays where it is, on shared storage.

While the move is under way a channel to the destination is open: its machine runs no further ahead
than the link's latency, since the VM can come that soon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import MigrationError

if TYPE_CHECKING:
    from collections.abc import Generator

    from simpy.events import Event

    from dcsim.datacentre.fabric import Fabric
    from dcsim.host import SavedVm
    from dcsim.hypervisor import Hypervisor, VirtualMachine

__all__ = ["MigrationReport", "migrate"]


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
    transferred_bytes: int
    source_digest: str
    destination_digest: str


def migrate(
    fabric: Fabric, vm: VirtualMachine, destination: Hypervisor, reason: str
) -> Generator[Event, object, MigrationReport | None]:
    """Move a VM; a process.

    Returns
    -------
    MigrationReport or None
        None when the VM ended before it could be saved.

    Raises
    ------
    MigrationError
        When the VM cannot move: it is not running, its disk is its host's own, or the destination
        is off or lacks the memory.
    """
    source = vm.hypervisor
    if source is None or vm.state != "running":
        raise MigrationError(f"{vm.name} cannot move: it is {vm.state}")
    _check(vm, source, destination)
    environment = vm.environment
    requested_ns = environment.now
    latency_ns = fabric.topology.latency_ns(source.host.name, destination.host.name)
    destination.expect(vm)
    destination.host.conductor.open_channel(latency_ns)
    try:
        yield source.pause(vm)
        if _is_over(vm):
            destination.forget(vm)
            return None
        state: SavedVm = source.save(vm)
        arrived = environment.event()
        fabric.transfer(
            source.host.name, destination.host.name, state.transfer_bytes, arrived.succeed
        )
        yield arrived
        destination.restore(vm, state)
    finally:
        destination.host.conductor.close_channel(latency_ns)
    digest = _compare(vm, state, destination)
    destination.resume(vm)
    return MigrationReport(
        vm=vm.name,
        source=source.host.name,
        destination=destination.host.name,
        reason=reason,
        requested_ns=requested_ns,
        stopped_ns=requested_ns,
        resumed_ns=environment.now,
        memory_pages=state.pages,
        zero_pages=state.zero_pages,
        device_bytes=state.device_bytes,
        transferred_bytes=state.transfer_bytes,
        source_digest=state.digest(),
        destination_digest=digest,
    )


def _check(vm: VirtualMachine, source: Hypervisor, destination: Hypervisor) -> None:
    where = f"{vm.name} cannot move from {source.host.name} to {destination.host.name}"
    if source is destination:
        raise MigrationError(f"{where}: it is there already")
    if not vm.is_movable:
        raise MigrationError(f"{where}: its disk is on the host; put it on shared storage")
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
        raise MigrationError(f"{vm.name} arrived different: {', '.join(differences)}")
    return str(arrived.digest())
