"""Memory in results: metrics and tables from samples written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.results import HostMemory, HostMemorySample, summarise
from dcsim.results.tables import TABLES, arrow_table

MS = 10**6
MIB = 2**20


def sample(at_ms: int, state: str, **levels: int) -> HostMemorySample:
    usual = dict.fromkeys(("free", "resident", "shared", "reclaimed", "zero"), 0)
    values = {f"{name}_bytes": value for name, value in {**usual, **levels}.items()}
    return HostMemorySample(time_ns=at_ms * MS, state=state, **values)


MEMORY = HostMemory(
    samples=(
        sample(0, "high", free=64 * MIB),
        sample(200, "soft", shared=8 * MIB, reclaimed=6 * MIB, zero=MIB),
        sample(500, "low", shared=9 * MIB, reclaimed=7 * MIB),
        sample(600, "high", shared=5 * MIB, reclaimed=4 * MIB),
    ),
    counts={"pages_scanned": 999, "scanner_ns": 55},
)


@pytest.fixture
def result(make_result):
    plain = make_result()
    hosts = (replace(plain.hosts[0], memory=MEMORY), plain.hosts[1])
    return make_result(hosts=hosts)


# The run lasts 1 s.
EXPECTED = {
    "host.rack-0.memory_state": "high",
    "host.rack-0.memory_high_share": 0.6,
    "host.rack-0.memory_soft_share": 0.3,
    "host.rack-0.memory_low_share": 0.1,
    "host.rack-0.memory_hard_share": 0.0,
    "host.rack-0.memory_shared_bytes": 5 * MIB,
    "host.rack-0.memory_shared_peak_bytes": 9 * MIB,
    "host.rack-0.memory_reclaimed_peak_bytes": 7 * MIB,
    "host.rack-0.memory_zero_bytes": 0,
    "host.rack-0.memory_pages_scanned": 999,
    "host.rack-1.memory_state": "",
    "host.rack-1.memory_high_share": 0.0,
    "host.rack-1.memory_shared_bytes": 0,
}


@pytest.mark.parametrize("metric", EXPECTED)
def test_metrics(result, metric: str) -> None:
    assert summarise(result).value(metric) == EXPECTED[metric]


def test_tables(result) -> None:
    tables = {table.name: table for table in TABLES}
    summary = summarise(result)
    hosts = arrow_table(tables["host_memory"], result, summary).to_pylist()

    assert [row["state"] for row in hosts] == ["high", "soft", "low", "high"]
    assert {row["host"] for row in hosts} == {"rack-0"}
    assert hosts[2]["shared_bytes"] == 9 * MIB
