"""Runs the points of a sweep on a pool of processes, and goes on where an earlier one stopped.

Invariants: every point is validated before any runs; each point has a directory of its own, whose
presence means that it is whole; results do not depend on the number of workers.
"""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dcsim
from dcsim.errors import DcsimError, ResultsError, ScenarioError, SimulationError
from dcsim.results import (
    check_expectations,
    image_digests,
    is_complete,
    read_manifest,
    read_summary,
    write_run,
)
from dcsim.run import run_scenario
from dcsim.scenario import ScenarioFile, load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dcsim.errors import Problem
    from dcsim.results import Outcome, RunResult, Summary
    from dcsim.scenario import Scenario
    from dcsim.study.grid import Point

    Runner = Callable[[Scenario], RunResult]

__all__ = ["PointOutcome", "run_sweep"]


@dataclass(frozen=True, slots=True)
class PointOutcome:
    """What came of one point."""

    point: Point
    folder: Path
    resumed: bool
    """The result was there already."""
    summary: Summary | None
    """None when the run failed."""
    outcomes: tuple[Outcome, ...]
    """Of the scenario's expectations."""
    error: DcsimError | None = None
    """Why the run failed."""

    @property
    def passed(self) -> bool:
        """Whether it ran and every expectation held."""
        return self.error is None and all(outcome.passed for outcome in self.outcomes)


def run_sweep(
    path: str | Path,
    points: Sequence[Point],
    folder: Path,
    *,
    workers: int = 1,
    overrides: Sequence[str] = (),
    runner: Runner = run_scenario,
) -> Iterator[PointOutcome]:
    """Run every point that has no whole result yet; yield outcomes as they come.

    Parameters
    ----------
    path
        The scenario file.
    points
        What to run.
    folder
        Where each point's result directory is kept.
    workers
        Processes to use; with one, it is this one.
    overrides
        Assignments made before each point's own.
    runner
        What runs a scenario; a function of a module, so that a process can be told of it.

    Yields
    ------
    PointOutcome
        In the order in which they finish: results that were there first.

    Raises
    ------
    ScenarioError
        When a point is not valid; nothing has run then.
    """
    files = _validated(path, points, overrides)
    waiting: dict[Point, Path] = {}
    for point in points:
        target = folder / f"{point.label}-{files[point].scenario.digest()[:12]}"
        if _is_current(target, files[point].scenario):
            yield _read(point, files[point], target, resumed=True)
        else:
            waiting[point] = target
    for point, error in _run_all(files, waiting, workers, runner):
        if error is not None:
            yield PointOutcome(point, waiting[point], False, None, (), error)  # noqa: FBT003
        else:
            yield _read(point, files[point], waiting[point], resumed=False)


def _validated(
    path: str | Path, points: Sequence[Point], overrides: Sequence[str]
) -> dict[Point, ScenarioFile]:
    """Read the scenario of every point; collect the problems of all of them."""
    files: dict[Point, ScenarioFile] = {}
    problems: dict[Problem, None] = {}
    for point in points:
        try:
            files[point] = load_scenario(path, [*overrides, *point.overrides])
        except ScenarioError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise ScenarioError(problems)
    return files


def _is_current(folder: Path, scenario: Scenario) -> bool:
    """Tell whether a directory is the whole result of this scenario and version."""
    try:
        manifest = read_manifest(folder)
    except ResultsError:
        return False
    wanted = {
        "dcsim": dcsim.__version__,
        "scenario_sha256": scenario.digest(),
        "images_sha256": image_digests(scenario),
    }
    return all(manifest[key] == value for key, value in wanted.items()) and is_complete(folder)


def _read(point: Point, file: ScenarioFile, folder: Path, *, resumed: bool) -> PointOutcome:
    summary = read_summary(folder)
    return PointOutcome(point, folder, resumed, summary, check_expectations(file, summary))


def _run_all(
    files: Mapping[Point, ScenarioFile],
    targets: Mapping[Point, Path],
    workers: int,
    runner: Runner,
) -> Iterator[tuple[Point, DcsimError | None]]:
    """Run points; yield each with its error, or None, as it ends."""
    if min(workers, len(targets)) <= 1:
        for point, target in targets.items():
            yield point, _error_in(runner, files[point].scenario, target)
        return
    # A fresh interpreter for each worker: a fork would copy the threads' locks of this one.
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, context, initializer=_end_at_once)
    try:
        with _interrupts_held():
            tasks = {
                pool.submit(_run_point, runner, files[point].scenario, target): point
                for point, target in targets.items()
            }
        for task in as_completed(tasks):
            yield tasks[task], _error_of(task.exception())
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()
        raise
    pool.shutdown()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back, here and in the processes that are started meanwhile.

    A worker that is still importing would otherwise answer it with a traceback.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _error_in(runner: Runner, scenario: Scenario, folder: Path) -> DcsimError | None:
    """Run one scenario in this process; return why it failed, or None."""
    try:
        _run_point(runner, scenario, folder)
    except DcsimError as error:
        return error
    return None


def _run_point(runner: Runner, scenario: Scenario, folder: Path) -> None:
    """Run one scenario and keep its result: what a worker does."""
    write_run(runner(scenario), folder, overwrite=True)


def _end_at_once() -> None:
    """Let Ctrl-C end a worker without a word; the parent tells the user."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _error_of(error: BaseException | None) -> DcsimError | None:
    if error is None or isinstance(error, DcsimError):
        return error
    if isinstance(error, BrokenExecutor):
        raise SimulationError(
            "a worker process was killed, perhaps for lack of memory; whole results are kept: "
            "the same command again goes on from there, with --workers 1 it needs least"
        ) from error
    raise error
