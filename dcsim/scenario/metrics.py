"""The vocabulary of results: every metric's name, unit and meaning, once.

Expectations are checked against it as a scenario is read; the tables of a result have one column
for each metric of a VM and of a host; the reference page is generated from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dcsim.errors import UnitError, did_you_mean
from dcsim.units import BYTES, DURATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcsim.units import Dimension

__all__ = [
    "CLUSTER_METRICS",
    "HOST_FAMILIES",
    "HOST_METRICS",
    "VM_METRICS",
    "Metric",
    "find_metric",
    "read_bound",
]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a result."""

    name: str
    kind: Literal["integer", "number", "text"]
    unit: str
    """The unit; empty for a text."""
    meaning: str
    optional: bool = False
    """There may be no value, for example no percentile without a request."""


def _count(name: str, meaning: str) -> Metric:
    return Metric(name, "integer", "count", meaning)


def _cycles(name: str, meaning: str) -> Metric:
    return Metric(name, "integer", "cycles", meaning)


def _time(name: str, meaning: str, *, optional: bool = False) -> Metric:
    return Metric(name, "integer", "ns", meaning, optional)


def _size(name: str, meaning: str, *, optional: bool = False) -> Metric:
    return Metric(name, "integer", "bytes", meaning, optional)


def _share(name: str, meaning: str, *, optional: bool = False) -> Metric:
    return Metric(name, "number", "share", meaning, optional)


_REQUESTS = (
    _count("requests_arrived", "requests that reached the network of a host for the VM"),
    _count("requests_served", "requests that were answered"),
    _count("requests_dropped", "requests for which the VM had no receive buffer"),
    _time("latency_p50_ns", "median time from a request's arrival to its answer", optional=True),
    _time("latency_p99_ns", "99th percentile of the same, nearest rank", optional=True),
)
_MIGRATIONS = (
    _count("migrations", "completed moves to another host"),
    _size("migration_bytes", "bytes that crossed the network for them"),
    _size("migration_disk_bytes", "of these, content of local disks"),
    _time("downtime_ns", "time during which a move kept the VM from executing, all moves added"),
)

_VM_MEMORY = (
    _size("memory_resident_bytes", "its memory in frames at the end", optional=True),
    _size(
        "memory_target_bytes",
        "what it would have then, were all memory shared out anew",
        optional=True,
    ),
    _share("memory_active_share", "estimated part of its memory that it uses", optional=True),
    _share(
        "memory_sampled_share",
        "accessed in the last sampling period, of the pages in the sample",
        optional=True,
    ),
    _share(
        "memory_accessed_share",
        "accessed in the same period, of all its pages, as the MMU saw it",
        optional=True,
    ),
    _size("memory_swapped_bytes", "its memory that its host swapped out, at the end"),
)


def _level(name: str, meaning: str) -> tuple[Metric, Metric]:
    return (
        _size(f"memory_{name}_bytes", f"{meaning}, at the end"),
        _size(f"memory_{name}_peak_bytes", "the most of the same"),
    )


_HOST_MEMORY = (
    Metric("memory_state", "text", "", "free-memory state at the end, if it overcommits"),
    _share("memory_high_share", "time in state `high`: nothing is reclaimed"),
    _share("memory_clear_share", "time in state `clear`, of the sliding scale"),
    _share("memory_soft_share", "time in state `soft`: balloons reclaim"),
    _share("memory_hard_share", "time in state `hard`: paging is forced"),
    _share("memory_low_share", "time in state `low`: VMs above their target stand still, too"),
    *_level("resident", "guest memory that has content in frames"),
    *_level("shared", "guest memory that lies in a frame with other guest memory"),
    *_level("reclaimed", "what sharing saves"),
    *_level("zero", "of the shared memory, what is all zero"),
    *_level("swapped", "guest memory that the host swapped out"),
    *_level("ballooned", "guest memory in balloons"),
    *_level("compressed", "memory that holds compressed pages"),
    _size(
        "memory_identical_bytes",
        "guest memory whose content other guest memory has, too, counted from all frames' bytes at"
        " the end, whatever is shared",
    ),
    _size("memory_duplicate_bytes", "of this, what would be saved if each content was there once"),
    _count("memory_shortages", "times a vCPU needed a frame and there was none"),
    _count("memory_swapped_out", "pages that the host wrote to its swap space"),
    _count("memory_swapped_in", "pages that it read back"),
    _count("memory_swap_shared", "pages that were to be written and found to be shared"),
    _count("memory_swap_compressed", "pages that were compressed instead of written"),
    _count("memory_double_paged", "swapped pages that a device of a VM needed, such as its disk"),
    _count("memory_held", "times a VM had to stand still for having more than its target"),
    _count("memory_pages_scanned", "pages that were looked at for sharing"),
    _count("memory_pages_merged", "of these, those that went into the frame of another"),
    _time("memory_scanner_ns", "processor time that it took"),
)
_BALLOON = (
    _size("balloon_target_bytes", "what its host wants its balloon to hold, at the end"),
    _size("ballooned_bytes", "what its balloon holds at the end, by the guest's word"),
    _size("balloon_inflated_bytes", "memory that it gave to its host by the balloon, in all"),
    _size("balloon_deflated_bytes", "memory that it took back"),
    _size("balloon_reported_bytes", "memory that it reported to be free, each time that it did"),
    _size("balloon_freed_bytes", "memory of its hosts that became free by the balloon"),
    _count("balloon_refused", "1 if its balloon should have grown and did not"),
    *(
        Metric(
            f"guest_{name}",
            "integer",
            unit,
            f"{meaning}, when the balloon last asked",
            optional=True,
        )
        for name, unit, meaning in (
            ("free_bytes", "bytes", "memory that the guest has free"),
            ("swap_in_bytes", "bytes", "what the guest itself has read from its swap area"),
            ("swap_out_bytes", "bytes", "what it has written there"),
            ("major_faults", "count", "page faults of the guest that waited for its disk"),
        )
    ),
)

