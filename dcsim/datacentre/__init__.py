"""The data centre: network, shared storage, the cluster and what moves in it."""

from dcsim.datacentre.clients import Client, ServedRequest
from dcsim.datacentre.cluster import Cluster, ClusterEvent, Consolidation, RestartRule, Usage
from dcsim.datacentre.fabric import Fabric
from dcsim.datacentre.faults import FaultKind, FaultSpec, schedule_fault
from dcsim.datacentre.migration import NUMBER_BYTES, MigrationReport
from dcsim.datacentre.sink import Sink
from dcsim.datacentre.snapshots import SnapshotAction, schedule_snapshot
from dcsim.datacentre.storage import SharedStorage
from dcsim.datacentre.topology import OUTSIDE, LinkSpec, Topology, star

__all__ = [
    "NUMBER_BYTES",
    "OUTSIDE",
    "Client",
    "Cluster",
    "ClusterEvent",
    "Consolidation",
    "Fabric",
    "FaultKind",
    "FaultSpec",
    "LinkSpec",
    "MigrationReport",
    "RestartRule",
    "ServedRequest",
    "SharedStorage",
    "Sink",
    "SnapshotAction",
    "Topology",
    "Usage",
    "schedule_fault",
    "schedule_snapshot",
    "star",
]
