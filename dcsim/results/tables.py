"""The tables of a result: their columns, types and units, and their rows.

Every column is required unless its meaning says that there may be no value. Rows stand in the
scenario's order of VMs and hosts, then in order of time: never in the order of a hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from dcsim.results.memory import host_sample_row, vm_sample_row
from dcsim.results.printed import KINDS
from dcsim.scenario.metrics import CLUSTER_METRICS, HOST_FAMILIES, HOST_METRICS, VM_METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcsim.results.metrics import Summary, Value
    from dcsim.results.records import RunResult
    from dcsim.scenario.metrics import Metric

__all__ = ["TABLES", "Column", "Table", "arrow_table"]

Rows = Callable[["RunResult", "Summary"], Iterator[tuple["Value", ...]]]

_ARROW_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "yes or no": pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: str
    """``integer``, ``number``, ``text`` or ``yes or no``."""
    unit: str
    meaning: str
    optional: bool = False
    """The column may hold nothing in some rows."""

    def field(self) -> pa.Field:
        """Return the column as pyarrow knows it, its unit and meaning in the metadata."""
        metadata = {"unit": self.unit, "meaning": self.meaning}
        return pa.field(self.name, _ARROW_TYPES[self.kind], self.optional, metadata)


@dataclass(frozen=True, slots=True)
class Table:
    """One table: one Parquet file of a result directory."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    rows: Rows


def arrow_table(table: Table, result: RunResult, summary: Summary) -> pa.Table:
    """Build a table from a result."""
    schema = pa.schema([column.field() for column in table.columns])
    rows = list(table.rows(result, summary))
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in table.columns]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _metric_columns(metrics: Sequence[Metric]) -> tuple[Column, ...]:
    return tuple(
        Column(metric.name, metric.kind, metric.unit, metric.meaning, metric.optional)
        for metric in metrics
    )


def _text(name: str, meaning: str) -> Column:
    return Column(name, "text", "", meaning)


def _integer(name: str, unit: str, meaning: str, *, optional: bool = False) -> Column:
    return Column(name, "integer", unit, meaning, optional)


_TIME = _integer("time_ns", "ns", "simulated time")
_VM = _text("vm", "the VM's name")
_HOST = _text("host", "the host's name")


