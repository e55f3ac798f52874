"""Scenario files: the models, the strict reader, the JSON Schema.

:func:`load_scenario` reads a file and reports every problem with its place;
:class:`Scenario` is what a run is built from.
"""

from dcsim.scenario.expect import Expectation
from dcsim.scenario.faults import Fault, Restart, Watchdog
from dcsim.scenario.host_software import DriverDomain, HostDevice, HostProcess, service_name
from dcsim.scenario.hosts import Disk, Fabric, Host, Link, Partition, SharedStorage, Storage
from dcsim.scenario.load import ScenarioFile, load_scenario, read_scenario
from dcsim.scenario.policies import Consolidation, Migration, Placement
from dcsim.scenario.processors import DataCache, HostScheduler, Numa, VmReservation
from dcsim.scenario.scenario import Scenario
from dcsim.scenario.snapshots import Snapshot
from dcsim.scenario.vms import Requests, VirtualDisk, Vm

__all__ = [
    "Consolidation",
    "DataCache",
    "Disk",
    "DriverDomain",
    "Expectation",
    "Fabric",
    "Fault",
    "Host",
    "HostDevice",
    "HostProcess",
    "HostScheduler",
    "Link",
    "Migration",
    "Numa",
    "Partition",
    "Placement",
    "Requests",
    "Restart",
    "Scenario",
    "ScenarioFile",
    "SharedStorage",
    "Snapshot",
    "Storage",
    "VirtualDisk",
    "Vm",
    "VmReservation",
    "Watchdog",
    "load_scenario",
    "read_scenario",
    "service_name",
]
