"""Which VMs move so that hosts become empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from dcsim.policy.placement import fits
from dcsim.policy.registry import Registry
from dcsim.policy.views import ClusterView, HostView, VmView

__all__ = [
    "ConsolidationPolicy",
    "ConsolidationSettings",
    "Move",
    "consolidation_names",
    "consolidation_policy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolidationSettings:
    """What a scenario says about consolidation."""

    threshold: Fraction
    """A host less busy than this is a candidate to be emptied."""
    ceiling: Fraction = Fraction(4, 5)
    """No host is made busier than this by a move."""


@dataclass(frozen=True, slots=True)
class Move:
    """A VM is to go from one host to another."""

    vm: str
    source: str
    destination: str


ConsolidationPolicy = Callable[[ClusterView, ConsolidationSettings], tuple[Move, ...]]
"""Given the cluster, returns the moves to make, in order."""

_REGISTRY: Registry[ConsolidationPolicy] = Registry("consolidation policy")
consolidation_names = _REGISTRY.names
consolidation_policy = _REGISTRY.__getitem__


@_REGISTRY.register("underload")
def underload(cluster: ClusterView, settings: ConsolidationSettings) -> tuple[Move, ...]:
    """Empty the least busy host below the threshold, if all of its VMs fit elsewhere.

    Only one host at a time: what the others can take is known for sure only before anything moves.
    A host is emptied whole or not at all, since half an emptied host saves nothing. VMs go, largest
    first, to the first host that has the memory and stays below the ceiling; empty hosts take none.
    """
    occupied = [host for host in cluster.hosts if host.on and host.vms]
    idle_enough = [host for host in occupied if host.utilisation < settings.threshold]
    for source in sorted(idle_enough, key=lambda host: host.utilisation):
        others = [host for host in occupied if host.name != source.name]
        moves = _empty(source, others, settings.ceiling)
        if moves:
            return moves
    return ()


def _empty(source: HostView, others: list[HostView], ceiling: Fraction) -> tuple[Move, ...]:
    """Return the moves that empty a host, or none when one of its VMs has nowhere to go."""
    if not all(vm.movable for vm in source.vms):
        return ()
    moves = []
    for vm in sorted(source.vms, key=lambda vm: -vm.memory_bytes):
        place = next((at for at, host in enumerate(others) if _takes(host, vm, ceiling)), None)
        if place is None:
            return ()
        host = others[place]
        moves.append(Move(vm.name, source.name, host.name))
        others[place] = replace(
            host,
            free_bytes=host.free_bytes - vm.memory_bytes,
            utilisation=host.utilisation + vm.cpu / host.pcpus,
        )
    return tuple(moves)


def _takes(host: HostView, vm: VmView, ceiling: Fraction) -> bool:
    return fits(host, vm) and host.utilisation + vm.cpu / host.pcpus <= ceiling
