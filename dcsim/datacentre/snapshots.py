"""Snapshots of virtual disks at fixed times, on whichever hosts they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.datacentre.cluster import Cluster
    from dcsim.hypervisor import VirtualMachine
    from dcsim.sim import Environment

__all__ = ["SnapshotAction", "schedule_snapshot"]

SnapshotAction = Literal["take", "revert", "merge"]
_DONE = {"take": "snapshot-taken", "revert": "snapshot-reverted", "merge": "snapshot-merged"}


def schedule_snapshot(
    environment: Environment,
    cluster: Cluster,
    vm: VirtualMachine,
    action: SnapshotAction,
    name: str,
    at_ns: int,
) -> None:
    """Have something done with a snapshot of a VM's disk at a time; the end is noted."""

    def act() -> None:
        hypervisor = cluster.hypervisors.get(vm.last_host)
        if hypervisor is None:
            cluster.note("snapshot-refused", vm.name, f"{action} {name}: it has not started")
            return
        actions: dict[SnapshotAction, Callable[..., None]] = {
            "take": hypervisor.snapshots.take,
            "revert": hypervisor.snapshots.revert,
            "merge": hypervisor.snapshots.merge,
        }
        actions[action](vm, name, partial(_note, cluster, vm, action, name))

    environment.at(at_ns, act)


def _note(
    cluster: Cluster, vm: VirtualMachine, action: SnapshotAction, name: str, problem: str
) -> None:
    if problem:
        cluster.note("snapshot-refused", vm.name, f"{action} {name}: {problem}")
    else:
        cluster.note(_DONE[action], vm.name, name)