VM_METRICS: tuple[Metric, ...] = (
    Metric("technique", "text", "", "how the CPU was virtualised"),
    Metric("paging", "text", "", "how guest addresses were translated"),
    Metric("state", "text", "", "at the end: `waiting`, `running`, `off` or `failed`"),
    Metric("message", "text", "", "why it failed; empty when it did not"),
    Metric("host", "text", "", "the host it is on at the end, or was on last"),
    Metric("exit_status", "integer", "", "what it gave as it powered off", optional=True),
    _count("restarts", "how often it was powered on again"),
    _time("started_ns", "when it was powered on first", optional=True),
    _time("ended_ns", "when it powered off or failed", optional=True),
    _count("instructions", "guest instructions, however they were carried out"),
    _count("instructions_direct", "guest instructions that the hart executed as they are"),
    _count("instructions_translated", "guest instructions that ran as translated code"),
    _count("instructions_emulated", "guest instructions that the monitor carried out"),
    _count(
        "instructions_hart",
        "instructions that the hart retired for it, those of translated code included",
    ),
    _share("direct_share", "executed directly, of all guest instructions"),
    _cycles("total_cycles", "the pCPUs' own cycle counters while they held its vCPU"),
    Metric(
        "cycles_per_instruction", "number", "cycles", "`total_cycles` for each guest instruction"
    ),
    _cycles("guest_cycles", "cycles of directly executed guest instructions"),
    _cycles("guest_walk_cycles", "cycles of page-table walks for the guest's own accesses"),
    _cycles("transition_cycles", "cycles of hardware traps and returns"),
    _cycles("handler_cycles", "cycles of the monitor's exit handlers, all reasons added"),
    _cycles("handler_walk_cycles", "cycles of page-table walks inside handlers"),
    _cycles("host_path_cycles", "cycles of the host's software paths, all paths added"),
    _count("exits", "exits to the monitor, all reasons added"),
    *_REQUESTS,
    _count("pages_touched", "distinct guest pages that were ever mapped"),
    _count("dirty_pages", "pages written, each counted once an interval"),
    Metric(
        "dirty_rate_pages_per_second",
        "number",
        "pages/s",
        "`dirty_pages` over the time from its start to its end",
    ),
    _time("run_ns", "time on a physical CPU"),
    _time("steal_ns", "time it could have run while others did"),
    _time("halted_ns", "time it waited for an interrupt"),
    _count("wakeups", "how often it stopped waiting for an interrupt while it was off its pCPU"),
    _time("wake_wait_ns", "time from then until it had a pCPU, all times added"),
    _time("skew_max_ns", "by how much one of its vCPUs was ahead of another one that waited"),
    _count("data_cache_misses", "lines that the model of the data cache did not hold"),
    _count(
        "data_cache_refills",
        "of these, lines that it would have held, had the VM had it for itself",
    ),
    _cycles("data_cache_cycles", "cycles of these misses, which are part of `guest_cycles`"),
    _count("remote_misses", "data-cache misses that went to another node's memory"),
    _time("stalled_ns", "time in which its host's memory kept it from executing"),
    *_VM_MEMORY,
    _count("disk_reads", "requests to its disk that read"),
    _count("disk_writes", "requests to its disk that wrote"),
    _size("disk_bytes", "bytes that moved to and from its disk"),
    _count("disk_flushes", "requests to its disk to have everything on the medium"),
    _count("disk_errors", "requests to its disk that ended with an I/O error"),
    _time("disk_wait_ns", "time for which its requests waited for others at the disk"),
    _size("disk_allocated_bytes", "what its disk takes at the end, its base left out"),
    *_BALLOON,
    _count("packets_received", "network packets delivered to it"),
    _count("packets_sent", "network packets from it"),
    _time("link_wait_ns", "time for which its packets waited for others, or each other, at links"),
    *_MIGRATIONS,
    _time("lateness_ns", "the latest that anything arrived in its past: 0 in every run"),
    _size("console_bytes", "bytes that it wrote to its console"),
)

