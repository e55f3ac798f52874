"""Computes every metric of a result from its records.

The names and meanings are those of :mod:`dcsim.scenario.metrics`. All sums are of integers; a share
or a mean is one division at the end, so that it is correctly rounded and the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dcsim.errors import UnknownNameError
from dcsim.results.checks import check_result
from dcsim.results.memory import host_memory_metrics, vm_memory_metrics
from dcsim.results.printed import printed_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dcsim.results.records import (
        BalloonRecord,
        HostDiskRecord,
        HostRecord,
        HostsUsedSample,
        MigrationRecord,
        RequestRecord,
        RunResult,
        VmRecord,
    )

__all__ = ["Summary", "Value", "nearest_rank", "summarise"]

Value = int | float | str | None

_COUNTS = ("cycles", "exits", "path_count", "journey_count")
"""Families in which a name that does not occur stands for 0; in the others, for no value."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Every metric of a result."""

    vms: Mapping[str, Mapping[str, Value]]
    """Metrics by the VM's name and the metric's."""
    hosts: Mapping[str, Mapping[str, Value]]
    """Metrics by the host's name and the metric's."""
    cluster: Mapping[str, Value]
    """Metrics of the cluster by name."""
    families: Mapping[str, Mapping[str, int | float]]
    """Cycles by cause, exits by reason and what the guest printed (``result``, ``nano`` and
    ``kernel``): ``web-0.cycles`` to the figures by name. Of hosts: what a path or a journey took
    on average."""

    def value(self, metric: str) -> Value:
        """Return a metric by its full name, such as ``vm.web-0.requests_served``.

        Raises
        ------
        UnknownNameError
            When the result has no such metric.
        """
        scope, _, rest = metric.partition(".")
        subject, _, name = rest.partition(".")
        family, _, member = name.partition(".")
        if scope in {"vm", "host"} and member:
            nothing = 0 if family in _COUNTS else None
            return self.families.get(f"{subject}.{family}", {}).get(member, nothing)
        groups = {"vm": self.vms, "host": self.hosts}
        figures = self.cluster if scope == "cluster" else groups.get(scope, {}).get(subject, {})
        key = rest if scope == "cluster" else name
        if key not in figures:
            raise UnknownNameError("metric", metric)
        return figures[key]


def summarise(result: RunResult) -> Summary:
    """Compute every metric of a result.

    Raises
    ------
    InvariantError
        When the result cannot be right.
    """
    check_result(result)
    return Summary(
        {vm.name: _vm_metrics(vm, result) for vm in result.vms},
        {host.name: _host_metrics(host, result.ended_ns) for host in result.hosts},
        _cluster_metrics(result),
        {
            f"{vm.name}.{family}": figures
            for vm in result.vms
            for family, figures in (
                ("cycles", vm.cycles),
                ("exits", vm.exits),
                *printed_figures(vm.console).items(),
            )
        }
        | {
            f"{host.name}.{family}": figures
            for host in result.hosts
            for family, figures in host_families(host).items()
        },
    )


def host_families(host: HostRecord) -> dict[str, dict[str, int | float]]:
    """Return the mean cycles of each path and journey of a host, and the time of its threads."""
    paths: dict[str, int] = {}
    gone = {row.path: row.gone for row in host.paths}
    for row in host.paths:
        paths[row.path] = paths.get(row.path, 0) + row.cycles
    journeys: dict[str, int] = {}
    number = {row.journey: row.journeys for row in host.legs}
    for leg in host.legs:
        journeys[leg.journey] = journeys.get(leg.journey, 0) + leg.time_ns
    return {
        "path": {name: _ratio(cycles, gone[name]) for name, cycles in paths.items()},
        "path_count": dict(gone),
        "journey": {
            name: _ratio(time_ns * host.hz, number[name] * 10**9)
            for name, time_ns in journeys.items()
        },
        "journey_count": dict(number),
        "thread_run": {thread.name: thread.run_ns for thread in host.threads},
        "thread_wait": {thread.name: thread.wait_ns for thread in host.threads},
    }


