"""Tables of a result for the terminal: VMs, cycles, hosts, moves, cluster, expectations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dcsim.report.figures import count, duration, figure, share, size
from dcsim.scenario.metrics import CLUSTER_METRICS, HOST_METRICS, VM_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dcsim.results import Outcome, RunResult, Summary
    from dcsim.results.metrics import Value

__all__ = ["expectation_table", "result_tables"]

_UNITS = {metric.name: metric.unit for metric in (*VM_METRICS, *HOST_METRICS, *CLUSTER_METRICS)}

_VM_COLUMNS = {
    "host": "host",
    "state": "state",
    "instructions": "instructions",
    "direct_share": "direct",
    "exits": "exits",
    "requests_served": "served",
    "latency_p50_ns": "p50",
    "latency_p99_ns": "p99",
    "pages_touched": "pages",
    "dirty_rate_pages_per_second": "dirty/s",
    "steal_ns": "steal",
    "migrations": "moves",
    "downtime_ns": "downtime",
}
_CYCLE_COLUMNS = {
    "guest_cycles": "guest",
    "guest_walk_cycles": "guest walks",
    "transition_cycles": "transitions",
    "handler_cycles": "handlers",
    "handler_walk_cycles": "handler walks",
    "host_path_cycles": "host paths",
}
_HOST_COLUMNS = {
    "power_state": "power",
    "vms": "VMs",
    "utilisation": "utilisation",
    "powered_ns": "powered",
    "energy_millijoules": "energy",
    "memory_peak_bytes": "memory peak",
}
_MEMORY_COLUMNS = {
    "memory_state": "state",
    "memory_high_share": "high",
    "memory_resident_peak_bytes": "resident",
    "memory_shared_peak_bytes": "shared",
    "memory_reclaimed_peak_bytes": "reclaimed",
    "memory_ballooned_peak_bytes": "ballooned",
    "memory_swapped_peak_bytes": "swapped",
    "memory_swapped_out": "out",
    "memory_swapped_in": "in",
    "memory_double_paged": "double",
    "memory_pages_scanned": "scanned",
    "memory_pages_merged": "merged",
    "memory_scanner_ns": "scanner",
}
_DISK_COLUMNS = {
    "disk_reads": "reads",
    "disk_writes": "writes",
    "disk_read_bytes": "read",
    "disk_written_bytes": "written",
    "disk_response_p50_ns": "p50",
    "disk_response_p99_ns": "p99",
    "disk_wait_ns": "waited",
    "disk_files_bytes": "files",
    "disk_free_bytes": "free",
    "cache_hits": "cache hits",
    "cache_misses": "misses",
}
_CLUSTER_ROWS = {
    "hosts_used_max": "hosts in use, at most",
    "hosts_used_mean": "hosts in use, mean",
    "hosts_used_at_end": "hosts in use, at the end",
    "hosts_powered_at_end": "hosts powered, at the end",
    "energy_millijoules": "energy",
    "instructions": "guest instructions",
    "direct_share": "executed directly",
    "exits": "exits",
    "requests_served": "requests served",
    "latency_p50_ns": "latency, p50",
    "latency_p99_ns": "latency, p99",
    "migrations": "migrations",
    "migration_bytes": "migrated",
    "downtime_ns": "downtime",
    "steal_ns": "steal time",
}


def result_tables(result: RunResult, summary: Summary) -> Iterator[Table]:
    """Yield the tables of a result, in the order in which to show them."""
    programs = {vm.name: vm.program.split()[0] for vm in result.vms}
    vms = _table("VMs", ["VM", "program", *_VM_COLUMNS.values()], texts=4)
    for name, metrics in summary.vms.items():
        vms.add_row(name, programs[name], *_cells(metrics, _VM_COLUMNS))
    yield vms
    yield _cycles(summary)
    hosts = _table("Hosts", ["host", "hypervisor", *_HOST_COLUMNS.values()], texts=3)
    for host in result.hosts:
        cells = _cells(summary.hosts[host.name], _HOST_COLUMNS)
        hosts.add_row(host.name, host.hypervisor, *cells)
    yield hosts
    if any(host.memory is not None for host in result.hosts):
        yield _memory(result, summary)
    if any(host.disk.reads or host.disk.writes for host in result.hosts):
        yield _disks(result, summary)
    if any(host.legs for host in result.hosts):
        yield _paths(result)
        yield _journeys(result)
    if result.migrations:
        yield _moves(result)
    yield _cluster(summary)


def expectation_table(outcomes: Sequence[Outcome]) -> Table:
    """Return a table of what was expected and what was found."""
    table = _table("Expectations", ["", "metric", "expected", "found"], texts=2)
    # A long metric goes on in the next line, so that verdict and figures stay whole.
    table.columns[1].no_wrap = False
    table.columns[1].overflow = "fold"
    for outcome in outcomes:
        mark = Text("pass", "green") if outcome.passed else Text("FAIL", "bold red")
        table.add_row(mark, outcome.metric, outcome.wanted, outcome.found)
    return table


def _cycles(summary: Summary) -> Table:
    """Return how each VM was virtualised and where its cycles went, in shares of its total."""
    headings = ["VM", "technique", "paging", "cycles", "per instr.", *_CYCLE_COLUMNS.values()]
    table = _table("Cycles by cause", headings, texts=3)
    for name, metrics in summary.vms.items():
        total = metrics["total_cycles"]
        how = [str(metrics[key]) for key in ("technique", "paging")]
        each = f"{metrics['cycles_per_instruction']:.2f}"
        shares = [_part(metrics[column], total) for column in _CYCLE_COLUMNS]
        table.add_row(name, *how, count(total), each, *shares)
    return table


def _memory(result: RunResult, summary: Summary) -> Table:
    """Return what became of the memory of hosts that overcommit; of amounts, the most."""
    table = _table("Memory", ["host", *_MEMORY_COLUMNS.values()], texts=2)
    for host in result.hosts:
        if host.memory is not None:
            table.add_row(host.name, *_cells(summary.hosts[host.name], _MEMORY_COLUMNS))
    return table


def _disks(result: RunResult, summary: Summary) -> Table:
    """Return what the hosts' own disks did, and what is on them at the end."""
    table = _table("Disks", ["host", "disk", *_DISK_COLUMNS.values()], texts=2)
    for host in result.hosts:
        cells = _cells(summary.hosts[host.name], _DISK_COLUMNS)
        table.add_row(host.name, host.disk.profile or "plain", *cells)
    return table


