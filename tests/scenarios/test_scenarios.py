"""Every scenario of the repository is valid, runs, and is as it expects.

A scenario is its own test: what it must show stands in its ``expect:``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcsim.results import (
    RunResult,
    check_expectations,
    read_manifest,
    read_summary,
    summarise,
)
from dcsim.run import run_scenario
from dcsim.scenario import ScenarioFile, load_scenario

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(ROOT.glob("scenarios/**/*.yaml"))
PATH_NS = 20_000
"""More than a host path takes."""
QUICKSTART = ROOT / "scenarios/quickstart.yaml"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: str(path.relative_to(ROOT)))
def test_is_as_it_expects(path: Path) -> None:
    file = load_scenario(path)
    assert file.scenario.expect, "a scenario without expectations shows nothing"

    outcomes = check_expectations(file, summarise(run_scenario(file.scenario)))

    assert [str(outcome) for outcome in outcomes if not outcome.passed] == []


@pytest.fixture(scope="module")
def quickstart() -> tuple[ScenarioFile, RunResult, float]:
    """Return the quickstart, its result, and how many seconds it took."""
    file = load_scenario(QUICKSTART)
    started = time.monotonic()
    result = run_scenario(file.scenario)
    return file, result, time.monotonic() - started


def test_the_quickstart_is_what_it_is_meant_to_be(
    quickstart: tuple[ScenarioFile, RunResult, float],
) -> None:
    _, result, seconds = quickstart

    assert [host.hypervisor for host in result.hosts] == ["type1", "type1", "type2"]
    assert len(result.vms) >= 6
    assert len({vm.program.split()[0] for vm in result.vms}) >= 3
    assert any(move.reason == "underload" for move in result.migrations)
    assert any(host.state == "off" for host in result.hosts)
    assert seconds < 60


def test_cycles_by_cause_add_up_for_every_vm(
    quickstart: tuple[ScenarioFile, RunResult, float],
) -> None:
    _, result, _ = quickstart

    for vm in result.vms:
        assert sum(vm.cycles.values()) == vm.total_cycles > 0
        assert {"guest", "transition"} <= set(vm.cycles)
        assert any(cause.startswith("handler:") for cause in vm.cycles)


def test_migrations_carry_every_byte(quickstart: tuple[ScenarioFile, RunResult, float]) -> None:
    _, result, _ = quickstart
    memory = {vm.name: vm.memory_bytes for vm in result.vms}

    for move in result.migrations:
        assert move.source_digest == move.destination_digest
        assert (move.memory_pages + move.zero_pages) * 4096 == memory[move.vm]
        assert move.transferred_bytes >= move.memory_pages * 4096 + move.device_bytes
        assert move.resumed_ns > move.stopped_ns >= move.requested_ns


def test_time_is_accounted_for(quickstart: tuple[ScenarioFile, RunResult, float]) -> None:
    """A VM runs, waits for a processor, waits for interrupts, or moves; nothing else.

    The host path that follows its last exit is on its account, and after its end.
    """
    _, result, _ = quickstart

    for vm in result.vms:
        assert vm.started_ns is not None
        lived = (vm.ended_ns or result.ended_ns) - vm.started_ns
        moved = sum(
            move.resumed_ns - move.stopped_ns for move in result.migrations if move.vm == vm.name
        )
        assert vm.run_ns + vm.steal_ns + vm.halted_ns <= lived + PATH_NS
        assert vm.run_ns + vm.steal_ns + vm.halted_ns + moved >= lived - PATH_NS


def _run(output: Path, hash_seed: str, *arguments: str) -> None:
    command = [sys.executable, "-c", "from dcsim.cli import main; main()", "run"]
    subprocess.run(
        [*command, str(QUICKSTART), "--quiet", "--output", str(output), *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        timeout=240,
    )


def _bytes_of(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    """In two processes, with two orders of every hash."""
    _run(tmp_path / "one", "0")
    _run(tmp_path / "two", "12345")

    one, two = _bytes_of(tmp_path / "one"), _bytes_of(tmp_path / "two")

    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_a_kept_result_says_what_the_run_said(
    tmp_path: Path, quickstart: tuple[ScenarioFile, RunResult, float]
) -> None:
    file, result, _ = quickstart
    _run(tmp_path / "run", "0")

    assert read_summary(tmp_path / "run").cluster == summarise(result).cluster
    assert read_manifest(tmp_path / "run")["scenario_sha256"] == file.scenario.digest()


def test_another_seed_gives_another_result(
    quickstart: tuple[ScenarioFile, RunResult, float],
) -> None:
    """The seed reaches the arrivals of requests."""
    _, result, _ = quickstart
    other = run_scenario(load_scenario(QUICKSTART, ["seed=2", "duration=300 ms"]).scenario)

    assert other.vms[0].requests[0].arrived_ns != result.vms[0].requests[0].arrived_ns