def _vm_rows(result: RunResult, summary: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        fixed = (vm.name, vm.program, vm.memory_bytes)
        yield fixed + tuple(summary.vms[vm.name][metric.name] for metric in VM_METRICS)


def _host_rows(result: RunResult, summary: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        fixed = (
            host.name,
            host.hardware,
            host.isa,
            host.hypervisor,
            host.pcpus,
            host.memory_bytes,
        )
        yield fixed + tuple(summary.hosts[host.name][metric.name] for metric in HOST_METRICS)


def _cluster_rows(_: RunResult, summary: Summary) -> Iterator[tuple[Value, ...]]:
    yield tuple(summary.cluster[metric.name] for metric in CLUSTER_METRICS)


def _cycle_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for cause, cycles in sorted(vm.cycles.items()):
            yield vm.name, cause, cycles


def _exit_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for reason, count in sorted(vm.exits.items()):
            yield vm.name, reason, count


def _emulated_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for instruction, count in sorted(vm.emulated.items()):
            yield vm.name, instruction, count, vm.emulated_cycles[instruction]


def _printed_rows(result: RunResult, summary: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for kind in KINDS:
            for member, value in sorted(summary.families[f"{vm.name}.{kind}"].items()):
                name, _, key = member.partition(".")
                yield vm.name, kind, name, key, value


def _request_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for each in vm.requests:
            answered = each.answered_ns
            latency = None if answered is None else answered - each.arrived_ns
            yield vm.name, each.number, each.arrived_ns, answered, latency, each.dropped


def _disk_layer_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for each in result.disk_layers:
        yield (
            each.host,
            each.vm,
            each.depth,
            each.file,
            each.virtual_bytes,
            each.data_bytes,
            each.record_bytes,
            each.users,
        )


def _dirty_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for sample in vm.dirty:
            yield vm.name, sample.time_ns, sample.pages


def _migration_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for move in result.migrations:
        yield (
            move.vm,
            move.source,
            move.destination,
            move.reason,
            move.requested_ns,
            move.stopped_ns,
            move.resumed_ns,
            move.resumed_ns - move.stopped_ns,
            move.memory_pages,
            move.zero_pages,
            move.device_bytes,
            move.disk_bytes,
            move.transferred_bytes,
            move.source_digest,
        )


def _hosts_used_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for sample in result.hosts_used:
        yield sample.time_ns, sample.used, sample.powered


def _host_power_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        for each in host.samples:
            power = each.power_milliwatts
            yield host.name, each.time_ns, each.state, each.utilisation, power, each.vms


def _host_memory_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        if host.memory is not None:
            for sample in host.memory.samples:
                yield host.name, *host_sample_row(sample)


def _path_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        for row in host.paths:
            each = row.cycles / row.gone
            figures = (row.times, row.cycles, each)
            yield host.name, row.path, row.gone, row.step, row.primitive, *figures


def _journey_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        for row in host.legs:
            each = row.time_ns * host.hz / (row.journeys * 10**9)
            yield host.name, row.journey, row.journeys, row.leg, row.times, row.time_ns, each


def _thread_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        for row in host.threads:
            yield host.name, row.name, row.run_ns, row.wait_ns, sum(row.cycles.values())


def _software_rows(result: RunResult, summary: Summary) -> Iterator[tuple[Value, ...]]:
    for host in result.hosts:
        for kind in HOST_FAMILIES:
            for name, value in summary.families[f"{host.name}.{kind}"].items():
                yield host.name, kind, name, value


def _vm_memory_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for vm in result.vms:
        for sample in vm.memory:
            yield vm.name, *vm_sample_row(sample)


def _event_rows(result: RunResult, _: Summary) -> Iterator[tuple[Value, ...]]:
    for event in result.events:
        yield event.time_ns, event.kind, event.subject, event.detail


TABLES: tuple[Table, ...] = (
    Table(
        "vms",
        "One row for each VM, over the whole run",
        (
            _text("name", "its full name"),
            _text("program", "the guest's first program and its arguments"),
            _integer("memory_bytes", "bytes", "guest-physical memory"),
            *_metric_columns(VM_METRICS),
        ),
        _vm_rows,
    ),
    Table(
        "hosts",
        "One row for each host, over the whole run",
        (
            _text("name", "its full name"),
            _text("hardware", "its hardware profile"),
            _text("isa", "the instruction set of its processors"),
            _text("hypervisor", "`type1` or `type2`"),
            _integer("pcpus", "count", "physical CPUs"),
            _integer("memory_bytes", "bytes", "physical memory"),
            *_metric_columns(HOST_METRICS),
        ),
        _host_rows,
    ),
    Table(
        "cluster", "One row, over the whole run", _metric_columns(CLUSTER_METRICS), _cluster_rows
    ),
    Table(
        "cycles",
        "Cycles of each VM by innermost cause; they add up to its `total_cycles`",
        (
            _VM,
            _text("cause", "`guest`, `guest_walk`, `transition`, `handler:...`, `host:...`, ..."),
            _integer("cycles", "cycles", "cycles with this cause"),
        ),
        _cycle_rows,
    ),
    Table(
        "exits",
        "Exits of each VM to the monitor by reason",
        (_VM, _text("reason", "why it left"), _integer("count", "count", "how often")),
        _exit_rows,
    ),
    Table(
        "emulated",
        "Instructions of each process-level VM that its host's processor lacks",
        (
            _VM,
            _text("instruction", "its name in assembly"),
            _integer("count", "count", "how often it was carried out"),
            _integer("cycles", "cycles", "what that took in all, from trap to return"),
        ),
        _emulated_rows,
    ),
    Table(
        "printed",
        "Integers that the guests printed in their `result`, `nano` and `kernel` lines",
        (
            _VM,
            _text("line", "`result`: of a program; `nano`: of the kernel's stopwatch"),
            _text("name", "the program, or the operation"),
            _text("key", "what it called the figure"),
            _integer("value", "", "the last that it printed"),
        ),
        _printed_rows,
    ),
    Table(
        "requests",
        "One row for each request",
        (
            _VM,
            _integer("number", "count", "from 0, in order of arrival"),
            _integer("arrived_ns", "ns", "when it reached the host's network"),
            _integer("answered_ns", "ns", "when its answer left the VM, if it did", optional=True),
            _integer("latency_ns", "ns", "from arrival to answer, if it had one", optional=True),
            Column("dropped", "yes or no", "", "the VM had no receive buffer for it"),
        ),
        _request_rows,
    ),
    Table(
        "dirty",
        "Pages that each VM wrote, interval by interval",
        (_VM, _TIME, _integer("pages", "count", "pages written since the row before")),
        _dirty_rows,
    ),
    Table(
        "disk_layers",
        "The files of virtual disks on the hosts' disks at the end",
        (
            _HOST,
            _VM,
            _integer("depth", "count", "0 for the lowest file of a disk; the highest is written"),
            _text("file", "its name"),
            _integer("virtual_bytes", "bytes", "capacity of the virtual disk"),
            _integer("data_bytes", "bytes", "blocks with content"),
            _integer("record_bytes", "bytes", "blocks that tell where these are"),
            _integer("users", "count", "virtual disks that stand on it"),
        ),
        _disk_layer_rows,
    ),
    Table(
        "migrations",
        "One row for each completed move of a VM",
        (
            _VM,
            _text("source", "the host it left"),
            _text("destination", "the host it went to"),
            _text("reason", "the policy that asked for it, or `scheduled`"),
            _integer("requested_ns", "ns", "when it was asked for"),
            _integer("stopped_ns", "ns", "when the VM stopped executing"),
            _integer("resumed_ns", "ns", "when it could execute again"),
            _integer("downtime_ns", "ns", "from the one to the other"),
            _integer("memory_pages", "count", "pages whose content crossed the network"),
            _integer("zero_pages", "count", "pages that were all zero, told by number only"),
            _integer("device_bytes", "bytes", "registers and device state"),
            _integer("disk_bytes", "bytes", "content of a local disk that crossed too"),
            _integer("transferred_bytes", "bytes", "everything that crossed, headers included"),
            _text("state_digest", "SHA-256 of memory and devices, the same on both sides"),
        ),
        _migration_rows,
    ),
    Table(
        "hosts_used",
        "How many hosts were in use, from each moment to the next row's",
        (
            _TIME,
            _integer("used", "count", "hosts with a VM"),
            _integer("powered", "count", "hosts that were not off"),
        ),
        _hosts_used_rows,
    ),
    Table(
        "host_power",
        "Each host's power, from each moment to the next row's",
        (
            _HOST,
            _TIME,
            _text("state", "`on`, `off`, `starting` or `stopping`"),
            Column("utilisation", "number", "share", "busy share of its pCPUs' time"),
            _integer("power_milliwatts", "mW", "power drawn"),
            _integer("vms", "count", "VMs on it"),
        ),
        _host_power_rows,
    ),
    Table(
        "host_memory",
        "The memory of each host that overcommits, from each moment to the next row's",
        (
            _HOST,
            _TIME,
            _text("state", "its free-memory state"),
            _integer("free_bytes", "bytes", "memory that nobody holds"),
            _integer("resident_bytes", "bytes", "guest memory that has content in frames"),
            _integer("shared_bytes", "bytes", "of this, what shares its frame"),
            _integer("reclaimed_bytes", "bytes", "what sharing saves"),
            _integer("zero_bytes", "bytes", "of the shared memory, what is all zero"),
            _integer("swapped_bytes", "bytes", "guest memory that the host swapped out"),
            _integer("ballooned_bytes", "bytes", "guest memory in balloons"),
            _integer("compressed_bytes", "bytes", "memory that holds compressed pages"),
        ),
        _host_memory_rows,
    ),
    Table(
        "paths",
        "What each host's software did, primitive by primitive of each step of each path",
        (
            _HOST,
            _text("path", "the path, such as `disk_submit`, `vcpu_load` or `exit_<reason>`"),
            _integer("gone", "count", "how often the path was gone"),
            _text("step", "what is done on it"),
            _text("primitive", "the metered primitive of which that is made"),
            _integer("times", "count", "how often the primitive was done, all added"),
            _integer("cycles", "cycles", "what that cost, all added"),
            Column("cycles_each", "number", "cycles", "the same for each time the path was gone"),
        ),
        _path_rows,
    ),
    Table(
        "journeys",
        "How long requests took through each host, leg by leg",
        (
            _HOST,
            _text("journey", "`disk_out`, `disk_in`, `packet_out` or `packet_in`"),
            _integer("journeys", "count", "how many there were"),
            _text("leg", "what took the time: a path, or what was waited for"),
            _integer("times", "count", "how many of them had this leg"),
            _integer("time_ns", "ns", "how long it took, all added"),
            Column("cycles_each", "number", "cycles", "the same for each journey, in cycles"),
        ),
        _journey_rows,
    ),
    Table(
        "threads",
        "Threads of each host's own software",
        (
            _HOST,
            _text("thread", "its name; `<vm>-io` for the I/O thread of a VM's process"),
            _integer("run_ns", "ns", "time on a pCPU"),
            _integer("wait_ns", "ns", "time runnable while others ran"),
            _integer("cycles", "cycles", "cycles of the metered paths that it executed"),
        ),
        _thread_rows,
    ),
    Table(
        "software",
        "What paths, journeys and threads of each host came to: the metrics of its software",
        (
            _HOST,
            _text("kind", "as in the metric's name: `path`, `journey_count`, `thread_run`, ..."),
            _text("name", "of the path, the journey or the thread"),
            Column("value", "number", "", "in the metric's unit"),
        ),
        _software_rows,
    ),
    Table(
        "vm_memory",
        "The memory of each VM on a host that overcommits, from each moment to the next row's",
        (
            _VM,
            _TIME,
            _integer("resident_bytes", "bytes", "its memory that has content in frames"),
            _integer("target_bytes", "bytes", "what it would have, were all shared out anew"),
            Column("active_share", "number", "share", "estimated part that it uses"),
            Column(
                "sampled_share",
                "number",
                "share",
                "part of the sample of the last period",
                optional=True,
            ),
            Column(
                "accessed_share",
                "number",
                "share",
                "part that the MMU saw accessed in it",
                optional=True,
            ),
            _integer("swapped_bytes", "bytes", "its memory that the host swapped out"),
            _integer("ballooned_bytes", "bytes", "its memory in its balloon"),
        ),
        _vm_memory_rows,
    ),
    Table(
        "events",
        "What happened, in order of time",
        (
            _TIME,
            _text("kind", "`vm-started`, `vm-ended`, `migration`, `host-off`, ..."),
            _text("subject", "the VM or the host"),
            _text("detail", "more, in words"),
        ),
        _event_rows,
    ),
)
