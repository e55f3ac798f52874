"""The one call that runs a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.errors import InvariantError
from dcsim.host.world import CoreWorld
from dcsim.results.checks import check_result
from dcsim.run.build import build
from dcsim.run.collect import collect
from dcsim.run.invariants import check_model
from dcsim.run.sampler import Sampler
from dcsim.sim import NOWHERE, URGENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcsim.host.world import World
    from dcsim.results import RunResult
    from dcsim.run.build import Model
    from dcsim.scenario import Scenario

__all__ = ["run_scenario"]

_REPORTS = 200
_STORE_SHARE = 2


def run_scenario(
    scenario: Scenario,
    *,
    seed: int | None = None,
    progress: Callable[[int], None] | None = None,
    world: World | None = None,
    cut: Callable[[int, int], int] | None = None,
) -> RunResult:
    """Run a scenario to its end.

    Parameters
    ----------
    scenario
        What to run.
    seed
        Replaces the scenario's own.
    progress
        Called now and then with the simulated time in nanoseconds.
    world
        What makes machines; the machine world that executes when None.
    cut
        Given now and until when a machine may run, returns an earlier time: for tests, which show
        that it changes nothing.

    Returns
    -------
    RunResult
        Everything that was counted; a guest that failed is a VM's state in it.

    Raises
    ------
    PlacementError
        When no host can take a VM.
    MigrationError
        When a move at a fixed time cannot be made.
    GuestImageError
        When an image cannot be loaded.
    InvariantError
        When a frame, a cycle, a request or a block was lost, or something arrived in a vCPU's past:
        a bug. Its ``time_ns`` tells when it was found.

    Examples
    --------
    >>> from dcsim.scenario import load_scenario
    >>> loaded = load_scenario("scenarios/quickstart.yaml")  # doctest: +SKIP
    >>> run_scenario(loaded.scenario).ended_ns  # doctest: +SKIP
    2000000000
    """
    if world is None:
        memory_bytes = sum(host.memory_bytes for host in scenario.each_host())
        world = CoreWorld(memory_bytes * _STORE_SHARE)
    model = build(scenario, scenario.seed if seed is None else seed, world, cut)
    sampler = Sampler(model)
    if progress is not None:
        _report(model, progress)
    try:
        _run(model)
        check_model(model)
        result = collect(model, sampler)
        check_result(result)
    except InvariantError as error:
        error.time_ns = model.environment.now
        raise
    return result


def _run(model: Model) -> None:
    """Run until the scenario's end, or until every VM is over."""
    environment = model.environment
    end = environment.event()

    def over(_event: object = None) -> None:
        if not end.triggered:
            end.succeed()

    environment.at(model.scenario.duration_ns, over, priority=URGENT)
    if model.cluster.vms:
        callbacks = model.cluster.all_ended.callbacks
        callbacks.append(over)
    environment.run(until=end)
    for hypervisor in model.cluster.hypervisors.values():
        hypervisor.close()


def _report(model: Model, progress: Callable[[int], None]) -> None:
    """Call ``progress`` a few hundred times during a run; it reaches nobody."""
    environment = model.environment
    interval_ns = max(1, model.scenario.duration_ns // _REPORTS)

    def report() -> None:
        progress(environment.now)
        environment.after(interval_ns, report, reach=NOWHERE)

    report()