def nearest_rank(values: Sequence[int], percent: int) -> int | None:
    """Return a percentile by nearest rank: the smallest value that `percent` of all do not exceed.

    Parameters
    ----------
    values
        In ascending order.
    percent
        From 1 to 100.
    """
    if not values:
        return None
    return values[-(-len(values) * percent // 100) - 1]


def _vm_metrics(vm: VmRecord, result: RunResult) -> dict[str, Value]:
    instructions = _instructions(vm)
    dirty_pages = sum(sample.pages for sample in vm.dirty)
    lived_ns = _lived_ns(vm, result.ended_ns)
    return {
        "technique": vm.technique,
        "paging": vm.paging,
        "state": vm.state,
        "message": vm.message,
        "host": vm.host,
        "exit_status": vm.exit_status,
        "restarts": vm.restarts,
        "started_ns": vm.started_ns,
        "ended_ns": vm.ended_ns,
        "instructions": instructions,
        "instructions_direct": vm.instructions_direct,
        "instructions_translated": vm.instructions_translated,
        "instructions_emulated": vm.instructions_emulated,
        "instructions_hart": vm.instructions_hart,
        "direct_share": _ratio(vm.instructions_direct, instructions),
        "total_cycles": vm.total_cycles,
        "cycles_per_instruction": _ratio(vm.total_cycles, instructions),
        **_cycle_metrics(vm.cycles),
        "exits": sum(vm.exits.values()),
        **_request_metrics(vm.requests),
        "pages_touched": vm.pages_touched,
        "dirty_pages": dirty_pages,
        "dirty_rate_pages_per_second": _ratio(dirty_pages * 10**9, lived_ns),
        "run_ns": vm.run_ns,
        "steal_ns": vm.steal_ns,
        "halted_ns": vm.halted_ns,
        "wakeups": vm.wakeups,
        "wake_wait_ns": vm.wake_wait_ns,
        "skew_max_ns": vm.skew_max_ns,
        "data_cache_misses": vm.data_cache_misses,
        "data_cache_refills": vm.data_cache_refills,
        "data_cache_cycles": vm.data_cache_cycles,
        "remote_misses": vm.remote_misses,
        "stalled_ns": vm.stalled_ns,
        **vm_memory_metrics(vm.memory),
        "disk_reads": vm.disk_reads,
        "disk_writes": vm.disk_writes,
        "disk_bytes": vm.disk_bytes,
        "disk_flushes": vm.disk_flushes,
        "disk_errors": vm.disk_errors,
        "disk_wait_ns": vm.disk_wait_ns,
        "disk_allocated_bytes": vm.disk_allocated_bytes,
        **_balloon_metrics(vm.balloon),
        "packets_received": vm.packets_received,
        "packets_sent": vm.packets_sent,
        "link_wait_ns": vm.link_wait_ns,
        **_migration_metrics(move for move in result.migrations if move.vm == vm.name),
        "lateness_ns": vm.lateness_ns,
        "console_bytes": vm.console_bytes,
    }


def _balloon_metrics(balloon: BalloonRecord | None) -> dict[str, Value]:
    """Return the figures of a balloon; all 0, and nothing told, without one."""
    sizes = ("inflated", "deflated", "reported", "freed")
    told = ("free_bytes", "swap_in_bytes", "swap_out_bytes", "major_faults")
    if balloon is None:
        own = dict.fromkeys((f"balloon_{name}_bytes" for name in sizes), 0)
        nothing = dict.fromkeys((f"guest_{name}" for name in told), None)
        return {
            "balloon_target_bytes": 0,
            "ballooned_bytes": 0,
            **own,
            "balloon_refused": 0,
            **nothing,
        }
    return {
        "balloon_target_bytes": balloon.target_bytes,
        "ballooned_bytes": balloon.held_bytes,
        **{f"balloon_{name}_bytes": getattr(balloon, f"{name}_bytes") for name in sizes},
        "balloon_refused": int(balloon.refused),
        **{f"guest_{name}": getattr(balloon, f"guest_{name}") for name in told},
    }


def _instructions(vm: VmRecord) -> int:
    """Return the guest's own instructions, however they were carried out."""
    return vm.instructions_direct + vm.instructions_translated + vm.instructions_emulated


def _cycle_metrics(cycles: Mapping[str, int]) -> dict[str, Value]:
    """Return the totals of the groups of causes."""

    def group(prefix: str) -> int:
        return sum(figure for cause, figure in cycles.items() if cause.startswith(prefix))

    return {
        "guest_cycles": cycles.get("guest", 0),
        "guest_walk_cycles": cycles.get("guest_walk", 0),
        "transition_cycles": cycles.get("transition", 0),
        "handler_cycles": group("handler:"),
        "handler_walk_cycles": cycles.get("handler_walk", 0),
        "host_path_cycles": group("host:"),
    }


def _request_metrics(requests: Iterable[RequestRecord]) -> dict[str, Value]:
    every = list(requests)
    latencies = sorted(
        request.answered_ns - request.arrived_ns
        for request in every
        if request.answered_ns is not None
    )
    return {
        "requests_arrived": len(every),
        "requests_served": len(latencies),
        "requests_dropped": sum(request.dropped for request in every),
        "latency_p50_ns": nearest_rank(latencies, 50),
        "latency_p99_ns": nearest_rank(latencies, 99),
    }


def _migration_metrics(migrations: Iterable[MigrationRecord]) -> dict[str, Value]:
    moves = list(migrations)
    return {
        "migrations": len(moves),
        "migration_bytes": sum(move.transferred_bytes for move in moves),
        "migration_disk_bytes": sum(move.disk_bytes for move in moves),
        "downtime_ns": sum(move.resumed_ns - move.stopped_ns for move in moves),
    }


def _host_metrics(host: HostRecord, ended_ns: int) -> dict[str, Value]:
    return {
        "power_state": host.state,
        "vms": host.vms,
        "utilisation": _ratio(host.busy_ns, host.powered_ns * host.pcpus),
        "busy_ns": host.busy_ns,
        "fragmented_ns": host.fragmented_ns,
        "powered_ns": host.powered_ns,
        "energy_millijoules": host.energy_millijoules,
        "memory_peak_bytes": host.memory_peak_bytes,
        **_disk_metrics(host.disk),
        **host_memory_metrics(host.memory, ended_ns),
    }


def _disk_metrics(disk: HostDiskRecord) -> dict[str, Value]:
    return {
        "disk_capacity_bytes": disk.capacity_bytes,
        "disk_files_bytes": disk.files_bytes,
        "disk_record_bytes": disk.record_bytes,
        "disk_free_bytes": disk.free_bytes,
        "disk_partitions_bytes": disk.partitions_bytes,
        "disk_reads": disk.reads,
        "disk_writes": disk.writes,
        "disk_read_bytes": disk.read_bytes,
        "disk_written_bytes": disk.written_bytes,
        "disk_wait_ns": disk.wait_ns,
        "disk_busy_ns": disk.busy_ns,
        "disk_response_p50_ns": nearest_rank(disk.responses_ns, 50),
        "disk_response_p99_ns": nearest_rank(disk.responses_ns, 99),
        "cache_hits": disk.cache_hits,
        "cache_misses": disk.cache_misses,
    }


def _cluster_metrics(result: RunResult) -> dict[str, Value]:
    vms = tuple(vm for vm in result.vms if not vm.is_service)
    last = result.hosts_used[-1] if result.hosts_used else None
    direct = sum(vm.instructions_direct for vm in vms)
    instructions = sum(_instructions(vm) for vm in vms)
    return {
        "vms": len(vms),
        "vms_failed": sum(vm.state == "failed" for vm in vms),
        "hosts": len(result.hosts),
        "hosts_used_at_end": last.used if last else 0,
        "hosts_used_max": max((sample.used for sample in result.hosts_used), default=0),
        "hosts_used_mean": _mean_used(result.hosts_used, result.ended_ns),
        "hosts_powered_at_end": last.powered if last else 0,
        "energy_millijoules": sum(host.energy_millijoules for host in result.hosts),
        "instructions": instructions,
        "direct_share": _ratio(direct, instructions),
        "total_cycles": sum(vm.total_cycles for vm in vms),
        "exits": sum(sum(vm.exits.values()) for vm in vms),
        "steal_ns": sum(vm.steal_ns for vm in vms),
        **_request_metrics(request for vm in vms for request in vm.requests),
        **_migration_metrics(result.migrations),
        "lateness_ns": max((vm.lateness_ns for vm in vms), default=0),
    }


def _mean_used(samples: Sequence[HostsUsedSample], ended_ns: int) -> float:
    """Return the mean over time of a step function that begins at its first sample."""
    if not samples:
        return 0.0
    area = sum(one.used * (other.time_ns - one.time_ns) for one, other in pairwise(samples))
    area += samples[-1].used * (ended_ns - samples[-1].time_ns)
    return _ratio(area, ended_ns - samples[0].time_ns)


def _lived_ns(vm: VmRecord, ended_ns: int) -> int:
    if vm.started_ns is None:
        return 0
    return (ended_ns if vm.ended_ns is None else vm.ended_ns) - vm.started_ns


def _ratio(part: int, whole: int) -> float:
    """Divide two integers, correctly rounded; 0 of nothing is 0."""
    return part / whole if whole else 0.0
