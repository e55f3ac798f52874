"""From a scenario to a result, on doubles of machines."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from dcsim.errors import GuestImageError
from dcsim.results import RunResult
from dcsim.run import run_scenario
from dcsim.scenario import Scenario

Script = list[tuple[Any, ...]]


def answer(number: int) -> bytes:
    return bytes(12) + b"\x88\xb5" + struct.pack("<IIQQ", 0x7072_6364, 64, number, 1) + bytes(40)


SERVER: Script = [
    step for n in range(50) for step in [("wait",), ("run", 200_000), ("send", answer(n))]
]
JOB: Script = [("run", 30_000_000), ("off", 0)]
NAPS: Script = [("run", 10_000), ("sleep", 2_000_000)] * 10_000


class DoubleWorld:
    """Machines that follow scripts."""

    def __init__(self, machine: Callable[..., Any], scripts: dict[str, Script]) -> None:
        self._machine = machine
        self._scripts = scripts

    def machine(self, profile: Any, pcpus: int, memory_bytes: int) -> Any:
        del profile, memory_bytes
        machine = self._machine(pcpus)
        machine.named.update(self._scripts)
        return machine

    def disk(self, size_bytes: int) -> None:
        del size_bytes


def scenario(**changes: Any) -> Scenario:
    host = {"hardware": "sifive-u54", "pcpus": 2, "memory": "64 MiB", "power": "hp-ml110-g5"}
    settings: dict[str, Any] = {
        "dcsim": 1,
        "name": "test",
        "duration": "300 ms",
        "hosts": [
            {"name": "one", "hypervisor": "type1", **host},
            {"name": "two", "hypervisor": "type2", **host},
        ],
        "vms": [
            {
                "name": "web",
                "program": "server",
                "memory": "4 MiB",
                "requests": {"rate": "200 /s", "count": 40, "arrival": "uniform", "first": "10 ms"},
            },
            {"name": "job", "program": "integer", "memory": "4 MiB"},
            {"name": "nap", "count": 2, "program": "idle", "memory": "4 MiB"},
        ],
        "placement": {"policy": "spread"},
        "consolidation": {"interval": "50 ms"},
        **changes,
    }
    return Scenario.model_validate(settings)


@pytest.fixture
def run(double_machine: Callable[..., Any]) -> Callable[..., RunResult]:
    """Return a function that runs the scenario with changes."""

    def run_one(scripts: dict[str, Script] | None = None, **changes: Any) -> RunResult:
        named = {"web": SERVER, "job": JOB, "nap-0": NAPS, "nap-1": NAPS, **(scripts or {})}
        options = {key: changes.pop(key) for key in ("seed", "progress") if key in changes}
        return run_scenario(
            scenario(**changes), world=DoubleWorld(double_machine, named), **options
        )

    return run_one


def test_a_run_fills_every_part_of_the_result(run: Callable[..., RunResult]) -> None:
    result = run()
    web, job, *naps = result.vms
    assert result.ended_ns == 300_000_000
    assert [vm.state for vm in result.vms] == ["running", "off", "running", "running"]
    assert (job.exit_status, job.run_ns) == (0, pytest.approx(30_000_000, abs=10_000))
    assert len(web.requests) == 40
    assert all(request.answered_ns is not None for request in web.requests)
    assert all(vm.halted_ns > 250_000_000 for vm in naps)
    assert len(result.migrations) == 2
    assert {each.destination_digest for each in result.migrations} == {
        each.source_digest for each in result.migrations
    }
    assert [(each.used, each.powered) for each in result.hosts_used] == [(2, 2), (1, 2), (1, 1)]
    off = next(host for host in result.hosts if host.state == "off")
    assert off.samples[-1].state == "off"
    assert 0 < off.energy_millijoules < 30_000


def test_requests_take_the_time_of_the_server(run: Callable[..., RunResult]) -> None:
    """Evenly spaced and never queued: each takes the computation and the host's software."""
    for request in run(consolidation=None).vms[0].requests:
        assert request.answered_ns is not None
        assert request.answered_ns - request.arrived_ns == pytest.approx(200_000, abs=3_000)


