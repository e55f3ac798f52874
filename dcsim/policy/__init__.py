"""Policies: pure functions on read-only views, found by name.

A policy sees :class:`~dcsim.policy.views.ClusterView`, a picture of the cluster at one moment, and
returns what to do. It holds no state and changes nothing, so it can be tested with a view written
by hand, and replaced by its name in a scenario.
"""

from dcsim.policy.consolidation import (
    ConsolidationPolicy,
    ConsolidationSettings,
    Move,
    consolidation_names,
    consolidation_policy,
)
from dcsim.policy.placement import PlacementPolicy, placement_names, placement_policy
from dcsim.policy.views import ClusterView, HostView, VmView

__all__ = [
    "ClusterView",
    "ConsolidationPolicy",
    "ConsolidationSettings",
    "HostView",
    "Move",
    "PlacementPolicy",
    "VmView",
    "consolidation_names",
    "consolidation_policy",
    "placement_names",
    "placement_policy",
]
