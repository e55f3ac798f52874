"""A small result to write, read, summarise and show, without running anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dcsim.results import (
    Constant,
    DirtySample,
    EventRecord,
    HostRecord,
    HostSample,
    HostsUsedSample,
    MigrationRecord,
    RequestRecord,
    RunResult,
    VmRecord,
)
from dcsim.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIO: dict[str, Any] = {
    "dcsim": 1,
    "name": "small",
    "duration": "1 s",
    "hosts": [
        {
            "name": "rack",
            "count": 2,
            "hardware": "sifive-u54",
            "hypervisor": "type1",
            "pcpus": 2,
            "memory": "256 MiB",
            "power": "dell-r740",
        }
    ],
    "vms": [
        {"name": "web", "program": "server", "memory": "16 MiB"},
        {"name": "batch", "program": "integer rounds=1", "memory": "16 MiB"},
    ],
}

WEB = VmRecord(
    name="web",
    program="server",
    technique="trap-and-emulate",
    paging="shadow-tlb",
    memory_bytes=16 * 2**20,
    host="rack-1",
    state="running",
    exit_status=None,
    started_ns=0,
    ended_ns=None,
    instructions_direct=900,
    instructions_emulated=100,
    instructions_hart=900,
    total_cycles=2_000,
    cycles={"guest": 1_000, "transition": 300, "handler:csr": 500, "host:exit": 200},
    exits={"csr": 90, "page_fault": 10},
    emulated={"fadd.d": 4},
    emulated_cycles={"fadd.d": 1000},
    pages_touched=40,
    dirty=(DirtySample(time_ns=500_000_000, pages=20), DirtySample(time_ns=10**9, pages=5)),
    run_ns=2_000,
    steal_ns=10,
    halted_ns=900_000_000,
    lateness_ns=0,
    requests=(
        *(
            RequestRecord(number=n, arrived_ns=n * 1_000, answered_ns=n * 1_000 + (n + 1) * 10)
            for n in range(100)
        ),
        RequestRecord(number=100, arrived_ns=200_000, answered_ns=None, dropped=True),
    ),
    console=b"hello\n",
    console_bytes=6,
)
BATCH = replace(
    WEB,
    name="batch",
    program="integer rounds=1",
    host="rack-0",
    state="off",
    exit_status=3,
    ended_ns=500_000_000,
    requests=(),
    dirty=(),
)
MOVE = MigrationRecord(
    vm="web",
    source="rack-0",
    destination="rack-1",
    reason="scheduled",
    requested_ns=100,
    stopped_ns=200,
    resumed_ns=5_200,
    memory_pages=40,
    zero_pages=4_056,
    device_bytes=1_000,
    disk_bytes=8_192,
    transferred_bytes=170_000,
    source_digest="ab",
    destination_digest="ab",
)


def _host(index: int) -> HostRecord:
    return HostRecord(
        name=f"rack-{index}",
        hardware="sifive-u54",
        isa="rv64gc",
        hypervisor="type1",
        pcpus=2,
        memory_bytes=256 * 2**20,
        busy_ns=500_000_000,
        powered_ns=10**9,
        energy_millijoules=48_500,
        state="on",
        vms=1,
        memory_peak_bytes=20 * 2**20,
        samples=(
            HostSample(time_ns=0, state="on", utilisation=0.25, power_milliwatts=48_500, vms=1),
        ),
    )


@pytest.fixture
def make_result() -> Callable[..., RunResult]:
    """Return a function that makes a result, with fields replaced as asked."""

    def make(**changes: Any) -> RunResult:
        result = RunResult(
            scenario=Scenario.model_validate(SCENARIO),
            seed=1,
            ended_ns=10**9,
            vms=(WEB, BATCH),
            hosts=(_host(0), _host(1)),
            hosts_used=(
                HostsUsedSample(time_ns=0, used=1, powered=2),
                HostsUsedSample(time_ns=250_000_000, used=2, powered=2),
            ),
            migrations=(MOVE,),
            events=(EventRecord(time_ns=0, kind="vm-started", subject="web"),),
            ledger=(
                Constant(
                    name="hardware.sifive-u54.trap_cycles",
                    value=20,
                    unit="cycles",
                    kind="assumption",
                    source="an in-order core",
                ),
            ),
        )
        return replace(result, **changes)

    return make
