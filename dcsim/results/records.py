"""What a run hands over: plain records, filled by the model, written and summarised here.

Records hold what was counted. Whatever follows from the counts (shares, percentiles, totals) is
computed once, in :mod:`dcsim.results.metrics`, so that a table, a file and an expectation never
disagree.

Invariants, checked by :func:`dcsim.results.checks.check_result` at the end of every run: the
cycles by cause of a VM add up to its total; nothing arrived in a vCPU's past; both digests of a
migration are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcsim.results.memory import HostMemory, VmMemorySample
    from dcsim.scenario import Scenario

__all__ = [
    "Constant",
    "DirtySample",
    "DiskLayerRecord",
    "EventRecord",
    "HostDiskRecord",
    "HostRecord",
    "HostSample",
    "HostsUsedSample",
    "LegRecord",
    "MigrationRecord",
    "PathRecord",
    "RequestRecord",
    "RunResult",
    "ThreadRecord",
    "VmRecord",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One entry of the ledger: a figure on which the result rests."""

    name: str
    """A dotted name, such as ``hardware.generic.trap_cycles``."""
    value: int | float | str
    unit: str
    """The unit of the value, such as ``cycles``; empty for a plain number or a text."""
    kind: Literal["published", "derived", "assumption", "scenario"]
    """``published``: written in the source; ``derived``: follows from the source;
    ``assumption``: chosen for a reason; ``scenario``: written in the scenario file."""
    source: str
    """Where the figure comes from: a publication, a data sheet, or the reason for the choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request to a server VM."""

    number: int
    """Counted from 0 in order of arrival."""
    arrived_ns: int
    """When it reached the host's network, in simulated time."""
    answered_ns: int | None
    """When its answer left the VM; None when it had none by the end of the run."""
    dropped: bool = False
    """The VM had no receive buffer free, or was not running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtySample:
    """Pages written since the sample before."""

    time_ns: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalloonRecord:
    """A VM's balloon at the end, or when the VM ended; what the guest never told is None."""

    target_bytes: int
    """What its host wanted of it."""
    held_bytes: int
    """What it held, by the guest's word."""
    inflated_bytes: int
    """What was put in, over the whole run."""
    deflated_bytes: int
    """What was taken out."""
    reported_bytes: int
    """What the guest reported to be free, each time that it did."""
    freed_bytes: int
    """What became free on its hosts by that."""
    refused: bool
    """Whether it should have grown and did not."""
    guest_free_bytes: int | None
    guest_swap_in_bytes: int | None
    guest_swap_out_bytes: int | None
    guest_major_faults: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VmRecord:
    """One VM over the whole run, on whichever hosts it was."""

    name: str
    program: str
    technique: str
    paging: str
    memory_bytes: int
    host: str
    """The host it is on at the end, or was on last; empty when it was never placed."""
    state: Literal["waiting", "running", "off", "failed"]
    """``waiting``: not started yet; ``running``; ``off``: powered itself off; ``failed``."""
    exit_status: int | None
    """What the guest gave as it powered off; None when it did not."""
    started_ns: int | None
    """When it was powered on."""
    ended_ns: int | None
    """When it powered off or failed."""
    instructions_direct: int
    """Guest instructions that the hart itself executed."""
    instructions_emulated: int
    """Guest instructions that the monitor carried out for the guest."""
    instructions_translated: int = 0
    """Guest instructions that were executed as translated code."""
    instructions_hart: int
    """Instructions that the hart retired for it: the direct ones, and those of translated code."""
    total_cycles: int
    """The pCPUs' own cycle counters while they held its vCPU."""
    cycles: Mapping[str, int]
    """Cycles by innermost cause: ``guest``, ``guest_walk``, ``transition``, ``handler:<reason>``,
    ``handler_walk``, ``host:<path>``; their sum is `total_cycles`."""
    exits: Mapping[str, int]
    """Exits by reason."""
    emulated: Mapping[str, int]
    """How often each instruction was carried out that its host's processor lacks."""
    emulated_cycles: Mapping[str, int]
    """The cycles of these, from trap to return."""
    pages_touched: int
    """Distinct guest pages that were ever mapped for it."""
    dirty: tuple[DirtySample, ...]
    """Pages written, interval by interval."""
    run_ns: int
    """Time on a pCPU."""
    steal_ns: int
    """Time runnable while others ran."""
    halted_ns: int
    """Time in wait-for-interrupt."""
    wakeups: int = 0
    """How often it stopped waiting for an interrupt while it was off its pCPU."""
    wake_wait_ns: int = 0
    """Time from then until it had a pCPU, all times added."""
    skew_max_ns: int = 0
    """By how much one of its vCPUs was ahead of another one that waited, at most."""
    data_cache_misses: int = 0
    """Lines that the data cache lacked."""
    data_cache_refills: int = 0
    """Those of them that it would have held, had the vCPU had it for itself."""
    data_cache_cycles: int = 0
    """Cycles of these misses; part of the cycles of ``guest``."""
    remote_misses: int = 0
    """Misses that went to another node's memory."""
    stalled_ns: int = 0
    """Time in which its host's memory kept it from executing."""
    lateness_ns: int
    """The latest that anything arrived in its past; 0 unless dcsim is wrong."""
    restarts: int = 0
    """How often it was powered on again."""
    is_service: bool = False
    """Whether it belongs to its host, as a driver domain does; it is no VM of the scenario."""
    disk_reads: int = 0
    disk_writes: int = 0
    disk_bytes: int = 0
    disk_flushes: int = 0
    disk_errors: int = 0
    """Requests to its disk that ended with an I/O error."""
    disk_wait_ns: int = 0
    """Time for which its requests waited for others at the disk."""
    disk_allocated_bytes: int = 0
    """What its disk takes of what holds it, its base left out."""
    packets_received: int = 0
    packets_sent: int = 0
    link_wait_ns: int = 0
    """Time for which its packets waited at links for others, or for each other."""
    balloon: BalloonRecord | None = None
    """Its balloon; None without one."""
    requests: tuple[RequestRecord, ...] = ()
    memory: tuple[VmMemorySample, ...] = ()
    """Its memory over time, on hosts that overcommit."""
    console: bytes = b""
    """What it wrote to its console; of very much, the newest."""
    console_bytes: int = 0
    """How much it wrote."""
    message: str = ""
    """Why it failed; empty otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRecord:
    """A primitive of one step of a path of host software: all that was done of it on a host."""

    path: str
    """The path: ``disk_submit``, ``vcpu_load``, ``exit_<reason>``, ..."""
    gone: int
    """How often the path was gone."""
    step: str
    """What is done on it."""
    primitive: str
    """Of what that is made."""
    times: int
    """How often the primitive was done, each time that the path was gone added."""
    cycles: int
    """What that cost on the host's processors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRecord:
    """One leg of the journeys of one kind through a host."""

    journey: str
    """``disk_out``, ``disk_in``, ``packet_out`` or ``packet_in``."""
    journeys: int
    """How many of this kind there were."""
    leg: str
    """What took the time: a path's name, or what was waited for."""
    times: int
    """How many of the journeys had it."""
    time_ns: int
    """How long it took, all added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRecord:
    """A thread of a host's own software."""

    name: str
    run_ns: int
    """Time on a pCPU."""
    wait_ns: int
    """Time runnable while others ran."""
    cycles: Mapping[str, int]
    """What it executed of metered paths, by path; a process's own computing is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """A host from one moment to the next sample: a step function of time."""

    time_ns: int
    state: Literal["on", "off", "starting", "stopping"]
    utilisation: float
    """Share of its pCPUs' time that was busy over the step that begins here."""
    power_milliwatts: int
    """Power over the step that begins here."""
    vms: int
    """VMs on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDiskRecord:
    """A host's own disk over the whole run, and what is on it at the end."""

    profile: str = ""
    """Empty for a disk that is a latency and a rate."""
    capacity_bytes: int = 0
    files_capacity_bytes: int = 0
    """Of the part that holds files: the sum of the following three."""
    files_bytes: int = 0
    """Content of files."""
    record_bytes: int = 0
    """What tells where the files are, and which blocks are free."""
    free_bytes: int = 0
    partitions_bytes: int = 0
    """Partitions that are VMs' disks."""
    reads: int = 0
    writes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    under_way: int = 0
    """Requests that are not done at the end."""
    wait_ns: int = 0
    """Time for which requests waited for others."""
    busy_ns: int = 0
    """Time during which it had a request."""
    responses_ns: tuple[int, ...] = ()
    """How long each request took, ascending."""
    cache_hits: int = 0
    cache_misses: int = 0
    """Pages looked up in the host's page cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLayerRecord:
    """One file of a virtual disk at the end."""

    host: str
    vm: str
    depth: int
    """0 for the lowest; the highest is written."""
    file: str
    virtual_bytes: int
    """Capacity of the virtual disk."""
    data_bytes: int
    record_bytes: int
    users: int
    """How many virtual disks stand on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecord:
    """One host over the whole run."""

    name: str
    hardware: str
    isa: str
    hypervisor: str
    pcpus: int
    memory_bytes: int
    busy_ns: int
    """Time during which a pCPU was busy, added over its pCPUs."""
    powered_ns: int
    """Time during which it was not off."""
    energy_millijoules: int
    state: Literal["on", "off", "starting", "stopping"]
    """Its state at the end."""
    vms: int
    """VMs on it at the end."""
    memory_peak_bytes: int
    """The most of its frames that were in use at once: guest pages, shadow tables, monitor."""
    fragmented_ns: int = 0
    """Time that its pCPUs idled while vCPUs waited, added over them."""
    disk: HostDiskRecord = HostDiskRecord()
    hz: int = 1_000_000_000
    """Cycles of a pCPU per second."""
    samples: tuple[HostSample, ...] = ()
    memory: HostMemory | None = None
    """What became of its memory; None unless it overcommits."""
    paths: tuple[PathRecord, ...] = ()
    """What its software did."""
    legs: tuple[LegRecord, ...] = ()
    """How long requests took through it."""
    threads: tuple[ThreadRecord, ...] = ()
    """Threads of its own software."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsUsedSample:
    """How many hosts were in use from this moment to the next sample."""

    time_ns: int
    used: int
    """Hosts with at least one VM."""
    powered: int
    """Hosts that were not off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRecord:
    """One stop-and-copy move of a VM."""

    vm: str
    source: str
    destination: str
    reason: str
    """What asked for it: a consolidation policy's name, or ``scheduled``."""
    requested_ns: int
    stopped_ns: int
    """When the VM stopped executing."""
    resumed_ns: int
    """When it could execute again."""
    memory_pages: int
    """Pages whose content crossed the link."""
    zero_pages: int
    """Pages that were all zero, of which only the number crossed."""
    device_bytes: int
    """Registers and device state."""
    disk_bytes: int
    """Content of a local disk that crossed too, in whole blocks; 0 on shared storage."""
    transferred_bytes: int
    """Everything that crossed the link, headers included."""
    source_digest: str
    """SHA-256 of memory and device state before the move."""
    destination_digest: str
    """The same of what was restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something worth telling that happened once."""

    time_ns: int
    kind: str
    """``vm-started``, ``vm-placed``, ``vm-ended``, ``migration``, ``host-off``, ``host-on``, ..."""
    subject: str
    """The VM or the host."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Everything that came out of one run; equal for equal scenario, seed and version."""

    scenario: Scenario
    seed: int
    """The seed that was used, which may replace the scenario's."""
    ended_ns: int
    """Simulated time at the end."""
    vms: tuple[VmRecord, ...]
    """In the scenario's order."""
    hosts: tuple[HostRecord, ...]
    """In the scenario's order."""
    hosts_used: tuple[HostsUsedSample, ...]
    disk_layers: tuple[DiskLayerRecord, ...] = ()
    """The files of the virtual disks that are on hosts, in the order of the hosts."""
    migrations: tuple[MigrationRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()
    ledger: tuple[Constant, ...] = field(default=())
    """Every constant that the run used, with its source."""