def test_the_same_run_gives_the_same_result(run: Callable[..., RunResult]) -> None:
    assert run() == run()


def test_another_seed_gives_other_arrivals(run: Callable[..., RunResult]) -> None:
    requests = {"rate": "200 /s", "count": 10}
    vms = [{"name": "web", "program": "server", "memory": "4 MiB", "requests": requests}]
    one, same, other = (run(vms=vms, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.vms[0].requests != other.vms[0].requests
    assert other.seed == 2


def test_a_run_ends_when_every_vm_is_over(run: Callable[..., RunResult]) -> None:
    result = run(vms=[{"name": "job", "program": "x", "memory": "4 MiB"}])
    assert result.ended_ns == result.vms[0].ended_ns == pytest.approx(30_000_000, abs=10_000)


def test_a_guest_that_fails_is_a_result(run: Callable[..., RunResult]) -> None:
    result = run({"job": [("run", 10), ("fault", "triple trouble")]})
    assert (result.vms[1].state, result.vms[1].message) == ("failed", "triple trouble")
    assert result.ended_ns == 300_000_000


def test_progress_is_told_in_simulated_time(run: Callable[..., RunResult]) -> None:
    told: list[int] = []
    quiet, loud = run(), run(progress=told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert 150 <= len(told) <= 400
    assert quiet == loud


def test_an_interrupt_comes_out_as_it_is(run: Callable[..., RunResult]) -> None:
    def stop(now_ns: int) -> None:
        if now_ns > 10**8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)


def test_a_missing_image_is_named(run: Callable[..., RunResult]) -> None:
    vms = [{"name": "job", "program": "x", "memory": "4 MiB", "image": "no/such/file"}]
    with pytest.raises(GuestImageError, match="no/such/file"):
        run(vms=vms)


def test_a_move_at_a_fixed_time_is_made(run: Callable[..., RunResult]) -> None:
    result = run(consolidation=None, migrations=[{"vm": "nap-1", "to": "one", "at": "100 ms"}])
    (move,) = result.migrations
    assert (move.vm, move.source, move.destination) == ("nap-1", "two", "one")
    assert (move.reason, move.requested_ns) == ("scheduled", 100_000_000)


def test_a_ceiling_keeps_vms_where_they_are(run: Callable[..., RunResult]) -> None:
    assert run(consolidation={"interval": "50 ms", "ceiling": 0.001}).migrations == ()


def test_the_ledger_names_every_constant_once_with_its_source(
    run: Callable[..., RunResult],
) -> None:
    ledger = run().ledger
    names = [constant.name for constant in ledger]
    assert len(names) == len(set(names))
    assert all(constant.source for constant in ledger)
    for expected in (
        "hardware.sifive-u54.trap_cycles",
        "power.hp-ml110-g5.at_50_percent",
        "path.type2.disk_submit_fixed.trap",
        "credit.slice",
        "fair.latency",
        "scenario.switch.latency",
        "monitor.device_model",
        "firmware.dispatch",
        "primitive.lookup.branch",
        "path.type2.disk_submit_missing.alu",
        "path.type1.each_page.lookup",
        "migration.page_number",
        "power.window",
        "sampling.dirty_interval",
    ):
        assert expected in names


def test_a_round_trip_that_the_scenario_asks_for_is_in_the_ledger(
    run: Callable[..., RunResult],
) -> None:
    processor = {"hardware": "vt-2005-prescott", "exit_cycles": 784, "pcpus": 2}
    hosts = [
        {"name": name, "hypervisor": "type1", "memory": "64 MiB", "power": "hp-ml110-g5"}
        for name in ("one", "two")
    ]
    result = run(hosts=[{**hosts[0], **processor}, {**hosts[1], **processor, "isa": "rv64gch"}])
    asked = {
        constant.name: constant.value for constant in result.ledger if constant.kind == "scenario"
    }
    assert asked["scenario.host.one.exit_cycles"] == 784
    assert [host.isa for host in result.hosts] == ["rv64gch", "rv64gch"]