def _paths(result: RunResult) -> Table:
    """Return what each path of host software costs, and of which steps that is made."""
    table = _table("Host software", ["host", "path", "times", "cycles each", "steps"], texts=2)
    table.columns[4].justify, table.columns[4].no_wrap = "left", False
    for host in result.hosts:
        steps: dict[tuple[str, int], dict[str, int]] = {}
        for row in host.paths:
            parts = steps.setdefault((row.path, row.gone), {})
            parts[row.step] = parts.get(row.step, 0) + row.cycles
        for (path, gone), parts in steps.items():
            told = ", ".join(f"{step} {cycles / gone:.0f}" for step, cycles in parts.items())
            each = f"{sum(parts.values()) / gone:.0f}"
            table.add_row(host.name, path, count(gone), each, told)
    return table


def _journeys(result: RunResult) -> Table:
    """Return how long requests took through each host, in cycles, leg by leg."""
    table = _table("Journeys", ["host", "journey", "times", "cycles each", "legs"], texts=2)
    table.columns[4].justify, table.columns[4].no_wrap = "left", False
    for host in result.hosts:
        legs: dict[tuple[str, int], dict[str, float]] = {}
        for row in host.legs:
            each = row.time_ns * host.hz / (row.journeys * 10**9)
            legs.setdefault((row.journey, row.journeys), {})[row.leg] = each
        for (journey, number), parts in legs.items():
            told = ", ".join(f"{leg} {cycles:.0f}" for leg, cycles in parts.items())
            total = f"{sum(parts.values()):.0f}"
            table.add_row(host.name, journey, count(number), total, told)
    return table


def _moves(result: RunResult) -> Table:
    figures = ["at", "downtime", "crossed", "pages", "zero pages", "disk"]
    headings = ["VM", "from", "to", "reason", *figures]
    table = _table("Migrations", headings, texts=4)
    for move in result.migrations:
        table.add_row(
            move.vm,
            move.source,
            move.destination,
            move.reason,
            duration(move.stopped_ns),
            duration(move.resumed_ns - move.stopped_ns),
            size(move.transferred_bytes),
            count(move.memory_pages),
            count(move.zero_pages),
            size(move.disk_bytes),
        )
    return table


def _cluster(summary: Summary) -> Table:
    table = _table("Cluster", ["", ""], texts=1)
    table.show_header = False
    for name, words in _CLUSTER_ROWS.items():
        table.add_row(words, figure(summary.cluster[name], _UNITS[name]))
    return table


def _cells(metrics: Mapping[str, Value], columns: Mapping[str, str]) -> list[str]:
    return [figure(metrics[name], _UNITS[name]) for name in columns]


def _part(value: Value, total: Value) -> str:
    if not isinstance(value, int) or not isinstance(total, int) or total == 0:
        return share(None)
    return share(value / total)


def _table(title: str, headings: Sequence[str], texts: int) -> Table:
    """Return an empty table whose first columns hold texts and whose others hold figures."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index < texts else "right", no_wrap=True)
    return table
