"""Hosts, and the network and storage between them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dcsim.hardware import IsaName, MissingName, load_disk_profile
from dcsim.host import DISK_BYTES, PartitionUse, ServiceOrder
from dcsim.hypervisor import IoName, default_scheduler
from dcsim.scenario.host_software import DriverDomain, HostDevice, HostProcess, NetworkPath
from dcsim.scenario.memory import Overcommit
from dcsim.scenario.model import Items, Model, Name
from dcsim.scenario.processors import DataCache, HostScheduler, Numa
from dcsim.units import Bandwidth, Bytes, Duration, Frequency

__all__ = ["Disk", "Fabric", "Host", "Link", "Partition", "SharedStorage", "Storage"]


class Partition(Model):
    """A primary partition of a host's disk."""

    name: Name
    size_bytes: Bytes = Field(alias="size")
    """A whole number of 4 KiB blocks. It begins at the next whole MiB."""
    use: PartitionUse = "raw"
    """`raw`: the disk of the VM that names it; `files`: it holds the disks that are files."""


class Disk(Model):
    """A host's own disk."""

    profile: str | None = None
    """A model of disk: how it seeks and turns, or how many units it has and how long they take. A
    server with the latency and bandwidth below when left out."""
    order: ServiceOrder = "fifo"
    """Which request a disk with an arm serves next: in order of arrival, or as an elevator."""
    capacity_bytes: Bytes | None = Field(default=None, alias="capacity")
    """What it holds; the profile's own when left out, or 1 TiB."""
    partitions: Items[Partition] = ()
    """Its primary partitions, of which there are four at most; all of it holds files when left
    out."""
    latency_ns: Duration = Field(default=80_000, alias="latency")
    """Time from a request to its first byte."""
    bandwidth_bits_per_second: Bandwidth = Field(default=4_000_000_000, alias="bandwidth")
    """Rate at which the bytes of a request move."""

    @property
    def holds_bytes(self) -> int:
        """What it holds, said or the profile's own."""
        if self.capacity_bytes is not None:
            return self.capacity_bytes
        if self.profile is None:
            return DISK_BYTES
        return load_disk_profile(self.profile).capacity_bytes.value


class Host(Model):
    """One physical machine, or several alike."""

    name: Name
    """With `count`, the hosts are called `name-0`, `name-1`, ..."""
    count: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """How many hosts alike; one, called exactly `name`, when left out."""
    hardware: str
    """A hardware profile: clock, cycles of each instruction class, TLBs, page walks."""
    isa: IsaName | None = None
    """The instruction set of its processors, the profile's own when left out. The same processor
    may do without: `rv64gch` without the hypervisor extension, and each with the holes of
    `rv64gc-legacy-silent` or `rv64gc-legacy`."""
    lacks: list[MissingName] = Field(default_factory=list)
    """Extensions that its processors do not have: `a` atomics, `b` bit manipulation, `c` short
    instructions, `d` double precision, `f` all floating point. The host carries their instructions
    out for process-level VMs; full VMs cannot run there."""
    exit_cycles: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    """Cycles of a world switch and its return together, for studies of what an exit costs: split in
    the profile's ratio, which stands when left out. Only with `rv64gch`."""
    clock_hz: Frequency | None = Field(default=None, alias="clock")
    """The processors' clock, the profile's own when left out: for studies that scale time. What
    takes cycles takes as many."""
    data_cache: DataCache | None = None
    """A model of the processors' data caches; the profile's own when left out, which is none in
    those that come with dcsim."""
    numa: Numa | None = None
    """Nodes of processors and memory; all memory is equally near when left out. Only with a data
    cache, whose misses are what another node slows down."""
    hypervisor: Literal["type1", "type2"]
    """`type1` owns the machine; `type2` is a process on a host operating system."""
    pcpus: Annotated[int, Field(ge=1, le=64)]
    """Physical CPUs."""
    memory_bytes: Bytes = Field(alias="memory")
    """Physical memory, of which the hypervisor's own tables take their part."""
    power: str
    """A power curve: watts at each utilisation, off and while starting."""
    scheduler: HostScheduler | None = None
    """What decides who runs; `credit` on type 1 and `fair` on type 2 when left out."""
    disk: Disk = Disk()
    """The disk behind `on: local` and behind a type 2 hypervisor's host files."""
    overcommit: Overcommit | None = None
    """How it promises its VMs more memory than it has; when left out it does not, and every VM is
    promised its full size."""
    io: IoName = "own-drivers"
    """Who drives the devices of a type 1 hypervisor: itself; a driver domain, which is a VM; or
    each guest, to which they are passed through."""
    driver_domain: DriverDomain | None = None
    """What that VM is like; called `<host>-driver` in the results."""
    devices: Items[HostDevice] = ()
    """Devices for which drivers are needed; those that everybody drives when left out."""
    processes: Items[HostProcess] = ()
    """Processes of a type 2 hypervisor's host that compute beside the VMs."""
    network_path: NetworkPath | None = None
    """How packets get from a monitor with a world of its own, as VMware Workstation's has, to the
    host. A type 2 hypervisor's monitor is in the host's kernel, as KVM, when left out."""

    @property
    def scheduler_name(self) -> str:
        """The scheduler, chosen or its hypervisor's own."""
        if self.scheduler is not None:
            return self.scheduler.policy
        return default_scheduler(self.hypervisor)


class Link(Model):
    """A two-way link."""

    between: Annotated[tuple[Name, Name], Field(strict=False)]
    """Its two ends: hosts, or switches; a name that is no host's is a switch."""
    latency_ns: Duration = Field(alias="latency")
    """Time that a byte is on its way."""
    bandwidth_bits_per_second: Bandwidth = Field(alias="bandwidth")
    """Capacity in each direction."""


class Fabric(Model):
    """The network: every host on one switch, or the links that are listed."""

    switch_latency_ns: Duration = Field(default=5_000, alias="switch_latency")
    """Latency from a host to the one switch; unused with `links`."""
    bandwidth_bits_per_second: Bandwidth = Field(default=10_000_000_000, alias="bandwidth")
    """Capacity from a host to the one switch, each direction; unused with `links`."""
    links: Items[Link] = ()
    """A topology of your own; it must connect every host."""


class SharedStorage(Model):
    """A disk array that every host reaches, so that a VM on it can move without its disk."""

    name: Name
    latency_ns: Duration = Field(alias="latency")
    """Time from a request to its first byte."""
    bandwidth_bits_per_second: Bandwidth = Field(alias="bandwidth")
    """Rate at which the bytes of a request move."""


class Storage(Model):
    """Storage outside the hosts."""

    shared: Items[SharedStorage] = ()
    """Disk arrays, which a VM's disk names with `on`."""