HOST_METRICS: tuple[Metric, ...] = (
    Metric("power_state", "text", "", "at the end: `on`, `off`, `starting` or `stopping`"),
    _count("vms", "VMs on it at the end"),
    _share("utilisation", "busy time of its pCPUs, of the time that it was powered"),
    _time("busy_ns", "busy time, added over its pCPUs"),
    _time("fragmented_ns", "time that its pCPUs idled while vCPUs waited, added over them"),
    _time("powered_ns", "time during which it was not off"),
    Metric("energy_millijoules", "integer", "mJ", "energy from its power curve"),
    _size("memory_peak_bytes", "the most of its memory in use at once, monitor included"),
    _size("disk_capacity_bytes", "what its disk holds"),
    _size("disk_files_bytes", "content of files on its disk at the end"),
    _size("disk_record_bytes", "what tells at the end where the files are and what is free"),
    _size("disk_free_bytes", "free for files at the end"),
    _size("disk_partitions_bytes", "partitions that are disks of VMs"),
    _count("disk_reads", "requests to its disk that read"),
    _count("disk_writes", "requests to its disk that wrote, or had everything on the medium"),
    _size("disk_read_bytes", "bytes read from its disk"),
    _size("disk_written_bytes", "bytes written to its disk"),
    _time("disk_wait_ns", "time for which requests waited for others at its disk"),
    _time("disk_busy_ns", "time during which its disk had a request"),
    _time("disk_response_p50_ns", "median time of a request to its disk", optional=True),
    _time("disk_response_p99_ns", "99th percentile of the same, nearest rank", optional=True),
    _count("cache_hits", "pages found in its page cache"),
    _count("cache_misses", "pages that were not"),
    *_HOST_MEMORY,
)

CLUSTER_METRICS: tuple[Metric, ...] = (
    _count("vms", "VMs of the scenario"),
    _count("vms_failed", "VMs that failed"),
    _count("hosts", "hosts of the scenario"),
    _count("hosts_used_at_end", "hosts with a VM at the end"),
    _count("hosts_used_max", "the most hosts with a VM at once"),
    Metric("hosts_used_mean", "number", "hosts", "hosts with a VM, mean over time"),
    _count("hosts_powered_at_end", "hosts that are not off at the end"),
    Metric("energy_millijoules", "integer", "mJ", "energy of all hosts"),
    _count("instructions", "guest instructions of all VMs"),
    _share("direct_share", "executed directly, of all guest instructions"),
    _cycles("total_cycles", "cycles of all VMs"),
    _count("exits", "exits of all VMs"),
    _time("steal_ns", "steal time of all VMs"),
    *_REQUESTS,
    *_MIGRATIONS,
    _time("lateness_ns", "the latest that anything arrived in a VM's past: 0 in every run"),
)

HOST_FAMILIES = {
    "path": ("cycles", "mean cycles of a path of the host's software"),
    "path_count": ("count", "how often a path was gone"),
    "journey": ("cycles", "mean time of a kind of journey through the host, in cycles"),
    "journey_count": ("count", "how many journeys of a kind there were"),
    "thread_run": ("ns", "time of a thread of the host on a pCPU"),
    "thread_wait": ("ns", "time that it could have run while others did"),
}

_FAMILIES = {
    "cycles": ("cycles", "cycles of one cause"),
    "exits": ("count", "exits for one reason"),
    "result": ("", "an integer that a program of the guest printed in its `result` line"),
    "nano": ("", "an integer that the guest's stopwatch printed in its `nano` line"),
    "kernel": ("", "an integer that the guest's kernel printed in a line of its statistics"),
}


