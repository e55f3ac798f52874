"""Memory in results: metrics and tables from samples written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.results import HostMemory, HostMemorySample, VmMemorySample, summarise
from dcsim.results.tables import TABLES, arrow_table

MS = 10**6
MIB = 2**20


def sample(at_ms: int, state: str, **levels: int) -> HostMemorySample:
    usual = dict.fromkeys(
        ("free", "resident", "shared", "reclaimed", "zero", "swapped", "ballooned", "compressed"), 0
    )
    values = {f"{name}_bytes": value for name, value in {**usual, **levels}.items()}
    return HostMemorySample(time_ns=at_ms * MS, state=state, **values)


MEMORY = HostMemory(
    samples=(
        sample(0, "high", free=64 * MIB),
        sample(200, "soft", shared=8 * MIB, reclaimed=6 * MIB, zero=MIB, ballooned=3 * MIB),
        sample(500, "low", shared=9 * MIB, reclaimed=7 * MIB, swapped=2 * MIB),
        sample(600, "high", shared=5 * MIB, reclaimed=4 * MIB),
    ),
    counts={"swapped_out": 12, "swapped_in": 5, "double_paged": 1, "pages_scanned": 999},
)
VM = (
    VmMemorySample(time_ns=0, resident_bytes=MIB, target_bytes=MIB, active_share=1.0, sampled_share=None, accessed_share=None,
                   swapped_bytes=0, ballooned_bytes=0),
    VmMemorySample(time_ns=MS, resident_bytes=3 * MIB, target_bytes=2 * MIB, active_share=0.25, sampled_share=0.2, accessed_share=0.5,
                   swapped_bytes=4096, ballooned_bytes=8192),
)  # fmt: skip


@pytest.fixture
def result(make_result):
    plain = make_result()
    hosts = (replace(plain.hosts[0], memory=MEMORY), plain.hosts[1])
    vms = (replace(plain.vms[0], memory=VM, stalled_ns=77), plain.vms[1])
    return make_result(hosts=hosts, vms=vms)


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
    "host.rack-0.memory_swapped_peak_bytes": 2 * MIB,
    "host.rack-0.memory_ballooned_peak_bytes": 3 * MIB,
    "host.rack-0.memory_swapped_out": 12,
    "host.rack-0.memory_double_paged": 1,
    "host.rack-0.memory_shortages": 0,
    "host.rack-0.memory_pages_scanned": 999,
    "host.rack-1.memory_state": "",
    "host.rack-1.memory_high_share": 0.0,
    "host.rack-1.memory_shared_bytes": 0,
    "vm.web.memory_resident_bytes": 3 * MIB,
    "vm.web.memory_target_bytes": 2 * MIB,
    "vm.web.memory_active_share": 0.25,
    "vm.web.memory_sampled_share": 0.2,
    "vm.web.memory_accessed_share": 0.5,
    "vm.web.memory_swapped_bytes": 4096,
    "vm.web.stalled_ns": 77,
    "vm.batch.memory_resident_bytes": None,
    "vm.batch.memory_active_share": None,
    "vm.batch.memory_swapped_bytes": 0,
}


@pytest.mark.parametrize("metric", EXPECTED)
def test_metrics(result, metric: str) -> None:
    assert summarise(result).value(metric) == EXPECTED[metric]


def test_tables(result) -> None:
    tables = {table.name: table for table in TABLES}
    summary = summarise(result)
    hosts = arrow_table(tables["host_memory"], result, summary).to_pylist()
    vms = arrow_table(tables["vm_memory"], result, summary).to_pylist()

    assert [row["state"] for row in hosts] == ["high", "soft", "low", "high"]
    assert {row["host"] for row in hosts} == {"rack-0"}
    assert hosts[2]["swapped_bytes"] == 2 * MIB
    assert [row["active_share"] for row in vms] == [1.0, 0.25]
    assert {row["vm"] for row in vms} == {"web"}
