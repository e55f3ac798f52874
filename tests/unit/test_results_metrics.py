"""Metrics: what follows from the records, and the invariants that they must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dcsim.errors import InvariantError, SeamError, UnknownNameError
from dcsim.results import HostsUsedSample, RunResult, summarise
from dcsim.results.metrics import nearest_rank
from dcsim.results.printed import printed_figures
from dcsim.scenario.metrics import CLUSTER_METRICS, HOST_METRICS, VM_METRICS

MakeResult = Callable[..., RunResult]

# Worked out by hand from the records of the fixture.
EXPECTED = [
    ("vm.web.state", "running"),
    ("vm.web.exit_status", None),
    ("vm.batch.exit_status", 3),
    ("vm.web.instructions", 1_000),
    ("vm.web.technique", "trap-and-emulate"),
    ("vm.web.paging", "shadow-tlb"),
    ("vm.web.instructions_translated", 0),
    ("vm.web.instructions_hart", 900),
    ("vm.web.cycles_per_instruction", 2.0),
    ("vm.web.result.hello.n", None),
    ("vm.web.direct_share", 0.9),
    ("vm.web.total_cycles", 2_000),
    ("vm.web.guest_cycles", 1_000),
    ("vm.web.handler_cycles", 500),
    ("vm.web.host_path_cycles", 200),
    ("vm.web.guest_walk_cycles", 0),
    ("vm.web.exits", 100),
    ("vm.web.cycles.handler:csr", 500),
    ("vm.web.exits.page_fault", 10),
    ("vm.web.exits.never", 0),
    ("vm.web.requests_arrived", 101),
    ("vm.web.requests_served", 100),
    ("vm.web.requests_dropped", 1),
    ("vm.web.latency_p50_ns", 500),
    ("vm.web.latency_p99_ns", 990),
    ("vm.batch.latency_p99_ns", None),
    ("vm.web.dirty_pages", 25),
    ("vm.web.dirty_rate_pages_per_second", 25.0),
    ("vm.web.migrations", 1),
    ("vm.web.migration_bytes", 170_000),
    ("vm.web.migration_disk_bytes", 8_192),
    ("vm.web.downtime_ns", 5_000),
    ("vm.batch.migrations", 0),
    ("vm.web.console_bytes", 6),
    ("host.rack-0.utilisation", 0.25),
    ("host.rack-0.power_state", "on"),
    ("cluster.vms", 2),
    ("cluster.hosts_used_at_end", 2),
    ("cluster.hosts_used_max", 2),
    ("cluster.hosts_used_mean", 1.75),
    ("cluster.energy_millijoules", 97_000),
    ("cluster.instructions", 2_000),
    ("cluster.requests_served", 100),
    ("cluster.migrations", 1),
    ("cluster.lateness_ns", 0),
]


@pytest.mark.parametrize(("metric", "expected"), EXPECTED)
def test_follows_from_the_records(make_result: MakeResult, metric: str, expected: object) -> None:
    assert summarise(make_result()).value(metric) == expected


def test_every_metric_of_the_vocabulary_has_a_value(make_result: MakeResult) -> None:
    summary = summarise(make_result())

    assert list(summary.vms["web"]) == [metric.name for metric in VM_METRICS]
    assert list(summary.hosts["rack-0"]) == [metric.name for metric in HOST_METRICS]
    assert list(summary.cluster) == [metric.name for metric in CLUSTER_METRICS]


@pytest.mark.parametrize("metric", ["vm.web.speed", "vm.no.state", "rack.a.b", "cluster.x", ""])
def test_an_unknown_metric_is_an_error(make_result: MakeResult, metric: str) -> None:
    with pytest.raises(UnknownNameError, match="no metric"):
        summarise(make_result()).value(metric)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([7], 1, 7), ([1, 2], 50, 1), ([1, 2, 3], 50, 2), (range(1, 101), 99, 99)],
)
def test_percentiles_are_by_nearest_rank(
    values: list[int], percent: int, expected: int | None
) -> None:
    assert nearest_rank(values, percent) == expected


def test_translated_instructions_are_the_guests_own(make_result: MakeResult) -> None:
    """400 of 1,000 run as translated code, for which the hart retires 700."""
    web = make_result().vms[0]
    translated = replace(
        web, instructions_direct=500, instructions_translated=400, instructions_hart=1_200
    )
    summary = summarise(make_result(vms=(translated,)))

    assert summary.value("vm.web.instructions") == 1_000
    assert summary.value("vm.web.instructions_hart") == 1_200
    assert summary.value("vm.web.direct_share") == 0.5
    assert summary.value("cluster.instructions") == 1_000
    assert summary.value("cluster.direct_share") == 0.5


def test_what_a_guest_printed_is_a_metric(make_result: MakeResult) -> None:
    console = b"kernel: hello\r\nresult bench-1 op=page_fault cycles=120 low=-3\r\n"
    web = replace(make_result().vms[0], console=console)
    summary = summarise(make_result(vms=(web,)))

    assert summary.value("vm.web.result.bench-1.cycles") == 120
    assert summary.value("vm.web.result.bench-1.low") == -3
    assert summary.value("vm.web.result.bench-1.op") is None


def test_what_the_stopwatch_measured_is_a_metric(make_result: MakeResult) -> None:
    console = b"nano pagefault rounds=100 cycles=61234 empty=456 each=607.780\n"
    web = replace(make_result().vms[0], console=console)
    summary = summarise(make_result(vms=(web,)))

    assert summary.value("vm.web.nano.pagefault.cycles") == 61_234
    assert summary.value("vm.web.nano.pagefault.each") is None
    assert summary.value("vm.web.result.pagefault.cycles") is None


@pytest.mark.parametrize(
    ("console", "expected"),
    [
        (b"", {}),
        (b"result nanobench privileged-write=37\n", {"nanobench.privileged-write": 37}),
        (b"result a n=1\nresult a n=2\n", {"a.n": 2}),
        (b"result a hash=0x1f n=07 m=1x k=3", {"a.n": 7, "a.k": 3}),
        (b"the result a n=1\nresult A n=1\nresult a\n", {}),
        (b"result a n=" + b"9" * 19 + b" m=" + b"9" * 18, {"a.m": 10**18 - 1}),
        (b"result \xff n=1\nresult a \xff=1 n=2", {"a.n": 2}),
    ],
)
def test_only_integers_of_result_lines_count(console: bytes, expected: dict[str, int]) -> None:
    assert printed_figures(console) == {"result": expected, "nano": {}, "kernel": {}}


def test_nothing_divided_by_nothing_is_nothing(make_result: MakeResult) -> None:
    unborn = replace(
        make_result().vms[0],
        started_ns=None,
        instructions_direct=0,
        instructions_emulated=0,
        total_cycles=0,
        cycles={},
    )
    summary = summarise(make_result(vms=(unborn,), hosts_used=()))

    assert summary.value("vm.web.direct_share") == 0.0
    assert summary.value("vm.web.dirty_rate_pages_per_second") == 0.0
    assert summary.value("cluster.hosts_used_mean") == 0.0


def test_hosts_used_before_the_first_sample_do_not_count(make_result: MakeResult) -> None:
    late = HostsUsedSample(time_ns=500_000_000, used=3, powered=3)

    assert summarise(make_result(hosts_used=(late,))).value("cluster.hosts_used_mean") == 3.0


def test_cycles_that_do_not_add_up_are_a_bug(make_result: MakeResult) -> None:
    wrong = replace(make_result().vms[0], total_cycles=2_001)

    with pytest.raises(InvariantError, match="add up to 2,000, and its pCPUs counted 2,001"):
        summarise(make_result(vms=(wrong,)))


def test_lateness_is_a_bug(make_result: MakeResult) -> None:
    late = replace(make_result().vms[0], lateness_ns=1)

    with pytest.raises(SeamError, match="1 ns in the past of `web`"):
        summarise(make_result(vms=(late,)))


def test_a_move_that_changes_a_byte_is_a_bug(make_result: MakeResult) -> None:
    wrong = replace(make_result().migrations[0], destination_digest="cd")

    with pytest.raises(InvariantError, match="changed its state"):
        summarise(make_result(migrations=(wrong,)))