_PRINTED = {
    "result": "`result.<program>.<key>`, such as `result.syscalls.n`",
    "nano": "`nano.<operation>.<key>`, such as `nano.pagefault.cycles`",
    "kernel": "`kernel.<topic>.<key>`, such as `kernel.lock.spins`",
}

_CAUSES = ("guest", "guest_walk", "transition", "handler_walk", "handler:<reason>", "host:<path>")


def _is_cause(name: str) -> bool:
    """Tell whether cycles may have a cause; reasons and paths are the monitor's and the host's."""
    return name in _CAUSES[:4] or name.startswith(("handler:", "host:"))


def find_metric(
    name: str, vms: Sequence[str], hosts: Sequence[str]
) -> tuple[Metric | None, str, str]:
    """Find the metric that an expectation names.

    Besides the metrics listed here, ``vm.<name>.cycles.<cause>`` and ``vm.<name>.exits.<reason>``
    name one cause or reason, ``vm.<name>.result.<program>.<key>``,
    ``vm.<name>.nano.<operation>.<key>`` and ``vm.<name>.kernel.<topic>.<key>`` a figure that the
    guest printed; ``host.<name>.path.<path>`` and ``host.<name>.journey.<journey>`` are mean
    cycles, ``path_count`` and ``journey_count`` how many there were, and ``thread_run.<thread>``
    and ``thread_wait.<thread>`` are times of a thread of the host.

    Parameters
    ----------
    name
        ``vm.<vm>.<metric>``, ``host.<host>.<metric>`` or ``cluster.<metric>``.
    vms, hosts
        The full names that exist.

    Returns
    -------
    tuple[Metric or None, str, str]
        The metric with two empty texts; or None, what is wrong, and the remedy.
    """
    scope, _, rest = name.partition(".")
    if scope == "cluster":
        return _find(rest, CLUSTER_METRICS, "cluster")
    if scope not in ("vm", "host"):
        remedy = "begin with `vm.<name>.`, `host.<name>.` or `cluster.`"
        return None, f"`{name}` is not a metric", remedy
    subject, _, metric = rest.partition(".")
    known = vms if scope == "vm" else hosts
    if subject not in known:
        kind = "VM" if scope == "vm" else "host"
        return None, f"there is no {kind} `{subject}`", did_you_mean(subject, known)
    family, dot, member = metric.partition(".")
    if scope == "vm" and dot and member and family in _FAMILIES:
        return _find_member(metric, family, member)
    if scope == "host" and dot and member and family in HOST_FAMILIES:
        unit, meaning = HOST_FAMILIES[family]
        return Metric(metric, "number", unit, meaning, optional=True), "", ""
    return _find(metric, VM_METRICS if scope == "vm" else HOST_METRICS, scope)


def _find_member(metric: str, family: str, member: str) -> tuple[Metric | None, str, str]:
    """Find one of the metrics whose last part the monitor, the host or the guest names."""
    if family == "cycles" and not _is_cause(member):
        return None, f"no cycle has the cause `{member}`", did_you_mean(member, _CAUSES)
    printed = _PRINTED.get(family)
    if printed is not None and "." not in member:
        return None, f"`{metric}` lacks a part", f"write {printed}"
    unit, meaning = _FAMILIES[family]
    return Metric(metric, "integer", unit, meaning, optional=printed is not None), "", ""


def read_bound(metric: Metric, bound: float | str) -> float | str:
    """Return a bound in a metric's unit.

    Raises
    ------
    UnitError
        When the bound does not fit the metric.
    """
    if metric.kind == "text":
        if isinstance(bound, str):
            return bound
        raise UnitError(f"`{metric.name}` is a text, and `{bound}` is a number", "put it in quotes")
    if not isinstance(bound, str):
        return bound
    dimension = _DIMENSIONS.get(metric.unit)
    if dimension is None:
        message = f"`{metric.name}` has no unit to write, and `{bound}` is a text"
        raise UnitError(message, "write a number")
    return dimension.parse(bound)


_DIMENSIONS: dict[str, Dimension] = {"ns": DURATION, "bytes": BYTES}


def _find(name: str, metrics: Sequence[Metric], scope: str) -> tuple[Metric | None, str, str]:
    found = next((metric for metric in metrics if metric.name == name), None)
    if found is not None:
        return found, "", ""
    names = [metric.name for metric in metrics]
    kind = {"vm": "VM"}.get(scope, scope)
    return None, f"a {kind} has no metric `{name}`", did_you_mean(name, names)
