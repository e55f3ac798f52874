"""On which host a VM starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dcsim.policy.registry import Registry
from dcsim.policy.views import ClusterView, HostView, VmView

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PlacementPolicy", "fits", "placement_names", "placement_policy"]

PlacementPolicy = Callable[[ClusterView, VmView], str | None]
"""Given the cluster and a VM, returns a host's name, or None when none can take it."""

_REGISTRY: Registry[PlacementPolicy] = Registry("placement policy")
placement_names = _REGISTRY.names
placement_policy = _REGISTRY.__getitem__


def fits(host: HostView, vm: VmView) -> bool:
    """Tell whether a host that is on has the memory for a VM; processors may be overcommitted."""
    return host.on and vm.memory_bytes <= host.free_bytes


def _first(hosts: Iterable[HostView]) -> str | None:
    return next((host.name for host in hosts), None)


@_REGISTRY.register("first-fit")
def first_fit(cluster: ClusterView, vm: VmView) -> str | None:
    """Return the first host, in the scenario's order, that has the memory."""
    return _first(host for host in cluster.hosts if fits(host, vm))


@_REGISTRY.register("spread")
def spread(cluster: ClusterView, vm: VmView) -> str | None:
    """Return the host with the fewest VMs for each processor; the first of equals."""
    candidates = [host for host in cluster.hosts if fits(host, vm)]
    # A sort is stable: equals stay in the scenario's order.
    return _first(sorted(candidates, key=lambda host: len(host.vms) * _SCALE // host.pcpus))


_SCALE = 1 << 20
