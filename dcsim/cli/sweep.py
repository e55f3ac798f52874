"""``dcsim sweep``: run a scenario at every combination of values and seeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from dcsim.cli.options import format_option, scenario_argument, set_option
from dcsim.cli.output import show_error, show_json, show_tables
from dcsim.errors import UnknownNameError
from dcsim.report.figures import figure
from dcsim.scenario import load_scenario
from dcsim.scenario.measure import MeasureError, read_measure
from dcsim.study import grid, parse_axis, parse_seeds, run_sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dcsim.results.metrics import Value
    from dcsim.scenario import Scenario
    from dcsim.scenario.measure import Measure
    from dcsim.study import Point, PointOutcome

__all__ = ["sweep"]

_DEFAULT_METRICS = (
    "cluster.requests_served",
    "cluster.latency_p99_ns",
    "cluster.hosts_used_mean",
    "cluster.migrations",
    "cluster.energy_millijoules",
)


@click.command()
@scenario_argument
@click.option(
    "--vary",
    "axes",
    metavar="PATH=A,B,...",
    multiple=True,
    help="Vary one value; with several, every combination is run.",
)
@click.option("--seeds", metavar="1..N", help="Run each combination with these seeds.")
@set_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep the results.  [default: results/<name>-sweep]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    help="Processes to use.  [default: one for each CPU]",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="Show this metric, or arithmetic with several as in `expect:`; repeatable.",
    metavar="NAME",
)
@format_option
@click.option("--quiet", is_flag=True, help="No line on stderr for each run.")
def sweep(
    scenario: Path,
    *,
    axes: tuple[str, ...],
    seeds: str | None,
    overrides: tuple[str, ...],
    output: Path | None,
    workers: int,
    metrics: tuple[str, ...],
    output_format: str,
    quiet: bool,
) -> int:
    """Run a scenario at every combination of values and seeds, and show one table.

    A point whose result is there already is not run again, so a sweep that was interrupted goes on
    where it stopped. Exits with 1 when an expectation fails at any point, 3 when a run fails.

    \b
    Examples:
      dcsim sweep scenarios/quickstart.yaml --seeds 1..5
      dcsim sweep scenarios/quickstart.yaml --vary vms.web.count=2,4,8 --workers 2
    """
    points = grid([parse_axis(text) for text in axes], parse_seeds(seeds) if seeds else ())
    file = load_scenario(scenario, [*overrides, *points[0].overrides])
    shown = _measures(metrics or _DEFAULT_METRICS, file.scenario)
    folder = output if output is not None else Path("results") / f"{file.scenario.name}-sweep"
    found: dict[Point, PointOutcome] = {}
    for outcome in run_sweep(scenario, points, folder, workers=workers, overrides=overrides):
        found[outcome.point] = outcome
        if not quiet:
            _tell(outcome, len(found), len(points))
    ordered = [found[point] for point in points]
    if output_format == "json":
        show_json([_as_json(outcome, shown) for outcome in ordered])
    else:
        show_tables([_table(ordered, shown)])
    return _exit_code(ordered)


def _measures(names: Sequence[str], scenario: Scenario) -> dict[str, Measure]:
    """Return what each metric or expression stands for, by its text."""
    vms = [vm.name for vm in scenario.each_vm()]
    hosts = [host.name for host in scenario.each_host()]
    measures = {}
    for name in names:
        try:
            measures[name] = read_measure(name, vms, hosts)
        except MeasureError:
            raise UnknownNameError("metric", name, _DEFAULT_METRICS) from None
    return measures


def _tell(outcome: PointOutcome, done: int, total: int) -> None:
    """Write one line about a point that ended to stderr."""
    state = "was there" if outcome.resumed else "ran"
    click.echo(f"{done}/{total} {outcome.point.label}: {_verdict(outcome, state)}", err=True)
    for each in outcome.outcomes:
        if not each.passed:
            click.echo(f"failed: {each}", err=True)
    if outcome.error is not None:
        show_error(outcome.error)


def _verdict(outcome: PointOutcome, when_passed: str) -> str:
    if outcome.error is not None:
        return "error"
    return when_passed if outcome.passed else "FAIL"


def _table(outcomes: Sequence[PointOutcome], metrics: Mapping[str, Measure]) -> Table:
    table = Table(title="Sweep", title_justify="left", box=None, pad_edge=False)
    table.add_column("point")
    table.add_column("expectations")
    for name in metrics:
        table.add_column(name.removeprefix("cluster."), justify="right")
    for outcome in outcomes:
        figures = [
            figure(_value(outcome, measure), measure.metric.unit) for measure in metrics.values()
        ]
        point = ", ".join(outcome.point.overrides) or "as written"
        table.add_row(point, _verdict(outcome, "pass"), *figures)
    return table


def _as_json(outcome: PointOutcome, metrics: Mapping[str, Measure]) -> dict[str, object]:
    return {
        "overrides": list(outcome.point.overrides),
        "passed": outcome.passed,
        "error": None if outcome.error is None else str(outcome.error),
        "metrics": {name: _value(outcome, measure) for name, measure in metrics.items()},
    }


def _value(outcome: PointOutcome, measure: Measure) -> Value:
    """Return a metric of a point; None when it failed, or has no VM or host of that name."""
    if outcome.summary is None:
        return None
    try:
        return measure.value(outcome.summary.value)
    except UnknownNameError:
        return None


def _exit_code(outcomes: Sequence[PointOutcome]) -> int:
    errors = [outcome.error.exit_code for outcome in outcomes if outcome.error is not None]
    if errors:
        return max(errors)
    return 0 if all(outcome.passed for outcome in outcomes) else 1
