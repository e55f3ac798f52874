"""Sweeps: what is run, what is taken over, and what fails, with a runner that executes nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from dcsim.errors import ScenarioError, SimulationError
from dcsim.results import RunResult
from dcsim.scenario import Scenario
from dcsim.study import PointOutcome, grid, parse_axis, run_sweep

TEXT = """\
dcsim: 1
name: small
duration: 1 s
hosts:
  - {name: rack, count: 2, hardware: sifive-u54, hypervisor: type1, pcpus: 2, memory: 256 MiB, power: dell-r740}
vms:
  - {name: web, program: server, memory: 16 MiB}
  - {name: batch, program: integer iterations=1, memory: 16 MiB}
expect:
  - {metric: cluster.requests_served, at_least: 100}
"""
POINTS = grid([parse_axis("hosts.rack.pcpus=1,2")], [1, 2])


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    return path


class Runner:
    """Returns the fixture's result for every scenario, and counts."""

    def __init__(self, make_result: Callable[..., RunResult]) -> None:
        self.make_result = make_result
        self.ran: list[tuple[int, int]] = []
        self.failing: set[int] = set()

    def __call__(self, scenario: Scenario) -> RunResult:
        if scenario.seed in self.failing:
            raise SimulationError(f"seed {scenario.seed} went wrong")
        self.ran.append((scenario.hosts[0].pcpus, scenario.seed))
        return self.make_result(scenario=scenario, seed=scenario.seed)


@pytest.fixture
def runner(make_result: Callable[..., RunResult]) -> Runner:
    return Runner(make_result)


def _sweep(path: Path, runner: Runner, **options: object) -> list[PointOutcome]:
    folder = path.parent / "out"
    return list(run_sweep(path, POINTS, folder, runner=runner, **options))  # type: ignore[arg-type]


def test_every_point_is_run_once_into_its_own_directory(
    scenario_file: Path, runner: Runner
) -> None:
    outcomes = _sweep(scenario_file, runner)

    assert runner.ran == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert len({outcome.folder for outcome in outcomes}) == 4
    assert all(outcome.passed and not outcome.resumed for outcome in outcomes)


def test_whole_results_are_taken_over(scenario_file: Path, runner: Runner) -> None:
    _sweep(scenario_file, runner)
    runner.ran.clear()

    outcomes = _sweep(scenario_file, runner)

    assert runner.ran == []
    assert all(outcome.resumed for outcome in outcomes)
    assert all(outcome.summary is not None for outcome in outcomes)


def test_a_damaged_result_is_run_again(scenario_file: Path, runner: Runner) -> None:
    first = _sweep(scenario_file, runner)
    (first[2].folder / "vms.parquet").write_bytes(b"damaged")
    runner.ran.clear()

    _sweep(scenario_file, runner)

    assert runner.ran == [(2, 1)]


def test_a_changed_scenario_is_run_again(scenario_file: Path, runner: Runner) -> None:
    _sweep(scenario_file, runner)
    runner.ran.clear()

    _sweep(scenario_file, runner, overrides=["duration=2 s"])

    assert len(runner.ran) == 4


def test_an_expectation_that_fails_fails_its_point(scenario_file: Path, runner: Runner) -> None:
    scenario_file.write_text(TEXT.replace("at_least: 100", "at_least: 101"))

    outcomes = _sweep(scenario_file, runner)

    assert not any(outcome.passed for outcome in outcomes)
    assert outcomes[0].error is None


def test_a_run_that_fails_does_not_stop_the_others(scenario_file: Path, runner: Runner) -> None:
    runner.failing = {1}

    outcomes = _sweep(scenario_file, runner)

    errors = [outcome.error for outcome in outcomes]
    assert [str(error) for error in errors if error is not None] == ["seed 1 went wrong"] * 2
    assert [outcome.passed for outcome in outcomes] == [False, True, False, True]
    assert not outcomes[0].folder.exists()


def _killed(_scenario: Scenario) -> RunResult:
    """Stand for a worker that the system ends because memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_killed_worker_is_one_clear_error(scenario_file: Path) -> None:
    with pytest.raises(SimulationError, match="worker process was killed"):
        _sweep(scenario_file, _killed, workers=2)


def test_nothing_runs_when_a_point_is_not_valid(scenario_file: Path, runner: Runner) -> None:
    points = grid([parse_axis("hosts.rack.pcpus=1,0,x")], [])

    with pytest.raises(ScenarioError) as caught:
        list(run_sweep(scenario_file, points, scenario_file.parent, runner=runner))

    assert [str(problem.place) for problem in caught.value.problems] == [
        "--set hosts.rack.pcpus=0",
        "--set hosts.rack.pcpus=x",
    ]
    assert runner.ran == []
